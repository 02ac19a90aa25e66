//! Derived sequences: a key gives a door another sequence in each period of time.

use alloc::vec::Vec;

use knock_signed::{PortSpan, SequenceId, SequenceKey, ports};

use crate::packet::{Knock, Port, Protocol};
use crate::sequence::Sequence;
use crate::time::{Seconds, Timestamp};

/// How a door derives its sequences: from a key, its name, and the time of day.
///
/// Periods have numbers: the seconds since 1970 divided by their length. In each of them the
/// sequences of the one before and of the one after count as well, for clocks that are wrong. Every port that
/// could be in a sequence counts as a knock, so that a scan of all of them is full of wrong ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedSequence {
    key: SequenceKey,
    knocks: u8,
    ports: PortSpan,
    protocol: Protocol,
    period: Seconds,
}

/// The number of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Period(u64);

/// The last bits of a period's number: enough to know it by, as few periods count at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeriodMark(u16);

impl PeriodMark {
    /// The mark of all sequences that are not derived.
    pub const NONE: Self = Self(0);

    /// Takes the lower 15 bits: an attempt has no more for it.
    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self(bits & 0x7fff)
    }

    /// Returns a number of 15 bits.
    pub(crate) const fn to_bits(self) -> u16 {
        self.0
    }
}

impl Period {
    #[expect(clippy::as_conversions, reason = "the last bits are meant")]
    #[expect(clippy::cast_possible_truncation, reason = "the last bits are meant")]
    pub(crate) const fn mark(self) -> PeriodMark {
        PeriodMark::from_bits(self.0 as u16)
    }

    /// Returns the periods whose sequences count in this one.
    pub(crate) fn valid(self) -> impl Iterator<Item = Self> {
        let first = self.0.saturating_sub(1);
        (first..=self.0.saturating_add(1)).map(Self)
    }

    /// Returns its number. Those of all times that there are fit.
    pub(crate) fn number(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    /// Returns how many periods there are from one to the other.
    pub(crate) const fn distance(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }
}

impl DerivedSequence {
    /// The fewest knocks of a sequence: with fewer, it can be guessed.
    pub const KNOCKS_MIN: u8 = 4;
    /// The most knocks of a sequence.
    pub const KNOCKS_MAX: u8 = 32;
    /// The knocks of a sequence if nothing else is said.
    pub const KNOCKS_DEFAULT: u8 = 5;
    /// The shortest period.
    pub const PERIOD_MIN: Seconds = Seconds::new(10).unwrap();
    /// The longest period.
    pub const PERIOD_MAX: Seconds = Seconds::new(86_400).unwrap();
    /// The period if nothing else is said.
    pub const PERIOD_DEFAULT: Seconds = Seconds::new(60).unwrap();

    /// Takes how sequences are derived; `None` if a number is out of its range.
    #[must_use]
    pub fn new(
        key: SequenceKey,
        knocks: u8,
        ports: PortSpan,
        protocol: Protocol,
        period: Seconds,
    ) -> Option<Self> {
        let has_knocks = (Self::KNOCKS_MIN..=Self::KNOCKS_MAX).contains(&knocks);
        let has_period = (Self::PERIOD_MIN..=Self::PERIOD_MAX).contains(&period);
        (has_knocks && has_period).then_some(Self { key, knocks, ports, protocol, period })
    }

    /// Returns how many knocks a sequence has.
    #[must_use]
    pub const fn knocks(&self) -> u8 {
        self.knocks
    }

    /// Returns the ports that can be in a sequence.
    #[must_use]
    pub const fn ports(&self) -> PortSpan {
        self.ports
    }

    /// Returns the protocol of all knocks.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Returns how long a period is.
    #[must_use]
    pub const fn period(&self) -> Seconds {
        self.period
    }

    /// Returns whether a knock can be in a sequence.
    #[must_use]
    pub fn names(&self, knock: Knock) -> bool {
        knock.protocol == self.protocol && self.ports.contains(knock.port.0)
    }

