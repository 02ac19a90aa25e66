//! The world's own record: the doors so far, and the delivered packets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::client::SECOND;
use super::place::Addresses;
use super::queue::HonestKnock;
use crate::model::{Door, Knock, Packet, SYN, Sequences, Transport};

/// The index of a door among all so far.
pub(super) type DoorNumber = usize;

/// A set of doors, one bit each.
type DoorSet = u128;

/// A door that is or was.
#[derive(Clone, Debug)]
pub(super) struct KnownDoor {
    /// Its current form: only the one-time sequences that are left.
    pub(super) door: Door,
    pub(super) listed: bool,
    /// The number of the first packet that its current sequence could hear.
    pub(super) since: u64,
}

/// A packet that some door admitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    /// Its place among all packets of the run.
    pub(super) number: u64,
    /// When it was handled: its stamp, or the latest before.
    pub(super) at_ns: i64,
    pub(super) knock: Knock,
    /// Source port, destination port and sequence number of a SYN whose retransmissions can be recognized.
    syn: Option<(u16, u16, u32)>,
    /// Whether the client sent the same SYN before.
    repeats: bool,
    /// The doors that match its destination and flags.
    doors: DoorSet,
    pub(super) visit: Option<HonestKnock>,
}

impl Heard {
    pub(super) fn concerns(&self, door: DoorNumber) -> bool {
        self.doors & bit(door) != 0
    }

    /// Returns whether it looks like a retransmission of that packet.
    pub(super) fn can_repeat(&self, other: &Self) -> bool {
        self.syn.is_some() && self.syn == other.syn
    }
}

/// Doors and packets.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) doors: Vec<KnownDoor>,
    /// The doors of the configuration in the order of the file.
    pub(super) listed: Vec<DoorNumber>,
    /// The admitted packets of each client, oldest first.
    clients: BTreeMap<IpAddr, Vec<Heard>>,
    packets: u64,
    /// Until when each client can have an attempt at each door.
    attempts: BTreeMap<(DoorNumber, IpAddr), i64>,
    expiries: BTreeSet<(i64, DoorNumber, IpAddr)>,
}

impl Record {
    pub(super) fn configure(&mut self, doors: &[Door]) {
        let mut before = std::mem::take(&mut self.listed);
        for door in doors {
            let same = before.iter().position(|&old| self.doors[old].door == *door);
            let number = same.map_or(self.doors.len(), |at| before.remove(at));
            if same.is_none() {
                let door = door.clone();
                self.doors.push(KnownDoor { door, listed: true, since: self.packets });
            }
            self.listed.push(number);
        }
        for gone in before {
            self.doors[gone].listed = false;
            self.end_attempts_at(gone);
        }
    }

    /// Returns the doors of the configuration as they are now.
    pub(super) fn configuration(&self) -> Vec<Door> {
        self.listed.iter().map(|&number| self.doors[number].door.clone()).collect()
    }

    /// Records a packet at the time at which it is handled. Returns it if any door admits it.
    pub(super) fn deliver(
        &mut self,
        at_ns: i64,
        packet: &Packet,
        visit: Option<HonestKnock>,
        addresses: &Addresses,
    ) -> Option<Heard> {
        let number = self.packets;
        self.packets += 1;
        let mut doors = 0;
        let mut admitted = false;
        for &at in &self.listed {
            let door = &self.doors[at].door;
            let is_heard = door.hears(packet.src) && addresses.belongs(packet.dst, door);
            if is_heard && has_flags(packet, door) {
                doors |= bit(at);
                let named = door.sequences.current().unwrap_or_default();
                admitted |= named.contains(&packet.knock());
            }
        }
        if !admitted {
            return None;
        }
        let history = self.clients.entry(packet.src).or_default();
        let syn = syn(packet);
        let repeats = syn.is_some() && history.iter().any(|earlier| earlier.syn == syn);
        let knock = packet.knock();
        let heard = Heard { number, at_ns, knock, syn, repeats, doors, visit };
        history.push(heard);
        for at in self.listed.clone() {
            let Door { sequences, seq_timeout_s, .. } = &self.doors[at].door;
            let begins = heard.concerns(at)
                && sequences.current().is_some_and(|all| all.len() > 1 && all[0] == knock);
            if begins {
                let until_ns = at_ns + i64::from(*seq_timeout_s) * SECOND;
                self.end_attempt(at, packet.src);
                self.attempts.insert((at, packet.src), until_ns);
                self.expiries.insert((until_ns, at, packet.src));
            }
        }
        Some(heard)
    }

