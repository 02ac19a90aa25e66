//! Standard output and standard error.
//!
//! Their reader may stop reading, so a separate thread writes to them: log file and syslog get their
//! lines all the same.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;

use super::lost_lines;

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
    /// Reports that everything before is written.
    Answer(Sender<()>),
}

/// The queue of lines for both.
pub(super) struct Screen {
    jobs: SyncSender<Job>,
    /// How many lines were lost since that was last reported.
    lost: u64,
}

impl Screen {
    /// Starts the thread. The receiver gets a message when, after the last use, everything is written.
    pub(super) fn new() -> (Self, Receiver<()>) {
        let (jobs, to_do) = mpsc::sync_channel(LINES_MAX);
        let (end, ended) = mpsc::channel();
        thread::spawn(move || {
            for job in to_do {
                perform(job);
            }
            // The receiver may have stopped waiting.
            let _ = end.send(());
        });
        (Self { jobs, lost: 0 }, ended)
    }

    /// Queues a line.
    pub(super) fn line(&mut self, stream: Stream, text: &[u8]) {
        if self.lost > 0 {
            let report = lost_lines(self.lost).into_bytes();
            if self.jobs.try_send(Job::Line(Stream::Error, report)).is_err() {
                self.lost = self.lost.saturating_add(1);
                return;
            }
            self.lost = 0;
        }
        if self.jobs.try_send(Job::Line(stream, text.to_vec())).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Reports when everything so far is written; never, if the queue is full.
    pub(super) fn answer(&self, written: Sender<()>) {
        // If it fails, the sender is dropped, which ends the wait.
        let _ = self.jobs.try_send(Job::Answer(written));
    }
}

fn perform(job: Job) {
    // There is no other place to report an error.
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
