//! A naive decoder that shares no code with the engine: it follows offsets.

use std::net::IpAddr;

use knock_engine::{Packet, Port, TcpFlags, TcpHeader, Transport};

/// Returns the packet in a frame under a `LINKTYPE_` number; `None` if there is none.
pub(crate) fn decode(link: u16, frame: &[u8]) -> Option<Packet> {
    let (version, at) = match link {
        1 => by_ether_type(frame, 12)?,
        113 => by_ether_type(frame, 14)?,
        276 => by_ether_type_at(frame, 0, 20)?,
        0 => (by_family(u32_le(frame, 0)?).or_else(|| by_family(u32_be(frame, 0)?))?, 4),
        108 => (by_family(u32_be(frame, 0)?)?, 4),
        9 => ppp(frame)?,
        50 => match (byte(frame, 0)?, byte(frame, 1)?) {
            (0xff, 0x03) => ppp(frame)?,
            (0x0f | 0x8f, _) => by_ether_type(frame, 2)?,
            _ => return None,
        },
        12 | 14 | 101 => (byte(frame, 0)? >> 4, 0),
        228 => (4, 0),
        229 => (6, 0),
        _ => return None,
    };
    if byte(frame, at)? >> 4 != version {
        return None;
    }
    match version {
        4 => v4(frame, at),
        6 => v6(frame, at),
        _ => None,
    }
}

/// Returns the IP version and where IP begins, by the Ethernet type before it.
fn by_ether_type(frame: &[u8], at: usize) -> Option<(u8, usize)> {
    by_ether_type_at(frame, at, at + 2)
}

fn by_ether_type_at(frame: &[u8], at: usize, next_at: usize) -> Option<(u8, usize)> {
    match u16_be(frame, at)? {
        0x0800 => Some((4, next_at)),
        0x86dd => Some((6, next_at)),
        0x8100 | 0x88a8 | 0x9100 => by_ether_type_at(frame, next_at + 2, next_at + 4),
        _ => None,
    }
}

fn by_family(family: u32) -> Option<u8> {
    match family {
        2 => Some(4),
        10 | 24 | 28 | 30 => Some(6),
        _ => None,
    }
}

fn ppp(frame: &[u8]) -> Option<(u8, usize)> {
    let at = if frame.starts_with(&[0xff, 0x03]) { 2 } else { 0 };
    let first = byte(frame, at)?;
    let (protocol, next_at) =
        if first % 2 == 1 { (u16::from(first), at + 1) } else { (u16_be(frame, at)?, at + 2) };
    match protocol {
        0x21 => Some((4, next_at)),
        0x57 => Some((6, next_at)),
        _ => None,
    }
}

fn v4(frame: &[u8], at: usize) -> Option<Packet> {
    let length = usize::from(byte(frame, at)? & 15) * 4;
    let fragment_offset = u16_be(frame, at + 6)? & 0x1fff;
    if length < 20 || fragment_offset != 0 {
        return None;
    }
    let address =
        |at: usize| Some(IpAddr::from(frame.get(at..at + 4)?.first_chunk::<4>().copied()?));
    let ends = (address(at + 12)?, address(at + 16)?);
    transport(frame, byte(frame, at + 9)?, at + length, ends)
}

fn v6(frame: &[u8], at: usize) -> Option<Packet> {
    let address =
        |at: usize| Some(IpAddr::from(frame.get(at..at + 16)?.first_chunk::<16>().copied()?));
    let ends = (address(at + 8)?, address(at + 24)?);
    let (mut next, mut at) = (byte(frame, at + 6)?, at + 40);
    loop {
        let next_at = match next {
            // Hop-by-hop, routing, destination options: units of 8 bytes, not counting the first.
            0 | 43 | 60 => at + 8 + 8 * usize::from(byte(frame, at + 1)?),
            44 if u16_be(frame, at + 2)? >> 3 == 0 => at + 8,
            44 => return None,
            // Authentication: units of 4 bytes, not counting the first two; at least 12 bytes.
            51 if byte(frame, at + 1)? > 0 => at + 8 + 4 * usize::from(byte(frame, at + 1)?),
            _ => return transport(frame, next, at, ends),
        };
        byte(frame, next_at - 1)?;
        next = byte(frame, at)?;
        at = next_at;
    }
}

fn transport(
    frame: &[u8],
    protocol: u8,
    at: usize,
    (source, destination): (IpAddr, IpAddr),
) -> Option<Packet> {
    let transport = match protocol {
        6 => Transport::Tcp(TcpHeader {
            sequence_number: u32_be(frame, at + 4),
            flags: byte(frame, at + 13).map(TcpFlags),
        }),
        17 => Transport::Udp,
        _ => return None,
    };
    let source_port = Port(u16_be(frame, at)?);
    let destination_port = Port(u16_be(frame, at + 2)?);
    let is_of_a_host = match source {
        IpAddr::V4(v4) => {
            !matches!(v4.octets(), [0, 0, 0, 0] | [224..=239, ..] | [255, 255, 255, 255])
        }
        IpAddr::V6(v6) => v6.octets()[0] != 0xff && v6.octets() != [0; 16],
    };
    is_of_a_host.then_some(Packet { source, destination, source_port, destination_port, transport })
}

fn byte(frame: &[u8], at: usize) -> Option<u8> {
    frame.get(at).copied()
}

fn u16_be(frame: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([byte(frame, at)?, byte(frame, at + 1)?]))
}

fn u32_be(frame: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16_be(frame, at)?) << 16 | u32::from(u16_be(frame, at + 2)?))
}

fn u32_le(frame: &[u8], at: usize) -> Option<u32> {
    u32_be(frame, at).map(u32::swap_bytes)
}
