//! The syslog of this machine.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};

use knock_config::text::Cause;
use nix::syslog::{Facility, LogFlags, Severity, openlog, syslog};

use super::log::Warning;

/// The socket on which the functions of the C library write.
const SOCKET: &str = "/dev/log";

/// The name before each line, as in knockd 0.8.
const IDENT: &CStr = c"knockd";

/// Begins to write to syslog, and returns an error to be printed if nobody listens there, of which the functions of the C
/// library say nothing.
pub(super) fn open() -> Option<Warning> {
    // This fails only for a name that is not a C string.
    let _ = openlog(Some(IDENT), LogFlags::empty(), Facility::LOG_DAEMON);
    let error = listener().err()?;
    let cause = Cause(&error);
    Some(format!(
        "knockd: error: UseSyslog is set, but nothing takes syslog messages at {SOCKET}: {cause}; they are lost \
         until something does"
    ))
}

/// Returns an error if nobody listens, be it for datagrams or, as the C library also tries, for a stream.
fn listener() -> io::Result<()> {
    match UnixDatagram::unbound()?.connect(SOCKET) {
        Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => {
            UnixStream::connect(SOCKET).map(drop)
        }
        result => result,
    }
}

/// Writes a line.
pub(super) fn write(text: &[u8]) {
    // A NUL would end the text. There is no other place to report an error.
    let text: Vec<u8> = without_name(text).iter().copied().filter(|&byte| byte != 0).collect();
    let _ = syslog(Severity::LOG_NOTICE, OsStr::from_bytes(&text));
}

/// Returns a message without the program's name, which syslog and the journal put before it themselves. The
/// lines of a door that has the same name stay as they are.
pub(super) fn without_name(text: &[u8]) -> &[u8] {
    match text.strip_prefix(b"knockd: ") {
        Some(rest) if rest.starts_with(b"warning: ") || rest.starts_with(b"error: ") => rest,
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_program_is_said_once() {
        assert_eq!(without_name(b"knockd: warning: x"), b"warning: x");
        assert_eq!(without_name(b"knockd: error: x"), b"error: x");
        for line in ["starting up, knockd: warning: x", "knockd: running command: true"] {
            assert_eq!(without_name(line.as_bytes()), line.as_bytes());
        }
    }
}
