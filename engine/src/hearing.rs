//! What the filter of a door makes of a packet.

use crate::door::Door;
use crate::listening::Listening;
use crate::packet::Packet;

/// What the filter of a door that names the port of a packet makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hearing {
    /// It lets the packet through.
    Heard,
    /// The port is in the sequence with the other protocol only.
    OtherProtocol,
    /// The packet goes to another address than the door's target or, without one, than the local
    /// ones.
    OtherDestination,
    /// The packet has other TCP flags than the door asks for.
    OtherFlags,
}

/// Returns what the filter of a door that names the packet's port and protocol makes of the rest.
#[inline]
pub(crate) fn of(door: &Door, listening: &Listening, packet: &Packet) -> Hearing {
    if !listening.belongs(packet.destination, door.target) {
        Hearing::OtherDestination
    } else if !door.flags.is_satisfied_by(packet.transport) {
        Hearing::OtherFlags
    } else {
        Hearing::Heard
    }
}
