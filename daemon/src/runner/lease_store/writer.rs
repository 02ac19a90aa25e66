//! The thread that writes leases, so that a slow disk delays only doors that are about to open.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use knock_config::file_faults::WriteFault;
use knock_config::text::shown;
use nix::fcntl::Flock;

use super::file::LeaseFile;
use super::log::Log;
use super::take::{Taken, take};
use crate::lease_record::{Record, StoredLease, apply};
use crate::locked_file::is_at;
use crate::places::Places;

/// How often to look, while doors are open, whether the file is still there and whole.
const CHECK: Duration = Duration::from_secs(1);

/// How long after a change a power cut may undo it, unless it is an opening, which waits until none can. Whatever
/// is undone is at most closed once more.
const SYNC: Duration = Duration::from_millis(100);

/// How many changes are written and synced at once.
const BATCH_MAX: usize = 1_024;

/// A job of the thread.
pub(super) enum Job {
    Write(Record),
    /// Keeps the leases at another place.
    Move(Places),
    End,
}

/// What the thread reports.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::runner) enum Event {
    /// The first records of these leases would survive a power cut.
    Written(Vec<u64>),
    /// The file says that the stop commands of these leases are about to run, if it could be written. The
    /// end of this process does not undo that.
    Noted(Vec<u64>),
    /// The first records of these leases could not be written, for this reason.
    NotWritten(Vec<u64>, String),
    /// These doors were left open by a daemon before.
    Left(Vec<StoredLease>),
    /// A line for the administrator.
    Warning(String),
}

pub(super) struct Writer {
    places: Places,
    /// `None` while there is no file that can be written.
    log: Option<Log<LeaseFile>>,
    /// What is open, while there is no file.
    open: BTreeMap<u64, StoredLease>,
    /// What was closed while there was no file: files that cannot be written still have it.
    closed: BTreeSet<u64>,
    unwritable: Vec<(PathBuf, Flock<File>)>,
    /// Whether the last write failed.
    is_failing: bool,
    /// When changes are synced that were only written.
    sync_due: Option<Instant>,
    events: Sender<Event>,
    /// Wakes the runner.
    wake: UnixStream,
}

impl Writer {
    pub(super) fn new(
        places: Places,
        taken: Taken,
        events: Sender<Event>,
        wake: UnixStream,
    ) -> Self {
        let Taken { log, left, warnings: _, unwritable } = taken;
        let is_failing = log.is_err();
        let (log, open) = match log {
            Ok(log) => (Some(log), BTreeMap::new()),
            Err(_) => (None, left),
        };
        let closed = BTreeSet::new();
        Self { places, log, open, closed, unwritable, is_failing, sync_due: None, events, wake }
    }

    /// Writes until the end.
    pub(super) fn work(mut self, jobs: &Receiver<Job>) {
        loop {
            let first = match self.sync_due {
                Some(due) => jobs.recv_timeout(due.saturating_duration_since(Instant::now())),
                None if self.is_idle() => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                None => jobs.recv_timeout(CHECK),
            };
            let mut records = Vec::new();
            let mut next = match first {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) if self.sync_due.is_some() => None,
                Err(RecvTimeoutError::Timeout) => {
                    self.check();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => Some(Job::End),
            };
            while let Some(Job::Write(record)) = next {
                records.push(record);
                next = if records.len() < BATCH_MAX { jobs.try_recv().ok() } else { None };
            }
            if !records.is_empty() {
                self.write(records);
            }
            let is_end = matches!(next, Some(Job::Move(_) | Job::End));
            if self.sync_due.is_some_and(|due| is_end || due <= Instant::now()) {
                self.sync();
            }
            match next {
                Some(Job::Move(places)) => self.move_to(places),
                Some(Job::End) => break,
                Some(Job::Write(_)) | None => {}
            }
        }
        if let Some(log) = self.log {
            log.end();
        } else if self.open.is_empty() {
            for (path, file) in self.unwritable {
                // There is nothing left that could be written, but perhaps it can be removed.
                if is_at(&file, &path) {
                    let _ = fs::remove_file(path);
                }
            }
        }
    }

    /// Returns whether nothing is open: then no change of the file does harm.
    fn is_idle(&self) -> bool {
        self.log.as_ref().map_or(&self.open, Log::open).is_empty()
    }

