//! Standard output and standard error.
//!
//! Whoever reads them may stop to: a thread of its own writes them, so that log file and syslog get
//! their lines all the same.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;

/// How many lines may wait to be written.
const LINES_MAX: usize = 16_384;

/// Where a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Error,
}

enum Job {
    Line(Stream, Vec<u8>),
    /// To say that everything before is written.
    Answer(Sender<()>),
}

/// The way to both.
pub(super) struct Screen {
    jobs: SyncSender<Job>,
    /// How many lines did not find room since that was last told.
    lost: u64,
}

impl Screen {
    /// Begins to write; says when all is written, after the last use.
    pub(super) fn new() -> (Self, Receiver<()>) {
        let (jobs, to_do) = mpsc::sync_channel(LINES_MAX);
        let (end, ended) = mpsc::channel();
        thread::spawn(move || {
            for job in to_do {
                perform(job);
            }
            // Who waits may have given up.
            let _ = end.send(());
        });
        (Self { jobs, lost: 0 }, ended)
    }

    /// Writes a line some time soon.
    pub(super) fn line(&mut self, stream: Stream, text: &[u8]) {
        if self.lost > 0 {
            let told = format!("{} lines were lost because they could not be written", self.lost);
            if self.jobs.try_send(Job::Line(Stream::Error, told.into_bytes())).is_err() {
                self.lost = self.lost.saturating_add(1);
                return;
            }
            self.lost = 0;
        }
        if self.jobs.try_send(Job::Line(stream, text.to_vec())).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Says that everything so far is written, as soon as it is. If too much waits, that is never said.
    pub(super) fn answer(&self, written: Sender<()>) {
        // Who waits learns that there is nothing to wait for.
        let _ = self.jobs.try_send(Job::Answer(written));
    }
}

fn perform(job: Job) {
    // Nobody could be told that one of these cannot be done.
    let _ = match job {
        Job::Line(Stream::Output, text) => print(io::stdout(), &text),
        Job::Line(Stream::Error, text) => print(io::stderr(), &text),
        Job::Answer(written) => written.send(()).map_err(io::Error::other),
    };
}

fn print(mut stream: impl io::Write, text: &[u8]) -> io::Result<()> {
    stream.write_all(&[text, b"\n"].concat())?;
    stream.flush()
}
