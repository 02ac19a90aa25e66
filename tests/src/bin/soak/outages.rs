//! When the daemon could not hear or not answer, because of what was done to it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An outage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    /// What was done.
    pub(crate) why: &'static str,
    /// Whether the process that runs commands and writes the log was killed.
    pub(crate) loses_lines: bool,
    from: Instant,
    until: Option<Instant>,
}

impl Outage {
    /// Returns how long it lasted.
    pub(crate) fn length(&self) -> Duration {
        self.until.unwrap_or_else(Instant::now).saturating_duration_since(self.from)
    }

    fn overlaps(&self, from: Instant, until: Instant) -> bool {
        self.from <= until && self.until.is_none_or(|end| end >= from)
    }
}

/// All outages so far.
#[derive(Debug, Default)]
pub(crate) struct Outages(Mutex<Vec<Outage>>);

impl Outages {
    /// Does something that may keep knocks from being heard until it is over.
    pub(crate) fn during<T>(
        &self,
        why: &'static str,
        loses_lines: bool,
        what: impl FnOnce() -> T,
    ) -> T {
        let place = {
            let mut all = self.lock();
            all.push(Outage { why, loses_lines, from: Instant::now(), until: None });
            all.len() - 1
        };
        let result = what();
        self.lock()[place].until = Some(Instant::now());
        result
    }

    /// Returns whether there was an outage at any time between these.
    pub(crate) fn between(&self, from: Instant, until: Instant) -> bool {
        self.lock().iter().any(|outage| outage.overlaps(from, until))
    }

    /// Returns whether lines may have been lost at any time between these.
    pub(crate) fn lines_lost_between(&self, from: Instant, until: Instant) -> bool {
        self.lock().iter().any(|outage| outage.loses_lines && outage.overlaps(from, until))
    }

    /// Returns whether there is one.
    pub(crate) fn is_now(&self) -> bool {
        self.lock().iter().any(|outage| outage.until.is_none())
    }

    /// Returns all of them.
    pub(crate) fn all(&self) -> Vec<Outage> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Outage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
