//! The log file.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local};
use knock_config::LogTime;
use knock_config::file_faults::WriteFault;
use knock_config::text::shown;

/// How many bytes are written at once. A pipe takes so many as a whole or not at all.
const BYTES_AT_ONCE: usize = 4096;

/// The log file, if there is one.
pub(super) struct LogFile {
    file: Option<File>,
    path: PathBuf,
    time: LogTime,
    /// Lines that are not written yet: each write takes time, and more so on a slow disk.
    buffer: Vec<u8>,
    /// How many lines these are.
    buffered: u64,
    /// How many lines could not be written since the file was last written.
    missing: u64,
    /// Whether the last write ended within a line.
    is_torn: bool,
    /// Whether a warning was printed that it cannot be written.
    warned: bool,
}

/// A warning that the log file cannot be written.
pub(super) type Warning = String;

impl LogFile {
    /// Opens the file, if one is named.
    pub(super) fn open(path: Option<&Path>, time: LogTime) -> (Self, Option<Warning>) {
        let mut log = Self {
            file: None,
            path: PathBuf::new(),
            time,
            buffer: Vec::new(),
            buffered: 0,
            missing: 0,
            is_torn: false,
            warned: false,
        };
        let Some(path) = path else { return (log, None) };
        path.clone_into(&mut log.path);
        match open_log(path) {
            Ok(file) => {
                log.file = Some(file);
                (log, None)
            }
            Err(error) => {
                let warning = log.warning("open", &WriteFault(&error));
                (log, warning)
            }
        }
    }

    /// Adds a line, which is written at the next [`flush`](Self::flush), or now if there are many. If that
    /// fails, returns a warning, but only one until it works again.
    pub(super) fn write(&mut self, text: &[u8]) -> Option<Warning> {
        self.file.as_ref()?;
        let line = [stamp(self.time, &Local::now()).as_bytes(), text, b"\n"].concat();
        let is_full = self.buffer.len().saturating_add(line.len()) > BYTES_AT_ONCE;
        let warning = if is_full { self.flush() } else { None };
        self.buffer.extend(line);
        self.buffered = self.buffered.saturating_add(1);
        warning
    }

    /// Writes the lines so far, after one about those that are missing.
    pub(super) fn flush(&mut self) -> Option<Warning> {
        if self.buffered == 0 {
            return None;
        }
        let file = self.file.as_mut()?;
        let (lines, count) = (std::mem::take(&mut self.buffer), std::mem::take(&mut self.buffered));
        let mut bytes = if self.is_torn { b"\n".to_vec() } else { Vec::new() };
        if self.missing > 0 {
            bytes.extend(stamp(self.time, &Local::now()).into_bytes());
            bytes.extend(missing_lines(self.missing).into_bytes());
        }
        bytes.extend(lines);
        match write_all(file, &bytes) {
            Ok(()) => {
                (self.missing, self.is_torn, self.warned) = (0, false, false);
                None
            }
            Err((written, error)) => {
                self.missing = self.missing.saturating_add(count);
                // A write of nothing leaves the end of the file as it was.
                let last = written.checked_sub(1).and_then(|last| bytes.get(last));
                self.is_torn = last.map_or(self.is_torn, |&last| last != b'\n');
                self.warning("write", &WriteFault(&error))
            }
        }
    }

    fn warning(&mut self, what: &str, cause: &dyn fmt::Display) -> Option<Warning> {
        if std::mem::replace(&mut self.warned, true) {
            return None;
        }
        let path = shown(&self.path);
        Some(format!("knockd: warning: cannot {what} the log file {path}: {cause}"))
    }
}

/// Returns the line in a log file about lines that are not in it.
fn missing_lines(number: u64) -> String {
    format!("knockd: warning: {number} lines are missing here, because they could not be written\n")
}

/// Writes all bytes. If that fails, returns how many were written before.
fn write_all(file: &mut impl io::Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0_usize;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
            Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
            Ok(length) => written = written.saturating_add(length),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
    }
    Ok(())
}

/// Opens a log file, and creates it if it does not exist.
fn open_log(path: &Path) -> io::Result<File> {
    Ok(knock_guard::append(path, 0o640)?)
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
    use std::fs::OpenOptions;
    use std::io::Read as _;

    use chrono::{FixedOffset, TimeZone as _};

    use super::*;

    #[test]
    fn lines_that_cannot_be_written_are_counted_where_they_are_missing() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut reader = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let (mut log, warning) = LogFile::open(Some(&path), LogTime::Minutes);
        assert_eq!(warning, None);
        let mut warnings = Vec::new();
        // More than a pipe takes.
        for number in 0..4_000 {
            warnings.extend(log.write(format!("line {number}").as_bytes()));
        }
        warnings.extend(log.flush());
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("cannot write the log file"), "{warnings:?}");
        let mut text = String::new();
        while !text.ends_with("last\n") {
            let mut bytes = vec![0; 1 << 17];
            let length = reader.read(&mut bytes).unwrap();
            text.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
            assert_eq!(log.write(b"last"), None);
            assert_eq!(log.flush(), None);
        }
        let lines: Vec<&str> = text.lines().map(|line| line.split_once("] ").unwrap().1).collect();
        let (written, after) = lines.split_at(lines.len() - 2);
        let missing = 4_000 - written.len();
        let expected = format!(
            "knockd: warning: {missing} lines are missing here, because they could not be written"
        );
        assert_eq!(after, [expected.as_str(), "last"]);
        assert_eq!(written.last(), Some(&format!("line {}", written.len() - 1).as_str()));
    }

    #[test]
    fn the_stamp_is_that_of_knockd_08_or_has_seconds_and_zone() {
        let zone = FixedOffset::east_opt(2 * 3600).unwrap();
        let at = zone.with_ymd_and_hms(2026, 3, 9, 8, 7, 6).unwrap();
        assert_eq!(stamp(LogTime::Minutes, &at), "[2026-03-09 08:07] ");
        assert_eq!(stamp(LogTime::Iso, &at), "[2026-03-09T08:07:06+02:00] ");
    }
}
