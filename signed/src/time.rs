//! Times of signed packets: all are values, and no clock is read here.

/// A time in nanoseconds since 1970-01-01T00:00:00Z, by the client's clock. A client uses none twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// A minute since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(pub u64);

/// The nanoseconds of a minute.
const NANOS: u64 = 60_000_000_000;

impl Moment {
    /// Takes nanoseconds since 1970; an earlier time becomes 1970.
    #[must_use]
    pub fn from_nanos(nanos: i64) -> Self {
        Self(u64::try_from(nanos).unwrap_or(0))
    }

    /// Returns the minute that it is in.
    #[must_use]
    pub const fn minute(self) -> Minute {
        Minute(self.0 / NANOS)
    }

    /// Returns by how many nanoseconds it is after another time; negative if it is before.
    pub(crate) fn ahead_of(self, nanos: i64) -> i64 {
        let ahead = i128::from(self.0).saturating_sub(i128::from(nanos));
        let clamped = ahead.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        i64::try_from(clamped).unwrap_or(i64::MAX)
    }
}

impl Minute {
    /// Returns the minute of nanoseconds since 1970; an earlier time is in the first one.
    #[must_use]
    pub fn of(nanos: i64) -> Self {
        Moment::from_nanos(nanos).minute()
    }

    /// Returns whether it is at most so many minutes from another.
    pub(crate) const fn is_within(self, minutes: u64, other: Self) -> bool {
        self.0.abs_diff(other.0) <= minutes
    }

    /// Returns the minutes that are at most so many from it, the nearest first.
    pub(crate) fn around(self, minutes: u64) -> impl Iterator<Item = Self> {
        let both = move |distance| [self.0.checked_add(distance), self.0.checked_sub(distance)];
        let others = (1..=minutes).flat_map(both).flatten().map(Self);
        core::iter::once(self).chain(others)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_minute_begins_every_60_seconds_since_1970() {
        let found = [-1, 0, 59_999_999_999, 60_000_000_000, i64::MAX].map(Minute::of);
        assert_eq!(found, [0, 0, 0, 1, 153_722_867].map(Minute));
    }

    #[test]
    fn the_nearest_minutes_come_first() {
        let around = |minute, minutes| Minute(minute).around(minutes).collect::<Vec<_>>();
        assert_eq!(around(7, 2), [7, 8, 6, 9, 5].map(Minute));
        assert_eq!(around(1, 2), [1, 2, 0, 3].map(Minute));
        assert_eq!(around(u64::MAX, 1), [u64::MAX, u64::MAX - 1].map(Minute));
    }

    #[test]
    fn how_far_a_moment_is_ahead_never_overflows() {
        assert_eq!(Moment(5).ahead_of(7), -2);
        assert_eq!(Moment(7).ahead_of(-5), 12);
        assert_eq!(Moment(u64::MAX).ahead_of(i64::MIN), i64::MAX);
        assert_eq!(Moment(0).ahead_of(i64::MAX), -i64::MAX);
    }
}
