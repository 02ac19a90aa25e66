//! The thread that passes each line on to where it belongs.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;

use nix::syslog::{Facility, LogFlags, Severity, openlog, syslog};

use super::log::{LogFile, Warning};
use super::screen::{Screen, Stream};
use super::{Kind, Line, Sinks};
use crate::runner::lookup::Names;

/// The name before each line in syslog, as in knockd 0.8.
const IDENT: &CStr = c"knockd";

/// A job of the thread.
pub(super) enum Job {
    Line(Line),
    /// Closes the log file and opens it again, perhaps another one, or with another kind of stamp.
    Reopen(Sinks),
    /// Looks up names with another resolver.
    Resolver(UnixStream),
    /// Reports that everything before is written.
    Answer(Sender<()>),
}

pub(super) struct Writer {
    sinks: Sinks,
    log: LogFile,
    names: Option<Names>,
    screen: Screen,
}

impl Writer {
    /// Opens the log file. If that fails, it is only a warning, as in knockd 0.8 (case
    /// `h-logfile-cannot-open`).
    pub(super) fn new(sinks: Sinks, names: Option<Names>, screen: Screen) -> Self {
        if sinks.syslog {
            // This fails only for a name that is not a C string.
            let _ = openlog(Some(IDENT), LogFlags::empty(), Facility::LOG_DAEMON);
        }
        let (log, warning) = LogFile::open(sinks.log_file.as_deref(), sinks.log_time);
        let mut writer = Self { sinks, log, names, screen };
        writer.warn(warning);
        writer
    }

    pub(super) fn perform(&mut self, job: Job) {
        match job {
            Job::Line(line) => self.write(line),
            Job::Reopen(sinks) => {
                let (log, warning) = LogFile::open(sinks.log_file.as_deref(), sinks.log_time);
                (self.log, self.sinks) = (log, sinks);
                self.warn(warning);
            }
            Job::Resolver(resolver) => self.names = Some(Names::new(resolver)),
            Job::Answer(written) => self.screen.answer(written),
        }
    }

    fn write(&mut self, Line { kind, text, client }: Line) {
        let text = match (client, &mut self.names) {
            (Some(client), Some(names)) => names.insert(client, text),
            _ => text,
        };
        match (kind, self.sinks.verbose) {
            (Kind::Debug, _) | (Kind::Transcript | Kind::Opening | Kind::Aside, true) => {
                self.screen.line(Stream::Output, &text);
            }
            (Kind::Notice, _) | (Kind::Opening | Kind::Logged, false) => {
                self.screen.line(Stream::Error, &text);
            }
            (Kind::Transcript | Kind::Aside, false) | (Kind::Logged, true) => {}
        }
        match kind {
            Kind::Transcript | Kind::Opening | Kind::Notice | Kind::Logged => self.log(&text),
            Kind::Aside | Kind::Debug => {}
        }
    }

    fn log(&mut self, text: &[u8]) {
        let warning = self.log.write(text);
        self.warn(warning);
        if self.sinks.syslog {
            // A NUL would end the text. There is no other place to report an error.
            let text: Vec<u8> = text.iter().copied().filter(|&byte| byte != 0).collect();
            let _ = syslog(Severity::LOG_NOTICE, OsStr::from_bytes(&text));
        }
    }

    fn warn(&mut self, warning: Option<Warning>) {
        if let Some(warning) = warning {
            self.screen.line(Stream::Error, warning.as_bytes());
        }
    }
}
