//! Attempts in the order in which they expire.

use std::collections::BTreeSet;

use knock_engine::Timestamp;
use knock_engine::chain::{Chain, Links, Slot};

use super::slots::{Entry, Serial, Slots};

/// When an attempt expires, its timer, and which it is.
pub(super) type Expiry = (Timestamp, u64, Serial);

/// Attempts in the order in which they expire.
#[derive(Clone, Debug, Default)]
pub(super) struct ByExpiry {
    /// Those that were the last of all when they were added: of a door, nearly all are.
    added_last: Chain,
    others: BTreeSet<Expiry>,
}

impl ByExpiry {
    /// Adds an attempt, which is in the list.
    pub(super) fn add(&mut self, slots: &mut Slots, serial: Serial) {
        let Some(entry) = slots.get(serial) else { return };
        let one = expiry(serial, entry);
        if slots.at(self.added_last.last).is_none_or(|(last, entry)| expiry(last, entry) < one) {
            self.added_last.push(slots, serial.slot, by_expiry);
        } else {
            self.others.insert(one);
        }
    }

    /// Removes an attempt, whose expiry has not changed since it was added.
    pub(super) fn remove(&mut self, slots: &mut Slots, serial: Serial) {
        let Some(entry) = slots.get(serial) else { return };
        if self.others.is_empty() || !self.others.remove(&expiry(serial, entry)) {
            self.added_last.remove(slots, serial.slot, by_expiry);
        }
    }

    /// Puts all attempts in order again.
    pub(super) fn renew(&mut self, slots: &mut Slots, all: impl Iterator<Item = Serial>) {
        self.clear();
        let mut all: Vec<Expiry> =
            all.filter_map(|one| slots.get(one).map(|entry| expiry(one, entry))).collect();
        all.sort_unstable();
        for (.., serial) in all {
            self.add(slots, serial);
        }
    }

    pub(super) fn clear(&mut self) {
        self.added_last = Chain::EMPTY;
        self.others.clear();
    }

    /// Returns all of them, that which is due first first.
    pub(super) fn iter(&self, slots: &Slots) -> impl Iterator<Item = Expiry> {
        let added_last = slots.chained(self.added_last.first, |entry| &entry.by_expiry);
        let mut added_last = added_last.map(|(serial, entry)| expiry(serial, entry)).peekable();
        let mut others = self.others.iter().copied().peekable();
        std::iter::from_fn(move || match (added_last.peek(), others.peek()) {
            (Some(one), Some(other)) if other < one => others.next(),
            (Some(_), _) => added_last.next(),
            (None, _) => others.next(),
        })
    }

    /// Returns that which is due first.
    pub(super) fn first(&self, slots: &Slots) -> Option<Expiry> {
        let added_last = slots.at(self.added_last.first);
        let added_last = added_last.map(|(serial, entry)| expiry(serial, entry));
        match self.others.first() {
            None => added_last,
            Some(&other) => Some(added_last.map_or(other, |one| one.min(other))),
        }
    }
}

fn expiry(serial: Serial, entry: &Entry) -> Expiry {
    (entry.attempt.expires, entry.attempt.timer, serial)
}

fn by_expiry(slots: &mut Slots, slot: Slot) -> &mut Links {
    &mut slots.at_mut(slot).by_expiry
}
