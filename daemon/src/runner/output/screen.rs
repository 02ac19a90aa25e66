//! Standard output and standard error.
//!
//! Their reader may stop reading, so a separate thread writes to them: log file and syslog get their
//! lines all the same.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use knock_config::text::ThreadFault;

use super::journal::{Entry, Journal};
use super::losses::LostLines;
use super::queue::{Next, Queue, Share};

/// Where a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Error,
}

enum Job {
    Line(Stream, Entry),
    /// Reports that everything before is written.
    Answer(Sender<()>),
}

/// The queue of lines for both.
pub(super) struct Screen {
    jobs: Queue<Job>,
    lost: LostLines,
}

impl Screen {
    /// Starts the thread. The receiver gets a message when, after the last use, everything is written.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub(super) fn new() -> io::Result<(Self, Receiver<()>)> {
        let jobs = Queue::new();
        let to_do = jobs.clone();
        let (end, ended) = mpsc::channel();
        let started = thread::Builder::new().spawn(move || {
            let mut journal = Journal::default();
            while let Next::Job(job) = to_do.next(None) {
                perform(job, &mut journal);
            }
            // The receiver may have stopped waiting.
            let _ = end.send(());
        });
        started.map_err(ThreadFault)?;
        Ok((Self { jobs, lost: LostLines::default() }, ended))
    }

    /// Queues a line.
    pub(super) fn line(&mut self, stream: Stream, share: Share, entry: Entry) {
        self.report();
        let bytes = entry.text.len();
        if !self.jobs.put(Job::Line(stream, entry), share, bytes) {
            self.lost.add(share);
        }
    }

    /// Reports lost lines, if that is due.
    pub(super) fn report(&mut self) {
        for text in self.lost.take() {
            let bytes = text.len();
            let job = Job::Line(Stream::Error, Entry::warning(text.into_bytes()));
            if !self.jobs.put(job, Share::Important, bytes) {
                self.lost.add(Share::Important);
            }
        }
    }

    /// Reports when everything so far is written; never, if the queue is full.
    pub(super) fn answer(&self, written: Sender<()>) {
        // If it fails, the sender is dropped, which ends the wait.
        self.jobs.put(Job::Answer(written), Share::Important, 0);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.lost.end_pause();
        self.report();
        self.jobs.close();
    }
}

fn perform(job: Job, journal: &mut Journal) {
    // There is no other place to report an error.
    let _ = match job {
        Job::Line(Stream::Output, entry) => journal.write(io::stdout(), &entry),
        Job::Line(Stream::Error, entry) => journal.write(io::stderr(), &entry),
        Job::Answer(written) => written.send(()).map_err(io::Error::other),
    };
}
