//! The settings: the command line and the configuration together.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use knock_config::{
    Directive, FileName, Firewall, Given, Guard, LogTime, OnStateError, OnStop, Options,
};
use knock_engine::Seconds;
use knock_guard::Modes;

use crate::args::Args;
use crate::pid_file::PidPath;
use crate::places::Places;
use crate::user::{User, is_root};

/// The settings of the daemon. The command line overrides the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The interfaces to listen on; if none is named, that of the default route.
    pub(crate) interfaces: Vec<Vec<u8>>,
    /// The file for the process ID; only with `--daemon`.
    pub(crate) pid_file: Option<PidPath>,
    pub(crate) log_file: Option<PathBuf>,
    pub(crate) log_time: LogTime,
    pub(crate) syslog: bool,
    /// The user that processes without privileges become; `None` unless started by root, because only
    /// root can become another user.
    pub(crate) user: Option<User>,
    /// How long a command may run.
    pub(crate) command_limit: Seconds,
    /// The folder of the file with the open doors, for the next start if this process is killed.
    pub(crate) state_dir: Option<PathBuf>,
    /// That file, if it has another name.
    pub(crate) lease_file: Option<PathBuf>,
    /// The socket at which the daemon is asked what it does.
    pub(crate) control_socket: Option<PathBuf>,
    /// Whether that is the default.
    pub(crate) control_is_default: bool,
    pub(crate) on_state_error: OnStateError,
    pub(crate) on_stop: OnStop,
    /// Where the ports of doors are opened.
    pub(crate) firewall: Option<Firewall>,
    pub(crate) guard: Guard,
    /// Whose files are believed.
    pub(crate) modes: Modes,
}

/// Why the settings cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SettingsError {
    /// Both `any` and another interface are named.
    AnyAndMore,
    /// The user does not exist.
    NoUser { name: String, is_default: bool },
}

impl fmt::Display for SettingsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyAndMore => out.write_str(
                "'any' already means all interfaces: name only 'any', or only the others",
            ),
            Self::NoUser { name, is_default: true } => write!(
                out,
                "user {name}, as which knockd reads packets, does not exist: name another with the \
                 directive 'User'"
            ),
            Self::NoUser { name, is_default: false } => write!(
                out,
                "user {name}, named by the directive 'User', does not exist: create it, or name another"
            ),
        }
    }
}

impl Settings {
    /// Combines the command line and the configuration.
    ///
    /// # Errors
    /// [`SettingsError`] if they name something that does not exist.
    pub(crate) fn new(args: &Args, options: &Options) -> Result<Self, SettingsError> {
        Ok(Self {
            interfaces: interfaces(args, options)?,
            pid_file: pid_path(args, options).filter(|_| args.daemon),
            log_file: log_path(args, options),
            log_time: options.log_time(),
            syslog: options.use_syslog,
            user: user(options)?,
            command_limit: options.command_limit(),
            state_dir: options.state_dir.as_ref().map(path),
            lease_file: options.lease_file.as_ref().map(path),
            control_is_default: options.control_socket.is_none(),
            control_socket: options
                .control_socket
                .as_ref()
                .map(path)
                .or_else(default_control_socket),
            on_state_error: options.on_state_error(),
            on_stop: options.on_stop(),
            firewall: options.firewall().cloned(),
            guard: options.guard(),
            modes: args.modes(),
        })
    }
}

impl Settings {
    /// Returns where open doors are remembered.
    pub(crate) fn places(&self) -> Places {
        Places::new(self.state_dir.as_deref(), self.lease_file.as_deref()).with_modes(self.modes)
    }
}

/// Returns where the control socket is if no directive says so: in the folder that a service manager has
/// made, or where root can make one.
fn default_control_socket() -> Option<PathBuf> {
    let default = Path::new(knock_control::DEFAULT_SOCKET);
    let folders = std::env::var_os("RUNTIME_DIRECTORY").unwrap_or_default();
    match std::env::split_paths(&folders).next().filter(|folder| folder.is_absolute()) {
        Some(folder) => default.file_name().map(|name| folder.join(name)),
        None => is_root().then(|| default.to_owned()),
    }
}

/// Returns the log file.
pub(crate) fn log_path(args: &Args, options: &Options) -> Option<PathBuf> {
    args.logfile.clone().or_else(|| options.log_file.as_ref().map(path))
}

