//! Time as a value.

use core::time::Duration;

/// A moment: nanoseconds since 1970-01-01T00:00:00Z, from 1677-09-21 to 2262-04-11.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// The earliest moment.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest moment.
    pub const MAX: Self = Self(i64::MAX);

    /// Takes nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Returns how long this is after an earlier moment; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = i128::from(self.0).saturating_sub(i128::from(earlier.0));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    /// Takes nanoseconds since the epoch, of any size; a value out of range becomes the nearest moment.
    #[must_use]
    pub fn from_nanos_clamped(nanos: i128) -> Self {
        let clamped = nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Self(i64::try_from(clamped).unwrap_or(i64::MAX))
    }

    /// Returns nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Returns the beginning of the second that the moment is in.
    #[must_use]
    pub fn whole_second(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(1_000_000_000)))
    }

    /// Returns the moment `wait` later, or [`Timestamp::MAX`] if that lies beyond it.
    #[must_use]
    pub fn saturating_add(self, wait: Seconds) -> Self {
        Self(self.0.saturating_add(wait.as_nanos()))
    }
}

/// A whole number of seconds, from 0 to [`Seconds::MAX`] (68 years).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(u32);

impl Seconds {
    /// The longest wait: 2,147,483,647 seconds, the largest number that knockd 0.8 reads.
    pub const MAX: Self = Self(i32::MAX.cast_unsigned());

    /// Takes a number of seconds, or `None` above [`Seconds::MAX`].
    #[must_use]
    pub const fn new(seconds: u32) -> Option<Self> {
        if seconds <= Self::MAX.0 { Some(Self(seconds)) } else { None }
    }

    /// Returns the number of seconds.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    fn as_nanos(self) -> i64 {
        i64::from(self.0).saturating_mul(1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_beyond_the_last_moment_ends_at_the_last_moment() {
        let late = Timestamp::from_nanos(i64::MAX - 1);
        assert_eq!(late.saturating_add(Seconds::MAX), Timestamp::MAX);
        assert_eq!(
            Timestamp::EPOCH.saturating_add(Seconds(5)),
            Timestamp::from_nanos(5_000_000_000)
        );
    }

    #[test]
    fn nanoseconds_out_of_range_become_the_nearest_moment() {
        assert_eq!(Timestamp::from_nanos_clamped(i128::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_nanos_clamped(i128::MIN), Timestamp::MIN);
        assert_eq!(Timestamp::from_nanos_clamped(-7), Timestamp::from_nanos(-7));
    }

    #[test]
    fn a_second_begins_at_or_before_every_moment_in_it() {
        let whole = |nanos| Timestamp::from_nanos(nanos).whole_second().as_nanos();
        assert_eq!(whole(1_999_999_999), 1_000_000_000);
        assert_eq!(whole(2_000_000_000), 2_000_000_000);
        assert_eq!(whole(-1), -1_000_000_000);
        assert_eq!(whole(i64::MIN), i64::MIN);
    }

    #[test]
    fn seconds_end_where_knockd_08_ends() {
        assert_eq!(Seconds::new(2_147_483_647), Some(Seconds::MAX));
        assert_eq!(Seconds::new(2_147_483_648), None);
    }
}
