//! A hash table of slots.

use alloc::vec;
use alloc::vec::Vec;

use super::due::Slot;
use super::fingerprint::ShortHash;
use crate::rules::ANTICIPATED;

/// A hash table that finds slots by their contents.
///
/// Under a flood from new addresses nearly all the time is spent waiting, for memory and for branches that
/// a processor cannot predict. A slot is beside its hash in one cache line, so that finding, adding and removing
/// a client cost one wait each; hashbrown keeps its control bytes elsewhere, and took twice as long for a
/// million attempts. All slots of a line are looked at together: one after another, when to stop is a
/// matter of chance. The slots of a bucket are the first ones in it, so that whether it is full is one look, and where
/// the next one goes few. What has no room in its bucket is in the next one that had some; removing a slot brings one
/// back.
#[derive(Debug)]
pub(super) struct SlotTable {
    /// In the order of the hashes, but for what had no room.
    buckets: Vec<Bucket>,
    /// How many buckets as many slots need as there will be, if that is known.
    enough: usize,
    live: usize,
    /// How many slots there may be before there are more buckets: three quarters of all places.
    most: usize,
}

/// As many slots as a line of a processor's cache has, with their hashes.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Bucket {
    hashes: [ShortHash; Bucket::ROOM],
    /// [`Slot::NONE`] after the last one.
    slots: [Slot; Bucket::ROOM],
}

/// Where a slot is in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    bucket: usize,
    place: usize,
}

/// Some places of a bucket: a byte for each that is [`Places::YES`] or 0, which compilers make of a comparison of all
/// places at once.
#[derive(Debug)]
struct Places(u64);

impl SlotTable {
    pub(super) const fn new() -> Self {
        Self { buckets: Vec::new(), enough: usize::MAX, live: 0, most: 0 }
    }

    /// Makes a table that takes no more memory than so many slots need.
    pub(super) fn for_at_most(slots: usize) -> Self {
        let enough = slots.saturating_add(slots / 3).saturating_add(2).div_ceil(Bucket::ROOM);
        Self { enough, ..Self::new() }
    }

    /// Removes all slots.
    pub(super) fn clear(&mut self) {
        *self = Self { enough: self.enough, ..Self::new() };
    }

    /// Prefetches what finding, adding or removing slots with these hashes will need, of the first
    /// [`ANTICIPATED`] of them.
    pub(super) fn anticipate(&self, hashes: impl Iterator<Item = ShortHash>) {
        let mut homes = [0; ANTICIPATED];
        let places = homes.iter_mut().zip(hashes).map(|(home, hash)| *home = self.home(hash));
        let count = places.count();
        // Once all places are known, they are read so close together that the processor waits for all of them
        // at the same time.
        let buckets = homes.iter().take(count).filter_map(|&home| self.buckets.get(home));
        core::hint::black_box(buckets.fold(0, |folded, bucket| folded ^ bucket.slots[0].number()));
    }

    /// Returns the slot with this hash for which `is_it` holds.
    pub(super) fn find(&self, hash: ShortHash, is_it: impl Fn(Slot) -> bool) -> Option<Slot> {
        let at = self.position(hash, is_it)?;
        Some(self.bucket(at.bucket).slot(at.place))
    }

    /// Adds a slot, which must not be in the table.
    pub(super) fn insert(&mut self, hash: ShortHash, slot: Slot) {
        if self.live >= self.most {
            self.grow();
        }
        self.add(hash, slot);
        self.live = self.live.saturating_add(1);
    }

    /// Replaces one slot by another. Returns whether the old one was there.
    pub(super) fn replace(&mut self, hash: ShortHash, old: Slot, new: Slot) -> bool {
        let Some(at) = self.position_of(hash, old) else { return false };
        self.bucket_mut(at.bucket).set(at.place, hash, new);
        true
    }

    /// Removes a slot. Returns whether it was there.
    pub(super) fn remove(&mut self, hash: ShortHash, slot: Slot) -> bool {
        let Some(at) = self.position_of(hash, slot) else { return false };
        let mut gap = at.bucket;
        let mut may_others_be_after = self.bucket_mut(gap).remove(at.place);
        // What had no room in a bucket is after it, with only full ones between.
        let mut next = gap;
        while may_others_be_after {
            next = self.after(next);
            may_others_be_after = self.bucket(next).is_full();
            if let Some(place) = self.outside(next, gap) {
                let (hash, slot) = self.bucket(next).entry(place);
                self.bucket_mut(next).remove(place);
                self.bucket_mut(gap).add(hash, slot);
                gap = next;
            }
        }
        self.live = self.live.saturating_sub(1);
        true
    }

