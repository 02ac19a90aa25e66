//! Lists of which there are very many, nearly all with one entry or none.

use std::ops::{Deref, DerefMut};
use std::{mem, slice};

/// A list that takes memory of its own only for its second entry.
#[derive(Clone, Debug)]
pub(super) enum Few<T> {
    None,
    One(T),
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// Without entries.
    pub(super) const fn new() -> Self {
        Self::None
    }

    /// Adds an entry to the end.
    pub(super) fn push(&mut self, one: T) {
        *self = match mem::replace(self, Self::None) {
            Self::None => Self::One(one),
            Self::One(first) => Self::Many(vec![first, one]),
            Self::Many(mut list) => {
                list.push(one);
                Self::Many(list)
            }
        };
    }

    /// Adds an entry at a place, or to the end if there are fewer.
    pub(super) fn insert(&mut self, place: usize, one: T) {
        let place = place.min(self.len());
        self.push(one);
        if let Some(moved) = self.get_mut(place..) {
            moved.rotate_right(1);
        }
    }

    /// Removes the first entry.
    pub(super) fn remove_first(&mut self) {
        match self {
            Self::None => {}
            Self::One(_) => *self = Self::None,
            Self::Many(list) => drop(list.drain(..1.min(list.len()))),
        }
    }

    /// Removes the entries that are not to be kept.
    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        match self {
            Self::None => {}
            Self::One(one) if keep(one) => {}
            Self::One(_) => *self = Self::None,
            Self::Many(list) => list.retain(keep),
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => slice::from_ref(one),
            Self::Many(list) => list,
        }
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::None => &mut [],
            Self::One(one) => slice::from_mut(one),
            Self::Many(list) => list,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is done to a list.
    #[derive(Clone, Copy, Debug)]
    enum Change {
        Push(u8),
        Insert(usize, u8),
        RemoveFirst,
        RetainBelow(u8),
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            any::<u8>().prop_map(Change::Push),
            (0..4_usize, any::<u8>()).prop_map(|(place, one)| Change::Insert(place, one)),
            Just(Change::RemoveFirst),
            any::<u8>().prop_map(Change::RetainBelow),
        ]
    }

    proptest! {
        #[test]
        fn it_has_the_entries_of_a_vec(changes in prop::collection::vec(change(), 0..12)) {
            let (mut few, mut list) = (Few::new(), Vec::new());
            for change in changes {
                match change {
                    Change::Push(one) => {
                        few.push(one);
                        list.push(one);
                    }
                    Change::Insert(place, one) => {
                        few.insert(place, one);
                        list.insert(place.min(list.len()), one);
                    }
                    Change::RemoveFirst => {
                        few.remove_first();
                        list.drain(..1.min(list.len()));
                    }
                    Change::RetainBelow(limit) => {
                        few.retain(|&one| one < limit);
                        list.retain(|&one| one < limit);
                    }
                }
                prop_assert_eq!(&*few, &*list);
                few.iter_mut().chain(&mut list).for_each(|one| *one = one.wrapping_add(1));
            }
        }
    }
}
