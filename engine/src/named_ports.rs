//! The ports that doors name: a packet to any other is neither a knock nor signed.

use crate::door::DoorSequence;
use crate::doors::Doors;
use crate::packet::{Packet, Protocol};
use crate::ports::PortSet;
use crate::sequence::Sequence;

/// The ports that doors name in their sequences, and that of signed packets, whatever else the doors ask of a packet.
#[derive(Clone, Debug)]
pub struct NamedPorts {
    tcp: PortSet,
    udp: PortSet,
}

impl NamedPorts {
    /// Returns the ports that these doors name, now or once one-time sequences are used.
    #[must_use]
    pub fn of(doors: &Doors) -> Self {
        let mut named = Self::none();
        named.add(doors);
        named
    }

    /// Returns none, to which those of several configurations can be added.
    #[must_use]
    pub fn none() -> Self {
        Self { tcp: PortSet::new(), udp: PortSet::new() }
    }

    /// Adds the ports that these doors name.
    pub fn add(&mut self, doors: &Doors) {
        if let Some(signing) = doors.signing() {
            self.udp.insert(signing.port().0);
        }
        for (_, door) in doors.in_order() {
            match &door.sequence {
                DoorSequence::Fixed(sequence) => self.add_all(sequence),
                DoorSequence::OneTime(sequences) => {
                    sequences.unused().for_each(|line| self.add_all(&line.sequence));
                }
                DoorSequence::Derived(derived) => {
                    let set = self.set_mut(derived.protocol());
                    for port in derived.ports().first()..=derived.ports().last() {
                        set.insert(port);
                    }
                }
                DoorSequence::None => {}
            }
        }
    }

    fn add_all(&mut self, sequence: &Sequence) {
        for knock in sequence.knocks() {
            self.set_mut(knock.protocol).insert(knock.port.0);
        }
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
