//! The output: standard output and standard error, the log file and syslog.
//!
//! Lines are written by two threads. If a terminal is stopped or a pipe is full, lines for it are delayed
//! and in the end lost; a slow disk or syslog does the same to all lines. Neither delays a command. Lines
//! about stages and timeouts are dropped long before any other.

mod digest;
mod journal;
mod log;
mod losses;
mod queue;
mod screen;
mod syslog;
mod writer;

use std::io;
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use knock_config::LogTime;
use knock_config::text::ThreadFault;

use self::digest::Digest;
pub(super) use self::digest::Step;
pub(super) use self::journal::print_early;
use self::journal::{Severity, leads_to_journal};
use self::losses::LostLines;
use self::queue::{Queue, Share};
use self::screen::Screen;
use self::writer::{Job, Writer};
use super::lookup::Names;
use super::recent::{Recent, RecentLine};

/// How long to wait, at the end and before a caller goes on, until lines are written.
const END_MAX: Duration = Duration::from_secs(5);

/// A line, and what kind it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kind: Kind,
    /// The text, without a newline.
    pub(super) text: Vec<u8>,
    /// The client, if the line begins with its address.
    pub(super) client: Option<IpAddr>,
    /// What else it is about, for the journal and the control socket.
    pub(super) about: About,
}

/// What a line is about besides a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    /// The name of the door.
    pub(super) door: Option<Vec<u8>>,
    /// What has happened, as the transcript in JSON calls it.
    pub(super) event: Option<&'static str>,
    /// The name of the user with whose key a signed packet was made.
    pub(super) user: Option<Vec<u8>>,
}

impl Line {
    /// Returns a line that does not begin with a client.
    fn plain(kind: Kind, text: Vec<u8>) -> Self {
        Self { kind, text, client: None, about: About::default() }
    }
}

/// The kind of a line, which decides where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A line of the transcript about a step of an attempt. In a flood of them, it is only printed.
    Step {
        /// Whether it is logged.
        is_logged: bool,
    },
    /// A line about steps that were not logged, for the log only.
    Digest,
    /// An important line of the transcript: an opening, a command.
    Opening,
    /// A message that an administrator should always see.
    Notice,
    /// A line that is printed with the transcript, and not logged.
    Aside,
    /// A line that is logged, and not printed with the transcript, which has another line for it.
    Logged,
    /// A line for `--debug`.
    Debug,
}

impl Kind {
    const fn is_logged(self) -> bool {
        match self {
            Self::Step { is_logged } => is_logged,
            Self::Digest | Self::Opening | Self::Notice | Self::Logged => true,
            Self::Aside | Self::Debug => false,
        }
    }

    /// Returns how serious a line with this text is.
    fn severity(self, text: &[u8]) -> Severity {
        let has = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
        match self {
            Self::Debug => Severity::Debug,
            Self::Step { .. } | Self::Aside | Self::Logged => Severity::Info,
            Self::Opening => Severity::Notice,
            Self::Notice if has(b"error: ") || has(b"STAYS ") => Severity::Error,
            Self::Notice | Self::Digest => Severity::Warning,
        }
    }

    const fn share(self) -> Share {
        match self {
            Self::Step { .. } | Self::Debug => Share::Progress,
            Self::Digest | Self::Opening | Self::Notice | Self::Aside | Self::Logged => {
                Share::Important
            }
        }
    }
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
    /// Returns whether all lines of the transcript are printed or logged.
    pub(super) fn want_every_line(&self) -> bool {
        self.verbose || self.log_file.is_some() || self.syslog
    }
}

/// The queue of lines to be written.
pub(super) struct Output {
    jobs: Queue<Job>,
    /// Each receives when a thread has written everything.
    ended: [Receiver<()>; 2],
    lost: LostLines,
    /// The latest lines, for the control socket.
    recent: Recent,
    digest: Digest,
    /// Whether every step is printed.
    verbose: bool,
    /// A request to reopen the log file, for which the queue has no room yet.
    reopening: Option<Sinks>,
}

