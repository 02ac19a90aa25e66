//! A queue of jobs for a thread that may be slow.
//!
//! Jobs that are only about the progress of attempts have a small share of the room, so that a flood of
//! them takes no room from openings.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many bytes of lines about progress may wait: about 16,000 lines.
const PROGRESS_BYTES_MAX: usize = 2 << 20;

/// How many bytes of other lines may wait: about 100,000 lines.
const IMPORTANT_BYTES_MAX: usize = 16 << 20;

/// What a job takes besides its text, in bytes.
const JOB_BYTES: usize = 96;

/// Which share of the room a job takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// A line about the progress of an attempt, which may be dropped first.
    Progress,
    /// Everything else.
    Important,
}

/// What the thread is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<T> {
    Job(T),
    /// There was no job in time.
    Nothing,
    /// There will be no more jobs.
    End,
}

/// One end of a queue; both are the same.
#[derive(Debug)]
pub(super) struct Queue<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    jobs: Mutex<Jobs<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Jobs<T> {
    waiting: VecDeque<(T, Share, usize)>,
    progress_bytes: usize,
    important_bytes: usize,
    is_closed: bool,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        let jobs = Jobs {
            waiting: VecDeque::new(),
            progress_bytes: 0,
            important_bytes: 0,
            is_closed: false,
        };
        Self(Arc::new(Shared { jobs: Mutex::new(jobs), changed: Condvar::new() }))
    }

    /// Adds a job with a text of this many bytes. Returns `false` if there is no room for it.
    pub(super) fn put(&self, job: T, share: Share, text_bytes: usize) -> bool {
        let bytes = text_bytes.saturating_add(JOB_BYTES);
        let mut jobs = self.lock();
        let (used, max) = match share {
            Share::Progress => (&mut jobs.progress_bytes, PROGRESS_BYTES_MAX),
            Share::Important => (&mut jobs.important_bytes, IMPORTANT_BYTES_MAX),
        };
        let after = used.saturating_add(bytes);
        if after > max || jobs.is_closed {
            return false;
        }
        match share {
            Share::Progress => jobs.progress_bytes = after,
            Share::Important => jobs.important_bytes = after,
        }
        jobs.waiting.push_back((job, share, bytes));
        drop(jobs);
        self.0.changed.notify_one();
        true
    }

    /// Takes the next job, and waits for one up to a time, or forever.
    pub(super) fn next(&self, until: Option<Instant>) -> Next<T> {
        let mut jobs = self.lock();
        loop {
            if let Some((job, share, bytes)) = jobs.waiting.pop_front() {
                match share {
                    Share::Progress => {
                        jobs.progress_bytes = jobs.progress_bytes.saturating_sub(bytes);
                    }
                    Share::Important => {
                        jobs.important_bytes = jobs.important_bytes.saturating_sub(bytes);
                    }
                }
                return Next::Job(job);
            }
            if jobs.is_closed {
                return Next::End;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Next::Nothing;
            }
            let changed = &self.0.changed;
            jobs = match left {
                Some(left) => {
                    let waited = changed.wait_timeout(jobs, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => changed.wait(jobs).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Lets no more jobs in. The thread ends after those that are there.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Jobs<T>> {
        // No thread panics while it has the lock.
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn jobs_come_out_as_they_went_in_until_the_queue_is_closed() {
        let queue = Queue::new();
        assert!(queue.put(1, Share::Progress, 10) && queue.put(2, Share::Important, 10));
        assert_eq!(queue.next(None), Next::Job(1));
        queue.close();
        assert!(!queue.put(3, Share::Important, 10));
        assert_eq!((queue.next(None), queue.next(None)), (Next::Job(2), Next::End));
    }

    #[test]
    fn lines_about_progress_take_no_room_from_openings() {
        let queue = Queue::new();
        let mut progress = 0;
        while queue.put("stage", Share::Progress, 100) {
            progress += 1;
        }
        let mut openings = 0;
        while queue.put("opening", Share::Important, 100) {
            openings += 1;
        }
        assert!(progress > 10_000 && openings > 80_000, "{progress} {openings}");
        // Each job that is done makes room for one of its share.
        assert_eq!(queue.next(None), Next::Job("stage"));
        assert!(!queue.put("opening", Share::Important, 100));
        assert!(queue.put("stage", Share::Progress, 100));
    }

    #[test]
    fn a_thread_waits_for_a_job_but_not_longer_than_it_wants_to() {
        let queue = Queue::new();
        let soon = Instant::now().checked_add(Duration::from_millis(10));
        assert_eq!(queue.next(soon), Next::<u8>::Nothing);
        let other = queue.clone();
        let waiting = thread::spawn(move || other.next(None));
        assert!(queue.put(7, Share::Important, 0));
        assert_eq!(waiting.join().unwrap(), Next::Job(7));
    }
}
