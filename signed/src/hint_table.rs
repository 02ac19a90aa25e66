//! A table of hints that is filled again and again without taking memory.

use alloc::vec;
use alloc::vec::Vec;

use crate::packet_key::Hint;
use crate::time::Minute;

/// What a hint was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// The place of the key.
    pub(crate) key: usize,
    pub(crate) minute: Minute,
}

/// Hints by their own bits, which are as good as random: nobody without a key can choose those that are in it.
///
/// A hint is at the first free place from its own on. At least half of the places are free, so an unknown hint
/// takes a look at a few neighbours.
#[derive(Clone, Debug)]
pub(crate) struct HintTable {
    places: Vec<Option<(u64, Made)>>,
}

impl HintTable {
    /// Makes a table with room for so many hints.
    pub(crate) fn new(hints: usize) -> Self {
        Self { places: vec![None; hints.saturating_mul(2).next_power_of_two()] }
    }

    pub(crate) fn clear(&mut self) {
        self.places.fill(None);
    }

    /// Adds a hint. Of two equal ones the first counts.
    pub(crate) fn insert(&mut self, hint: Hint, made: Made) {
        let number = u64::from_be_bytes(hint.0);
        for place in self.from(number) {
            if let Some(free @ None) = self.places.get_mut(place) {
                *free = Some((number, made));
                return;
            }
        }
        debug_assert!(false, "the table is full");
    }

    pub(crate) fn get(&self, hint: Hint) -> Option<Made> {
        let number = u64::from_be_bytes(hint.0);
        for place in self.from(number) {
            match self.places.get(place).copied().flatten() {
                Some((found, made)) if found == number => return Some(made),
                Some(_) => {}
                None => return None,
            }
        }
        None
    }

    /// Returns all places, beginning with that of a hint.
    fn from(&self, number: u64) -> impl Iterator<Item = usize> + use<> {
        let length = self.places.len();
        // The length is a power of two.
        let mask = length.wrapping_sub(1);
        let low = usize::try_from(number & u64::from(u32::MAX)).unwrap_or(0);
        (0..length).map(move |step| low.wrapping_add(step) & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_that_want_the_same_place_are_all_found() {
        // All want the last place, or follow those that do.
        let hint = |number: u8| Hint([number, 0, 0, 0, 0, 0, 0, 0xff]);
        let mut table = HintTable::new(5);
        let made = |key| Made { key, minute: Minute(7) };
        for round in 0..2 {
            table.clear();
            for number in 0..5 {
                assert_eq!(table.get(hint(number)), None);
                table.insert(hint(number), made(usize::from(number) + round));
            }
            for number in 0..5 {
                assert_eq!(table.get(hint(number)), Some(made(usize::from(number) + round)));
            }
            assert_eq!(table.get(hint(9)), None);
        }
    }

    /// Or each look into a full table would go through all of it.
    #[test]
    fn hints_want_places_of_their_own() {
        let table = HintTable::new(8);
        let first = |number: u64| table.from(number << 56 | number << 32 | number).next();
        let places: alloc::vec::Vec<_> = (0..16).map(first).collect();
        assert_eq!(places, (0..16).map(Some).collect::<alloc::vec::Vec<_>>());
    }

    #[test]
    fn of_equal_hints_the_first_counts() {
        let mut table = HintTable::new(2);
        for key in [4, 5] {
            table.insert(Hint([1; 8]), Made { key, minute: Minute(0) });
        }
        assert_eq!(table.get(Hint([1; 8])), Some(Made { key: 4, minute: Minute(0) }));
    }

    #[test]
    fn an_empty_table_has_nothing() {
        assert_eq!(HintTable::new(0).get(Hint([0; 8])), None);
    }
}
