//! Attempts: clients part-way through a door's sequence.

use core::net::IpAddr;

use super::due::{Chain, Due, DueTable, Entry, Links, Slot};
use super::fingerprint::{ClientHasher, Fingerprint};
use super::slot_table::SlotTable;
use crate::door::{Sequence, Stage};
use crate::doors::DoorId;

/// A client part-way through a door's sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    pub(super) stage: Stage,
    /// The knock that counted last, if its retransmission could be told.
    pub(super) counted: Option<Fingerprint>,
    /// The client's next younger attempt.
    pub(super) younger: Slot,
    /// The neighbours among the attempts at the same stage.
    peers: Links,
}

impl Entry for Attempt {
    fn door(&self) -> DoorId {
        self.door
    }
}

/// All live attempts: found by client, by due time, and by least progress.
#[derive(Debug)]
pub(super) struct Attempts {
    table: DueTable<Attempt>,
    /// The oldest attempt of each client.
    clients: SlotTable,
    /// By stage, in the order in which they reached it.
    stages: [Chain; Sequence::MAX_KNOCKS],
    hasher: ClientHasher,
}

impl Attempts {
    /// For how many attempts there is room from the beginning, if the limit allows so many: 64 MiB
    /// of addresses.
    const ROOM: usize = 1_048_576;