    fn write(&mut self, records: Vec<Record>) {
        let opened = |record: &Record| match record {
            Record::Open(lease) => Some(lease.number),
            Record::Runs(..) | Record::Due(..) | Record::Closing(_) | Record::Closed(_) => None,
        };
        let opened: Vec<u64> = records.iter().filter_map(opened).collect();
        let closing = |record: &Record| match record {
            Record::Closing(number) => Some(*number),
            Record::Open(_) | Record::Runs(..) | Record::Due(..) | Record::Closed(_) => None,
        };
        let closing: Vec<u64> = records.iter().filter_map(closing).collect();
        let written = if let Some(log) = &mut self.log {
            let written = if opened.is_empty() { log.note(records) } else { log.commit(records) };
            self.sync_due = match self.sync_due {
                _ if log.is_synced() => None,
                None => Instant::now().checked_add(SYNC),
                due => due,
            };
            written.map_err(|error| cannot_write(log, &error))
        } else {
            for record in records {
                if let Record::Closed(number) = record {
                    self.closed.insert(number);
                }
                apply(&mut self.open, record);
            }
            self.take_file().map(|()| false)
        };
        let failed = self.report(written);
        // Before openings: a door that closes and opens again for a client does so in this order.
        if !closing.is_empty() {
            self.send(Event::Noted(closing));
        }
        if !opened.is_empty() {
            self.send(match failed {
                None => Event::Written(opened),
                Some(why) => Event::NotWritten(opened, why),
            });
        }
    }

    /// Has on disk what was only written.
    fn sync(&mut self) {
        self.sync_due = None;
        let synced = match &mut self.log {
            Some(log) => log.sync().map_err(|error| cannot_write(log, &error)),
            None => Ok(()),
        };
        // A file that cannot be written is reported when it is written.
        if synced.is_err() {
            self.report(synced.map(|()| false));
        }
    }

    /// Checks that the file is there and whole.
    fn check(&mut self) {
        let written = match &mut self.log {
            Some(log) => log.check().map_err(|error| cannot_write(log, &error)),
            None => self.take_file().map(|()| false),
        };
        self.report(written);
    }

    /// Looks for a file that can be written now.
    fn take_file(&mut self) -> Result<(), String> {
        // Otherwise its own locks are in the way.
        self.unwritable.clear();
        let known = std::mem::take(&mut self.open);
        let Taken { log, left, warnings: _, unwritable } = take(&self.places, &known, &self.closed);
        self.unwritable = unwritable;
        let new: Vec<StoredLease> =
            left.into_values().filter(|lease| !known.contains_key(&lease.number)).collect();
        let taken = match log {
            Ok(log) => {
                self.log = Some(log);
                self.closed.clear();
                Ok(())
            }
            Err(why) => {
                self.open = known;
                self.open.extend(new.iter().map(|lease| (lease.number, lease.clone())));
                Err(why)
            }
        };
        if !new.is_empty() {
            self.send(Event::Left(new));
        }
        taken
    }

    fn move_to(&mut self, places: Places) {
        let old = self.log.take();
        if let Some(log) = &old {
            self.open.clone_from(log.open());
        }
        self.places = places;
        let taken = self.take_file();
        if taken.is_ok() {
            if let Some(log) = old {
                log.discard();
            }
        } else {
            // Better the old place than none.
            self.log = old.or(self.log.take());
        }
        self.report(taken.map(|()| false));
    }

    /// Reports the first of several errors, and the end of them, and that another program had changed the
    /// file. Returns the error.
    fn report(&mut self, written: Result<bool, String>) -> Option<String> {
        let had_failed = std::mem::replace(&mut self.is_failing, written.is_err());
        let path = self.log.as_ref().map(|log| shown(log.storage().path())).unwrap_or_default();
        let (text, why) = match written {
            Ok(false) if had_failed => {
                (format!("knockd: open doors are remembered in {path} again"), None)
            }
            Ok(false) => return None,
            Ok(true) => {
                let what = "was changed or removed by another program; it has been written again";
                (format!("knockd: warning: {path} {what}"), None)
            }
            Err(why) if had_failed => return Some(why),
            Err(why) => {
                let what = "if knockd is killed now, doors that are open stay open";
                (format!("knockd: error: {why}; {what}"), Some(why))
            }
        };
        self.send(Event::Warning(text));
        why
    }

    fn send(&mut self, event: Event) {
        // If nobody listens any more, the daemon is ending.
        let _ = self.events.send(event);
        // If the socket is full, the runner will wake in any case.
        let _ = self.wake.write_all(&[0]);
    }
}

fn cannot_write(log: &Log<LeaseFile>, error: &io::Error) -> String {
    format!("cannot write {}: {}", shown(log.storage().path()), WriteFault(error).cause())
}
