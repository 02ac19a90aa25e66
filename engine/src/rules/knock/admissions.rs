//! Admissions: clients that doors let in, each until its time is over.

use core::net::IpAddr;

use super::due::{Due, DueTable, Entry, Slot};
use super::fingerprint::ClientHasher;
use super::leases::hash;
use super::slot_table::SlotTable;
use crate::doors::DoorId;
use crate::time::{Seconds, Timestamp};

/// A client that a door lets in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    /// When the client was let in first, without a gap since.
    since: Timestamp,
    /// Whether it was said since the last renewal that an opening changes nothing.
    skip_said: bool,
}

impl Entry for Admitted {
    fn door(&self) -> DoorId {
        self.door
    }
}

/// What an opening does for an admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// It begins, and ends after this time.
    Begin(Seconds),
    /// It goes on, and ends after this time.
    Renew(Slot, Seconds),
    /// Nothing: it lasts as long already as it may.
    Keep,
}

/// All admissions: found by client and door, and by due time.
#[derive(Debug)]
pub(super) struct Admissions {
    table: DueTable<Admitted>,
    clients: SlotTable,
    hasher: ClientHasher,
}

impl Admissions {
    pub(super) fn new(hasher: ClientHasher) -> Self {
        Self { table: DueTable::new(), clients: SlotTable::new(), hasher }
    }

    /// Returns the doors of all admissions.
    pub(super) fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.table.doors()
    }

    /// Returns the admission of a client at a door.
    pub(super) fn find(&self, client: IpAddr, door: DoorId) -> Option<Slot> {
        if self.table.len() == 0 {
            return None;
        }
        self.clients.find(hash(&self.hasher, client, door), |slot| {
            let admitted = self.table.get(slot);
            admitted.client == client && admitted.door == door
        })
    }

    /// Returns what an opening does: it never shortens an admission, nor lets it last longer in all than
    /// the door's maximum.
    pub(super) fn plan(
        &self,
        (client, door): (IpAddr, DoorId),
        (lasts, max): (Seconds, Option<Seconds>),
        now: Timestamp,
    ) -> Plan {
        let Some(slot) = self.find(client, door) else {
            return Plan::Begin(max.map_or(lasts, |max| max.min(lasts)));
        };
        let since = self.table.get(slot).since;
        let left = max.map(|max| since.saturating_add(max).since(now).as_secs());
        let left = left.and_then(|left| u32::try_from(left).ok()).and_then(Seconds::new);
        let lasts = left.map_or(lasts, |left| left.min(lasts));
        let (due, _) = self.table.due(slot);
        if now.saturating_add(lasts) > due { Plan::Renew(slot, lasts) } else { Plan::Keep }
    }

    /// Adds an admission. The client must have none at the door.
    pub(super) fn begin(&mut self, client: IpAddr, door: DoorId, now: Timestamp, due: Due) {
        let admitted = Admitted { client, door, since: now, skip_said: false };
        let slot = self.table.insert(due, admitted);
        self.clients.insert(hash(&self.hasher, client, door), slot);
    }

    /// Has an admission end later.
    pub(super) fn renew(&mut self, slot: Slot, due: Due) {
        self.table.postpone(slot, due);
        self.table.get_mut(slot).skip_said = false;
    }

    /// Returns whether it is to be said that an opening changes nothing: once until the next renewal.
    pub(super) fn say_skip(&mut self, slot: Slot) -> bool {
        !core::mem::replace(&mut self.table.get_mut(slot).skip_said, true)
    }

    /// Returns the admission that ends first, and when it does.
    pub(super) fn earliest(&self) -> Option<(Due, Slot)> {
        self.table.earliest()
    }

    pub(super) fn due(&self, slot: Slot) -> Due {
        self.table.due(slot)
    }

    pub(super) fn get(&self, slot: Slot) -> &Admitted {
        self.table.get(slot)
    }

    /// Removes an admission.
    pub(super) fn end(&mut self, slot: Slot) -> Admitted {
        let admitted = self.table.remove(slot);
        self.clients.remove(hash(&self.hasher, admitted.client, admitted.door), slot);
        admitted
    }
}
