//! How a door hears signed packets.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;

use knock_signed::Refusal;

use crate::address;

/// The name of a user, as doors and the names of key files have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct User(Box<[u8]>);

impl User {
    /// Takes a name.
    #[must_use]
    pub fn new(name: &[u8]) -> Self {
        Self(name.into())
    }

    /// Returns the bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How a door hears signed packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedDoor {
    /// The users that may open it.
    pub users: Users,
    /// Whom it opens for.
    pub admits: Admits,
}

/// Which users may open a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Users {
    /// All that have a key.
    Any,
    /// These.
    Named(Vec<User>),
}

/// For which address a door opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Admits {
    /// That of the sender. A packet that names another one is refused.
    #[default]
    Source,
    /// The one that the packet names, or else that of the sender.
    Packet,
    /// The one that the packet names, which must be that of the sender: whoever repeats the packet of another
    /// address first gets nothing from it.
    Both,
}

impl Admits {
    /// Returns for whom a door opens.
    pub(crate) fn client(self, source: IpAddr, named: Option<IpAddr>) -> Result<IpAddr, Refusal> {
        let client = match (self, named) {
            (Self::Source | Self::Packet, None) => source,
            (Self::Source | Self::Both, Some(named)) if named == source => named,
            (Self::Source | Self::Both, _) => return Err(Refusal::AddressMismatch),
            (Self::Packet, Some(named)) => named,
        };
        if address::is_of_a_host(client) { Ok(client) } else { Err(Refusal::AddressForbidden) }
    }
}
