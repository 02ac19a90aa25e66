//! Signed packets of now.

use std::time::{SystemTime, UNIX_EPOCH};

use knock_signed::{Digest, Moment, PACKET_BYTES, Packet, PacketKey, Verb};

/// Returns what a packet says that is made now, to open a door of a server for its sender.
///
/// # Panics
/// Before 1970.
#[must_use]
pub fn request(server: &str, door: &str) -> Packet {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    Packet {
        verb: Verb::Open,
        prefix: None,
        seconds: None,
        moment: Moment(u64::try_from(now).unwrap()),
        admit: None,
        server: Digest::of_server(server.as_bytes()),
        door: Digest::of_door(door.as_bytes()),
    }
}

/// Makes a packet. Its nonce is its moment, which no other has.
#[must_use]
pub fn sealed(key: &PacketKey, packet: &Packet) -> [u8; PACKET_BYTES] {
    let mut nonce = [0; 24];
    nonce[..8].copy_from_slice(&packet.moment.0.to_be_bytes());
    key.seal(packet, &nonce)
}
