//! The one list of attempts, oldest first.

mod by_client;
mod by_expiry;
mod slots;

use std::net::IpAddr;

use knock_engine::chain::{Chain, Links, Slot};
use knock_engine::{DoorId, Fingerprint, PeriodMark, Stage, Timestamp};

use self::by_client::ByClient;
use self::by_expiry::ByExpiry;
pub(crate) use self::slots::Serial;
use self::slots::{Entry, Slots};

/// A client part-way through a door's sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) client: IpAddr,
    pub(crate) door: DoorId,
    /// The period whose sequence it is, if the door derives them.
    pub(crate) period: PeriodMark,
    /// The knocks made; `None` after a wrong one.
    pub(crate) stage: Option<Stage>,
    /// When the attempt expires.
    pub(crate) expires: Timestamp,
    /// Its place in the order in which timers were set, which breaks ties.
    pub(crate) timer: u64,
    /// Its last counted knock, if the rules recognize retransmissions.
    pub(crate) counted: Option<Fingerprint>,
}

/// All attempts.
///
/// knockd 0.8 walks one list for everything. Here the list has indexes, because replaying a flood
/// would take hours; the results and their order are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts {
    slots: Slots,
    by_age: Chain,
    by_client: ByClient,
    by_expiry: ByExpiry,
    /// Attempts that may be over for a reason other than their age.
    suspects: Vec<Serial>,
}

impl Attempts {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn oldest(&self) -> Option<Serial> {
        self.slots.at(self.by_age.first).map(|(serial, _)| serial)
    }

    pub(crate) fn get(&self, serial: Serial) -> Option<&Attempt> {
        self.slots.get(serial).map(|entry| &entry.attempt)
    }

    fn get_mut(&mut self, serial: Serial) -> Option<&mut Attempt> {
        self.slots.get_mut(serial).map(|entry| &mut entry.attempt)
    }

    /// Prepares for a packet of a client that comes soon: the waits for memory overlap then.
    pub(crate) fn anticipate(&self, client: IpAddr) {
        self.by_client.anticipate(client);
    }

    /// Returns whether a client has any.
    pub(crate) fn are_there(&self, client: IpAddr) -> bool {
        self.by_client.has(client)
    }

    /// Returns the attempts of a client, oldest first.
    pub(crate) fn of(&self, client: IpAddr) -> impl Iterator<Item = (Serial, &Attempt)> {
        let of_client = self.slots.chained(self.by_client.oldest(client), |entry| &entry.of_client);
        of_client.map(|(serial, entry)| (serial, &entry.attempt))
    }

    /// Adds an attempt, with a number larger than all before.
    pub(crate) fn add(&mut self, number: u64, attempt: Attempt) -> Serial {
        let serial = self.slots.add(number, attempt);
        self.by_age.push(&mut self.slots, serial.slot, by_age);
        self.by_client.add(&mut self.slots, attempt.client, serial);
        self.by_expiry.add(&mut self.slots, serial);
        serial
    }

    /// Moves an attempt one stage further, and returns it.
    pub(crate) fn advance(&mut self, serial: Serial) -> Option<Attempt> {
        let attempt = self.get_mut(serial)?;
        attempt.stage = attempt.stage.map(Stage::next);
        Some(*attempt)
    }

    /// Sets the knock that an attempt counted last, and returns the one before.
    pub(crate) fn count(
        &mut self,
        serial: Serial,
        counted: Option<Fingerprint>,
    ) -> Option<Fingerprint> {
        let attempt = self.get_mut(serial)?;
        std::mem::replace(&mut attempt.counted, counted)
    }

    /// Forgets which knocks were counted.
    pub(crate) fn forget_counted(&mut self) {
        for serial in self.all() {
            self.count(serial, None);
        }
    }

    /// Marks an attempt as failed. It stays in the list until the next sweep.
    pub(crate) fn fail(&mut self, serial: Serial) {
        if let Some(attempt) = self.get_mut(serial) {
            attempt.stage = None;
        }
        self.suspect(serial);
    }

    /// Marks an attempt as possibly over.
    pub(crate) fn suspect(&mut self, serial: Serial) {
        self.suspects.push(serial);
    }

