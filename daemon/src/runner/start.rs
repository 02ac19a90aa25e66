//! The start, up to a sniffer that listens.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anstream::ColorChoice;
use knock_config::diagnostics::Style;
use knock_config::text::{Cause, ProcessFault, shown};
use knock_config::{Config, Directive};
use knock_config::{Files, Setup, Waits};
use knock_engine::Doors;
use knock_signed::Moment;
use nix::sys::signalfd::SignalFd;

use super::clock::Clock;
use super::interfaces::Interfaces;
use super::lease_store::{Found, LeaseStore, TakenLeases};
use super::notify::Notifier;
use super::one_time::OneTime;
use super::output::{self, Kind, Output, Sinks};
use super::recording::RecordingFiles;
use super::resolver_process::ResolverProcess;
use super::service_status::ServiceStatus;
use super::starter::{Started, Starter};
use super::used::Used;
use super::{Runner, Unwritten, commands::Commands, confinement};
use crate::args::Args;
use crate::boot_time::Alarm;
use crate::exit::Exit;
use crate::links::{Links, Watch};
use crate::pid_file::PidFile;
use crate::run_lock::Patience;
use crate::settings::Settings;
use crate::starter::Program;
use crate::user::{FALLBACK, User};
use crate::wire::{Order, Task};
use crate::{other_daemons, packet_socket, signals};

/// A configuration without errors.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) doors: Doors,
    pub(super) files: Files,
}

/// Why the daemon does not start: lines for standard error.
pub(super) struct Failure {
    pub(super) text: String,
    pub(super) exit: Exit,
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self { text, exit: Exit::Failed }
    }
}

/// How long a start and a check wait for a configuration that is a pipe.
pub(crate) const PIPE_MAX: Waits = Waits::AtMost(Duration::from_secs(10));

impl Failure {
    /// Returns the reason without what comes before and after it on standard error.
    pub(super) fn reason(self) -> String {
        let text = self.text.trim_end();
        text.strip_prefix("knockd: error: ").unwrap_or(text).to_owned()
    }
}

/// Returns the line for a reason not to start.
pub(super) fn failure(why: &dyn fmt::Display) -> Failure {
    format!("knockd: error: {why}\n").into()
}

/// Reads the configuration. `Ok` includes its warnings; `Err` has its errors and warnings.
pub(crate) fn load(
    path: &Path,
    waits: Waits,
    style: Style,
    args: &Args,
) -> Result<(Loaded, String), String> {
    let setup = Setup::load_within(path, args.modes(), waits);
    let report = setup.report(style);
    let Setup { config: Some(config), files, .. } = setup else { return Err(report) };
    if let Some(why) = lack_of_doors(args, path, &config) {
        return Err(format!("{report}error: {why}\n"));
    }
    match knock_config::doors(&config) {
        Ok(doors) => Ok((Loaded { config, doors, files }, report)),
        Err(error) => Err(format!("{report}error: {}: {error}\n", shown(path))),
    }
}

/// Returns why a configuration without doors is refused, if it is.
pub(crate) fn lack_of_doors(args: &Args, path: &Path, config: &Config) -> Option<String> {
    let is_refused = config.doors.is_empty() && !args.allow_no_doors;
    is_refused.then(|| {
        let path = shown(path);
        format!(
            "{path} has no doors, so knockd could open nothing; add one, or start knockd with \
             '--allow-no-doors'"
        )
    })
}

/// Returns whether text on standard error may have colours.
pub(crate) fn style() -> Style {
    match anstream::AutoStream::choice(&io::stderr()) {
        ColorChoice::Never => Style::Plain,
        ColorChoice::Auto | ColorChoice::AlwaysAnsi | ColorChoice::Always => Style::Coloured,
    }
}

/// What is opened first: after that, this process has only the privileges that it needs.
struct Opened {
    store: LeaseStore,
    found: Found,
    used: Used,
    recording: Option<RecordingFiles>,
    starter: Starter,
}

impl Opened {
    fn open(
        args: &Args,
        config: (&Path, &Config),
        doors: &Doors,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        let (leases, mut found) = TakenLeases::take(settings.places());
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let start = Moment(u64::try_from(start).unwrap_or(u64::MAX));
        let (used, warnings) = Used::read(settings.places(), args.max_attempts.get(), doors, start);
        found.warnings.extend(warnings);
        let recording = open_recording(args)?;
        check_captures(&settings.interfaces)?;
        let has_left_open = !found.left.is_empty();
        let (starter, warning) = confinement::enter(args, config, settings, has_left_open)?;
        found.warnings.extend(warning);
        let store = LeaseStore::new(leases);
        let store = store.map_err(|error| system("remember open doors", &error))?;
        Ok(Self { store, found, used, recording, starter })
    }
}

