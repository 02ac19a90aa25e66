//! How often attempts of a client were voided lately.

use core::net::IpAddr;
use core::time::Duration;

use super::due::{Due, DueTable, Entry, Slot};
use super::fingerprint::{ClientHasher, ShortHash};
use super::slot_table::SlotTable;
use super::void_reports::VoidReports;
use crate::doors::DoorId;
use crate::time::{Seconds, Timestamp};

/// A client whose attempts were voided.
#[derive(Clone, Copy, Debug)]
struct Voided {
    hash: ShortHash,
    client: IpAddr,
    /// The door of the first of these attempts.
    door: DoorId,
    since: Timestamp,
    packets: u32,
}

impl Entry for Voided {
    fn door(&self) -> DoorId {
        self.door
    }
}

/// The packets that voided attempts, counted for each client and for a while from the first of them.
#[derive(Debug)]
pub(super) struct Voids {
    table: DueTable<Voided>,
    clients: SlotTable,
    hasher: ClientHasher,
    reports: VoidReports,
}

impl Voids {
    /// How long packets are counted together.
    pub(super) const WINDOW: Seconds = VoidReports::WINDOW;
    /// How many packets are reported. A client that mistakes its knocks hardly tries that often.
    const MANY: u32 = 5;

    pub(super) fn new(hasher: ClientHasher, reports: VoidReports) -> Self {
        let (table, clients) = (DueTable::new(), SlotTable::new());
        Self { table, clients, hasher, reports }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Counts a packet that voided attempts of a client, until `due` if it is the first. If there are
    /// `limit` other clients, the one that is due first is forgotten. Returns how many there were and in
    /// how long, if that is to be reported: once for each client and window.
    pub(super) fn count(
        &mut self,
        client: IpAddr,
        door: DoorId,
        (now, due): (Timestamp, Due),
        limit: usize,
    ) -> Option<(u32, Duration)> {
        self.forget_due(now);
        let hash = self.hasher.client(client);
        let found = self.clients.find(hash, |slot| self.table.get(slot).client == client);
        let Some(slot) = found else {
            if self.table.len() >= limit
                && let Some((_, slot)) = self.table.earliest()
            {
                self.forget(slot);
            }
            let slot =
                self.table.insert(due, Voided { hash, client, door, since: now, packets: 1 });
            self.clients.insert(hash, slot);
            return None;
        };
        let voided = self.table.get_mut(slot);
        voided.packets = voided.packets.saturating_add(1);
        let Voided { packets, since, .. } = *voided;
        (packets == Self::MANY && self.reports.allow(now)).then(|| (packets, now.since(since)))
    }

    fn forget_due(&mut self, now: Timestamp) {
        while let Some((_, slot)) = self.table.earliest_until(now) {
            self.forget(slot);
        }
    }

    fn forget(&mut self, slot: Slot) {
        let voided = self.table.remove(slot);
        self.clients.remove(voided.hash, slot);
    }
}
