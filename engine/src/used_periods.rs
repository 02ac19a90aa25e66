//! Derived sequences that were used: each opens its door once for a client.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::{IpAddr, Ipv4Addr};

use knock_signed::SequenceId;

/// A derived sequence: that of a door in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeriodOfDoor {
    /// What names the sequences of the door.
    pub sequence: SequenceId,
    /// The number of the period: the seconds since 1970 divided by its length.
    pub period: u32,
}

/// What becomes of a derived sequence that a client has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeriodUse {
    /// The client had not used it, and has now.
    First(PeriodOfDoor),
    /// It was used already.
    Repeated {
        /// Whether that was said before.
        again: bool,
    },
    /// It cannot be remembered at the limit.
    Full,
}

/// The sequences that were used, by whom. It does not matter which configuration they are of, so what was used stays
/// used over a reload.
#[derive(Clone, Debug, Default)]
pub(crate) struct UsedPeriods {
    /// Each with whether it was said that it was used already.
    used: BTreeMap<(SequenceId, u32, IpAddr), bool>,
    /// The last period of which uses were forgotten: neither it nor one before it counts any more, even if the clock
    /// is set back.
    forgotten: BTreeMap<SequenceId, u32>,
}

const FIRST_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

impl UsedPeriods {
    /// A client uses a sequence. At the limit none is forgotten for it: it could be used again.
    pub(crate) fn take(&mut self, one: PeriodOfDoor, client: IpAddr, limit: usize) -> PeriodUse {
        let PeriodOfDoor { sequence, period } = one;
        let is_full = self.used.len() >= limit;
        let key = (sequence, period, client);
        if let Some(said) = self.used.get_mut(&key) {
            return PeriodUse::Repeated { again: core::mem::replace(said, true) };
        }
        if self.forgotten.get(&sequence).is_some_and(|&last| period <= last) {
            if !is_full {
                self.used.insert(key, true);
            }
            return PeriodUse::Repeated { again: false };
        }
        if is_full {
            return PeriodUse::Full;
        }
        self.used.insert(key, false);
        PeriodUse::First(one)
    }

    /// Takes what was used before the engine began. A use without a client is one of every client.
    pub(crate) fn restore(&mut self, one: PeriodOfDoor, client: Option<IpAddr>) {
        let PeriodOfDoor { sequence, period } = one;
        match client {
            Some(client) => drop(self.used.insert((sequence, period, client), false)),
            None => self.forget_up_to(sequence, period),
        }
    }

    /// Forgets who used the sequences of a door before a period.
    pub(crate) fn forget_before(&mut self, sequence: SequenceId, period: u32) {
        let first = (sequence, 0, FIRST_ADDRESS);
        while let Some((&(_, used, client), _)) =
            self.used.range(first..(sequence, period, FIRST_ADDRESS)).next()
        {
            self.used.remove(&(sequence, used, client));
            self.forget_up_to(sequence, used);
        }
    }

    fn forget_up_to(&mut self, sequence: SequenceId, period: u32) {
        let last = self.forgotten.entry(sequence).or_default();
        *last = period.max(*last);
    }

    /// If more than so many doors had sequences, forgets everything about those of which no door has one.
    pub(crate) fn keep_only(&mut self, has_door: impl Fn(SequenceId) -> bool, max: usize) {
        let names = self.forgotten.keys().chain(self.used.keys().map(|(sequence, ..)| sequence));
        if names.collect::<BTreeSet<_>>().len() > max {
            self.forgotten.retain(|&sequence, _| has_door(sequence));
            self.used.retain(|&(sequence, ..), _| has_door(sequence));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.used.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SequenceId = SequenceId::from_bits(1);
    const OTHER: SequenceId = SequenceId::from_bits(2);

    fn at(sequence: SequenceId, period: u32) -> PeriodOfDoor {
        PeriodOfDoor { sequence, period }
    }

    fn client(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn a_sequence_is_used_once_by_each_client() {
        let mut used = UsedPeriods::default();
        let mut take = |one, number| used.take(one, client(number), 9);
        assert_eq!(take(at(ONE, 7), 1), PeriodUse::First(at(ONE, 7)));
        assert_eq!(take(at(ONE, 7), 1), PeriodUse::Repeated { again: false });
        assert_eq!(take(at(ONE, 7), 1), PeriodUse::Repeated { again: true });
        assert_eq!(take(at(ONE, 7), 2), PeriodUse::First(at(ONE, 7)));
        assert_eq!(take(at(ONE, 8), 1), PeriodUse::First(at(ONE, 8)));
        assert_eq!(take(at(OTHER, 7), 1), PeriodUse::First(at(OTHER, 7)));
    }

    #[test]
    fn what_is_forgotten_never_counts_again() {
        let mut used = UsedPeriods::default();
        for (sequence, period) in [(ONE, 5), (ONE, 7), (OTHER, 5)] {
            used.take(at(sequence, period), client(1), 9);
        }
        used.forget_before(ONE, 7);
        assert_eq!(used.len(), 2);
        // Period 4 was not used, but whoever has seen it could use it if the clock is set back.
        for period in [4, 5] {
            let again = used.take(at(ONE, period), client(2), 9);
            assert_eq!(again, PeriodUse::Repeated { again: false });
            let again = used.take(at(ONE, period), client(2), 9);
            assert_eq!(again, PeriodUse::Repeated { again: true });
        }
        assert_eq!(used.take(at(ONE, 6), client(2), 9), PeriodUse::First(at(ONE, 6)));
        assert_eq!(used.take(at(OTHER, 4), client(2), 9), PeriodUse::First(at(OTHER, 4)));
    }

    #[test]
    fn at_the_limit_none_is_forgotten_before_its_time() {
        let mut used = UsedPeriods::default();
        for number in [1, 2] {
            let first = used.take(at(ONE, u32::from(number)), client(number), 2);
            assert!(matches!(first, PeriodUse::First(_)));
        }
        assert_eq!(used.take(at(ONE, 3), client(3), 2), PeriodUse::Full);
        assert_eq!(used.take(at(ONE, 1), client(1), 2), PeriodUse::Repeated { again: false });
        used.forget_before(ONE, 2);
        assert!(matches!(used.take(at(ONE, 3), client(3), 2), PeriodUse::First(_)));
    }

    #[test]
    fn what_was_used_before_a_restart_is_used() {
        let mut used = UsedPeriods::default();
        used.restore(at(ONE, 7), Some(client(1)));
        used.restore(at(OTHER, 7), None);
        used.restore(at(OTHER, 3), None);
        assert_eq!(used.take(at(ONE, 7), client(1), 9), PeriodUse::Repeated { again: false });
        assert!(matches!(used.take(at(ONE, 7), client(2), 9), PeriodUse::First(_)));
        assert_eq!(used.take(at(OTHER, 7), client(2), 9), PeriodUse::Repeated { again: false });
        assert!(matches!(used.take(at(OTHER, 8), client(2), 9), PeriodUse::First(_)));
    }

    #[test]
    fn sequences_without_a_door_are_kept_up_to_a_limit() {
        let mut used = UsedPeriods::default();
        used.restore(at(ONE, 7), None);
        used.restore(at(OTHER, 7), None);
        used.restore(at(OTHER, 8), Some(client(1)));
        used.keep_only(|sequence| sequence == ONE, 2);
        assert_eq!((used.forgotten.len(), used.len()), (2, 1));
        used.keep_only(|sequence| sequence == ONE, 1);
        assert_eq!((used.forgotten.len(), used.len()), (1, 0));
        assert_eq!(used.take(at(ONE, 7), client(1), 9), PeriodUse::Repeated { again: false });
    }
}
