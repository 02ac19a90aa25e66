//! Messages to the service manager: that the daemon listens, reloads or ends, by the protocol of
//! `sd_notify`(3).

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use knock_config::text::Cause;
use nix::time::{ClockId, clock_gettime};

use super::Runner;
use super::output::Kind;

/// The variable with the socket of the service manager.
const SOCKET: &str = "NOTIFY_SOCKET";

/// The variables with the time, in microseconds, after which the manager ends a daemon that does not say that it
/// works, and with the process that is to say so.
const WATCHDOG_TIME: &str = "WATCHDOG_USEC";
const WATCHDOG_PROCESS: &str = "WATCHDOG_PID";

/// The service manager, if there is one that wants messages.
#[derive(Debug, Default)]
pub(super) struct Notifier {
    socket: Option<UnixDatagram>,
    /// Whether this is not the process that the manager has started, but one that has detached from it.
    is_detached: bool,
    /// After what time without a message the manager ends the daemon, if it does.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Takes the socket from the environment; none if the variable is not set.
    ///
    /// # Errors
    /// The socket is named but cannot be used: the service manager would wait in vain.
    pub(super) fn from_environment(is_detached: bool) -> io::Result<Self> {
        let Some(name) = env::var_os(SOCKET) else { return Ok(Self::default()) };
        let [time, process] = [WATCHDOG_TIME, WATCHDOG_PROCESS].map(|name| env::var(name).ok());
        let process = process.filter(|_| !is_detached);
        let is_other = process.is_some_and(|id| id != std::process::id().to_string());
        let time = time.filter(|_| !is_other).and_then(|time| time.parse().ok());
        let watchdog = time.filter(|&time| time > 0).map(Duration::from_micros);
        Ok(Self { watchdog, ..Self::to(&name, is_detached)? })
    }

    fn to(name: &OsStr, is_detached: bool) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            // Such as vsock:, which reaches the manager of another machine.
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // A manager that does not read must not stop the daemon.
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Some(socket), is_detached, watchdog: None })
    }

    /// Says that the daemon listens, at the start and after a reload.
    pub(super) fn ready(&self) -> io::Result<()> {
        if self.is_detached {
            self.send(format_args!("READY=1\nMAINPID={}", std::process::id()))
        } else {
            self.send(format_args!("READY=1"))
        }
    }

    /// Says that the configuration is being reloaded. [`ready`](Self::ready) says that this is done.
    pub(super) fn reloading(&self) -> io::Result<()> {
        let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
        self.send(format_args!("RELOADING=1\nMONOTONIC_USEC={}", now.as_micros()))
    }

    /// Returns after what time without [`alive`](Self::alive) the manager ends the daemon, if it does.
    pub(super) const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Says that the daemon works, if the manager wants to know.
    pub(super) fn alive(&self) -> io::Result<()> {
        if self.watchdog.is_none() {
            return Ok(());
        }
        self.send(format_args!("WATCHDOG=1"))
    }

    /// Returns whether there is a service manager.
    pub(super) const fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// Says how the daemon is, in words for people.
    pub(super) fn status(&self, text: &str) -> io::Result<()> {
        self.send(format_args!("STATUS={text}"))
    }

    /// Says that the daemon ends.
    pub(super) fn stopping(&self) -> io::Result<()> {
        self.send(format_args!("STOPPING=1"))
    }

    /// Asks for more time to end, counted from now.
    pub(super) fn extend(&self, time: Duration) -> io::Result<()> {
        self.send(format_args!("EXTEND_TIMEOUT_USEC={}", time.as_micros()))
    }

    fn send(&self, message: fmt::Arguments<'_>) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        socket.send(message.to_string().as_bytes()).map(drop)
    }
}

impl Runner {
    /// Tells the service manager something. A failure is logged: without the message the manager may end the daemon.
    pub(super) fn tell(&mut self, message: impl FnOnce(&Notifier) -> io::Result<()>) {
        if let Err(error) = message(&self.notify) {
            let text =
                format!("knockd: warning: cannot tell the service manager: {}", Cause(&error));
            self.output.text(Kind::Notice, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt as _;

    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 200];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn messages_reach_a_socket_with_a_path_and_an_abstract_one() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("notify");
        let by_path = (UnixDatagram::bind(&path).unwrap(), path.clone().into_os_string());
        let name = format!("knockd-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let abstract_one = (UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}").into());
        for (socket, name) in [by_path, abstract_one] {
            let detached = Notifier::to(&name, true).unwrap();
            detached.ready().unwrap();
            let ready = format!("READY=1\nMAINPID={}", std::process::id());
            assert_eq!(received(&socket), ready);
            let notifier = Notifier::to(&name, false).unwrap();
            notifier.ready().unwrap();
            assert_eq!(received(&socket), "READY=1");
            notifier.reloading().unwrap();
            let reloading = received(&socket);
            let stamp = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
            assert!(stamp.parse::<u64>().unwrap() > 0);
            notifier.status("2 doors, 1 open").unwrap();
            assert_eq!(received(&socket), "STATUS=2 doors, 1 open");
            notifier.stopping().unwrap();
            assert_eq!(received(&socket), "STOPPING=1");
            notifier.extend(Duration::from_secs(2)).unwrap();
            assert_eq!(received(&socket), "EXTEND_TIMEOUT_USEC=2000000");
        }
    }

    #[test]
    fn a_socket_that_is_not_there_is_an_error_and_no_socket_is_none() {
        for name in ["/nonexistent/notify", "@nobody-listens-here", "vsock:2:1", ""] {
            assert!(Notifier::to(OsStr::new(name), false).is_err(), "{name}");
        }
        let nobody = Notifier::default();
        assert!(nobody.ready().is_ok() && nobody.reloading().is_ok());
    }

    #[test]
    fn a_manager_that_does_not_read_does_not_stop_the_daemon() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("notify");
        let _manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(path.as_os_str(), false).unwrap();
        let mut results = (0..10_000).map(|_| notifier.stopping());
        assert!(results.any(|result| result.is_err()));
    }
}
