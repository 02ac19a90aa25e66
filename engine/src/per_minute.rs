//! How often a door opens in a minute.

use core::num::NonZeroU16;

/// A number of openings in any 60 seconds, from 1 to [`PerMinute::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PerMinute(NonZeroU16);

impl PerMinute {
    /// The largest number.
    pub const MAX: u16 = 1000;

    /// Takes a number of openings; `None` if it is 0 or above [`PerMinute::MAX`].
    #[must_use]
    pub const fn new(openings: u16) -> Option<Self> {
        match NonZeroU16::new(openings) {
            Some(number) if openings <= Self::MAX => Some(Self(number)),
            Some(_) | None => None,
        }
    }

    /// Returns the number of openings.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

/// How often a door opens in any 60 seconds: `Openings_Per_Minute` and `Client_Openings_Per_Minute`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OpeningLimits {
    /// For all clients together; `None`: without limit.
    pub door: Option<PerMinute>,
    /// For each client; `None`: without limit.
    pub client: Option<PerMinute>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_from_1_to_1000_openings_a_minute() {
        assert_eq!(PerMinute::new(0), None);
        assert_eq!(PerMinute::new(1).map(PerMinute::get), Some(1));
        assert_eq!(PerMinute::new(1000).map(PerMinute::get), Some(1000));
        assert_eq!(PerMinute::new(1001), None);
    }
}
