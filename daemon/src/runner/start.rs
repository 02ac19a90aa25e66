//! From the command line to a sniffer that listens.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anstream::ColorChoice;
use knock_config::Config;
use knock_config::diagnostics::Style;
use knock_config::text::{Cause, shown};
use knock_config::{Files, Setup};
use knock_engine::Doors;

use super::lease_file::LeaseFile;
use super::lookup::Names;
use super::one_time::OneTime;
use super::output::{Output, Sinks, open_log};
use super::{Runner, commands::Commands};
use crate::addresses::{self, Watch};
use crate::args::Args;
use crate::exit::Exit;
use crate::pid_file::PidFile;
use crate::settings::Settings;
use crate::user::User;
use crate::wire::{Order, Task};
use crate::{resolver, signals, sniffer};

/// This very program, also if its file was replaced meanwhile.
const SELF: &str = "/proc/self/exe";

/// A configuration that can be used.
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) doors: Doors,
    pub(super) files: Files,
}

/// Why the daemon does not begin.
pub(super) struct Failure(pub(super) String);

/// Reads the configuration. `Err` has all that is wrong with it, and `Ok` what is hardly meant.
pub(super) fn load(path: &Path, style: Style) -> Result<(Loaded, String), String> {
    let setup = Setup::load(path);
    let report = setup.report(style);
    let Setup { config: Some(config), files, .. } = setup else { return Err(report) };
    match knock_config::doors(&config) {
        Ok(doors) => Ok((Loaded { config, doors, files }, report)),
        Err(error) => Err(format!("{report}error: {}: {error}\n", shown(path))),
    }
}

/// Returns whether what goes to standard error may have colours.
pub(crate) fn style() -> Style {
    match anstream::AutoStream::choice(&io::stderr()) {
        ColorChoice::Never => Style::Plain,
        ColorChoice::Auto | ColorChoice::AlwaysAnsi | ColorChoice::Always => Style::Coloured,
    }
}

impl Runner {
    /// Opens and starts everything. The sniffer is told what to do, and has not answered yet.
    pub(super) fn begin(
        args: &Args,
        path: PathBuf,
        settings: Settings,
        loaded: Loaded,
    ) -> Result<Self, Failure> {
        let Loaded { config, doors, files } = loaded;
        let one_time = OneTime::new(&config, &files, doors.in_order().map(|(id, _)| id));
        let pid_file = settings.pid_file.as_deref().map(PidFile::take).transpose();
        let pid_file = pid_file.map_err(|error| Failure(error.to_string()))?;
        let lease_file = settings.lease_file.as_deref().map(take_lease_file).transpose()?;
        let left_open = lease_file.as_ref().map_or(0, |file| file.open_doors().count());
        let recording = args.record.as_deref().map(create).transpose()?;
        let signals = signals::hold().map_err(|error| system("hold signals", &error.into()))?;
        let watch = Watch::new().map_err(|error| system("watch the addresses", &error))?;
        let local = addresses::local(&settings.interfaces)
            .map_err(|error| system("read the addresses", &error))?;
        let names = if args.lookup { Some(start_resolver(settings.user)?) } else { None };
        let sinks = sinks(args, &settings);
        let task = Task {
            interfaces: settings.interfaces.clone(),
            addresses: local.clone(),
            ipv4_only: args.only_ip_v4,
            every_line: sinks.want_every_line(),
            debug: args.debug,
            records: recording.is_some(),
            max_attempts: args.max_attempts,
            becomes: settings.user,
            files,
        };
        let (sniffer, socket) = start_sniffer(args, &settings, recording)?;
        let mut runner = Self {
            args: args.clone(),
            path,
            commands: Commands::new(settings.command_limit, args.daemon),
            settings,
            doors,
            one_time,
            marks: 0,
            leases: super::Leases::from(u64::try_from(left_open).unwrap_or(u64::MAX)),
            lease_file,
            output: Output::new(sinks, names),
            sniffer: super::Sniffer::new(sniffer, socket),
            signals,
            watch,
            local,
            pid_file,
            waiting: None,
            reload: super::Reload::Idle,
            losses: super::Losses::default(),
            state: super::State::Starting,
            has_listened: false,
            hurried_from: None,
            exit: Exit::Done,
        };
        runner.sniffer.tell(&Order::Begin(Box::new(task)));
        Ok(runner)
    }
}

/// Returns where lines go.
pub(super) fn sinks(args: &Args, settings: &Settings) -> Sinks {
    Sinks {
        verbose: args.verbose,
        log_file: settings.log_file.clone(),
        log_time: settings.log_time,
        syslog: settings.syslog,
    }
}

/// Takes the file that remembers open doors. What in it makes no sense is told.
fn take_lease_file(path: &Path) -> Result<LeaseFile, Failure> {
    let (file, nonsense) = LeaseFile::take(path).map_err(|error| Failure(error.to_string()))?;
    if nonsense > 0 {
        let path = shown(path);
        say(&format!(
            "knockd: warning: {nonsense} lines of {path} make no sense: doors may be open\n"
        ));
    }
    Ok(file)
}

fn system(what: &str, error: &io::Error) -> Failure {
    Failure(format!("cannot {what}: {}", Cause(error)))
}

/// Creates the file for a recording, which tells the secret of every door that opens: for its owner
/// only.
fn create(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.map_err(|error| Failure(format!("cannot write {}: {}", shown(path), Cause(&error))))
}

/// Starts the program a second time, to read packets.
fn start_sniffer(
    args: &Args,
    settings: &Settings,
    recording: Option<File>,
) -> Result<(Child, UnixStream), Failure> {
    let failed = |error: &io::Error| system("start the process that reads packets", error);
    let (socket, other) = UnixStream::pair().map_err(|error| failed(&error))?;
    let mut command = Command::new(SELF);
    command.arg0(sniffer::NAME).env_clear().stdin(Stdio::from(std::os::fd::OwnedFd::from(other)));
    command.stdout(recording.map_or_else(Stdio::null, Stdio::from));
    if args.daemon {
        // The caller's terminal must be left. Its last words, if this process dies, go to the log.
        let log = settings.log_file.as_ref();
        // A file that cannot be opened is told of by the output.
        let log = log.and_then(|path| open_log(path).ok());
        command.stderr(log.map_or_else(Stdio::null, Stdio::from));
    }
    let child = command.spawn().map_err(|error| failed(&error))?;
    socket.set_nonblocking(true).map_err(|error| failed(&error))?;
    Ok((child, socket))
}

/// Starts the program once more, to look names up. It ends when nobody asks any more.
fn start_resolver(user: Option<User>) -> Result<Names, Failure> {
    let failed = |error: &io::Error| system("start the process that looks names up", error);
    let (socket, other) = UnixStream::pair().map_err(|error| failed(&error))?;
    let mut command = Command::new(SELF);
    command.arg0(resolver::NAME).args(user.into_iter().flat_map(User::arguments));
    command.stdin(Stdio::from(std::os::fd::OwnedFd::from(other)));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(|error| failed(&error))?;
    Ok(Names::new(socket))
}

/// Says something before there are lines.
pub(crate) fn say(text: &str) {
    // Nobody could be told that this failed.
    let _ = io::stderr().write_all(text.as_bytes());
}
