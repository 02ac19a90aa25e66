//! The one list of attempts, oldest first.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hint::black_box;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use knock_engine::{DoorId, Fingerprint, PeriodMark, Stage, Timestamp};

/// The place of an attempt in the order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Serial(pub(crate) u64);

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
    list: BTreeMap<Serial, Attempt>,
    by_client: ByClient,
    by_expiry: BTreeSet<(Timestamp, u64, Serial)>,
    /// Attempts that may be over for a reason other than their age.
    suspects: BTreeSet<Serial>,
}

impl Attempts {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn oldest(&self) -> Option<Serial> {
        self.list.first_key_value().map(|(serial, _)| *serial)
    }

    pub(crate) fn get(&self, serial: Serial) -> Option<&Attempt> {
        self.list.get(&serial)
    }

    /// Prepares for a packet of a client that comes soon: the waits for memory overlap then.
    pub(crate) fn anticipate(&self, client: IpAddr) {
        black_box(self.by_client.0.get(&client));
    }

    /// Returns the attempts of a client, oldest first.
    pub(crate) fn of(&self, client: IpAddr) -> impl Iterator<Item = (Serial, &Attempt)> {
        let serials = self.by_client.of(client);
        serials.filter_map(|serial| Some((serial, self.list.get(&serial)?)))
    }

    /// Adds an attempt, with a serial number larger than all before.
    pub(crate) fn add(&mut self, serial: Serial, attempt: Attempt) {
        self.list.insert(serial, attempt);
        self.by_client.add(attempt.client, serial);
        self.by_expiry.insert((attempt.expires, attempt.timer, serial));
    }

    /// Moves an attempt one stage further, and returns it.
    pub(crate) fn advance(&mut self, serial: Serial) -> Option<Attempt> {
        let attempt = self.list.get_mut(&serial)?;
        attempt.stage = attempt.stage.map(Stage::next);
        Some(*attempt)
    }

    /// Sets the knock that an attempt counted last, and returns the one before.
    pub(crate) fn count(
        &mut self,
        serial: Serial,
        counted: Option<Fingerprint>,
    ) -> Option<Fingerprint> {
        let attempt = self.list.get_mut(&serial)?;
        std::mem::replace(&mut attempt.counted, counted)
    }

    /// Forgets which knocks were counted.
    pub(crate) fn forget_counted(&mut self) {
        self.list.values_mut().for_each(|attempt| attempt.counted = None);
    }

    /// Marks an attempt as failed. It stays in the list until the next sweep.
    pub(crate) fn fail(&mut self, serial: Serial) {
        if let Some(attempt) = self.list.get_mut(&serial) {
            attempt.stage = None;
        }
        self.suspect(serial);
    }

    /// Marks an attempt as possibly over.
    pub(crate) fn suspect(&mut self, serial: Serial) {
        self.suspects.insert(serial);
    }

    /// Marks every attempt at a door as possibly over.
    pub(crate) fn suspect_all_at(&mut self, door: DoorId) {
        let at_door = self.at(door);
        self.suspects.extend(at_door);
    }

    /// Returns the attempts at a door, oldest first.
    pub(crate) fn at(&self, door: DoorId) -> Vec<Serial> {
        let at_door = self.list.iter().filter(|(_, attempt)| attempt.door == door);
        at_door.map(|(serial, _)| *serial).collect()
    }

    /// Sets the timer of an attempt again.
    pub(crate) fn restart(&mut self, serial: Serial, expires: Timestamp, timer: u64) {
        if let Some(attempt) = self.list.get_mut(&serial) {
            self.by_expiry.remove(&(attempt.expires, attempt.timer, serial));
            (attempt.expires, attempt.timer) = (expires, timer);
            self.by_expiry.insert((expires, timer, serial));
        }
    }

    /// Returns the attempts at a door, that which is due first first.
    pub(crate) fn at_by_expiry(&self, door: DoorId) -> Vec<Serial> {
        let by_expiry = self.by_expiry.iter().map(|&(_, _, serial)| serial);
        by_expiry.filter(|serial| self.get(*serial).is_some_and(|one| one.door == door)).collect()
    }

    /// Returns all attempts, that which is due first first.
    pub(crate) fn by_expiry(&self) -> impl Iterator<Item = &Attempt> {
        self.by_expiry.iter().filter_map(|(_, _, serial)| self.list.get(serial))
    }

