//! The log file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local};
use knock_config::LogTime;
use knock_config::text::{Cause, shown};
use nix::fcntl::OFlag;

/// The log file, if there is one.
pub(super) struct LogFile {
    file: Option<File>,
    path: PathBuf,
    time: LogTime,
    /// Whether a warning was printed that it cannot be written.
    warned: bool,
}

/// A warning that the log file cannot be written.
pub(super) type Warning = String;

impl LogFile {
    /// Opens the file, if one is named.
    pub(super) fn open(path: Option<&Path>, time: LogTime) -> (Self, Option<Warning>) {
        let mut log = Self { file: None, path: PathBuf::new(), time, warned: false };
        let Some(path) = path else { return (log, None) };
        path.clone_into(&mut log.path);
        match open_log(path) {
            Ok(file) => {
                log.file = Some(file);
                (log, None)
            }
            Err(error) => {
                let warning = log.warning("open", &error);
                (log, warning)
            }
        }
    }

    /// Writes a line. If that fails, returns a warning, but only one until it works again.
    pub(super) fn write(&mut self, text: &[u8]) -> Option<Warning> {
        let file = self.file.as_mut()?;
        let stamp = stamp(self.time, &Local::now());
        match file.write_all(&[stamp.as_bytes(), text, b"\n"].concat()) {
            Ok(()) => {
                self.warned = false;
                None
            }
            Err(error) => self.warning("write", &error),
        }
    }

    fn warning(&mut self, what: &str, error: &io::Error) -> Option<Warning> {
        if std::mem::replace(&mut self.warned, true) {
            return None;
        }
        let (path, cause) = (shown(&self.path), Cause(error));
        Some(format!("knockd: warning: cannot {what} the log file {path}: {cause}"))
    }
}

/// Opens a log file, and creates it if it does not exist.
fn open_log(path: &Path) -> io::Result<File> {
    open_at_once(OpenOptions::new().append(true).create(true).mode(0o640), path)
}

/// Opens a file that may be a pipe, without waiting for somebody who reads it, now or later. While the
/// pipe is full, writing fails.
pub(in crate::runner) fn open_at_once(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits()).open(path);
    file.map_err(|error| match error.raw_os_error() {
        Some(libc::ENXIO) => io::Error::other("it is a pipe that nothing reads, or a socket"),
        _ => error,
    })
}

/// Returns the stamp before a line of a log file.
fn stamp<Zone: chrono::TimeZone>(format: LogTime, at: &DateTime<Zone>) -> String
where
    Zone::Offset: std::fmt::Display,
{
    let pattern = match format {
        LogTime::Minutes => "[%Y-%m-%d %H:%M] ",
        LogTime::Iso => "[%Y-%m-%dT%H:%M:%S%:z] ",
    };
    at.format(pattern).to_string()
}

#[cfg(test)]
mod tests {
    use chrono::{FixedOffset, TimeZone as _};

    use super::*;

    #[test]
    fn the_stamp_is_that_of_knockd_08_or_has_seconds_and_zone() {
        let zone = FixedOffset::east_opt(2 * 3600).unwrap();
        let at = zone.with_ymd_and_hms(2026, 3, 9, 8, 7, 6).unwrap();
        assert_eq!(stamp(LogTime::Minutes, &at), "[2026-03-09 08:07] ");
        assert_eq!(stamp(LogTime::Iso, &at), "[2026-03-09T08:07:06+02:00] ");
    }
}
