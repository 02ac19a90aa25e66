//! The ports that doors name: a packet to any other is no knock.

use crate::door::DoorSequence;
use crate::doors::Doors;
use crate::packet::{Packet, Protocol};
use crate::ports::PortSet;

/// The ports that doors name in their sequences, whatever else the doors ask of a packet.
#[derive(Clone, Debug)]
pub struct NamedPorts {
    tcp: PortSet,
    udp: PortSet,
}

impl NamedPorts {
    /// Returns the ports that these doors name; `None` if that changes when a door opens, because one has
    /// one-time sequences.
    #[must_use]
    pub fn of(doors: &Doors) -> Option<Self> {
        let mut named = Self { tcp: PortSet::new(), udp: PortSet::new() };
        for (_, door) in doors.in_order() {
            let DoorSequence::Fixed(sequence) = &door.sequence else { return None };
            for knock in sequence.knocks() {
                named.set_mut(knock.protocol).insert(knock.port.0);
            }
        }
        Some(named)
    }

    /// Returns whether a packet goes to a port that a door names. For the rules of knock, nothing happens with any
    /// other: a driver that passes over them only has to tell the engine the time.
    #[inline]
    #[must_use]
    pub fn names(&self, packet: &Packet) -> bool {
        let knock = packet.knock();
        let set = match knock.protocol {
            Protocol::Tcp => &self.tcp,
            Protocol::Udp => &self.udp,
        };
        set.contains(knock.port.0)
    }

    const fn set_mut(&mut self, protocol: Protocol) -> &mut PortSet {
        match protocol {
            Protocol::Tcp => &mut self.tcp,
            Protocol::Udp => &mut self.udp,
        }
    }
}
