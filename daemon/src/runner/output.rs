//! Lines on their way out: to standard output and standard error, the log file and syslog.
//!
//! A thread of its own writes them. A terminal that is stopped, a full pipe or a slow syslog delays
//! lines, and in the end loses them, but never a command.

use std::ffi::{CStr, OsStr};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chrono::{DateTime, Local};
use knock_engine::config::LogTime;
use nix::syslog::{Facility, LogFlags, Severity, openlog, syslog};

use super::lookup::Names;

/// How many lines may wait to be written.
const LINES_MAX: usize = 16_384;

/// How long the end, and a caller of a daemon, wait for lines to be written.
const END_MAX: Duration = Duration::from_secs(5);

/// The name that lines in syslog carry, as those of knockd 0.8.
const IDENT: &CStr = c"knockd";

/// A line, and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kind: Kind,
    /// The text, without a newline.
    pub(super) text: Vec<u8>,
    /// The client with whose address the line begins, if it does.
    pub(super) client: Option<IpAddr>,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A line of the transcript.
    Transcript,
    /// A line of the transcript that matters to everybody: an opening, a command.
    Opening,
    /// What an administrator should see in any case.
    Message,
    /// Only for the transcript, not for logs.
    Aside,
    /// Not for the transcript, which has it in other words.
    Logged,
    /// What `--debug` asks for.
    Debug,
}

/// Where lines go.
#[derive(Clone, Debug)]
pub(super) struct Sinks {
    pub(super) verbose: bool,
    pub(super) log_file: Option<PathBuf>,
    pub(super) log_time: LogTime,
    pub(super) syslog: bool,
}

impl Sinks {
    /// Returns whether every line of the transcript goes somewhere.
    pub(super) fn want_every_line(&self) -> bool {
        self.verbose || self.log_file.is_some() || self.syslog
    }
}

/// What the writing thread is told.
enum Job {
    Line(Line),
    /// To close the log file and to open it again, perhaps another one, and with another stamp.
    Reopen(Sinks),
    /// To say that everything before is written.
    Answer(Sender<()>),
}

/// The lines' way out.
pub(super) struct Output {
    jobs: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
    /// Tells when the writer has ended.
    ended: Receiver<()>,
    /// How many lines did not find room since that was last told.
    lost: u64,
    /// That the log file is to be opened anew, for which there was no room yet.
    reopening: Option<Sinks>,
}

impl Output {
    /// Opens the log file and begins to write. A log file that cannot be opened is a warning, as in
    /// knockd 0.8 (case `h-logfile-cannot-open`).
    pub(super) fn new(sinks: Sinks, names: Option<Names>) -> Self {
        if sinks.syslog {
            // Fails only for a name that is not a C string.
            let _ = openlog(Some(IDENT), LogFlags::empty(), Facility::LOG_DAEMON);
        }
        let (jobs, to_do) = mpsc::sync_channel(LINES_MAX);
        let (end, ended) = mpsc::channel();
        let mut writer = Writer { log: Log::open(&sinks), sinks, names };
        let writer = thread::spawn(move || {
            for job in to_do {
                writer.perform(job);
            }
            let _ = end.send(());
        });
        Self { jobs: Some(jobs), writer: Some(writer), ended, lost: 0, reopening: None }
    }