    /// Returns where the slot with this hash is for which `is_it` holds.
    fn position(&self, hash: ShortHash, is_it: impl Fn(Slot) -> bool) -> Option<Position> {
        self.first(hash, |bucket| {
            // With a hash of zero, empty places are among them.
            let is_it = |place: &usize| bucket.slot(*place).some().is_some_and(&is_it);
            bucket.with(hash).find(is_it)
        })
    }

    /// Returns where a slot is.
    fn position_of(&self, hash: ShortHash, slot: Slot) -> Option<Position> {
        self.first(hash, |bucket| bucket.of(slot).next())
    }

    /// Returns the first place that `find` finds in a bucket where a slot with this hash may be.
    fn first(&self, hash: ShortHash, find: impl Fn(&Bucket) -> Option<usize>) -> Option<Position> {
        if self.live == 0 {
            return None;
        }
        let mut at = self.home(hash);
        loop {
            let bucket = self.bucket(at);
            if let Some(place) = find(bucket) {
                return Some(Position { bucket: at, place });
            }
            if !bucket.is_full() {
                return None;
            }
            at = self.after(at);
        }
    }

    /// Puts a slot into the first bucket with room from its home on. There must be one.
    fn add(&mut self, hash: ShortHash, slot: Slot) {
        let mut at = self.home(hash);
        while !self.bucket_mut(at).add(hash, slot) {
            at = self.after(at);
        }
    }

    /// Returns the place of a slot in a bucket that could be in an earlier one, from its home on.
    fn outside(&self, bucket: usize, earlier: usize) -> Option<usize> {
        let far = self.distance(earlier, bucket);
        let is_outside = |(hash, _)| self.distance(self.home(hash), bucket) >= far;
        self.bucket(bucket).entries().position(is_outside)
    }

    #[cold]
    fn grow(&mut self) {
        let there = self.buckets.len();
        let mut larger = there.saturating_mul(2).max(2);
        // The step to what is enough may be longer than others: the larger the table, the more slots each step moves.
        if there < self.enough && larger >= self.enough / 2 {
            larger = self.enough;
        }
        self.most = larger.saturating_mul(Bucket::ROOM / 4).saturating_mul(3);
        let old = core::mem::replace(&mut self.buckets, vec![Bucket::EMPTY; larger]);
        for bucket in &old {
            for (hash, slot) in bucket.entries() {
                self.add(hash, slot);
            }
        }
    }

    fn home(&self, hash: ShortHash) -> usize {
        hash.place_among(self.buckets.len())
    }

    fn after(&self, at: usize) -> usize {
        let next = at.wrapping_add(1);
        if next < self.buckets.len() { next } else { 0 }
    }

    /// Returns how far `to` comes after `from`, wrapping around at the end.
    fn distance(&self, from: usize, to: usize) -> usize {
        let far = to.wrapping_sub(from);
        if from <= to { far } else { far.wrapping_add(self.buckets.len()) }
    }

    #[expect(clippy::indexing_slicing, reason = "every position is in the table")]
    fn bucket(&self, at: usize) -> &Bucket {
        &self.buckets[at]
    }

    #[expect(clippy::indexing_slicing, reason = "every position is in the table")]
    fn bucket_mut(&mut self, at: usize) -> &mut Bucket {
        &mut self.buckets[at]
    }
}

impl Bucket {
    const ROOM: usize = 8;
    const EMPTY: Self =
        Self { hashes: [ShortHash::ZERO; Self::ROOM], slots: [Slot::NONE; Self::ROOM] };

    fn slot(&self, place: usize) -> Slot {
        self.slots.get(place).copied().unwrap_or(Slot::NONE)
    }

    fn entry(&self, place: usize) -> (ShortHash, Slot) {
        (self.hashes.get(place).copied().unwrap_or(ShortHash::ZERO), self.slot(place))
    }

    /// Returns all slots, with their hashes.
    fn entries(&self) -> impl Iterator<Item = (ShortHash, Slot)> {
        let all = self.hashes.iter().zip(&self.slots).map(|(&hash, &slot)| (hash, slot));
        all.take_while(|(_, slot)| slot.some().is_some())
    }

