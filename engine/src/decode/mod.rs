//! Decodes the frames of a capture into packets.
//!
//! Reads only what makes up a knock, in the same way as the kernel's packet filter: the frame's bytes
//! are the limit, not the IPv4 total length, the IPv6 payload length or the UDP length; the TCP data
//! offset and the checksums are not checked. So a frame that passes in a live capture is the same
//! packet in a replay (case `a-bad-checksums` and its neighbours).

mod ip_header;
mod link;
mod link_type;
mod undecodable;

#[cfg(test)]
mod tests;

pub use link_type::LinkType;
pub use undecodable::{Carried, Layer, Reason, Undecodable};

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::packet::Packet;
use link::Promise;

/// Finds the addresses, ports and flags in a frame of link type `link`.
///
/// VLAN tags are skipped at any depth, IPv4 options by the header length, and after IPv6 the
/// hop-by-hop, routing, destination options, fragment and authentication headers in any order. The
/// first fragment of a packet counts as the packet.
///
/// # Errors
///
/// Returns why the frame has no destination port: it carries something else, or ends too early.
#[inline]
pub fn decode(link: LinkType, frame: &[u8]) -> Result<Packet, Undecodable> {
    network(link, frame, ip_header::transport)
}

/// Returns the payload of a frame of link type `link` that [`decode`] reads as UDP, as long as its header says.
///
/// # Errors
///
/// Returns why the frame has none: it carries something else, or ends too early.
pub fn datagram(link: LinkType, frame: &[u8]) -> Result<&[u8], Undecodable> {
    network(link, frame, ip_header::datagram)
}

#[inline]
fn network<'a, T>(
    link: LinkType,
    frame: &'a [u8],
    then: impl ip_header::Then<'a, T>,
) -> Result<T, Undecodable> {
    let (promise, bytes) = link::strip(link, frame)?;
    let is_v4 = match promise {
        Promise::Ipv4 => true,
        Promise::Ipv6 => false,
        Promise::EitherVersion => ip_header::is_v4(bytes)?,
    };
    if is_v4 { ip_header::v4(bytes, then) } else { ip_header::v6(bytes, then) }
}

/// Returns the source address of a frame of link type `link`, if it has one: for a frame without
/// ports, it shows which client tried to knock.
#[must_use]
pub fn source(link: LinkType, frame: &[u8]) -> Option<IpAddr> {
    let (promise, bytes) = link::strip(link, frame).ok()?;
    match (promise, bytes.first()? >> 4) {
        (Promise::Ipv4 | Promise::EitherVersion, 4) => ip_header::v4_source(bytes),
        (Promise::Ipv6 | Promise::EitherVersion, 6) => ip_header::v6_source(bytes),
        (Promise::Ipv4 | Promise::Ipv6 | Promise::EitherVersion, _) => None,
    }
}

/// Returns a frame from its IP header on, where [`decode`] finds it; `None` if it has none.
#[must_use]
pub fn ip(link: LinkType, frame: &[u8]) -> Option<&[u8]> {
    link::strip(link, frame).ok().map(|(_, ip)| ip)
}

/// Returns the ids of the VLAN tags that [`decode`] skips in a frame, outermost first.
#[must_use]
pub fn vlan_tags(link: LinkType, frame: &[u8]) -> Vec<u16> {
    link::tags(link, frame).map(|[high, low]| u16::from_be_bytes([high & 0x0f, low])).collect()
}
