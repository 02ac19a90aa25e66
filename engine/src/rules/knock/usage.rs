//! How much is used of what the limits limit.

use super::KnockRules;

/// How much is used of what the [`Limits`](crate::Limits) limit, for all clients together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Attempts.
    pub attempts: usize,
    /// Knocks that are remembered for their retransmissions.
    pub remembered: usize,
    /// Cooldowns.
    pub cooldowns: usize,
    /// Openings that count for the limits of their doors.
    pub openings: usize,
    /// Clients whose attempts were voided lately.
    pub voided: usize,
    /// Commands that run, wait, or are owed, and admissions.
    pub leases: usize,
}

impl KnockRules {
    /// Returns how much is used now. What is due to be forgotten may still be counted.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            attempts: self.attempts.len(),
            remembered: self.remembered.len(),
            cooldowns: self.cooldowns.len(),
            openings: self.recent.len(),
            voided: self.voids.len(),
            leases: self.leases.len(),
        }
    }
}
