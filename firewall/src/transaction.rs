//! Changes of nftables as data. [`text`](crate::text) writes them for people and for nft,
//! [`message`](crate::message) for the kernel.

use std::fmt;

use knock_engine::{Port, PortRange, Protocol};

use crate::grant::Grant;
use crate::place::Place;

/// Changes of one table that all happen, or none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    pub(crate) place: Place,
    pub(crate) changes: Vec<Change>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Makes the table, unless it is there.
    AddTable,
    /// Deletes the table and all in it.
    DeleteTable,
    /// Makes a set, unless it is there.
    AddSet(Set),
    /// Deletes all elements of a set.
    EmptySet(Set),
    /// Adds elements, and leaves those that are there as they are.
    AddElements(Set, Vec<Element>),
    /// Deletes elements, which must be there.
    DeleteElements(Set, Vec<Element>),
    /// Makes the counter of refused packets.
    AddCounter,
    /// Makes a chain.
    AddChain(Chain),
    /// Adds a rule at the end of a chain.
    AddRule(Chain, Vec<Statement>),
}

/// A set of knockd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Set {
    /// The ports that are closed to others, in the table of knockd.
    Guarded,
    /// Admitted clients.
    Clients(Clients),
}

/// Which clients are in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clients {
    /// Whether the set is in the table of knockd, not in one of the administrator.
    pub(crate) is_own: bool,
    pub(crate) version: Version,
    /// The ports, if they are more than one: then the set has addresses only. Else it has addresses and
    /// ports. A set of addresses and ranges would take the kernel longer the more clients there are.
    pub(crate) range: Option<PortRange>,
}

impl Set {
    /// The most elements of a set of clients.
    pub(crate) const SIZE: u32 = 65_535;

    /// Returns the set with a name, if that is one of knockd's.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (base, range) = match name.split_once('_') {
            None => (name, None),
            Some((base, range)) => (base, Some(range)),
        };
        let (is_own, version) = match base {
            "guarded" if range.is_none() => return Some(Self::Guarded),
            "admitted4" => (true, Version::V4),
            "admitted6" => (true, Version::V6),
            "knockd4" => (false, Version::V4),
            "knockd6" => (false, Version::V6),
            _ => return None,
        };
        let range = match range {
            None => None,
            Some(range) => Some(Self::range(range)?),
        };
        let set = Self::Clients(Clients { is_own, version, range });
        // There is one way to write it.
        (set.to_string() == name).then_some(set)
    }

    fn range(text: &str) -> Option<PortRange> {
        let (protocol, ports) = text.split_once('_')?;
        let (first, last) = ports.split_once('_')?;
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return None,
        };
        let range = PortRange::new(protocol, Port(first.parse().ok()?), Port(last.parse().ok()?))?;
        (range.first() < range.last()).then_some(range)
    }
}

/// The name of the set.
impl fmt::Display for Set {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = match self {
            Self::Guarded => return out.write_str("guarded"),
            Self::Clients(clients) => clients,
        };
        out.write_str(if clients.is_own { "admitted" } else { "knockd" })?;
        out.write_str(match clients.version {
            Version::V4 => "4",
            Version::V6 => "6",
        })?;
        let Some(range) = clients.range else { return Ok(()) };
        let protocol = match range.protocol() {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(out, "_{protocol}_{}_{}", range.first().0, range.last().0)
    }
}

/// The versions of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Version {
    V4,
    V6,
}

/// An element of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    Guarded(PortRange),
    /// In a set for a range, only the client matters.
    Granted(Grant),
}

/// The chains in the table of knockd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chain {
    /// All packets that come in, after connection tracking and before any translation of addresses.
    Guard,
    /// Those to a guarded port.
    Closed,
}

impl Chain {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Closed => "closed",
        }
    }
}

/// A part of a rule: a condition or what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// The packet is for a guarded port.
    ToGuardedPort,
    /// It comes from this machine.
    FromLoopback,
    /// It belongs to a connection that is there.
    OfConnection,
    /// It is for one other host, so at most passes through.
    ForOtherHost,
    /// It is of TCP and cannot begin a connection.
    BeginsNothing,
    /// Its client is in the set, and its port one of those of the set.
    OfClient(Clients),
    /// It is of TCP.
    OfTcp,
    /// It is counted.
    Count,
    Accept,
    Drop,
    /// It is answered with a reset.
    Reset,
    /// It is answered with "port unreachable".
    Unreachable,
    GoTo(Chain),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_known_by_its_name() {
        for name in ["guarded", "admitted4", "knockd6", "admitted6_tcp_1_65535", "knockd4_udp_7_8"]
        {
            assert_eq!(Set::named(name).unwrap().to_string(), name);
        }
        for name in [
            "",
            "guarded_tcp_1_2",
            "admitted",
            "knockd5",
            "knockd4_",
            "knockd4_tcp",
            "knockd4_tcp_1",
            "knockd4_tcp_2_1",
            "knockd4_tcp_1_1",
            "knockd4_tcp_01_2",
            "knockd4_sctp_1_2",
            "knockd4_tcp_1_65536",
            "knockd4_tcp_1_2_3",
            "Knockd4",
        ] {
            assert_eq!(Set::named(name), None, "{name}");
        }
    }
}
