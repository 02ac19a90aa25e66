//! Attempts: clients part-way through a door's sequence.

use core::net::IpAddr;

use hashbrown::HashTable;

use super::due::{Chain, Due, DueTable, Links, Slot};
use super::fingerprint::{ClientHasher, Fingerprint};
use crate::door::{Sequence, Stage};
use crate::doors::DoorId;

/// A client part-way through a door's sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) client: IpAddr,
    pub(super) stage: Stage,
    /// The knock that counted last, if its retransmission could be told.
    pub(super) counted: Option<Fingerprint>,
    /// The client's next younger attempt.
    pub(super) younger: Slot,
    /// The neighbours among the attempts at the same stage.
    peers: Links,
}

/// All live attempts: found by client, by due time, and by least progress.
#[derive(Debug)]
pub(super) struct Attempts {
    table: DueTable<Attempt>,
    /// The oldest attempt of each client.
    clients: HashTable<Slot>,
    /// By stage, in the order in which they reached it.
    stages: [Chain; Sequence::MAX_KNOCKS],
    hasher: ClientHasher,
}

impl Attempts {
    pub(super) fn new(hasher: ClientHasher) -> Self {
        Self {
            table: DueTable::new(),
            clients: HashTable::new(),
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

    pub(super) fn door(&self, slot: Slot) -> DoorId {
        self.table.door(slot)
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

    /// Returns the attempts of a client, oldest first.
    pub(super) fn of_client(&self, client: IpAddr) -> impl Iterator<Item = Slot> + '_ {
        let oldest = self.oldest_of(client);
        core::iter::successors(oldest, |&slot| self.get(slot).younger.some())
    }

    /// Returns the oldest attempt of a client.
    pub(super) fn oldest_of(&self, client: IpAddr) -> Option<Slot> {
        let hash = self.hasher.hash(client);
        self.clients.find(hash, |&slot| self.table.get(slot).client == client).copied()
    }

    /// Returns the attempt to give up for another: of those with the least progress the one that
    /// has been at its stage longest.
    pub(super) fn least(&self) -> Option<Slot> {
        self.stages.iter().find_map(|peers| peers.first.some())
    }

    /// Adds an attempt at stage 1. The client must have none at the door.
    pub(super) fn begin(
        &mut self,
        client: IpAddr,
        door: DoorId,
        due: Due,
        counted: Option<Fingerprint>,
    ) {
        let attempt = Attempt {
            client,
            stage: Stage::FIRST,
            counted,
            younger: Slot::NONE,
            peers: Links::NONE,
        };
        let slot = self.table.insert(door, due, attempt);
        self.join_peers(slot);
        match self.of_client(client).last() {
            Some(youngest) => self.table.get_mut(youngest).younger = slot,
            None => self.add_client(client, slot),
        }
    }

    /// Takes an attempt one stage further.
    pub(super) fn advance(&mut self, slot: Slot, counted: Option<Fingerprint>) {
        self.leave_peers(slot);
        let attempt = self.table.get_mut(slot);
        attempt.stage = attempt.stage.next();
        attempt.counted = counted;
        self.join_peers(slot);
    }

    /// Ends an attempt.
    pub(super) fn end(&mut self, slot: Slot) -> Attempt {
        self.leave_peers(slot);
        self.leave_client(slot);
        self.table.remove(slot)
    }

    fn add_client(&mut self, client: IpAddr, slot: Slot) {
        let Self { table, clients, hasher, .. } = self;
        clients
            .insert_unique(hasher.hash(client), slot, |&slot| hasher.hash(table.get(slot).client));
    }

    fn leave_client(&mut self, slot: Slot) {
        let Attempt { client, younger, .. } = *self.table.get(slot);
        let hash = self.hasher.hash(client);
        if let Ok(entry) = self.clients.find_entry(hash, |&oldest| oldest == slot) {
            match younger.some() {
                Some(younger) => *entry.into_mut() = younger,
                None => drop(entry.remove()),
            }
            return;
        }
        let older = self.of_client(client).find(|&older| self.get(older).younger == slot);
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