/// Returns the pid file of a daemon.
pub(crate) fn pid_path(args: &Args, options: &Options) -> Option<PidPath> {
    let given = args.pidfile.clone().or_else(|| options.pid_file.as_ref().map(path));
    given.map(|path| PidPath { path, is_given: true }).or_else(|| {
        let path = PathBuf::from(Directive::PidFile.default_value()?);
        Some(PidPath { path, is_given: false })
    })
}

/// Returns where open doors are remembered.
pub(crate) fn places(args: &Args, options: &Options) -> Places {
    let [folder, file] =
        [&options.state_dir, &options.lease_file].map(|name| name.as_ref().map(path));
    Places::new(folder.as_deref(), file.as_deref()).with_modes(args.modes())
}

fn path(name: &Given<FileName>) -> PathBuf {
    Path::new(OsStr::from_bytes(name.value.as_bytes())).to_owned()
}

fn interfaces(args: &Args, options: &Options) -> Result<Vec<Vec<u8>>, SettingsError> {
    let names: Vec<Vec<u8>> = if args.interfaces.is_empty() {
        options.interfaces().iter().map(|name| name.as_bytes().to_vec()).collect()
    } else {
        args.interfaces.iter().map(|name| name.clone().into_vec()).collect()
    };
    let mut distinct: Vec<Vec<u8>> = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    if distinct.len() > 1 && distinct.iter().any(|name| name == b"any") {
        return Err(SettingsError::AnyAndMore);
    }
    Ok(distinct)
}

fn user(options: &Options) -> Result<Option<User>, SettingsError> {
    let name = options.user.as_ref().map(|given| &given.value);
    let user = User::find(name)
        .map_err(|unknown| SettingsError::NoUser { name: unknown, is_default: name.is_none() })?;
    Ok(crate::user::is_root().then_some(user))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use knock_config as config;

    use super::*;

    fn settings(args: &[&str], options: &str) -> Result<Settings, SettingsError> {
        let args = Args::parse_from(["knockd"].iter().chain(args));
        let text = format!("[options]\n{options}\n[d]\nsequence = 1\n");
        Settings::new(&args, &config::parse(text.as_bytes()).config.unwrap().options)
    }

    fn given(path: &str) -> PidPath {
        PidPath { path: path.into(), is_given: true }
    }

    #[test]
    fn the_command_line_overrides_the_file() {
        let file = "interface = eth1,eth2\npidfile = /p\nlogfile = /l";
        let both = settings(&["-d", "-i", "eth0", "-p", "/a", "-g", "/b"], file).unwrap();
        assert_eq!(both.interfaces, [b"eth0".to_vec()]);
        assert_eq!(both.pid_file, Some(given("/a")));
        assert_eq!(both.log_file, Some("/b".into()));
        let only_file = settings(&["-d"], file).unwrap();
        assert_eq!(only_file.interfaces, [b"eth1".to_vec(), b"eth2".to_vec()]);
        assert_eq!(only_file.pid_file, Some(given("/p")));
        assert_eq!(only_file.log_file, Some("/l".into()));
    }

    #[test]
    fn only_a_daemon_has_a_pid_file() {
        assert_eq!(settings(&["-i", "lo"], "pidfile = /p").unwrap().pid_file, None);
        let default = Some(PidPath { path: "/var/run/knockd.pid".into(), is_given: false });
        assert_eq!(settings(&["-d", "-i", "lo"], "").unwrap().pid_file, default);
    }

    #[test]
    fn interfaces_are_repeated_or_separated_by_commas_and_each_is_used_once() {
        let names = |args: &[&str]| settings(args, "").unwrap().interfaces;
        let expected = [b"eth0".to_vec(), b"ppp0".to_vec()];
        assert_eq!(names(&["-i", "eth0,ppp0"]), expected);
        assert_eq!(names(&["-i", "eth0", "--interface", "ppp0", "-i", "eth0"]), expected);
        assert_eq!(settings(&["-i", "any,eth0"], ""), Err(SettingsError::AnyAndMore));
        assert_eq!(names(&["-i", "any,any"]), [b"any".to_vec()]);
    }

    #[test]
    fn a_user_that_does_not_exist_is_an_error() {
        let error = settings(&["-i", "lo"], "user = nosuchuser").unwrap_err();
        assert_eq!(
            error,
            SettingsError::NoUser { name: "nosuchuser".to_owned(), is_default: false }
        );
    }
}
