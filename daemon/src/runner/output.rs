//! The output: standard output and standard error, the log file and syslog.
//!
//! Lines are written by two threads. If a terminal is stopped or a pipe is full, lines for it are delayed
//! and in the end lost; a slow syslog does the same to all lines. Neither delays a command.

mod log;
mod screen;
mod writer;

use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

use knock_config::LogTime;

pub(super) use self::log::open_at_once;
use self::screen::Screen;
use self::writer::{Job, Writer};
use super::lookup::Names;
use super::recent::Recent;

/// How many lines may wait to be written.
const LINES_MAX: usize = 16_384;

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
}

/// The kind of a line, which decides where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A line of the transcript.
    Transcript,
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

/// Returns a line about lines that were lost.
fn lost_lines(number: u64) -> String {
    format!(
        "knockd: warning: {number} log lines were lost, because they could not be written fast enough"
    )
}

/// The queue of lines to be written.
pub(super) struct Output {
    jobs: Option<SyncSender<Job>>,
    /// Each receives when a thread has written everything.
    ended: [Receiver<()>; 2],
    /// How many lines were lost since that was last reported.
    lost: u64,
    /// The latest lines, for the control socket.
    recent: Recent,
    /// A request to reopen the log file, for which the queue has no room yet.
    reopening: Option<Sinks>,
}

impl Output {
    /// Opens the log file and starts the threads.
    pub(super) fn new(sinks: Sinks, names: Option<Names>) -> Self {
        let (screen, screen_ended) = Screen::new();
        let (jobs, to_do) = mpsc::sync_channel(LINES_MAX);
        let (end, ended) = mpsc::channel();
        let mut writer = Writer::new(sinks, names, screen);
        thread::spawn(move || {
            for job in to_do {
                writer.perform(job);
            }
            // This ends the thread of the screen.
            drop(writer);
            let _ = end.send(());
        });
        Self {
            jobs: Some(jobs),
            ended: [ended, screen_ended],
            lost: 0,
            recent: Recent::default(),
            reopening: None,
        }
    }

    /// Returns the latest lines of the log.
    pub(super) const fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Queues a line.
    pub(super) fn line(&mut self, line: Line) {
        match line.kind {
            Kind::Transcript | Kind::Opening | Kind::Notice | Kind::Logged => {
                self.recent.push(&line.text);
            }
            Kind::Aside | Kind::Debug => {}
        }
        if !self.try_to_reopen() {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        if self.lost > 0 {
            let text = lost_lines(self.lost);
            let report = Line { kind: Kind::Notice, text: text.into_bytes(), client: None };
            if !self.put(Job::Line(report)) {
                self.lost = self.lost.saturating_add(1);
                return;
            }
            self.lost = 0;
        }
        if !self.put(Job::Line(line)) {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Queues a line that does not begin with a client.
    pub(super) fn text(&mut self, kind: Kind, text: impl Into<Vec<u8>>) {
        self.line(Line { kind, text: text.into(), client: None });
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
        self.put(Job::Resolver(resolver));
    }

    /// Reopens the log file, after all earlier lines. While there is no room for this in the queue, lines
    /// are lost.
    pub(super) fn reopen(&mut self, sinks: &Sinks) {
        self.reopening = Some(sinks.clone());
        self.try_to_reopen();
    }

    /// Returns whether the next line may be queued: no request to reopen comes before it.
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

    /// Waits until all lines so far are written, but not forever.
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

    /// Waits until everything is written, but not forever.
    pub(super) fn end(mut self) {
        drop(self.jobs.take());
        let deadline = Instant::now().checked_add(END_MAX).unwrap_or_else(Instant::now);
        for ended in &self.ended {
            // Lines that are not written by then are lost.
            let _ = ended.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }
}
