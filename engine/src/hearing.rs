//! How the filter of a door treats a packet.

use crate::door::Door;
use crate::listening::Listening;
use crate::packet::Packet;

/// How the filter of a door treats a packet to a port in its sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hearing {
    /// It lets the packet through.
    Heard,
    /// The port is in the sequence with the other protocol only.
    OtherProtocol,
    /// The destination is not the door's target or, without a target, not a local address.
    OtherDestination,
    /// The packet does not have the TCP flags that the door asks for.
    OtherFlags,
    /// The door's `Allow` and `Deny` do not let the client knock.
    OtherSource,
}

/// Returns how the filter of a door treats a packet to a port and protocol in its sequence.
#[inline]
pub(crate) fn of(door: &Door, listening: &Listening, packet: &Packet) -> Hearing {
    if !listening.belongs(packet.destination, door.target) {
        Hearing::OtherDestination
    } else if !door.flags.is_satisfied_by(packet.transport) {
        Hearing::OtherFlags
    } else if !door.sources.hear(packet.source) {
        Hearing::OtherSource
    } else {
        Hearing::Heard
    }
}