    /// Removes the attempts that are over.
    pub(crate) fn retain(&mut self, is_there: impl Fn(&Attempt) -> bool) {
        let over = self.list.iter().filter(|(_, attempt)| !is_there(attempt));
        let over: Vec<Serial> = over.map(|(serial, _)| *serial).collect();
        for serial in over {
            self.remove(serial);
        }
    }

    /// Lets all attempts expire at the beginning of the second in which they would.
    pub(crate) fn expire_at_whole_seconds(&mut self) {
        self.by_expiry.clear();
        for (&serial, attempt) in &mut self.list {
            attempt.expires = attempt.expires.whole_second();
            self.by_expiry.insert((attempt.expires, attempt.timer, serial));
        }
    }

    /// Returns when the next attempt is too late, its timer, and which it is.
    pub(crate) fn earliest(&self) -> Option<(Timestamp, u64, Serial)> {
        self.by_expiry.first().copied()
    }

    /// Returns the attempts that a sweep at that time must check, oldest first; all others stay.
    pub(crate) fn suspects(&mut self, now: Timestamp) -> BTreeSet<Serial> {
        let mut suspects = std::mem::take(&mut self.suspects);
        // With most packets none is.
        if self.earliest().is_some_and(|(at, ..)| at <= now) {
            let expired = self.by_expiry.range(..=(now, u64::MAX, Serial(u64::MAX)));
            suspects.extend(expired.map(|&(_, _, serial)| serial));
        }
        suspects
    }

    pub(crate) fn remove(&mut self, serial: Serial) {
        if let Some(Attempt { client, expires, timer, .. }) = self.list.remove(&serial) {
            self.by_client.remove(client, serial);
            self.by_expiry.remove(&(expires, timer, serial));
        }
    }

    pub(crate) fn forget_all(&mut self) {
        self.list.clear();
        self.by_client.0.clear();
        self.by_expiry.clear();
        self.suspects.clear();
    }
}

/// The attempts of each client. A hash map: in a flood nearly every packet is of a client that has none.
#[derive(Clone, Debug, Default)]
struct ByClient(HashMap<IpAddr, OfClient, RandomState>);

/// The attempts of a client that has one, oldest first.
#[derive(Clone, Debug)]
struct OfClient {
    oldest: Serial,
    others: Vec<Serial>,
}

impl ByClient {
    fn of(&self, client: IpAddr) -> impl Iterator<Item = Serial> {
        let of_client = self.0.get(&client).into_iter();
        of_client.flat_map(|one| std::iter::once(one.oldest).chain(one.others.iter().copied()))
    }

    /// Adds an attempt, with a serial number larger than all before.
    fn add(&mut self, client: IpAddr, serial: Serial) {
        match self.0.entry(client) {
            Entry::Occupied(mut there) => there.get_mut().others.push(serial),
            Entry::Vacant(free) => {
                free.insert(OfClient { oldest: serial, others: Vec::new() });
            }
        }
    }

    fn remove(&mut self, client: IpAddr, serial: Serial) {
        let Entry::Occupied(mut there) = self.0.entry(client) else { return };
        let OfClient { oldest, others } = there.get_mut();
        if *oldest != serial {
            others.retain(|other| *other != serial);
        } else if others.is_empty() {
            there.remove();
        } else {
            *oldest = others.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn attempts_of_a_client_are_found_in_their_order_until_they_are_removed() {
        let client = |number: u32| IpAddr::V4(Ipv4Addr::from_bits(number));
        let mut by_client = ByClient::default();
        for serial in 0..8 {
            by_client.add(client(1), Serial(serial));
        }
        by_client.add(client(2), Serial(8));
        for gone in [3, 0, 7, 9] {
            by_client.remove(client(1), Serial(gone));
        }
        by_client.remove(client(3), Serial(1));
        let of = |by_client: &ByClient, number| {
            by_client.of(client(number)).map(|Serial(serial)| serial).collect::<Vec<_>>()
        };
        assert_eq!(of(&by_client, 1), [1, 2, 4, 5, 6]);
        assert_eq!(of(&by_client, 2), [8]);
        assert_eq!(of(&by_client, 3), Vec::<u64>::new());
        for gone in [1, 2, 4, 5, 6] {
            by_client.remove(client(1), Serial(gone));
        }
        by_client.remove(client(2), Serial(8));
        // Nothing is kept of clients without attempts.
        assert!(by_client.0.is_empty());
    }
}