impl Runner {
    /// Opens and starts everything. The sniffer has its task, but does not listen yet.
    pub(super) fn begin(
        args: &Args,
        path: PathBuf,
        settings: Settings,
        loaded: Loaded,
    ) -> Result<Self, Failure> {
        let Loaded { config, doors, files } = loaded;
        let one_time =
            OneTime::new(args.modes(), &config, &files, doors.in_order().map(|(id, _)| id));
        let (pid_file, signals) = take_pid_file(&settings)?;
        let opened = Opened::open(args, (&path, &config), &doors, &settings)?;
        let Opened { store, found, used, recording, starter } = opened;
        let notify = Notifier::from_environment(args.daemon)
            .map_err(|error| system("reach the service manager at $NOTIFY_SOCKET", &error))?;
        let watch = Watch::new(settings.interfaces.is_empty())
            .map_err(|error| system("watch for changes of addresses", &error))?;
        let links =
            Links::look().map_err(|error| system("read the interfaces of this machine", &error))?;
        let (resolver, names) = start_resolver(args, &starter, &settings)?.unzip();
        let sinks = sinks(args, &settings);
        let records = recording.is_some();
        let (recording, old_recording) = recording.map(|files| (files.file, files.old)).unzip();
        let (sniffer, socket) = start_sniffer(&starter, recording)?;
        let clock = Clock::new();
        let mut runner = Self {
            args: args.clone(),
            path,
            alarm: Alarm::new().map_err(|error| system("make a timer", &error))?,
            commands: Commands::new(settings.command_limit, args.daemon),
            interfaces: Interfaces::new(&settings.interfaces),
            settings,
            doors,
            one_time,
            used,
            marks: 0,
            leases: super::Leases::from(first_number(&found, &clock)),
            admissions: super::Admissions::default(),
            gate: None,
            store,
            unwritten: Unwritten::default(),
            unremembered: BTreeSet::new(),
            keeps_doors: false,
            clock,
            output: Output::new(sinks, names).map_err(|error| system("write lines", &error))?,
            resolver,
            sniffer: super::SnifferProcess::new(sniffer, socket),
            starter,
            heartbeat: super::Heartbeat::new(Instant::now(), None),
            attempts: super::AttemptList::default(),
            replacement: super::Replacement::new(),
            files: files.clone(),
            signals: super::Signals::new(signals),
            watch,
            local: links.addresses,
            pid_file,
            control: None,
            totals: super::Totals::default(),
            started: Instant::now(),
            waiting: None,
            notify,
            service_status: ServiceStatus::default(),
            reload: super::Reload::Idle,
            losses: super::Losses::default(),
            state: super::State::Starting,
            has_listened: false,
            hurried_from: None,
            exit: Exit::Done,
        };
        runner.start_firewall()?;
        runner.warn_of_missing_user(&config);
        runner.make_control();
        runner.give(Task { records, ..runner.task(files) }, old_recording.flatten());
        runner.follow_interfaces();
        runner.warn_of_other_daemon();
        runner.take_found(found);
        Ok(runner)
    }

    /// Warns if the processes without privileges run as a user that others use, too.
    fn warn_of_missing_user(&mut self, config: &Config) {
        let is_named = config.options.user.is_some();
        if is_named || self.settings.user.is_none() || User::default_user().is_some() {
            return;
        }
        let default = Directive::User.default_value().unwrap_or_default();
        let text = format!(
            "knockd: warning: there is no user {default}, so packets are read as {FALLBACK}, and every other \
             process of {FALLBACK} could stop that; create the user, with 'useradd --system --user-group \
             --no-create-home --shell /usr/sbin/nologin {default}', or name another one with the \
             directive 'User'"
        );
        self.output.text(Kind::Notice, text);
    }

    /// Warns if another knockd listens on the same interface: started by hand to watch, this one would open every
    /// door a second time.
    fn warn_of_other_daemon(&mut self) {
        let Some(other) = other_daemons::on(&self.interfaces.numbers()) else { return };
        let names = self.interfaces.listened_on();
        let name = Links::look().ok().and_then(|links| {
            let link = links.numbered(other.interface)?;
            Some(String::from_utf8_lossy(&link.name).into_owned())
        });
        let name = name.unwrap_or_else(|| names.join(", "));
        let text = format!(
            "knockd: warning: another knockd, process {}, listens on {name}, too: a knock that opens a door in both \
             runs its command twice; to only watch, use 'knockctl events', or stop the other one first",
            other.process
        );
        self.output.text(Kind::Notice, text);
    }

    /// Gives a new sniffer its task, and the file in which a recording goes on from so many bytes on.
    fn give(&mut self, task: Task, old_recording: Option<(File, NonZeroU64)>) {
        match old_recording {
            Some((old, bytes_max)) => {
                let task = Task { record_max: Some(bytes_max), ..task };
                self.sniffer.queue_with(&Order::Begin(Box::new(task)), old.into());
            }
            None => self.sniffer.queue(&Order::Begin(Box::new(task))),
        }
    }

