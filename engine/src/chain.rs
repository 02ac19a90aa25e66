//! Doubly linked chains through the entries of a list, for rule sets.
//!
//! A rule set with many attempts keeps them in one list, and has chains through it, such as one in the order in which
//! they end, or one of each client. A place in the list takes 4 bytes where a pointer takes 8. The list and its
//! entries are the rule set's own.

/// The place of an entry in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(u32);

impl Slot {
    /// No place.
    pub const NONE: Self = Self(u32::MAX);

    /// Returns the place with this number.
    #[must_use]
    pub const fn numbered(number: u32) -> Self {
        Self(number)
    }

    /// Returns the place with this index; [`Slot::NONE`] if there is none.
    #[must_use]
    #[inline]
    pub fn at(index: usize) -> Self {
        u32::try_from(index).map_or(Self::NONE, Self)
    }

    #[cfg(test)]
    pub(crate) fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the place if it is one.
    #[must_use]
    #[inline]
    pub fn some(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }

    /// Returns the number of the place.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Returns the index of the place; one that no list has if it is no place.
    #[must_use]
    #[inline]
    pub fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// The neighbours of an entry in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    /// The entry before it; [`Slot::NONE`] for the first one.
    pub before: Slot,
    /// The entry after it; [`Slot::NONE`] for the last one.
    pub after: Slot,
}

impl Links {
    /// No neighbours.
    pub const NONE: Self = Self { before: Slot::NONE, after: Slot::NONE };
}

/// The ends of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The first entry; [`Slot::NONE`] if there is none.
    pub first: Slot,
    /// The last entry; [`Slot::NONE`] if there is none.
    pub last: Slot,
}

impl Chain {
    /// A chain of no entry.
    pub const EMPTY: Self = Self { first: Slot::NONE, last: Slot::NONE };

    /// Returns whether there is no entry.
    #[must_use]
    #[inline]
    pub fn is_empty(self) -> bool {
        self.first == Slot::NONE
    }

    /// Puts an entry that is in a list and has these links into this chain: has its neighbours lead to it. `links` finds
    /// the links of an entry.
    #[inline]
    pub fn lead_to<L: ?Sized>(
        &mut self,
        list: &mut L,
        slot: Slot,
        Links { before, after }: Links,
        links: impl Fn(&mut L, Slot) -> &mut Links,
    ) {
        match before.some() {
            Some(before) => links(list, before).after = slot,
            None => self.first = slot,
        }
        match after.some() {
            Some(after) => links(list, after).before = slot,
            None => self.last = slot,
        }
    }

    /// Appends an entry that is in a list, but in no chain that has these links.
    #[inline]
    pub fn push<L: ?Sized>(
        &mut self,
        list: &mut L,
        slot: Slot,
        links: impl Fn(&mut L, Slot) -> &mut Links,
    ) {
        let there = Links { before: self.last, after: Slot::NONE };
        *links(list, slot) = there;
        self.lead_to(list, slot, there, links);
    }

    /// Takes an entry out of this chain, and returns the links that it has kept.
    #[inline]
    pub fn remove<L: ?Sized>(
        &mut self,
        list: &mut L,
        slot: Slot,
        links: impl Fn(&mut L, Slot) -> &mut Links,
    ) -> Links {
        let there = *links(list, slot);
        let Links { before, after } = there;
        match before.some() {
            Some(before) => links(list, before).after = after,
            None => self.first = after,
        }
        match after.some() {
            Some(after) => links(list, after).before = before,
            None => self.last = before,
        }
        there
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self::EMPTY
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    fn links(list: &mut [Links], slot: Slot) -> &mut Links {
        &mut list[slot.index()]
    }

    /// The entries of a chain, forwards; they must be the same backwards.
    fn all(chain: Chain, list: &[Links]) -> Vec<u32> {
        let walk = |from: Slot, next: fn(&Links) -> Slot| -> Vec<u32> {
            let slots =
                core::iter::successors(from.some(), |slot| next(&list[slot.index()]).some());
            slots.map(Slot::number).collect()
        };
        let forwards = walk(chain.first, |links| links.after);
        let mut backwards = walk(chain.last, |links| links.before);
        backwards.reverse();
        assert_eq!(forwards, backwards);
        forwards
    }

    #[test]
    fn entries_are_in_the_order_in_which_they_were_put() {
        let [a, b, c, d] = [0, 1, 2, 3].map(Slot::at);
        let (mut chain, mut list) = (Chain::EMPTY, vec![Links::NONE; 4]);
        for slot in [a, b, c] {
            chain.push(&mut list[..], slot, links);
        }
        assert_eq!(all(chain, &list), [0, 1, 2]);
        let between = Links { before: a, after: b };
        list[3] = between;
        chain.lead_to(&mut list[..], d, between, links);
        assert_eq!(all(chain, &list), [0, 3, 1, 2]);
        for (slot, before, after, left) in
            [(d, a, b, &[0, 1, 2][..]), (a, Slot::NONE, b, &[1, 2]), (c, b, Slot::NONE, &[1])]
        {
            let there = chain.remove(&mut list[..], slot, links);
            assert_eq!(there, Links { before, after });
            assert_eq!(all(chain, &list), left);
        }
        chain.remove(&mut list[..], b, links);
        assert!(chain.is_empty());
        assert_eq!(chain, Chain::EMPTY);
    }

    #[test]
    fn an_index_that_is_too_large_is_no_place() {
        let last = usize::try_from(u32::MAX).unwrap();
        assert_eq!(Slot::at(last - 1).index(), last - 1);
        assert_eq!([last, last + 1, usize::MAX].map(Slot::at), [Slot::NONE; 3]);
        assert_eq!(Slot::NONE.some(), None);
    }
}
