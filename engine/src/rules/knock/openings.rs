//! Remembers openings, so that the retransmission of a last knock does not begin an attempt.

use core::net::IpAddr;

use super::due::{Due, DueTable, Entry, Slot};
use super::fingerprint::{ClientHasher, Fingerprint, ShortHash};
use super::slot_table::SlotTable;
use crate::doors::DoorId;
use crate::time::Timestamp;

/// The last knock of an opening.
#[derive(Clone, Copy, Debug)]
struct Opening {
    hash: ShortHash,
    client: IpAddr,
    fingerprint: Fingerprint,
    door: DoorId,
}

impl Entry for Opening {
    fn door(&self) -> DoorId {
        self.door
    }
}

/// The last knocks of recent openings, each until it is due to be forgotten.
#[derive(Debug)]
pub(super) struct Openings {
    table: DueTable<Opening>,
    knocks: SlotTable,
    hasher: ClientHasher,
}

impl Openings {
    pub(super) fn new(hasher: ClientHasher) -> Self {
        Self { table: DueTable::new(), knocks: SlotTable::new(), hasher }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns the doors of the remembered openings.
    pub(super) fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.table.doors()
    }

    /// Returns whether a knock is the last one of a remembered opening.
    pub(super) fn contain(&self, client: IpAddr, fingerprint: Fingerprint) -> bool {
        // Most clients have opened nothing recently.
        if self.len() == 0 {
            return false;
        }
        let hash = self.hasher.knock(client, fingerprint);
        self.find(hash, client, fingerprint).is_some()
    }

    /// Remembers an opening until `due`; if a packet opens two doors, the later time counts. If there are
    /// `limit` others, evicts the one that is due first, and returns true.
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
            if self.table.due(slot) >= due {
                return false;
            }
            self.forget(slot);
        }
        let crowded = self.len() >= limit;
        if crowded && let Some(slot) = self.table.earliest() {
            self.forget(slot);
        }
        let slot = self.table.insert(due, Opening { hash, client, fingerprint, door });
        self.knocks.insert(hash, slot);
        crowded
    }

    /// Forgets what is due at or before `now`.
    pub(super) fn forget_due(&mut self, now: Timestamp) {
        while let Some(slot) = self.table.earliest() {
            let (due, _) = self.table.due(slot);
            if due > now {
                return;
            }
            self.forget(slot);
        }
    }

    fn find(&self, hash: ShortHash, client: IpAddr, fingerprint: Fingerprint) -> Option<Slot> {
        self.knocks.find(hash, |slot| {
            let opening = self.table.get(slot);
            opening.client == client && opening.fingerprint == fingerprint
        })
    }

    fn forget(&mut self, slot: Slot) {
        let opening = self.table.remove(slot);
        self.knocks.remove(opening.hash, slot);
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
        let mut openings = Openings::new(hasher);
        openings.remember(client(1), fingerprint(one), Doors::id_for_tests(), LATER, 10);
        assert!(openings.contain(client(1), fingerprint(one)));
        assert!(!openings.contain(client(1), fingerprint(other)));
    }

    #[test]
    fn clients_whose_hashes_collide_are_distinguished() {
        let hasher = ClientHasher::new(0);
        let (one, other) = colliding(|number| hasher.knock(client(number), fingerprint(7)));
        let mut openings = Openings::new(hasher);
        openings.remember(client(one), fingerprint(7), Doors::id_for_tests(), LATER, 10);
        assert!(openings.contain(client(one), fingerprint(7)));
        assert!(!openings.contain(client(other), fingerprint(7)));
    }
}
