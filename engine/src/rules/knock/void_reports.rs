//! Which clients are reported whose attempts were voided again and again.

use crate::time::{Seconds, Timestamp};

/// Which clients are reported whose attempts were voided again and again: the first ones of each ten seconds. In a
/// flood from forged addresses, each could be.
#[derive(Clone, Copy, Debug)]
pub struct VoidReports {
    max: u32,
    /// When the ten seconds began, and how many clients came since.
    since: Timestamp,
    clients: u32,
}

impl VoidReports {
    /// How long clients are counted together.
    pub(super) const WINDOW: Seconds = Seconds::new(10).unwrap();

    /// Begins with no reports, and allows at most so many in ten seconds.
    #[must_use]
    pub const fn new(max: u32) -> Self {
        Self { max, since: Timestamp::MIN, clients: 0 }
    }

    /// Returns whether a client is reported. Time must not run backwards from one call to the next.
    #[must_use]
    pub fn allow(&mut self, now: Timestamp) -> bool {
        if self.since.saturating_add(Self::WINDOW) <= now {
            (self.since, self.clients) = (now, 0);
        }
        self.clients = self.clients.saturating_add(1);
        self.clients <= self.max
    }
}
