//! A list of attempts with chains through it.

use knock_engine::chain::{Links, Slot};

use super::Attempt;

/// The place of an attempt in the order of creation, and in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Serial {
    /// Larger than those of all attempts before.
    number: u64,
    pub(super) slot: Slot,
}

/// An attempt with its neighbours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) attempt: Attempt,
    /// That of the serial; [`Entry::FREE`] if the attempt is gone.
    number: u64,
    pub(super) by_age: Links,
    pub(super) by_expiry: Links,
    pub(super) of_client: Links,
}

impl Entry {
    const FREE: u64 = u64::MAX;
}

/// All entries. Those that are free are used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    entries: Vec<Entry>,
    free: Vec<Slot>,
}

impl Slots {
    /// How many entries there are when the list grows to many at once: in a flood it soon has them, and a block that
    /// large comes from an allocator in huge pages.
    const SMALL: usize = 4096;
    const LARGE: usize = 65_536;

    pub(super) fn len(&self) -> usize {
        self.entries.len().saturating_sub(self.free.len())
    }

    /// Puts an attempt somewhere.
    pub(super) fn add(&mut self, number: u64, attempt: Attempt) -> Serial {
        let (by_age, by_expiry, of_client) = (Links::NONE, Links::NONE, Links::NONE);
        let entry = Entry { attempt, number, by_age, by_expiry, of_client };
        if let Some(slot) = self.free.pop() {
            *self.at_mut(slot) = entry;
            return Serial { number, slot };
        }
        let len = self.entries.len();
        if len == Self::SMALL && len == self.entries.capacity() {
            self.entries.reserve_exact(Self::LARGE.saturating_sub(len));
        }
        self.entries.push(entry);
        // A limit of attempts is a number of 32 bits.
        Serial { number, slot: Slot::at(len) }
    }

    /// Removes an attempt, which must be in no chain any more.
    pub(super) fn remove(&mut self, serial: Serial) {
        self.at_mut(serial.slot).number = Entry::FREE;
        self.free.push(serial.slot);
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.free.clear();
    }

    /// Returns an attempt if it is still there.
    pub(super) fn get(&self, serial: Serial) -> Option<&Entry> {
        self.entries.get(serial.slot.index()).filter(|entry| entry.number == serial.number)
    }

    /// Returns an attempt if it is still there.
    pub(super) fn get_mut(&mut self, serial: Serial) -> Option<&mut Entry> {
        self.entries.get_mut(serial.slot.index()).filter(|entry| entry.number == serial.number)
    }

    /// Returns the attempts of a chain from a slot on.
    pub(super) fn chained(
        &self,
        first: Slot,
        links: fn(&Entry) -> &Links,
    ) -> impl Iterator<Item = (Serial, &Entry)> {
        std::iter::successors(self.at(first), move |(_, entry)| self.at(links(entry).after))
    }

    /// Returns the attempt of a chain that is there; none if it is no place.
    pub(super) fn at(&self, slot: Slot) -> Option<(Serial, &Entry)> {
        let entry = self.entries.get(slot.index())?;
        Some((Serial { number: entry.number, slot }, entry))
    }

    #[expect(clippy::indexing_slicing, reason = "every slot of a chain is in the list")]
    pub(super) fn at_mut(&mut self, slot: Slot) -> &mut Entry {
        &mut self.entries[slot.index()]
    }
}
