//! Knocks of attempts that have moved on or ended, so that their retransmissions are known.

use core::net::IpAddr;

use super::due::{Due, DueTable, Entry, Slot};
use super::fingerprint::{ClientHasher, Fingerprint, ShortHash};
use super::slot_table::SlotTable;
use crate::doors::DoorId;
use crate::time::Timestamp;

/// A knock that counted.
#[derive(Clone, Copy, Debug)]
struct CountedKnock {
    hash: ShortHash,
    client: IpAddr,
    fingerprint: Fingerprint,
    door: DoorId,
}

impl Entry for CountedKnock {
    fn door(&self) -> DoorId {
        self.door
    }
}

/// Knocks that counted, each until it is due to be forgotten.
#[derive(Debug)]
pub(super) struct Remembered {
    table: DueTable<CountedKnock>,
    knocks: SlotTable,
    hasher: ClientHasher,
}

impl Remembered {
    pub(super) fn new(hasher: ClientHasher) -> Self {
        Self { table: DueTable::new(), knocks: SlotTable::new(), hasher }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns the doors of the knocks.
    pub(super) fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.table.doors()
    }

    /// Returns whether a knock is remembered.
    pub(super) fn contain(&self, client: IpAddr, fingerprint: Fingerprint) -> bool {
        // In a flood of first knocks none is remembered.
        if self.len() == 0 {
            return false;
        }
        let hash = self.hasher.knock(client, fingerprint);
        self.find(hash, client, fingerprint).is_some()
    }

    /// Remembers a knock until `due`; one that counted at two doors, for as long as the longer of the
    /// two. If there are `limit` others, the one that is due first is forgotten for
    /// it; returns whether it was.
    pub(super) fn remember(
        &mut self,
        client: IpAddr,
        fingerprint: Fingerprint,
        door: DoorId,
        due: Due,
        limit: usize,
    ) -> bool {
        let hash = self.hasher.knock(client, fingerprint);
        if let Some(slot) = self.find(hash, client, fingerprint) {
            let ((until, _), (later, _)) = (self.table.due(slot), due);
            if until >= later {
                return false;
            }
            self.forget(slot);
        }
        let crowded = self.len() >= limit;
        if crowded && let Some((_, slot)) = self.table.earliest() {
            self.forget(slot);
        }
        let slot = self.table.insert(due, CountedKnock { hash, client, fingerprint, door });
        self.knocks.insert(hash, slot);
        crowded
    }

    /// Forgets what is due at or before `now`.
    pub(super) fn forget_due(&mut self, now: Timestamp) {
        while let Some((_, slot)) = self.table.earliest_until(now) {
            self.forget(slot);
        }
    }

    fn find(&self, hash: ShortHash, client: IpAddr, fingerprint: Fingerprint) -> Option<Slot> {
        self.knocks.find(hash, |slot| {
            let knock = self.table.get(slot);
            knock.client == client && knock.fingerprint == fingerprint
        })
    }

    fn forget(&mut self, slot: Slot) {
        let knock = self.table.remove(slot);
        self.knocks.remove(knock.hash, slot);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint::tests::{client, colliding, fingerprint};
    use super::*;
    use crate::doors::Doors;

    const LATER: Due = (Timestamp::MAX, 0);

    #[test]
    fn knocks_whose_hashes_collide_are_distinguished() {
        let hasher = ClientHasher::new(0);
        let (one, other) = colliding(|number| hasher.knock(client(1), fingerprint(number)));
        let mut remembered = Remembered::new(hasher);
        remembered.remember(client(1), fingerprint(one), Doors::id_for_tests(), LATER, 10);
        assert!(remembered.contain(client(1), fingerprint(one)));
        assert!(!remembered.contain(client(1), fingerprint(other)));
    }

    #[test]
    fn clients_whose_hashes_collide_are_distinguished() {
        let hasher = ClientHasher::new(0);
        let (one, other) = colliding(|number| hasher.knock(client(number), fingerprint(7)));
        let mut remembered = Remembered::new(hasher);
        remembered.remember(client(one), fingerprint(7), Doors::id_for_tests(), LATER, 10);
        assert!(remembered.contain(client(one), fingerprint(7)));
        assert!(!remembered.contain(client(other), fingerprint(7)));
    }
}
