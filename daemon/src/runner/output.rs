//! Lines on their way out: to standard output and standard error, the log file and syslog.
//!
//! Threads of their own write them. A terminal that is stopped or a full pipe delays lines for it, and in
//! the end loses them; a slow syslog does so for all. Neither delays a command.

mod log;
mod screen;
mod writer;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

use knock_engine::config::LogTime;

pub(super) use self::log::open_log;
use self::screen::Screen;
use self::writer::{Job, Writer};
use super::lookup::Names;

/// How many lines may wait to be written.
const LINES_MAX: usize = 16_384;

/// How long the end, and a caller of a daemon, wait for lines to be written.
const END_MAX: Duration = Duration::from_secs(5);

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
    Notice,
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

/// The lines' way out.
pub(super) struct Output {
    jobs: Option<SyncSender<Job>>,
    /// Say when each of the threads has written all.
    ended: [Receiver<()>; 2],
    /// How many lines did not find room since that was last told.
    lost: u64,
    /// That the log file is to be opened anew, for which there was no room yet.
    reopening: Option<Sinks>,
}

impl Output {
    /// Opens the log file and begins to write.
    pub(super) fn new(sinks: Sinks, names: Option<Names>) -> Self {
        let (screen, screen_ended) = Screen::new();
        let (jobs, to_do) = mpsc::sync_channel(LINES_MAX);
        let (end, ended) = mpsc::channel();
        let mut writer = Writer::new(sinks, names, screen);
        thread::spawn(move || {
            for job in to_do {
                writer.perform(job);
            }
            // With it goes the screen's work.
            drop(writer);
            let _ = end.send(());
        });
        Self { jobs: Some(jobs), ended: [ended, screen_ended], lost: 0, reopening: None }
    }

    /// Writes a line some time soon.
    pub(super) fn line(&mut self, line: Line) {
        if !self.try_to_reopen() {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        if self.lost > 0 {
            let text = format!("{} lines were lost because they could not be written", self.lost);
            let told = Line { kind: Kind::Notice, text: text.into_bytes(), client: None };
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
    pub(super) fn lines(&mut self, report: &str) {
        for line in report.lines().filter(|line| !line.is_empty()) {
            self.text(Kind::Notice, line);
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
        let deadline = Instant::now().checked_add(END_MAX).unwrap_or_else(Instant::now);
        for ended in &self.ended {
            // What is not written by then will not be.
            let _ = ended.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }
}