    /// Writes a line some time soon.
    pub(super) fn line(&mut self, line: Line) {
        if !self.try_to_reopen() {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        if self.lost > 0 {
            let text = format!("{} lines were lost because they could not be written", self.lost);
            let told = Line { kind: Kind::Message, text: text.into_bytes(), client: None };
            if !self.put(Job::Line(told)) {
                self.lost = self.lost.saturating_add(1);
                return;
            }
            self.lost = 0;
        }
        if !self.put(Job::Line(line)) {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Writes a text that is no client's.
    pub(super) fn text(&mut self, kind: Kind, text: impl Into<Vec<u8>>) {
        self.line(Line { kind, text: text.into(), client: None });
    }

    /// Writes all lines of a report about a configuration.
    pub(super) fn report(&mut self, report: &str) {
        for line in report.lines().filter(|line| !line.is_empty()) {
            self.text(Kind::Message, line);
        }
    }

    /// Opens the log file anew, behind all lines before. If there is no room for that, lines are lost
    /// until there is.
    pub(super) fn reopen(&mut self, sinks: &Sinks) {
        self.reopening = Some(sinks.clone());
        self.try_to_reopen();
    }

    /// Returns whether nothing is left to be opened anew before the next line.
    fn try_to_reopen(&mut self) -> bool {
        let (Some(jobs), Some(sinks)) = (&self.jobs, self.reopening.take()) else { return true };
        match jobs.try_send(Job::Reopen(sinks)) {
            Err(TrySendError::Full(Job::Reopen(sinks))) => {
                self.reopening = Some(sinks);
                false
            }
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => true,
        }
    }

    /// Waits until all lines so far are written, but not for ever.
    pub(super) fn flush(&self) {
        let (written, answer) = mpsc::channel();
        if self.put(Job::Answer(written)) {
            let _ = answer.recv_timeout(END_MAX);
        }
    }

    fn put(&self, job: Job) -> bool {
        let Some(jobs) = &self.jobs else { return false };
        match jobs.try_send(job) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// Waits until all is written, but not for ever.
    pub(super) fn end(mut self) {
        drop(self.jobs.take());
        match self.ended.recv_timeout(END_MAX) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                if let Some(writer) = self.writer.take() {
                    let _ = writer.join();
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

struct Writer {
    sinks: Sinks,
    log: Log,
    names: Option<Names>,
}

impl Writer {
    fn perform(&mut self, job: Job) {
        match job {
            Job::Line(line) => self.write(line),
            Job::Reopen(sinks) => {
                self.log = Log::open(&sinks);
                self.sinks = sinks;
            }
            Job::Answer(written) => {
                // Who waits may have given up.
                let _ = written.send(());
            }
        }
    }

    fn write(&mut self, Line { kind, text, client }: Line) {
        let text = match (client, &mut self.names) {
            (Some(client), Some(names)) => names.insert(client, text),
            _ => text,
        };
        // Nobody could be told that one of these cannot be written.
        let _ = match (kind, self.sinks.verbose) {
            (Kind::Debug, _) | (Kind::Transcript | Kind::Opening | Kind::Aside, true) => {
                print(io::stdout(), &text)
            }
            (Kind::Message, _) | (Kind::Opening | Kind::Logged, false) => {
                print(io::stderr(), &text)
            }
            (Kind::Transcript | Kind::Aside, false) | (Kind::Logged, true) => Ok(()),
        };
        match kind {
            Kind::Transcript | Kind::Opening | Kind::Message | Kind::Logged => self.log(&text),
            Kind::Aside | Kind::Debug => {}
        }
    }

    fn log(&mut self, text: &[u8]) {
        self.log.write(self.sinks.log_time, text);
        if self.sinks.syslog {
            // A NUL would end the text.
            let text: Vec<u8> = text.iter().copied().filter(|&byte| byte != 0).collect();
            let _ = syslog(Severity::LOG_NOTICE, OsStr::from_bytes(&text));
        }
    }
}

fn print(mut stream: impl io::Write, text: &[u8]) -> io::Result<()> {
    stream.write_all(&[text, b"\n"].concat())?;
    stream.flush()
}

/// The log file.
struct Log {
    file: Option<File>,
    path: PathBuf,
    /// Whether it was told that it cannot be written.
    told: bool,
}

impl Log {
    fn open(sinks: &Sinks) -> Self {
        let path = sinks.log_file.clone().unwrap_or_default();
        let mut log = Self { file: None, path, told: false };
        if sinks.log_file.is_some() {
            match open_log(&log.path) {
                Ok(file) => log.file = Some(file),
                Err(error) => log.warn("open", &error),
            }
        }
        log
    }

    fn write(&mut self, format: LogTime, text: &[u8]) {
        let Some(file) = &mut self.file else { return };
        let stamp = stamp(format, &Local::now());
        if let Err(error) = file.write_all(&[stamp.as_bytes(), text, b"\n"].concat()) {
            self.warn("write", &error);
        } else {
            self.told = false;
        }
    }

    fn warn(&mut self, what: &str, error: &io::Error) {
        if !std::mem::replace(&mut self.told, true) {
            let (path, cause) =
                (knock_setup::text::shown(&self.path), knock_setup::text::Cause(error));
            let text = format!("knockd: warning: cannot {what} the log file {path}: {cause}");
            let _ = print(io::stderr(), text.as_bytes());
        }
    }
}

/// Opens a log file, and makes one that is not there.
pub(super) fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// Returns what stands in front of a line of a log file.
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
    fn the_stamp_of_a_line_is_that_of_knockd_08_or_has_seconds_and_zone() {
        let zone = FixedOffset::east_opt(2 * 3600).unwrap();
        let at = zone.with_ymd_and_hms(2026, 3, 9, 8, 7, 6).unwrap();
        assert_eq!(stamp(LogTime::Minutes, &at), "[2026-03-09 08:07] ");
        assert_eq!(stamp(LogTime::Iso, &at), "[2026-03-09T08:07:06+02:00] ");
    }
}
