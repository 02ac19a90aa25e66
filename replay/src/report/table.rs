//! Things that are stored once and referred to by their index.

use std::collections::HashMap;
use std::hash::Hash;

#[derive(Debug)]
pub(super) struct Table<T> {
    list: Vec<T>,
    places: HashMap<T, u32>,
    /// The index that was asked for last.
    last: u32,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { list: Vec::new(), places: HashMap::new(), last: 0 }
    }
}

impl<T: Clone + Eq + Hash> Table<T> {
    /// Returns the index of a thing, which is added if it is new.
    pub(super) fn place(&mut self, one: T) -> u32 {
        // Often the same comes again and again.
        if self.get(self.last) == Some(&one) {
            return self.last;
        }
        let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let Self { list, places, last } = self;
        *last = *places.entry(one).or_insert_with_key(|one| {
            list.push(one.clone());
            next
        });
        *last
    }

    pub(super) fn contains(&self, one: &T) -> bool {
        self.places.contains_key(one)
    }

    pub(super) fn get(&self, place: u32) -> Option<&T> {
        self.list.get(usize::try_from(place).ok()?)
    }
}