    /// Returns the admitted packets of a client, oldest first.
    pub(super) fn of(&self, client: IpAddr) -> &[Heard] {
        self.clients.get(&client).map_or(&[], Vec::as_slice)
    }

    /// Returns whether the last packets of a client, up to this one, are a door's sequence.
    pub(super) fn has_knocked(&self, client: IpAddr, door: DoorNumber, at_ns: i64) -> bool {
        let KnownDoor { door: known, since, .. } = &self.doors[door];
        let heard: Vec<Heard> = self
            .of(client)
            .iter()
            .copied()
            .filter(|heard| heard.concerns(door) && heard.number >= *since)
            .collect();
        let is_now =
            heard.last().is_some_and(|last| last.number + 1 == self.packets && last.at_ns == at_ns);
        let oldest_ns = at_ns - i64::from(known.seq_timeout_s) * SECOND;
        is_now && ends_with(&heard, known.sequences.current().unwrap_or_default(), oldest_ns)
    }

    /// Records that a door opened: its one-time sequence is used, and the attempt is over. Returns whether
    /// there was a one-time sequence.
    pub(super) fn open(&mut self, client: IpAddr, at: DoorNumber) -> bool {
        self.end_attempt(at, client);
        let Sequences::OneTime(lines) = &mut self.doors[at].door.sequences else { return false };
        lines.remove(0);
        self.doors[at].since = self.packets;
        self.end_attempts_at(at);
        true
    }

    /// Ends attempts that have taken too long.
    pub(super) fn expire(&mut self, now_ns: i64) {
        while let Some(&(until_ns, door, client)) = self.expiries.first() {
            if until_ns > now_ns {
                return;
            }
            self.end_attempt(door, client);
        }
    }

    /// Returns how many attempts there may be at most.
    pub(super) fn attempts(&self) -> usize {
        self.attempts.len()
    }

    /// Returns whether an attempt that began by a packet of the client can end at that moment.
    pub(super) fn can_time_out(&self, client: IpAddr, door: DoorNumber, at_ns: i64) -> bool {
        let KnownDoor { door: known, since, .. } = &self.doors[door];
        let begun_ns = at_ns - i64::from(known.seq_timeout_s) * SECOND;
        let first = known.sequences.current().and_then(<[_]>::first);
        self.of(client).iter().rev().any(|heard| {
            heard.at_ns == begun_ns
                && heard.number >= *since
                && heard.concerns(door)
                && Some(&heard.knock) == first
        })
    }

    fn end_attempt(&mut self, door: DoorNumber, client: IpAddr) {
        if let Some(until_ns) = self.attempts.remove(&(door, client)) {
            self.expiries.remove(&(until_ns, door, client));
        }
    }

    fn end_attempts_at(&mut self, door: DoorNumber) {
        let at_door: Vec<IpAddr> =
            self.attempts.keys().filter(|(at, _)| *at == door).map(|&(_, client)| client).collect();
        for client in at_door {
            self.end_attempt(door, client);
        }
    }
}

/// Returns whether packets end with these knocks, none of them earlier than or at `oldest_ns` where
/// there are several. Only a repeat of an earlier packet, or a second try of the knock just made, may
/// come between two.
fn ends_with(heard: &[Heard], knocks: &[Knock], oldest_ns: i64) -> bool {
    let Some((last, before)) = heard.split_last() else { return false };
    let Some((knock, to_come)) = knocks.split_last() else { return false };
    let counts = last.knock == *knock;
    if counts && to_come.is_empty() {
        return true;
    }
    let in_time = |rest: &[Heard]| rest.last().is_some_and(|heard| heard.at_ns > oldest_ns);
    if !in_time(before) {
        return false;
    }
    counts && ends_with(before, to_come, oldest_ns)
        || (last.repeats || counts) && ends_with(before, knocks, oldest_ns)
}

fn bit(door: DoorNumber) -> DoorSet {
    1 << door
}

fn syn(packet: &Packet) -> Option<(u16, u16, u32)> {
    match packet.transport {
        Transport::Tcp { seq: Some(seq), flags: Some(flags) } if flags & SYN != 0 && seq != 0 => {
            Some((packet.sport, packet.dport, seq))
        }
        Transport::Tcp { .. } | Transport::Udp => None,
    }
}

fn has_flags(packet: &Packet, door: &Door) -> bool {
    match packet.transport {
        Transport::Udp => true,
        Transport::Tcp { flags: Some(flags), .. } => {
            flags & door.wanted == door.wanted && flags & door.refused == 0
        }
        Transport::Tcp { flags: None, .. } => door.wanted | door.refused == 0,
    }
}
