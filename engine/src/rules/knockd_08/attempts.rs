//! The one list of attempts, oldest first.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

use crate::door::Stage;
use crate::doors::DoorId;

/// The place of an attempt in the order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Serial(u64);

/// A client part-way through a door's sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    /// The knocks made; `None` if one was wrong.
    pub(super) stage: Option<Stage>,
    /// The whole second since the epoch from which on it is too late.
    pub(super) expires: i64,
}

/// All attempts.
///
/// knockd 0.8 walks one list for everything. So that a flood does not take hours to replay, the
/// list is indexed; what is found, and in which order, is the same.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    list: BTreeMap<Serial, Attempt>,
    by_client: BTreeSet<(IpAddr, Serial)>,
    by_expiry: BTreeSet<(i64, Serial)>,
    /// Attempts that may be over for another reason than their age.
    suspects: BTreeSet<Serial>,
    next: u64,
}

impl Attempts {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn oldest(&self) -> Option<Serial> {
        self.list.first_key_value().map(|(serial, _)| *serial)
    }

    pub(super) fn get(&self, serial: Serial) -> Option<&Attempt> {
        self.list.get(&serial)
    }

    /// Returns the attempts of a client, oldest first.
    pub(super) fn of(&self, client: IpAddr) -> impl Iterator<Item = (Serial, &Attempt)> {
        self.by_client
            .range((client, Serial(0))..=(client, Serial(u64::MAX)))
            .filter_map(|&(_, serial)| Some((serial, self.list.get(&serial)?)))
    }

    pub(super) fn add(&mut self, attempt: Attempt) -> Serial {
        let serial = Serial(self.next);
        self.next = self.next.wrapping_add(1);
        self.list.insert(serial, attempt);
        self.by_client.insert((attempt.client, serial));
        self.by_expiry.insert((attempt.expires, serial));
        serial
    }

    /// Takes an attempt one stage further, and returns it.
    pub(super) fn advance(&mut self, serial: Serial) -> Option<Attempt> {
        let attempt = self.list.get_mut(&serial)?;
        attempt.stage = attempt.stage.map(Stage::next);
        Some(*attempt)
    }

    /// Marks an attempt as failed. It stays in the list until the next sweep.
    pub(super) fn fail(&mut self, serial: Serial) {
        if let Some(attempt) = self.list.get_mut(&serial) {
            attempt.stage = None;
        }
        self.suspect(serial);
    }

    /// Notes that an attempt may be over.
    pub(super) fn suspect(&mut self, serial: Serial) {
        self.suspects.insert(serial);
    }

    /// Notes that every attempt at a door may be over, or go on.
    pub(super) fn suspect_all_at(&mut self, door: DoorId) {
        let at_door = self.list.iter().filter(|(_, attempt)| attempt.door == door);
        self.suspects.extend(at_door.map(|(serial, _)| *serial));
    }

    /// Returns the attempts that a sweep has to look at in this second, oldest first: every other
    /// one stays.
    pub(super) fn suspects(&mut self, second: i64) -> BTreeSet<Serial> {
        let mut suspects = core::mem::take(&mut self.suspects);
        let expired = self.by_expiry.range(..=(second, Serial(u64::MAX)));
        suspects.extend(expired.map(|&(_, serial)| serial));
        suspects
    }

    pub(super) fn remove(&mut self, serial: Serial) {
        if let Some(Attempt { client, expires, .. }) = self.list.remove(&serial) {
            self.by_client.remove(&(client, serial));
            self.by_expiry.remove(&(expires, serial));
        }
    }

    pub(super) fn forget_all(&mut self) {
        self.list.clear();
        self.by_client.clear();
        self.by_expiry.clear();
        self.suspects.clear();
    }
}
