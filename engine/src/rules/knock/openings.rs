//! Openings that are remembered, so that the retransmission of a last knock begins nothing.

use core::net::IpAddr;

use super::due::{Due, DueTable, Slot};
use super::fingerprint::{ClientHasher, Fingerprint, ShortHash};
use super::slot_table::SlotTable;
use crate::doors::DoorId;
use crate::time::Timestamp;

/// The last knock of an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LastKnock {
    hash: ShortHash,
    client: IpAddr,
    fingerprint: Fingerprint,
}

/// The last knocks of recent openings, each until it is due to be forgotten.
#[derive(Debug)]
pub(super) struct Openings {
    table: DueTable<LastKnock>,
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

    /// Returns whether a knock is the last one of an opening that is remembered.
    pub(super) fn contain(&self, client: IpAddr, fingerprint: Fingerprint) -> bool {
        // Most clients that knock have opened nothing lately.
        self.len() > 0 && self.find(self.last_knock(client, fingerprint)).is_some()
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
        let knock = self.last_knock(client, fingerprint);
        if let Some(slot) = self.find(knock) {
            if self.table.due(slot) >= due {
                return;
            }
            self.forget(slot);
        }
        let slot = self.table.insert(door, due, knock);
        self.knocks.insert(knock.hash, slot);
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

    fn last_knock(&self, client: IpAddr, fingerprint: Fingerprint) -> LastKnock {
        LastKnock { hash: self.hasher.knock(client, fingerprint), client, fingerprint }
    }

    fn find(&self, knock: LastKnock) -> Option<Slot> {
        self.knocks.find(knock.hash, |slot| *self.table.get(slot) == knock)
    }

    fn forget(&mut self, slot: Slot) {
        let knock = self.table.remove(slot);
        self.knocks.remove(knock.hash, slot);
    }
}
