//! Cooldowns: clients whose further openings of a door are ignored for a while.

use core::net::IpAddr;

use super::due::{Due, DueTable, Entry, Slot};
use super::fingerprint::ClientHasher;
use super::leases::hash;
use super::slot_table::SlotTable;
use crate::doors::DoorId;
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug)]
struct Cooldown {
    client: IpAddr,
    door: DoorId,
    /// Whether it was said that openings are ignored.
    said: bool,
}

impl Entry for Cooldown {
    fn door(&self) -> DoorId {
        self.door
    }
}

/// The cooldowns that are not over, each until it is due to be forgotten.
#[derive(Debug)]
pub(super) struct Cooldowns {
    table: DueTable<Cooldown>,
    lessees: SlotTable,
    hasher: ClientHasher,
}

impl Cooldowns {
    pub(super) fn new(hasher: ClientHasher) -> Self {
        Self { table: DueTable::new(), lessees: SlotTable::new(), hasher }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns the doors of all cooldowns.
    pub(super) fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.table.doors()
    }

    /// Begins a cooldown that lasts until `due`; the client must have none at the door. If there are
    /// `limit` others, the one that is due first is forgotten for it; returns whether it was.
    pub(super) fn begin(&mut self, client: IpAddr, door: DoorId, due: Due, limit: usize) -> bool {
        let is_crowded = self.table.len() >= limit;
        if is_crowded && let Some((_, slot)) = self.table.earliest() {
            self.forget(slot);
        }
        let slot = self.table.insert(due, Cooldown { client, door, said: false });
        self.lessees.insert(hash(&self.hasher, client, door), slot);
        is_crowded
    }

    /// Returns, if a cooldown of this client at this door is not over, whether it is to be said that
    /// an opening is ignored: once for each cooldown.
    pub(super) fn say_skip(&mut self, client: IpAddr, door: DoorId) -> Option<bool> {
        if self.table.len() == 0 {
            return None;
        }
        let slot = self.lessees.find(hash(&self.hasher, client, door), |slot| {
            let cooldown = self.table.get(slot);
            cooldown.client == client && cooldown.door == door
        })?;
        Some(!core::mem::replace(&mut self.table.get_mut(slot).said, true))
    }

    /// Forgets what is due at or before `now`.
    pub(super) fn forget_due(&mut self, now: Timestamp) {
        while let Some((_, slot)) = self.table.earliest_until(now) {
            self.forget(slot);
        }
    }

    fn forget(&mut self, slot: Slot) {
        let Cooldown { client, door, .. } = self.table.remove(slot);
        self.lessees.remove(hash(&self.hasher, client, door), slot);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint::tests::{client, colliding};
    use super::*;
    use crate::doors::Doors;

    #[test]
    fn clients_whose_hashes_collide_are_told_apart() {
        let hasher = ClientHasher::new(0);
        let (one, other) = colliding(|number| hasher.client(client(number)));
        let (mut cooldowns, door) = (Cooldowns::new(hasher), Doors::id_for_tests());
        cooldowns.begin(client(one), door, (Timestamp::MAX, 0), 10);
        assert_eq!(cooldowns.say_skip(client(one), door), Some(true));
        assert_eq!(cooldowns.say_skip(client(one), door), Some(false));
        assert_eq!(cooldowns.say_skip(client(other), door), None);
    }

    #[test]
    fn at_the_limit_the_cooldown_that_is_due_first_is_forgotten() {
        let (mut cooldowns, door) = (Cooldowns::new(ClientHasher::new(0)), Doors::id_for_tests());
        for (number, forgets) in [(1, false), (2, false), (3, true)] {
            let due = (Timestamp::from_nanos(i64::from(number)), u64::from(number));
            assert_eq!(cooldowns.begin(client(number), door, due, 2), forgets);
        }
        assert_eq!(
            [1, 2, 3].map(|n| cooldowns.say_skip(client(n), door).is_some()),
            [false, true, true]
        );
        cooldowns.forget_due(Timestamp::from_nanos(2));
        assert_eq!([2, 3].map(|n| cooldowns.say_skip(client(n), door).is_some()), [false, true]);
    }
}
