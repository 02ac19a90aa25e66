//! The leases on disk, in case this process is killed or the machine loses power.
//!
//! Before a door opens, its lease is written and synced, with the command that closes it; after that
//! command has succeeded, a record says so. Whatever happens between, the next daemon finds the doors
//! that may be open. A thread does the writing, and many openings share one sync.

mod file;
mod log;
mod storage;
mod take;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use knock_config::text::ThreadFault;

pub(super) use self::file::{make_folder_of, sync_folder_of};
use self::take::{Taken, take};
pub(super) use self::writer::Event;
use self::writer::{Job, Writer};
use crate::lease_record::{Record, StoredLease};
use crate::places::Places;

/// How long the last records may take to be written.
const END_MAX: Duration = Duration::from_secs(5);

/// How often to look whether they are.
const END_PAUSE: Duration = Duration::from_millis(5);

/// The store, as the runner sees it.
pub(super) struct LeaseStore {
    jobs: Sender<Job>,
    events: Receiver<Event>,
    wake: UnixStream,
    thread: JoinHandle<()>,
}

/// What was found at the start.
pub(super) struct Found {
    /// The doors that were left open.
    pub(super) left: Vec<StoredLease>,
    /// Lines for the administrator.
    pub(super) warnings: Vec<String>,
    /// Why leases cannot be written, if they cannot.
    pub(super) failure: Option<String>,
}

/// The leases, before there is a thread that writes them.
pub(super) struct TakenLeases {
    places: Places,
    taken: Taken,
}

impl TakenLeases {
    /// Takes the leases at these places. That no file can be written is no error.
    pub(super) fn take(places: Places) -> (Self, Found) {
        let mut taken = take(&places, &BTreeMap::new(), &BTreeSet::new());
        let found = Found {
            left: taken.left.values().cloned().collect(),
            warnings: std::mem::take(&mut taken.warnings),
            failure: taken.log.as_ref().err().cloned(),
        };
        (Self { places, taken }, found)
    }
}

impl LeaseStore {
    /// Takes the leases at these places, and starts the thread that writes them.
    ///
    /// # Errors
    /// If the system has no thread or socket left.
    pub(super) fn open(places: Places) -> io::Result<(Self, Found)> {
        let (leases, found) = TakenLeases::take(places);
        Ok((Self::new(leases)?, found))
    }

    /// Starts the thread that writes leases.
    ///
    /// # Errors
    /// If the system has no thread or socket left.
    pub(super) fn new(TakenLeases { places, taken }: TakenLeases) -> io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        let (jobs, queue) = mpsc::channel();
        let (sender, events) = mpsc::channel();
        let writer = Writer::new(places, taken, sender, waker);
        let thread = thread::Builder::new().name("leases".to_owned());
        let thread = thread.spawn(move || writer.work(&queue));
        let thread = thread.map_err(ThreadFault)?;
        Ok(Self { jobs, events, wake, thread })
    }

    /// Has a record written. For the first of a lease, an event says when that is done.
    pub(super) fn write(&self, record: Record) {
        // The thread ends only when asked to.
        let _ = self.jobs.send(Job::Write(record));
    }

    /// Keeps the leases at other places from now on.
    pub(super) fn move_to(&self, places: Places) {
        let _ = self.jobs.send(Job::Move(places));
    }

    /// Returns what has happened since the last call.
    pub(super) fn events(&mut self) -> Vec<Event> {
        let mut bytes = [0; 256];
        while matches!(self.wake.read(&mut bytes), Ok(1..)) {}
        self.events.try_iter().collect()
    }
}

impl Drop for LeaseStore {
    /// Has all records written, and removes the file if nothing is open. A disk that hangs does not keep
    /// the daemon from ending.
    fn drop(&mut self) {
        let _ = self.jobs.send(Job::End);
        let begin = Instant::now();
        while !self.thread.is_finished() && begin.elapsed() < END_MAX {
            thread::sleep(END_PAUSE);
        }
    }
}

impl AsFd for LeaseStore {
    /// Can be read when there are events.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