    /// Returns what a sniffer is to do that records nothing.
    pub(super) fn task(&self, files: Files) -> Task {
        Task {
            addresses: self.local.iter().copied().collect(),
            ipv4_only: self.args.only_ip_v4,
            every_line: sinks(&self.args, &self.settings).want_every_line(),
            debug: self.args.debug,
            records: false,
            record_max: None,
            max_attempts: self.args.max_attempts,
            becomes: self.settings.user,
            files,
            used: self.used.periods(),
            moments: self.used.moments(),
        }
    }
}

/// Returns the number of the first lease. No lease before has had it, and no other daemon uses it.
fn first_number(found: &Found, clock: &Clock) -> u64 {
    let now = u64::try_from(clock.now().wall.as_micros()).unwrap_or_default();
    let last = found.left.iter().map(|lease| lease.number).max().unwrap_or_default();
    now.max(last.saturating_add(1))
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

/// Starts the process that looks up names, and returns it with its socket, if it is wanted.
fn start_resolver(
    args: &Args,
    starter: &Starter,
    settings: &Settings,
) -> Result<Option<(ResolverProcess, UnixStream)>, Failure> {
    let resolver = args.lookup.then(|| ResolverProcess::start(starter, settings.user)).transpose();
    resolver.map_err(|why| cannot("start the process that looks up names", &ProcessFault(&why)))
}

/// Makes sure that no other daemon uses the pid file, takes over signals, and writes the file, from which
/// others know where to send signals.
fn take_pid_file(settings: &Settings) -> Result<(Option<PidFile>, SignalFd), Failure> {
    let claim = settings.pid_file.as_ref().map(|path| path.claim(Patience::START, report_wait));
    let claim = claim.transpose().map_err(|error| failure(&error))?;
    let signals = signals::take().map_err(|error| system("block signals", &error.into()))?;
    let Some(claim) = claim else { return Ok((None, signals)) };
    let (pid_file, warning) = claim.write().map_err(|error| failure(&error))?;
    if let Some(warning) = warning {
        print_stderr(&format!("knockd: warning: {warning}\n"));
    }
    Ok((pid_file, signals))
}

fn open_recording(args: &Args) -> Result<Option<RecordingFiles>, Failure> {
    let files = args.record.as_deref().map(|path| RecordingFiles::open(path, args.record_size));
    files.transpose().map_err(|why| failure(&why))
}

fn report_wait(holder: Option<i32>) {
    let holder = holder.map_or_else(String::new, |id| format!(", process {id},"));
    print_stderr(&format!(
        "knockd: waiting for the last knockd{holder} to close its doors and end\n"
    ));
}

/// Checks that this process may capture packets.
fn check_captures(interfaces: &[Vec<u8>]) -> Result<(), Failure> {
    match packet_socket::check() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let names = interfaces.iter().map(|name| String::from_utf8_lossy(name).into_owned());
            let names = match names.collect::<Vec<_>>() {
                names if names.is_empty() => "the interface of the default route".to_owned(),
                names => names.join(", "),
            };
            let program = std::env::current_exe();
            let program = program.unwrap_or_else(|_| PathBuf::from("/usr/sbin/knockd"));
            Err(failure(&format_args!(
                "cannot listen on {} without the capability CAP_NET_RAW: start knockd as root, or grant \
                 the capability to a group, with '{}' or with \
                 'AmbientCapabilities=CAP_NET_RAW' in the systemd unit",
                names,
                knock_guard::remedy_for_granted(&program, "knockd")
            )))
        }
        done => done.map_err(|error| system("capture packets", &error)),
    }
}

fn system(what: &str, error: &io::Error) -> Failure {
    cannot(what, &Cause(error))
}

fn cannot(what: &str, why: &dyn fmt::Display) -> Failure {
    failure(&format_args!("cannot {what}: {why}"))
}

/// Starts the program a second time, to read packets.
pub(super) fn start_sniffer(
    starter: &Starter,
    recording: Option<File>,
) -> Result<(Started, UnixStream), Failure> {
    const WHAT: &str = "start the process that reads packets";
    let failed = |error: &io::Error| system(WHAT, error);
    let (socket, other) = UnixStream::pair().map_err(|error| failed(&error))?;
    let process = starter.start(Program::Sniffer, other.into(), recording.map(Into::into));
    let process = process.map_err(|why| cannot(WHAT, &ProcessFault(&why)))?;
    socket.set_nonblocking(true).map_err(|error| failed(&error))?;
    Ok((process, socket))
}

/// Prints a text on standard error, before there is an [`Output`].
pub(crate) fn print_stderr(text: &str) {
    output::print_early(text);
}
