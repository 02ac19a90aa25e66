//! A hash table of slots.

use alloc::vec;
use alloc::vec::Vec;

use super::due::Slot;
use super::fingerprint::ShortHash;
use crate::rules::ANTICIPATED;

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: ShortHash,
    /// [`Slot::NONE`] if there is no entry here.
    slot: Slot,
}

impl Entry {
    const EMPTY: Self = Self { hash: ShortHash::ZERO, slot: Slot::NONE };
}

/// A hash table that finds slots by their contents.
///
/// Under a flood from new addresses nearly all the time is spent waiting for memory. An entry is beside
/// its hash in one cache line, so that finding, adding and removing a client cost one wait each;
/// hashbrown keeps its control bytes elsewhere, and took twice as long for a million attempts. Entries
/// that collide follow one another, and removing one closes the gap.
#[derive(Debug)]
pub(super) struct SlotTable {
    /// In the order of their hashes, but for those that collide. At most three quarters are in use.
    entries: Vec<Entry>,
    /// How many entries as many slots need as there will be, if that is known.
    enough: usize,
    live: usize,
}

impl SlotTable {
    const LEAST: usize = 16;

    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), enough: usize::MAX, live: 0 }
    }

    /// Makes a table that takes no more memory than so many slots need.
    pub(super) fn for_at_most(slots: usize) -> Self {
        let enough = slots.saturating_add(slots / 3).saturating_add(2);
        Self { enough, ..Self::new() }
    }

    /// Prefetches what finding, adding or removing entries with these hashes will need, of the first
    /// [`ANTICIPATED`] of them.
    pub(super) fn anticipate(&self, hashes: impl Iterator<Item = ShortHash>) {
        let mut homes = [0; ANTICIPATED];
        for (home, hash) in homes.iter_mut().zip(hashes) {
            *home = self.home(hash);
        }
        // Once all places are known, they are read so close together that the processor waits for all of them
        // at the same time.
        let slots = homes.iter().filter_map(|&home| self.entries.get(home)).map(|entry| entry.slot);
        core::hint::black_box(slots.fold(0, |folded, slot| folded ^ slot.number()));
    }

    /// Returns the slot with this hash for which `is_it` holds.
    pub(super) fn find(&self, hash: ShortHash, is_it: impl Fn(Slot) -> bool) -> Option<Slot> {
        self.position(hash, is_it).map(|at| self.entry(at).slot)
    }

    /// Adds a slot, which must not be in the table.
    pub(super) fn insert(&mut self, hash: ShortHash, slot: Slot) {
        if self.live.saturating_mul(4) >= self.entries.len().saturating_mul(3) {
            self.grow();
        }
        self.place(Entry { hash, slot });
        self.live = self.live.saturating_add(1);
    }

    /// Replaces one slot by another. Returns whether the old one was there.
    pub(super) fn replace(&mut self, hash: ShortHash, old: Slot, new: Slot) -> bool {
        let Some(at) = self.position(hash, |slot| slot == old) else { return false };
        self.entry_mut(at).slot = new;
        true
    }

    /// Removes a slot. Returns whether it was there.
    pub(super) fn remove(&mut self, hash: ShortHash, slot: Slot) -> bool {
        let Some(mut gap) = self.position(hash, |other| other == slot) else { return false };
        let mut next = self.after(gap);
        while self.entry(next).slot.some().is_some() {
            // An entry must not move to a place before its home.
            let home = self.home(self.entry(next).hash);
            if self.distance(home, next) >= self.distance(gap, next) {
                *self.entry_mut(gap) = self.entry(next);
                gap = next;
            }
            next = self.after(next);
        }
        *self.entry_mut(gap) = Entry::EMPTY;
        self.live = self.live.saturating_sub(1);
        true
    }

    fn position(&self, hash: ShortHash, is_it: impl Fn(Slot) -> bool) -> Option<usize> {
        if self.live == 0 {
            return None;
        }
        let mut at = self.home(hash);
        loop {
            let entry = self.entry(at);
            let slot = entry.slot.some()?;
            if entry.hash == hash && is_it(slot) {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    /// Puts an entry into the first free place from its home on. There must be one.
    fn place(&mut self, entry: Entry) {
        let mut at = self.home(entry.hash);
        while self.entry(at).slot.some().is_some() {
            at = self.after(at);
        }
        *self.entry_mut(at) = entry;
    }

    fn grow(&mut self) {
        let there = self.entries.len();
        let larger = there.saturating_mul(2).max(Self::LEAST);
        let larger = if there < self.enough { larger.min(self.enough) } else { larger };
        let old = core::mem::replace(&mut self.entries, vec![Entry::EMPTY; larger]);
        for entry in old.into_iter().filter(|entry| entry.slot.some().is_some()) {
            self.place(entry);
        }
    }

    fn home(&self, hash: ShortHash) -> usize {
        hash.place_among(self.entries.len())
    }

    fn after(&self, at: usize) -> usize {
        let next = at.wrapping_add(1);
        if next < self.entries.len() { next } else { 0 }
    }

    /// Returns how far `to` comes after `from`, wrapping around at the end.
    fn distance(&self, from: usize, to: usize) -> usize {
        let far = to.wrapping_sub(from);
        if from <= to { far } else { far.wrapping_add(self.entries.len()) }
    }

    #[expect(clippy::indexing_slicing, reason = "every position is in the table")]
    fn entry(&self, at: usize) -> Entry {
        self.entries[at]
    }

    #[expect(clippy::indexing_slicing, reason = "every position is in the table")]
    fn entry_mut(&mut self, at: usize) -> &mut Entry {
        &mut self.entries[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scattered numbers, the same in every run.
    fn numbers() -> impl Iterator<Item = u32> {
        core::iter::successors(Some(1_u32), |n| Some(n.wrapping_mul(1_664_525).wrapping_add(1)))
            .map(|n| n >> 8)
    }

    /// Few hashes and few slots, so that entries collide and gaps close all the time.
    #[test]
    fn a_table_has_the_same_content_as_a_plain_list() {
        let mut table = SlotTable::new();
        let mut list: Vec<(ShortHash, Slot)> = Vec::new();
        for (action, number) in numbers().zip(numbers().skip(7)).take(6_000) {
            let (hash, slot) = (ShortHash::new((number % 23) << 27), Slot::new(number % 61));
            let at = list.iter().position(|other| *other == (hash, slot));
            match (action % 3, at) {
                (0 | 1, None) => {
                    table.insert(hash, slot);
                    list.push((hash, slot));
                }
                (2, Some(at)) => {
                    assert!(table.remove(hash, slot));
                    list.swap_remove(at);
                }
                _ => assert!(!table.remove(hash, Slot::new(99))),
            }
            let found = table.find(hash, |other| other == slot);
            assert_eq!(found, list.contains(&(hash, slot)).then_some(slot));
            assert_eq!(table.live, list.len());
        }
        assert!(
            list.iter().all(|(hash, slot)| table.find(*hash, |other| other == *slot).is_some())
        );
        assert!(list.len() > 100, "{}", list.len());
    }

    /// Otherwise finding an entry would take time in the number of entries.
    #[test]
    fn entries_with_different_hashes_are_at_different_places() {
        let mut table = SlotTable::new();
        let hash = |number: u32| ShortHash::new(number << 22);
        for number in 0..1000 {
            table.insert(hash(number), Slot::new(number));
        }
        for number in 0..1000 {
            let at = table.position(hash(number), |_| true);
            assert_eq!(at, usize::try_from(number * 2).ok());
        }
    }

    #[test]
    fn a_table_for_a_number_of_slots_has_no_more_entries_than_they_need() {
        for slots in [0, 1, 2, 3, 11, 12, 13, 1000, 1537] {
            let mut table = SlotTable::for_at_most(slots);
            let count = u32::try_from(slots).unwrap();
            let hash = |number: u32| ShortHash::new(number.wrapping_mul(0x9e37_79b1));
            (0..count).for_each(|number| table.insert(hash(number), Slot::new(number)));
            assert!(table.entries.len() <= slots + slots / 3 + 2, "{slots}");
            // One more than was said.
            table.insert(hash(count), Slot::new(count));
            for number in 0..=count {
                let found = table.find(hash(number), |slot| slot == Slot::new(number));
                assert_eq!(found, Some(Slot::new(number)), "{slots}");
            }
        }
    }

    #[test]
    fn a_slot_can_take_the_place_of_another() {
        let mut table = SlotTable::new();
        let hash = ShortHash::new(5);
        table.insert(hash, Slot::new(1));
        assert!(table.replace(hash, Slot::new(1), Slot::new(2)));
        assert!(!table.replace(hash, Slot::new(1), Slot::new(3)));
        assert_eq!(table.find(hash, |_| true), Some(Slot::new(2)));
    }

    #[test]
    fn an_empty_table_finds_and_removes_nothing() {
        let mut table = SlotTable::new();
        assert_eq!(table.find(ShortHash::new(5), |_| true), None);
        assert!(!table.remove(ShortHash::new(5), Slot::new(1)));
        table.insert(ShortHash::new(5), Slot::new(1));
        assert!(table.remove(ShortHash::new(5), Slot::new(1)));
        assert_eq!(table.find(ShortHash::new(5), |_| true), None);
    }
}