    /// Returns the sequence of a door at a time of day.
    #[must_use]
    pub fn sequence_at(&self, door: &[u8], time_of_day: Timestamp) -> Option<Sequence> {
        self.sequence(door, self.period_at(time_of_day))
    }

    pub(crate) fn period_at(&self, time_of_day: Timestamp) -> Period {
        let seconds = time_of_day.as_nanos().div_euclid(1_000_000_000);
        let number = seconds.checked_div(self.period.get().into()).unwrap_or(0);
        Period(u64::try_from(number).unwrap_or(0))
    }

    /// Returns the sequence of a door in a period.
    pub(crate) fn sequence(&self, door: &[u8], period: Period) -> Option<Sequence> {
        let ports = ports(&self.key, door, period.0, self.ports, self.knocks);
        let knock = |port| Knock { port: Port(port), protocol: self.protocol };
        let knocks: Vec<Knock> = ports.into_iter().map(knock).collect();
        Sequence::new(knocks).ok()
    }

    /// Returns what names the sequences of a door.
    #[must_use]
    pub fn id(&self, door: &[u8]) -> SequenceId {
        self.key.id(door)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use knock_signed::Key;

    use super::*;

    fn derived(period: u32) -> DerivedSequence {
        let key = Key::take(&mut core::array::from_fn(|at| u8::try_from(at).unwrap()));
        let (ports, period) = (PortSpan::new(20_000, 59_999).unwrap(), Seconds::new(period));
        let key = key.for_sequences();
        DerivedSequence::new(key, 5, ports, Protocol::Tcp, period.unwrap()).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_nanos(second.saturating_mul(1_000_000_000))
    }

    /// Returns the ports of `SSH`.
    fn found(derived: &DerivedSequence, time: Timestamp) -> Vec<u16> {
        let sequence = derived.sequence_at(b"SSH", time).unwrap();
        sequence.knocks().iter().map(|knock| knock.port.0).collect()
    }

    /// Examples of `testdata/derived/vectors.txt`.
    #[test]
    fn a_period_begins_at_a_multiple_of_its_length() {
        let [begin, after] = [29_413_440 * 60, 29_413_441 * 60];
        let (one, next) =
            ([22365, 42880, 23141, 31602, 51651], [48548, 24000, 51267, 48968, 39923]);
        let minute = derived(60);
        assert_eq!(found(&minute, at(begin)), one);
        assert_eq!(found(&minute, Timestamp::from_nanos(at(after).as_nanos() - 1)), one);
        assert_eq!(found(&minute, at(after)), next);
        assert_eq!(found(&derived(30), at(29_413_440 * 30)), one);
    }

    #[test]
    fn before_1970_it_is_always_the_first_period() {
        let minute = derived(60);
        assert_eq!(minute.period_at(at(-1)), Period(0));
        assert_eq!(minute.period_at(Timestamp::MIN), Period(0));
        assert_eq!(Period(0).valid().collect::<Vec<_>>(), [Period(0), Period(1)]);
        assert_eq!(Period(7).valid().collect::<Vec<_>>(), [Period(6), Period(7), Period(8)]);
    }

    #[test]
    fn what_could_be_guessed_is_refused() {
        let with = |knocks, period| {
            let DerivedSequence { key, ports, .. } = derived(60);
            let period = Seconds::new(period).unwrap();
            DerivedSequence::new(key, knocks, ports, Protocol::Udp, period).is_some()
        };
        assert_eq!([3, 4, 32, 33].map(|knocks| with(knocks, 60)), [false, true, true, false]);
        assert_eq!(
            [9, 10, 86_400, 86_401].map(|period| with(5, period)),
            [false, true, true, false]
        );
    }

    #[test]
    fn the_key_is_not_printed() {
        assert!(format!("{:?}", derived(60)).contains("SequenceKey(secret)"));
    }
}
