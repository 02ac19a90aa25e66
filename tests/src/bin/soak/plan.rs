//! When what happens in a run.

use std::time::{Duration, Instant};

/// The times of a run, from its beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    begin: Instant,
    /// Until then, processes are killed.
    calm_from: Duration,
    /// When memory and descriptors are first looked at.
    pub(crate) first_look: Duration,
    /// How often they are looked at.
    pub(crate) look_every: Duration,
    /// Until then they are looked at. After it, processes are killed again.
    pub(crate) last_look: Duration,
    pub(crate) end: Duration,
}

impl Plan {
    /// Plans a run that begins now: the first look is after five minutes, or half of a short run.
    pub(crate) fn new(length: Duration) -> Self {
        let first_look = Duration::from_mins(5).min(length / 2);
        let last_look = length * 5 / 6;
        Self {
            begin: Instant::now(),
            calm_from: first_look * 3 / 4,
            first_look,
            look_every: Duration::from_mins(1).min(last_look.saturating_sub(first_look) / 10),
            last_look,
            end: length,
        }
    }

    /// Returns the time since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Returns the time from the beginning until another time, in seconds.
    pub(crate) fn seconds(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.begin).as_secs_f64()
    }

    /// Returns whether processes may be killed now.
    pub(crate) fn may_kill(&self) -> bool {
        !(self.calm_from..self.last_look).contains(&self.now())
    }

    /// Returns whether the run is over.
    pub(crate) fn is_over(&self) -> bool {
        self.now() >= self.end
    }
}