    /// Makes an empty list that will have at most `limit` attempts.
    pub(super) fn new(limit: usize, hasher: ClientHasher) -> Self {
        Self {
            table: DueTable::with_room_for(limit.min(Self::ROOM)),
            clients: SlotTable::new(),
            stages: [Chain::EMPTY; Sequence::MAX_KNOCKS],
            hasher,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn get(&self, slot: Slot) -> &Attempt {
        self.table.get(slot)
    }

    pub(super) fn due(&self, slot: Slot) -> Due {
        self.table.due(slot)
    }

    /// Returns the attempt that is due first.
    pub(super) fn earliest(&self) -> Option<Slot> {
        self.table.earliest()
    }

    /// Returns any attempt at a door.
    pub(super) fn any_at(&self, door: DoorId) -> Option<Slot> {
        self.table.earliest_of(door)
    }

    /// Returns an attempt and the younger ones of its client, oldest first.
    pub(super) fn from(&self, oldest: Option<Slot>) -> impl Iterator<Item = Slot> + '_ {
        core::iter::successors(oldest, |&slot| self.get(slot).younger.some())
    }

    /// Returns the oldest attempt of a client.
    pub(super) fn oldest_of(&self, client: IpAddr) -> Option<Slot> {
        let hash = self.hasher.client(client);
        self.clients.find(hash, |oldest| self.get(oldest).client == client)
    }

    /// Returns the attempt to give up for another: of those with the least progress the one that
    /// has been at its stage longest.
    pub(super) fn least(&self) -> Option<Slot> {
        self.stages.iter().find_map(|peers| peers.first.some())
    }

    /// Fetches into the cache what a packet of this client will need.
    pub(super) fn anticipate(&self, client: IpAddr) {
        self.clients.anticipate(self.hasher.client(client));
    }

    /// Fetches into the cache what the ends of this attempt and of the next `count` due at its door
    /// will need.
    pub(super) fn anticipate_ends(&self, slot: Slot, count: usize) {
        for slot in self.table.from(slot).take(count) {
            self.anticipate(self.get(slot).client);
        }
    }

    /// Adds an attempt at stage 1. The client must have none at the door; `youngest` is the latest
    /// that it has elsewhere.
    pub(super) fn begin(
        &mut self,
        client: IpAddr,
        youngest: Option<Slot>,
        door: DoorId,
        due: Due,
        counted: Option<Fingerprint>,
    ) -> Slot {
        let hash = self.hasher.client(client);
        let (stage, younger, peers) = (Stage::FIRST, Slot::NONE, Links::NONE);
        let attempt = Attempt { client, door, stage, counted, younger, peers };
        let slot = self.table.insert(due, attempt);
        self.join_peers(slot);
        if let Some(youngest) = youngest {
            self.table.get_mut(youngest).younger = slot;
        } else {
            self.clients.insert(hash, slot);
        }
        slot
    }

    /// Takes an attempt one stage further.
    pub(super) fn advance(&mut self, slot: Slot, counted: Option<Fingerprint>) {
        self.leave_peers(slot);
        let attempt = self.table.get_mut(slot);
        attempt.stage = attempt.stage.next();
        attempt.counted = counted;
        self.join_peers(slot);
    }

    /// Puts an attempt at stage 1 back to its beginning: it is due at `due`, and has been at its
    /// stage for the shortest time. It keeps its place among the attempts of its client.
    pub(super) fn restart(&mut self, slot: Slot, due: Due, counted: Option<Fingerprint>) {
        self.leave_peers(slot);
        self.table.postpone(slot, due);
        self.table.get_mut(slot).counted = counted;
        self.join_peers(slot);
    }

    /// Ends an attempt.
    pub(super) fn end(&mut self, slot: Slot) -> Attempt {
        self.leave_peers(slot);
        self.leave_client(slot);
        self.table.remove(slot)
    }

    fn leave_client(&mut self, slot: Slot) {
        let Attempt { client, younger, .. } = *self.get(slot);
        let hash = self.hasher.client(client);
        let was_oldest = match younger.some() {
            Some(younger) => self.clients.replace(hash, slot, younger),
            None => self.clients.remove(hash, slot),
        };
        if was_oldest {
            return;
        }
        let oldest = self.oldest_of(client);
        let older = self.from(oldest).find(|&older| self.get(older).younger == slot);
        if let Some(older) = older {
            self.table.get_mut(older).younger = younger;
        }
    }

    fn join_peers(&mut self, slot: Slot) {
        let stage = self.get(slot).stage;
        let last = self.peers_mut(stage).last;
        self.table.get_mut(slot).peers = Links { before: last, after: Slot::NONE };
        match last.some() {
            Some(last) => self.table.get_mut(last).peers.after = slot,
            None => self.peers_mut(stage).first = slot,
        }
        self.peers_mut(stage).last = slot;
    }

    fn leave_peers(&mut self, slot: Slot) {
        let Attempt { stage, peers: Links { before, after }, .. } = *self.get(slot);
        match before.some() {
            Some(before) => self.table.get_mut(before).peers.after = after,
            None => self.peers_mut(stage).first = after,
        }
        match after.some() {
            Some(after) => self.table.get_mut(after).peers.before = before,
            None => self.peers_mut(stage).last = before,
        }
    }

    #[expect(clippy::indexing_slicing, reason = "a live attempt is at stage 1 to 31")]
    fn peers_mut(&mut self, stage: Stage) -> &mut Chain {
        &mut self.stages[usize::from(stage.get())]
    }
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint::tests::{client, colliding};
    use super::*;
    use crate::doors::Doors;
    use crate::time::Timestamp;

    #[test]
    fn an_attempt_takes_a_cache_line() {
        assert_eq!(DueTable::<Attempt>::ENTRY_SIZE, 64);
    }

    /// A table that grows is copied, and a packet waits for it.
    #[test]
    fn a_flood_up_to_the_limit_moves_no_attempt() {
        let mut attempts = Attempts::new(5000, ClientHasher::new(0));
        let door = Doors::id_for_tests();
        let first = attempts.begin(client(0), None, door, (Timestamp::MAX, 0), None);
        let at = core::ptr::from_ref(attempts.get(first));
        for number in 1..5000 {
            attempts.begin(client(number), None, door, (Timestamp::MAX, 0), None);
        }
        assert_eq!(core::ptr::from_ref(attempts.get(first)), at);
    }

    #[test]
    fn clients_whose_hashes_collide_are_told_apart() {
        let hasher = ClientHasher::new(0);
        let (one, other) = colliding(|number| hasher.client(client(number)));
        let mut attempts = Attempts::new(10, hasher);
        let (door, due) = (Doors::id_for_tests(), (Timestamp::MAX, 0));
        let slot = attempts.begin(client(one), None, door, due, None);
        assert_eq!(attempts.oldest_of(client(one)), Some(slot));
        assert_eq!(attempts.oldest_of(client(other)), None);
    }
}