impl Output {
    /// Opens the log file and starts the threads.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub(super) fn new(sinks: Sinks, resolver: Option<UnixStream>) -> io::Result<Self> {
        let (screen, screen_ended) = Screen::new()?;
        let (end, ended) = mpsc::channel();
        let jobs = Queue::new();
        let names = resolver.map(|resolver| names(resolver, &jobs));
        // In the journal, a flood would be as harmful as in a file.
        let verbose = sinks.verbose && !leads_to_journal(&io::stdout());
        let (writer, to_do) = (Writer::new(sinks, names, screen), jobs.clone());
        let started = thread::Builder::new().spawn(move || {
            // After it, the thread of the screen ends.
            writer.run(&to_do);
            let _ = end.send(());
        });
        started.map_err(ThreadFault)?;
        Ok(Self {
            jobs,
            ended: [ended, screen_ended],
            lost: LostLines::default(),
            recent: Recent::default(),
            digest: Digest::default(),
            verbose,
            reopening: None,
        })
    }

    /// Returns the latest lines of the log.
    pub(super) const fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Returns when [`tick`](Self::tick) has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.digest.due().into_iter().chain(self.lost.due()).min()
    }

    /// Writes what is due about lines that were not logged.
    pub(super) fn tick(&mut self) {
        let text = self.digest.take(Some(Instant::now()));
        self.summarise(text);
        self.report_lost();
    }

    fn summarise(&mut self, text: Option<String>) {
        if let Some(text) = text {
            self.text(Kind::Digest, text);
        }
    }

    /// Returns the kind of the line about a step; `None` if it goes nowhere.
    pub(super) fn kind_of_step(&mut self, step: &Step, door: &[u8]) -> Option<Kind> {
        let now = Instant::now();
        let text = self.digest.take(Some(now));
        self.summarise(text);
        let is_logged = self.digest.admits(step, door, now);
        (is_logged || self.verbose).then_some(Kind::Step { is_logged })
    }

    /// Queues a line.
    pub(super) fn line(&mut self, line: Line) {
        if line.kind.is_logged() {
            self.recent.push(RecentLine {
                text: line.text.clone(),
                client: line.client,
                about: line.about.clone(),
            });
        }
        let share = line.kind.share();
        if !self.try_to_reopen() {
            self.lost.add(share);
            return;
        }
        self.report_lost();
        let bytes = line.text.len();
        if !self.jobs.put(Job::Line(line), share, bytes) {
            self.lost.add(share);
        }
    }

    /// Queues a line that does not begin with a client.
    pub(super) fn text(&mut self, kind: Kind, text: impl Into<Vec<u8>>) {
        self.line(Line::plain(kind, text.into()));
    }

    /// Queues all lines of a report about a configuration.
    pub(super) fn lines(&mut self, report: &str) {
        for line in report.lines().filter(|line| !line.is_empty()) {
            self.text(Kind::Notice, line);
        }
    }

    /// Asks another resolver for names. If the queue has no room for this, the resolver ends, and one more
    /// takes its place.
    pub(super) fn resolve_with(&self, resolver: UnixStream) {
        let names = names(resolver, &self.jobs);
        self.jobs.put(Job::Resolver(names), Share::Important, 0);
    }

    fn report_lost(&mut self) {
        for text in self.lost.take() {
            let (bytes, text) = (text.len(), text.into_bytes());
            let line = Line::plain(Kind::Notice, text);
            if !self.jobs.put(Job::Line(line), Share::Important, bytes) {
                self.lost.add(Share::Important);
            }
        }
    }

    /// Reopens the log file, after all earlier lines. While there is no room for this in the queue, lines
    /// are lost.
    pub(super) fn reopen(&mut self, sinks: &Sinks) {
        self.reopening = Some(sinks.clone());
        self.try_to_reopen();
    }

    /// Returns whether the next line may be queued: no request to reopen comes before it.
    fn try_to_reopen(&mut self) -> bool {
        let Some(sinks) = &self.reopening else { return true };
        let is_queued = self.jobs.put(Job::Reopen(sinks.clone()), Share::Important, 0);
        if is_queued {
            self.reopening = None;
        }
        is_queued
    }

    /// Waits until all lines so far are written, but not forever.
    pub(super) fn flush(&self) {
        let (written, answer) = mpsc::channel();
        if self.jobs.put(Job::Answer(written), Share::Important, 0) {
            let _ = answer.recv_timeout(END_MAX);
        }
    }

    /// Writes about all lines so far that were not logged, due or not.
    pub(super) fn end_digest(&mut self) {
        let text = self.digest.take(None);
        self.summarise(text);
    }

    /// Waits until everything is written, but not forever.
    pub(super) fn end(mut self) {
        self.lost.end_pause();
        self.end_digest();
        self.report_lost();
        self.jobs.close();
        let deadline = Instant::now().checked_add(END_MAX).unwrap_or_else(Instant::now);
        for ended in &self.ended {
            // Lines that are not written by then are lost.
            let _ = ended.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

/// Begins to ask a resolver for names, whose answers go into the queue.
fn names(resolver: UnixStream, jobs: &Queue<Job>) -> Names {
    let answers = jobs.clone();
    Names::new(resolver, move |client, name| {
        let bytes = name.as_ref().map_or(0, Vec::len);
        // Without room, lines of that client have no name.
        answers.put(Job::Name(client, name), Share::Progress, bytes);
    })
}
