//! The moments that a key has used, so that no packet is accepted twice.

use crate::refusal::Refusal;
use crate::time::Moment;

/// The last moments that a key has used.
///
/// A moment can be used if it is above the floor, not among those that are remembered, and above the smallest of
/// them where there is no room left. So packets that overtake one another count, and none counts twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    /// Only what is above it is used.
    floor: Moment,
    /// Ascending; the first `length` count.
    used: [Moment; Self::MOST],
    length: usize,
}

impl Moments {
    /// How many are remembered.
    pub const MOST: usize = 16;

    /// Remembers none yet. Moments up to the floor are refused: those of packets that may have been accepted before
    /// anything was remembered.
    #[must_use]
    pub const fn new(floor: Moment) -> Self {
        Self { floor, used: [Moment(0); Self::MOST], length: 0 }
    }

    /// Remembers moments that were used; the order does not matter.
    #[must_use]
    pub fn with(floor: Moment, used: impl IntoIterator<Item = Moment>) -> Self {
        let mut moments = Self::new(floor);
        for moment in used {
            moments.insert(moment);
        }
        moments
    }

    /// Returns what all moments that can be used are above, whatever is remembered.
    #[must_use]
    pub const fn floor(&self) -> Moment {
        self.floor
    }

    /// Returns the moments that are remembered, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Moment> {
        self.used.iter().copied().take(self.length)
    }

    /// Checks whether a moment can be used.
    ///
    /// # Errors
    /// [`Refusal::MomentUsed`] or [`Refusal::MomentOld`].
    pub fn check(&self, moment: Moment) -> Result<(), Refusal> {
        if self.iter().any(|used| used == moment) {
            return Err(Refusal::MomentUsed);
        }
        let smallest = self.iter().next().filter(|_| self.length == Self::MOST);
        if moment <= self.floor || smallest.is_some_and(|smallest| moment < smallest) {
            return Err(Refusal::MomentOld);
        }
        Ok(())
    }

    /// Remembers that a moment was used. One that cannot be used changes nothing.
    pub fn insert(&mut self, moment: Moment) {
        if self.check(moment).is_err() {
            return;
        }
        if self.length == Self::MOST {
            // The smallest is forgotten: whatever is below the next one is refused from now on.
            self.used.rotate_left(1);
            self.length = Self::MOST.saturating_sub(1);
        }
        let place = self.iter().take_while(|used| *used < moment).count();
        self.length = self.length.saturating_add(1);
        let rest = self.used.get_mut(place..self.length).unwrap_or_default();
        rest.rotate_right(1);
        if let Some(first) = rest.first_mut() {
            *first = moment;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn outcome(moments: &mut Moments, moment: u64) -> Result<(), Refusal> {
        let outcome = moments.check(Moment(moment));
        moments.insert(Moment(moment));
        outcome
    }

    #[test]
    fn a_moment_is_used_once_even_if_it_comes_late() {
        let mut moments = Moments::new(Moment(100));
        assert_eq!(outcome(&mut moments, 100), Err(Refusal::MomentOld));
        assert_eq!(outcome(&mut moments, 103), Ok(()));
        assert_eq!(outcome(&mut moments, 101), Ok(()));
        assert_eq!(outcome(&mut moments, 103), Err(Refusal::MomentUsed));
        assert_eq!(moments.iter().collect::<Vec<_>>(), [Moment(101), Moment(103)]);
    }

    #[test]
    fn when_it_is_full_what_is_below_all_is_refused() {
        let mut moments = Moments::with(Moment(0), (11..27).map(Moment));
        assert_eq!(outcome(&mut moments, 10), Err(Refusal::MomentOld));
        assert_eq!(outcome(&mut moments, 30), Ok(()));
        assert_eq!(outcome(&mut moments, 11), Err(Refusal::MomentOld));
        assert_eq!(outcome(&mut moments, 12), Err(Refusal::MomentUsed));
        assert_eq!(moments.iter().count(), Moments::MOST);
    }

    proptest! {
        /// The model remembers everything, and knows of the limit only what its comment says.
        #[test]
        fn it_accepts_what_a_set_of_all_moments_accepts(
            floor in 0..10_u64,
            tries in prop::collection::vec(0..80_u64, 0..200),
        ) {
            let mut moments = Moments::new(Moment(floor));
            let mut used = BTreeSet::new();
            for moment in tries {
                // What is not above the sixteenth largest was used or is too old.
                let limit = used.iter().rev().nth(Moments::MOST - 1).copied();
                let is_old = moment <= floor || limit.is_some_and(|limit| moment < limit);
                let fits = !is_old && !used.contains(&moment);
                prop_assert_eq!(outcome(&mut moments, moment).is_ok(), fits, "{}", moment);
                if fits {
                    used.insert(moment);
                }
                let kept = Moments::with(moments.floor(), moments.iter());
                prop_assert_eq!(kept, moments);
            }
        }
    }
}
