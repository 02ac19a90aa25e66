//! Sequences of knocks, and how far along one an attempt is.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::packet::Knock;

/// How many knocks of a sequence were made: 0 to 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stage(u8);

impl Stage {
    /// No knock made.
    pub const NONE: Self = Self(0);
    /// One knock made.
    pub const FIRST: Self = Self(1);

    /// Takes a number of knocks made; `None` above [`Sequence::MAX_KNOCKS`].
    #[must_use]
    pub const fn new(knocks: u8) -> Option<Self> {
        if knocks <= Self::LAST { Some(Self(knocks)) } else { None }
    }

    /// [`Sequence::MAX_KNOCKS`] as a stage.
    const LAST: u8 = 32;

    /// Returns the number of knocks made.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Returns the stage after one more knock.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The knocks that open a door, in order: 1 to 32 of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(Box<[Knock]>);

/// What a knock is to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The knock that comes next.
    Next,
    /// The knock that was made last, where another one comes next.
    Again,
    /// Any other knock.
    Wrong,
}

/// Why a list of knocks is not a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceError {
    /// It has no knocks.
    Empty,
    /// There are more than [`Sequence::MAX_KNOCKS`].
    TooLong,
    /// It has port 0, to which no client can send on purpose.
    PortZero,
}

impl Sequence {
    /// The most knocks a sequence may have, as in knockd 0.8.
    pub const MAX_KNOCKS: usize = 32;

    /// Takes 1 to 32 knocks.
    ///
    /// # Errors
    /// [`SequenceError`] if there are none, too many, or one is to port 0.
    pub fn new(knocks: Vec<Knock>) -> Result<Self, SequenceError> {
        if knocks.is_empty() {
            return Err(SequenceError::Empty);
        }
        if knocks.len() > Self::MAX_KNOCKS {
            return Err(SequenceError::TooLong);
        }
        if knocks.iter().any(|knock| knock.port.0 == 0) {
            return Err(SequenceError::PortZero);
        }
        Ok(Self(knocks.into_boxed_slice()))
    }

    /// Returns the knocks in order.
    #[must_use]
    pub fn knocks(&self) -> &[Knock] {
        &self.0
    }

    /// Returns the knock that moves an attempt past `stage`.
    #[must_use]
    pub fn after(&self, stage: Stage) -> Option<Knock> {
        self.0.get(usize::from(stage.get())).copied()
    }

    /// Returns what a knock is to an attempt at `stage`.
    #[must_use]
    pub fn step(&self, stage: Stage, knock: Knock) -> Step {
        let at = usize::from(stage.get());
        if self.0.get(at) == Some(&knock) {
            Step::Next
        } else if at.checked_sub(1).and_then(|last| self.0.get(last)) == Some(&knock) {
            Step::Again
        } else {
            Step::Wrong
        }
    }

    /// Returns whether `stage` is the whole sequence.
    #[must_use]
    pub fn is_complete_at(&self, stage: Stage) -> bool {
        usize::from(stage.get()) >= self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::packet::{Port, Protocol};

    fn knock(port: u16) -> Knock {
        Knock { port: Port(port), protocol: Protocol::Tcp }
    }

    #[test]
    fn a_sequence_has_1_to_32_knocks_and_no_port_0() {
        assert_eq!(Sequence::new(vec![]), Err(SequenceError::Empty));
        assert_eq!(Sequence::new(vec![knock(7); 33]), Err(SequenceError::TooLong));
        assert_eq!(Sequence::new(vec![knock(7), knock(0)]), Err(SequenceError::PortZero));
        assert!(Sequence::new(vec![knock(7); 32]).is_ok());
    }

    #[test]
    fn the_last_stage_is_that_of_the_longest_sequence() {
        let longest = u8::try_from(Sequence::MAX_KNOCKS).unwrap();
        assert_eq!(Stage::new(longest).map(Stage::get), Some(longest));
        assert_eq!(Stage::new(longest + 1), None);
    }

    #[test]
    fn the_next_knock_is_the_one_after_the_stage() {
        let sequence = Sequence::new(vec![knock(1), knock(2)]).unwrap();
        assert_eq!(sequence.after(Stage::NONE), Some(knock(1)));
        assert_eq!(sequence.after(Stage::FIRST), Some(knock(2)));
        assert_eq!(sequence.after(Stage::FIRST.next()), None);
        assert!(!sequence.is_complete_at(Stage::FIRST));
        assert!(sequence.is_complete_at(Stage::FIRST.next()));
    }

    #[test]
    fn a_knock_is_the_next_one_or_the_last_again_or_wrong() {
        let sequence = Sequence::new(vec![knock(1), knock(2), knock(2), knock(3)]).unwrap();
        let second = Stage::FIRST.next();
        assert_eq!(sequence.step(Stage::FIRST, knock(2)), Step::Next);
        assert_eq!(sequence.step(Stage::FIRST, knock(1)), Step::Again);
        assert_eq!(sequence.step(Stage::FIRST, knock(3)), Step::Wrong);
        // A port that is twice in the sequence counts twice.
        assert_eq!(sequence.step(second, knock(2)), Step::Next);
        assert_eq!(sequence.step(Stage::NONE, knock(2)), Step::Wrong);
    }
}
