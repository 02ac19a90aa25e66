//! What was done to the daemon, and when.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Something that was done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deed {
    pub(crate) what: &'static str,
    pub(crate) from: Instant,
    /// `None` while it is being done.
    pub(crate) until: Option<Instant>,
}

/// All that was done so far.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<Vec<Deed>>);

impl History {
    /// Does something.
    pub(crate) fn during<T>(&self, what: &'static str, work: impl FnOnce() -> T) -> T {
        let begun = Deed { what, from: Instant::now(), until: None };
        let place = self.with(|all| {
            all.push(begun);
            all.len() - 1
        });
        let result = work();
        self.with(|all| all[place].until = Some(Instant::now()));
        result
    }

    /// Returns what was done between two times, and shortly before or after.
    pub(crate) fn around(&self, from: Instant, until: Instant, shortly: Duration) -> Vec<Deed> {
        let is_near = |deed: &&Deed| {
            deed.from <= until + shortly && deed.until.is_none_or(|end| end + shortly >= from)
        };
        self.with(|all| all.iter().filter(is_near).copied().collect())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Deed>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
