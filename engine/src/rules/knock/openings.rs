//! Openings that are remembered, so that the retransmission of a last knock begins nothing.

use core::net::IpAddr;

use hashbrown::HashTable;

use super::due::{Due, DueTable, Slot};
use super::fingerprint::{ClientHasher, Fingerprint};
use crate::doors::DoorId;
use crate::time::Timestamp;

/// The last knock of an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct LastKnock {
    client: IpAddr,
    fingerprint: Fingerprint,
}

/// The last knocks of recent openings, each until it is due to be forgotten.
#[derive(Debug)]
pub(super) struct Openings {
    table: DueTable<LastKnock>,
    knocks: HashTable<Slot>,
    hasher: ClientHasher,
}

impl Openings {
    pub(super) fn new(hasher: ClientHasher) -> Self {
        Self { table: DueTable::new(), knocks: HashTable::new(), hasher }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns whether a knock is the last one of an opening that is remembered.
    pub(super) fn contain(&self, client: IpAddr, fingerprint: Fingerprint) -> bool {
        self.find(LastKnock { client, fingerprint }).is_some()
    }

    /// Remembers an opening until `due`. A packet that opens two doors is remembered as long as the
    /// longer of the two.
    pub(super) fn remember(
        &mut self,
        client: IpAddr,
        fingerprint: Fingerprint,
        door: DoorId,
        due: Due,
    ) {
        let knock = LastKnock { client, fingerprint };
        if let Some(slot) = self.find(knock) {
            if self.table.due(slot) >= due {
                return;
            }
            self.forget(slot);
        }
        let slot = self.table.insert(door, due, knock);
        let Self { table, knocks, hasher } = self;
        knocks.insert_unique(hasher.hash(knock), slot, |&slot| hasher.hash(table.get(slot)));
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

    /// Forgets the opening that is due first.
    pub(super) fn forget_earliest(&mut self) {
        if let Some(slot) = self.table.earliest() {
            self.forget(slot);
        }
    }

    fn find(&self, knock: LastKnock) -> Option<Slot> {
        if self.table.len() == 0 {
            return None;
        }
        self.knocks.find(self.hasher.hash(knock), |&slot| *self.table.get(slot) == knock).copied()
    }

    fn forget(&mut self, slot: Slot) {
        let knock = self.table.remove(slot);
        if let Ok(entry) = self.knocks.find_entry(self.hasher.hash(knock), |&other| other == slot) {
            entry.remove();
        }
    }
}