    /// Marks every attempt at a door as possibly over.
    pub(crate) fn suspect_all_at(&mut self, door: DoorId) {
        let at_door =
            oldest_first(&self.slots, self.by_age).filter(|(_, one)| one.attempt.door == door);
        self.suspects.extend(at_door.map(|(serial, _)| serial));
    }

    /// Returns all attempts, oldest first.
    fn all(&self) -> Vec<Serial> {
        oldest_first(&self.slots, self.by_age).map(|(serial, _)| serial).collect()
    }

    /// Sets the timer of an attempt again.
    pub(crate) fn restart(&mut self, serial: Serial, expires: Timestamp, timer: u64) {
        self.by_expiry.remove(&mut self.slots, serial);
        if let Some(attempt) = self.get_mut(serial) {
            (attempt.expires, attempt.timer) = (expires, timer);
        }
        self.by_expiry.add(&mut self.slots, serial);
    }

    /// Returns the attempts at a door, that which is due first first.
    pub(crate) fn at_by_expiry(&self, door: DoorId) -> Vec<Serial> {
        let by_expiry = self.by_expiry.iter(&self.slots).map(|(.., serial)| serial);
        by_expiry.filter(|serial| self.get(*serial).is_some_and(|one| one.door == door)).collect()
    }

    /// Returns all attempts, that which is due first first.
    pub(crate) fn by_expiry(&self) -> impl Iterator<Item = &Attempt> {
        self.by_expiry.iter(&self.slots).filter_map(|(.., serial)| self.get(serial))
    }

    /// Removes the attempts that are over.
    pub(crate) fn retain(&mut self, is_there: impl Fn(&Attempt) -> bool) {
        for serial in self.all() {
            if self.get(serial).is_some_and(|attempt| !is_there(attempt)) {
                self.remove(serial);
            }
        }
    }

    /// Lets all attempts expire at the beginning of the second in which they would.
    pub(crate) fn expire_at_whole_seconds(&mut self) {
        let all = self.all();
        for &serial in &all {
            if let Some(attempt) = self.get_mut(serial) {
                attempt.expires = attempt.expires.whole_second();
            }
        }
        self.by_expiry.renew(&mut self.slots, all.into_iter());
    }

    /// Returns when the next attempt is too late, its timer, and which it is.
    pub(crate) fn earliest(&self) -> Option<(Timestamp, u64, Serial)> {
        self.by_expiry.first(&self.slots)
    }

    /// Returns whether a sweep at that time must check any: with most packets none.
    pub(crate) fn are_any_suspects(&self, now: Timestamp) -> bool {
        !self.suspects.is_empty() || self.earliest().is_some_and(|(at, ..)| at <= now)
    }

    /// Returns the attempts that a sweep at that time must check, oldest first; all others stay.
    pub(crate) fn suspects(&mut self, now: Timestamp) -> Vec<Serial> {
        let mut suspects = std::mem::take(&mut self.suspects);
        let expired = self.by_expiry.iter(&self.slots).take_while(|(at, ..)| *at <= now);
        suspects.extend(expired.map(|(.., serial)| serial));
        suspects.sort_unstable();
        suspects.dedup();
        suspects
    }

    pub(crate) fn remove(&mut self, serial: Serial) {
        let Some(&Attempt { client, .. }) = self.get(serial) else { return };
        self.by_age.remove(&mut self.slots, serial.slot, by_age);
        self.by_client.remove(&mut self.slots, client, serial);
        self.by_expiry.remove(&mut self.slots, serial);
        self.slots.remove(serial);
    }

    pub(crate) fn forget_all(&mut self) {
        self.slots.clear();
        self.by_age = Chain::EMPTY;
        self.by_client.clear();
        self.by_expiry.clear();
        self.suspects.clear();
    }
}

fn oldest_first(slots: &Slots, all: Chain) -> impl Iterator<Item = (Serial, &Entry)> {
    slots.chained(all.first, |entry| &entry.by_age)
}

fn by_age(slots: &mut Slots, slot: Slot) -> &mut Links {
    &mut slots.at_mut(slot).by_age
}

#[cfg(test)]
mod tests;
