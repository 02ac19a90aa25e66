//! The thread that passes each line on to where it belongs.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::mpsc::Sender;
use std::time::Instant;

use super::journal::{Entry, leads_to_journal};
use super::log::{LogFile, Warning};
use super::queue::{Next, Queue, Share};
use super::screen::{Screen, Stream};
use super::syslog;
use super::{About, Kind, Line, Sinks};
use crate::runner::lookup::Names;

/// How many jobs wait for names.
const WAITING_MAX: usize = 1024;

/// A job of the thread.
pub(super) enum Job {
    Line(Line),
    /// The name of a client, if it has one.
    Name(IpAddr, Option<Vec<u8>>),
    /// Closes the log file and opens it again, perhaps another one, or with another kind of stamp.
    Reopen(Sinks),
    /// Looks up names with another resolver.
    Resolver(Names),
    /// Reports that everything before is written.
    Answer(Sender<()>),
}

pub(super) struct Writer {
    sinks: Sinks,
    log: LogFile,
    names: Option<Names>,
    /// What comes after a line that waits for a name, and that line. Lines keep their order.
    waiting: VecDeque<(Job, Instant)>,
    screen: Screen,
    /// Whether standard output leads to the journal, which gets no flood.
    output_is_journal: bool,
}

impl Writer {
    /// Opens the log file. If that fails, it is only a warning, as in knockd 0.8 (case
    /// `h-logfile-cannot-open`).
    pub(super) fn new(sinks: Sinks, names: Option<Names>, screen: Screen) -> Self {
        let no_syslog = open_syslog(&sinks);
        let (log, warning) = LogFile::open(sinks.log_file.as_deref(), sinks.log_time);
        let output_is_journal = leads_to_journal(&io::stdout());
        let waiting = VecDeque::new();
        let mut writer = Self { sinks, log, names, waiting, screen, output_is_journal };
        writer.warn(no_syslog);
        writer.warn(warning);
        writer
    }

    /// Performs jobs until there are no more.
    pub(super) fn run(mut self, jobs: &Queue<Job>) {
        loop {
            let next = match jobs.next(Some(Instant::now())) {
                Next::Nothing => {
                    // Nothing more to write at once.
                    self.flush();
                    jobs.next(self.due())
                }
                next @ (Next::Job(_) | Next::End) => next,
            };
            match next {
                Next::Job(Job::Name(client, name)) => {
                    if let Some(names) = &mut self.names {
                        names.learn(client, name);
                    }
                }
                Next::Job(job) => self.take(job),
                Next::Nothing => {}
                Next::End => break,
            }
            self.perform_waiting();
        }
        while let Some((job, _)) = self.waiting.pop_front() {
            self.perform(job);
        }
        self.flush();
    }

    /// Returns when the first line no longer waits for a name.
    fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|(_, until)| *until)
    }

    /// Performs a job, or has it wait for a name or for earlier jobs that do.
    fn take(&mut self, job: Job) {
        let until = match (&job, &mut self.names) {
            (Job::Line(Line { client: Some(client), .. }), Some(names)) => names.ask(*client),
            _ => None,
        };
        if self.waiting.is_empty() && until.is_none() {
            self.perform(job);
        } else {
            self.waiting.push_back((job, until.unwrap_or_else(Instant::now)));
        }
    }

    /// Performs the jobs that need not wait any longer.
    fn perform_waiting(&mut self) {
        while let Some((job, until)) = self.waiting.pop_front() {
            let is_late = until <= Instant::now();
            let waits = match (&job, &mut self.names) {
                (Job::Line(Line { client: Some(client), .. }), Some(names)) => {
                    let waits = names.is_awaited(*client);
                    if waits && is_late {
                        names.pause();
                    }
                    waits && !is_late
                }
                _ => false,
            };
            if waits && self.waiting.len() < WAITING_MAX {
                self.waiting.push_front((job, until));
                return;
            }
            self.perform(job);
        }
    }

    fn perform(&mut self, job: Job) {
        match job {
            Job::Line(line) => self.write(line),
            Job::Name(..) => {}
            Job::Reopen(sinks) => {
                self.flush();
                if !self.sinks.syslog {
                    self.warn(open_syslog(&sinks));
                }
                let (log, warning) = LogFile::open(sinks.log_file.as_deref(), sinks.log_time);
                (self.log, self.sinks) = (log, sinks);
                self.warn(warning);
            }
            Job::Resolver(names) => self.names = Some(names),
            Job::Answer(written) => {
                self.flush();
                self.screen.answer(written);
            }
        }
    }

    fn write(&mut self, Line { kind, text, client, about }: Line) {
        let text = match (client, &self.names) {
            (Some(client), Some(names)) => names.insert(client, text),
            _ => text,
        };
        let About { door, event, user } = about;
        let stream = match (kind, self.sinks.verbose) {
            (Kind::Debug, _) | (Kind::Step { .. } | Kind::Opening | Kind::Aside, true) => {
                Some(Stream::Output)
            }
            (Kind::Digest, true) if self.output_is_journal => Some(Stream::Output),
            (Kind::Notice, _) | (Kind::Opening | Kind::Logged, false) => Some(Stream::Error),
            (Kind::Step { .. } | Kind::Aside, false) | (Kind::Logged, true) | (Kind::Digest, _) => {
                None
            }
        };
        if kind.is_logged() {
            self.log(&text);
        }
        if let Some(stream) = stream {
            let severity = kind.severity(&text);
            let entry = Entry { text, severity, client, door, event, user };
            self.screen.line(stream, kind.share(), entry);
        }
    }

    fn log(&mut self, text: &[u8]) {
        let warning = self.log.write(text);
        self.warn(warning);
        if self.sinks.syslog {
            syslog::write(text);
        }
    }

    fn flush(&mut self) {
        let warning = self.log.flush();
        self.warn(warning);
        self.screen.report();
    }

    fn warn(&mut self, warning: Option<Warning>) {
        if let Some(warning) = warning {
            let entry = Entry::warning(warning.into_bytes());
            self.screen.line(Stream::Error, Share::Important, entry);
        }
    }
}

/// Opens syslog if it is wanted. Nobody needs to know that it is missing if all lines are printed as well.
fn open_syslog(sinks: &Sinks) -> Option<Warning> {
    let warning = sinks.syslog.then(syslog::open).flatten();
    warning.filter(|_| !sinks.verbose)
}
