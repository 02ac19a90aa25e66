//! The packets that the doors want, by destination.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::ONE_TIME_LINES;
use crate::door::{Door, DoorSequence};
use crate::doors::Doors;
use crate::listening::Listening;
use crate::packet::{Knock, Port, Protocol};
use crate::ports::PortSet;
use crate::signing::Signing;

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

impl Version {
    fn is_of(self, address: IpAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }

    const fn is_heard(self, listening: &Listening) -> bool {
        match self {
            Self::V4 => true,
            Self::V6 => !listening.is_ipv4_only(),
        }
    }
}

/// A test of the flags in a TCP header: `flags & mask == value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FlagMask {
    pub(super) mask: u8,
    pub(super) value: u8,
}

impl FlagMask {
    /// A test that every header passes, even one that is cut before its flags.
    const ANY: Self = Self { mask: 0, value: 0 };
}

/// The ports that doors name.
#[derive(Clone, Debug, Default)]
pub(super) struct Ports {
    /// By flags. Ports without flags come first.
    pub(super) tcp: BTreeMap<FlagMask, PortSet>,
    pub(super) udp: PortSet,
    /// The UDP port of signed packets, which all have the same length.
    pub(super) signed: Option<Port>,
}

impl Ports {
    pub(super) fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.udp.is_empty() && self.signed.is_none()
    }

    fn add(&mut self, flags: FlagMask, knock: Knock) {
        let ports = match knock.protocol {
            Protocol::Tcp => self.tcp.entry(flags).or_default(),
            Protocol::Udp => &mut self.udp,
        };
        ports.insert(knock.port.0);
    }

    fn add_door(&mut self, door: &Door) {
        let (mask, value) = door.flags.mask_and_value();
        let mut add = |knocks: &[Knock]| {
            for &knock in knocks {
                self.add(FlagMask { mask, value }, knock);
            }
        };
        match &door.sequence {
            DoorSequence::Fixed(sequence) => add(sequence.knocks()),
            DoorSequence::OneTime(sequences) => {
                for line in sequences.unused().take(ONE_TIME_LINES) {
                    add(line.sequence.knocks());
                }
            }
            DoorSequence::Derived(derived) => {
                let protocol = derived.protocol();
                for port in derived.ports().first()..=derived.ports().last() {
                    self.add(FlagMask { mask, value }, Knock { port: Port(port), protocol });
                }
            }
            DoorSequence::None => {}
        }
    }

    /// Returns the same ports, whatever the flags.
    pub(super) fn with_any_flags(self) -> Self {
        let mut all = PortSet::default();
        for ports in self.tcp.values() {
            all.add_all(ports);
        }
        let tcp = if all.is_empty() { BTreeMap::new() } else { [(FlagMask::ANY, all)].into() };
        Self { tcp, ..self }
    }

    /// Removes the ports that need no flags from the others.
    fn without_repetition(mut self) -> Self {
        let Some(open) = self.tcp.remove(&FlagMask::ANY) else { return self };
        for ports in self.tcp.values_mut() {
            ports.remove_all(&open);
        }
        self.tcp.retain(|_, ports| !ports.is_empty());
        self.tcp.insert(FlagMask::ANY, open);
        self
    }
}

/// Destinations with the same ports.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// `None`: all destinations not in an earlier place.
    pub(super) destinations: Option<Vec<IpAddr>>,
    pub(super) ports: Ports,
}

/// The packets that the doors want.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    listening: &'a Listening,
    /// Of doors without a target.
    shared: Ports,
    /// Doors by their targets.
    targets: BTreeMap<IpAddr, Vec<&'a Door>>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(doors: &'a Doors, listening: &'a Listening) -> Self {
        let mut wanted = Self { listening, shared: Ports::default(), targets: BTreeMap::new() };
        wanted.shared.signed = doors.signing().map(Signing::port);
        for (_, door) in doors.in_order().filter(|(_, door)| !door.is_disabled()) {
            match door.target {
                Some(target) => wanted.targets.entry(target.address).or_default().push(door),
                None => wanted.shared.add_door(door),
            }
        }
        wanted
    }

    /// Returns the destinations of a version of IP and the ports that count there. No destination is in
    /// two places: so within each, ports without flags can come first.
    pub(super) fn places(&self, version: Version) -> impl Iterator<Item = Place> {
        let is_heard = version.is_heard(self.listening);
        let is_ours = move |address: &IpAddr| is_heard && version.is_of(*address);
        let targets = self.targets.iter().filter(move |(address, _)| is_ours(address));
        let targets = targets.map(|(&address, doors)| {
            // A door without a target is at every local address.
            let is_local = self.listening.belongs(address, None);
            let mut ports = if is_local { self.shared.clone() } else { Ports::default() };
            for door in doors {
                ports.add_door(door);
            }
            Place { destinations: Some([address].into()), ports: ports.without_repetition() }
        });
        let is_elsewhere =
            move |address: &IpAddr| is_ours(address) && !self.targets.contains_key(address);
        let rest = self
            .listening
            .local()
            .map(|local| local.iter().copied().filter(is_elsewhere).collect::<Vec<_>>());
        let has_rest = match &rest {
            Some(destinations) => !destinations.is_empty(),
            None => is_heard,
        };
        let rest = (has_rest && !self.shared.is_empty())
            .then(|| Place { destinations: rest, ports: self.shared.clone().without_repetition() });
        targets.chain(rest)
    }

    /// Returns the ports that count at any destination of a version of IP, whatever the flags.
    pub(super) fn ports(&self, version: Version) -> Ports {
        let is_heard = version.is_heard(self.listening);
        let is_ours = |address: &IpAddr| is_heard && version.is_of(*address);
        let is_shared_heard = match self.listening.local() {
            Some(local) => local.iter().any(is_ours),
            None => is_heard,
        };
        let mut all = if is_shared_heard { self.shared.clone() } else { Ports::default() };
        for (_, doors) in self.targets.iter().filter(|(address, _)| is_ours(address)) {
            for door in doors {
                all.add_door(door);
            }
        }
        all.with_any_flags()
    }
}