    /// Adds a slot, if there is room. Returns whether there was.
    fn add(&mut self, hash: ShortHash, slot: Slot) -> bool {
        let end = self.slots.partition_point(|slot| slot.some().is_some());
        self.set(end, hash, slot)
    }

    /// Removes a slot. Returns whether the bucket was full.
    fn remove(&mut self, place: usize) -> bool {
        let end = self.slots.partition_point(|slot| slot.some().is_some());
        let last = end.saturating_sub(1);
        let (hash, slot) = self.entry(last);
        self.set(place, hash, slot);
        self.set(last, ShortHash::ZERO, Slot::NONE);
        end == Self::ROOM
    }

    /// Sets what is at a place. Returns whether there is such a place.
    fn set(&mut self, place: usize, hash: ShortHash, slot: Slot) -> bool {
        match (self.hashes.get_mut(place), self.slots.get_mut(place)) {
            (Some(hash_there), Some(there)) => {
                (*hash_there, *there) = (hash, slot);
                true
            }
            _ => false,
        }
    }

    /// Returns where slots with a hash are, and if that is zero, where none are, too.
    fn with(&self, hash: ShortHash) -> Places {
        // In a flood from new addresses there is none.
        if is_among(hash, &self.hashes) { Places::of(hash, &self.hashes) } else { Places::NOWHERE }
    }

    /// Returns where a slot is.
    fn of(&self, slot: Slot) -> Places {
        Places::of(slot, &self.slots)
    }

    fn is_full(&self) -> bool {
        let [.., last] = self.slots;
        last.some().is_some()
    }
}

/// Returns whether one of them is this. The loop has no end that depends on it, so that all are looked at together.
fn is_among<T: Copy + Eq>(one: T, all: &[T; Bucket::ROOM]) -> bool {
    all.iter().fold(0, |found, &other| found | u8::from(other == one)) != 0
}

impl Places {
    const NOWHERE: Self = Self(0);
    const YES: u8 = u8::MAX;

    /// Returns where one is, looking at all places together as [`is_among`] does.
    fn of<T: Copy + Eq>(one: T, all: &[T; Bucket::ROOM]) -> Self {
        Self(u64::from_le_bytes(all.map(|other| if other == one { Self::YES } else { 0 })))
    }
}

impl Iterator for Places {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let first = self.0.trailing_zeros();
        let place = usize::try_from(first / u8::BITS).ok().filter(|place| *place < Bucket::ROOM)?;
        self.0 ^= u64::from(Self::YES).wrapping_shl(first);
        Some(place)
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
            let number = number % 499;
            let (hash, slot) = (ShortHash::new((number % 23) << 27), Slot::new(number));
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
                _ => assert!(!table.remove(hash, Slot::new(499))),
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

    /// Otherwise finding a slot would take time in the number of slots.
    #[test]
    fn slots_with_different_hashes_are_all_over_the_table() {
        let mut table = SlotTable::new();
        let hash = |number: u32| ShortHash::new(number << 22);
        for number in 0..1000 {
            table.insert(hash(number), Slot::new(number));
        }
        for number in 0..1000 {
            let at = table.position(hash(number), |_| true).unwrap();
            // Of 2,048 places.
            assert_eq!(Some(at.bucket), usize::try_from(number / 4).ok());
        }
    }

    #[test]
    fn a_table_for_a_number_of_slots_has_no_more_entries_than_they_need() {
        for slots in [0, 1, 5, 6, 7, 11, 12, 13, 1000, 1537] {
            let mut table = SlotTable::for_at_most(slots);
            let count = u32::try_from(slots).unwrap();
            let hash = |number: u32| ShortHash::new(number.wrapping_mul(0x9e37_79b1));
            (0..count).for_each(|number| table.insert(hash(number), Slot::new(number)));
            let most = (slots + slots / 3 + 2).div_ceil(Bucket::ROOM);
            assert!(table.buckets.len() <= most, "{slots}");
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

    /// One client in four billion has the hash that empty places have.
    #[test]
    fn no_empty_place_is_taken_for_a_slot() {
        let mut table = SlotTable::new();
        table.insert(ShortHash::ZERO, Slot::new(1));
        assert_eq!(table.find(ShortHash::ZERO, |slot| slot == Slot::NONE), None);
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
