//! The capture filter.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use knock_engine::{
    Door, DoorId, DoorSequence, Doors, FlagRule, Listening, Packet, Protocol, Sequence, Transport,
};

use crate::Site;
use crate::difference::Difference;

/// The capture filter, which knockd 0.8 sets again when a sequence changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// The first sequence of each door whose sequence has changed: the IPv6 part of the filter keeps
    /// it (case `g-ip6-filter-is-stale`).
    first_sequences: BTreeMap<DoorId, Sequence>,
}

impl Filter {
    /// Stores the first sequence of a door before it changes.
    pub(crate) fn keep_first_sequence(&mut self, door: DoorId, sequence: Sequence) {
        self.first_sequences.entry(door).or_insert(sequence);
    }

    /// Returns whether a packet passes. Without a local address there is no filter (case
    /// `a-no-address-target`).
    #[inline]
    pub(crate) fn passes(&self, packet: &Packet, site: &Site) -> bool {
        let [v4, v6] = are_there(&site.listening);
        let mut doors = site.doors.in_order();
        let is_in = |family, (id, door)| self.part(id, door, family, packet, site);
        !v4 && !v6 || doors.any(|one| v4 && is_in(Family::V4, one) || v6 && is_in(Family::V6, one))
    }

    /// Returns the sequence of a door in the filter's part for a family.
    pub(crate) fn sequence<'a>(
        &'a self,
        id: DoorId,
        door: &'a Door,
        family: Family,
    ) -> Option<&'a Sequence> {
        match family {
            Family::V4 => door.sequence(),
            Family::V6 => self.first_sequences.get(&id).or(door.sequence()),
        }
    }

    /// Returns the first sequence of a door whose sequence has changed.
    pub(crate) fn first_sequence(&self, id: DoorId) -> Option<&Sequence> {
        self.first_sequences.get(&id)
    }

    /// Returns whether no packet can pass, which libpcap refuses to set (case
    /// `a-target-ip6-flags-only-ip4-here`).
    pub(crate) fn rejects_all(&self, doors: &Doors, listening: &Listening) -> bool {
        let can_any_pass = |family: Family| {
            let mut doors = doors.in_order();
            doors.any(|(id, door)| can_pass(door, family, self.sequence(id, door, family)))
        };
        !doors.is_empty() && is_filtered(listening) && !families(listening).any(can_any_pass)
    }

    /// Returns whether the part of a door and a family of local addresses lets a packet through.
    #[inline]
    fn part(&self, id: DoorId, door: &Door, family: Family, packet: &Packet, site: &Site) -> bool {
        let destination = packet.destination;
        let is_here = match door.target {
            Some(target) => destination == target.address,
            None => family == Family::of(destination) && site.listening.belongs(destination, None),
        };
        is_here
            && self
                .sequence(id, door, family)
                .is_some_and(|sequence| sequence.knocks().contains(&packet.knock()))
            && (matches!(packet.transport, Transport::Udp)
                || door.flags == FlagRule::default()
                || family == Family::of(destination)
                    && door.flags.is_satisfied_by(packet.transport))
    }
}

/// A family of addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    pub(crate) const fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// Returns the families of the local addresses. The filter has a part for each.
fn families(listening: &Listening) -> impl Iterator<Item = Family> {
    let [v4, v6] = are_there(listening);
    let v6 = v6.then_some(Family::V6);
    v4.then_some(Family::V4).into_iter().chain(v6)
}

/// Returns whether there are local addresses of IPv4, and of IPv6.
fn are_there(listening: &Listening) -> [bool; 2] {
    let has = |family: Family| match listening.local() {
        None => true,
        Some(local) => local.iter().any(|&address| Family::of(address) == family),
    };
    [has(Family::V4), !listening.is_ipv4_only() && has(Family::V6)]
}

/// Returns whether any filter is set.
pub(crate) fn is_filtered(listening: &Listening) -> bool {
    are_there(listening).contains(&true)
}

/// Why knockd 0.8 does not start with a valid configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No packet can pass its filter, and libpcap refuses such a filter: every door asks for TCP flags
    /// and has a target of a family without a local address.
    RejectsAllPackets,
    /// No one-time sequence of a door is left.
    NoSequenceLeft(DoorId),
}

impl Refusal {
    /// Returns the difference that fixes it.
    #[must_use]
    pub const fn difference(self) -> Difference {
        match self {
            Self::RejectsAllPackets => Difference::TargetFamily,
            Self::NoSequenceLeft(_) => Difference::OneTimeNoneLeft,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::RejectsAllPackets => {
                "its filter would reject all packets: every door asks for TCP flags and has a \
                 target of a family without a local address"
            }
            Self::NoSequenceLeft(_) => "no one-time sequence of a door is left",
        })
    }
}

/// Returns why knockd 0.8 does not start.
pub(crate) fn refusal(doors: &Doors, listening: &Listening) -> Option<Refusal> {
    let exhausted = |(id, door): (DoorId, &Door)| {
        let is_one_time = matches!(door.sequence, DoorSequence::OneTime(_));
        (is_one_time && door.sequence().is_none()).then_some(Refusal::NoSequenceLeft(id))
    };
    if let Some(refusal) = doors.in_order().find_map(exhausted) {
        return Some(refusal);
    }
    Filter::default().rejects_all(doors, listening).then_some(Refusal::RejectsAllPackets)
}

/// Returns whether the part of a door and a family of local addresses, with this sequence, can let
/// any packet through.
fn can_pass(door: &Door, family: Family, sequence: Option<&Sequence>) -> bool {
    let has_udp =
        |sequence: &Sequence| sequence.knocks().iter().any(|knock| knock.protocol == Protocol::Udp);
    door.target.is_none_or(|target| Family::of(target.address) == family)
        || door.flags == FlagRule::default()
        || sequence.is_some_and(has_udp)
}
