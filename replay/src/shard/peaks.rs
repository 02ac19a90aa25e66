//! How near a replay came to its limits.

use knock_engine::{Limits, Usage};
use serde::{Deserialize, Serialize};

/// The most that was used at once of what the limits limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Peaks {
    attempts: u64,
    remembered: u64,
    cooldowns: u64,
    openings: u64,
    voided: u64,
    leases: u64,
}

/// What may have been at a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AtLimit {
    pub(crate) what: &'static str,
    pub(crate) most: u64,
    /// Whether it is the limit of `--max-attempts`, which can be raised.
    pub(crate) is_of_attempts: bool,
}

impl Peaks {
    /// Notes how much is used now.
    pub(crate) fn note(&mut self, usage: Usage) {
        let Usage { attempts, remembered, cooldowns, openings, voided, leases } = usage;
        let Self {
            attempts: most_attempts,
            remembered: most_remembered,
            cooldowns: most_cooldowns,
            openings: most_openings,
            voided: most_voided,
            leases: most_leases,
        } = self;
        for (most, now) in [
            (most_attempts, attempts),
            (most_remembered, remembered),
            (most_cooldowns, cooldowns),
            (most_openings, openings),
            (most_voided, voided),
            (most_leases, leases),
        ] {
            *most = u64::try_from(now).unwrap_or(u64::MAX).max(*most);
        }
    }

    /// Returns at least as much as both together used at once.
    pub(crate) fn beside(self, other: Self) -> Self {
        Self {
            attempts: self.attempts.saturating_add(other.attempts),
            remembered: self.remembered.saturating_add(other.remembered),
            cooldowns: self.cooldowns.saturating_add(other.cooldowns),
            openings: self.openings.saturating_add(other.openings),
            voided: self.voided.saturating_add(other.voided),
            leases: self.leases.saturating_add(other.leases),
        }
    }

    /// Returns what may have been at a limit, and so may have made one client matter to another.
    pub(crate) fn at_limit(self, limits: &Limits) -> Option<AtLimit> {
        let of_attempts = [
            (self.attempts, "attempts"),
            (self.remembered, "knocks that are remembered for their retransmissions"),
            (self.cooldowns, "cooldowns"),
            (self.openings, "openings that count for Client_Openings_Per_Minute"),
            (self.voided, "clients whose attempts were voided"),
        ];
        let max = u64::from(limits.attempts.get());
        let crowded = of_attempts.into_iter().find(|(most, _)| *most >= max);
        if let Some((most, what)) = crowded {
            return Some(AtLimit { what, most, is_of_attempts: true });
        }
        // Up to this many, one door may have them all. Beyond, it may have at most as many as it leaves for others.
        let (all, of_door) =
            (u64::from(limits.leases.get()), u64::from(limits.leases_of_door.get()));
        let is_fine =
            self.leases < all && (self.leases < of_door || self.leases.saturating_mul(2) < all);
        let what = "open doors that are to be closed again";
        (!is_fine).then_some(AtLimit { what, most: self.leases, is_of_attempts: false })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn what_may_have_been_at_a_limit_is_found() {
        let limits = Limits::with_attempts(NonZeroU32::new(20_000).unwrap());
        let at = |peaks: Peaks| peaks.at_limit(&limits).map(|at| (at.most, at.is_of_attempts));
        let none = Peaks::default();
        assert_eq!(at(none), None);
        assert_eq!(at(Peaks { attempts: 19_999, ..none }), None);
        for peaks in [
            Peaks { attempts: 20_000, ..none },
            Peaks { remembered: 20_000, ..none },
            Peaks { cooldowns: 20_000, ..none },
            Peaks { openings: 20_000, ..none },
            Peaks { voided: 20_000, ..none },
        ] {
            assert_eq!(at(peaks), Some((20_000, true)));
        }
        // Of 10,000 leases, one door may have half.
        assert_eq!(at(Peaks { leases: 4999, ..none }), None);
        assert_eq!(at(Peaks { leases: 5000, ..none }), Some((5000, false)));
        let few = Limits::with_attempts(NonZeroU32::new(60).unwrap());
        assert!(Peaks { leases: 59, ..none }.at_limit(&few).is_none());
        assert!(Peaks { leases: 60, ..none }.at_limit(&few).is_some());
    }
}
