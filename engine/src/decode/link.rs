//! Link layers: the bytes before the IP header.

use super::{Carried, Layer, LinkType, Undecodable};

/// What a link layer says about the bytes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    Ipv4,
    Ipv6,
    /// IP of either version, which the IP header states.
    EitherVersion,
}

/// What a link layer says about the bytes after it, and those bytes.
type Stripped<'a> = Result<(Promise, &'a [u8]), Undecodable>;

/// Strips the link-layer header from `frame`.
#[inline]
pub(super) fn strip(link: LinkType, frame: &[u8]) -> Stripped<'_> {
    match link {
        LinkType::Ethernet => {
            let (&[.., high, low], rest) = split::<14>(frame, Layer::Ethernet)?;
            by_ether_type(u16::from_be_bytes([high, low]), rest)
        }
        LinkType::LinuxSll => {
            let (&[.., high, low], rest) = split::<16>(frame, Layer::LinuxCooked)?;
            by_ether_type(u16::from_be_bytes([high, low]), rest)
        }
        LinkType::LinuxSll2 => {
            let (&[high, low, ..], rest) = split::<20>(frame, Layer::LinuxCooked)?;
            by_ether_type(u16::from_be_bytes([high, low]), rest)
        }
        LinkType::Null => null(frame),
        LinkType::Loop => {
            let (family, rest) = split::<4>(frame, Layer::Loopback)?;
            let family = u32::from_be_bytes(*family);
            let promise = by_family(family).ok_or(Carried::AddressFamily(family));
            Ok((promise.map_err(Undecodable::NotIp)?, rest))
        }
        LinkType::Ppp => ppp(frame, 0),
        LinkType::PppHdlc => hdlc(frame),
        LinkType::Raw => Ok((Promise::EitherVersion, frame)),
        LinkType::Ipv4 => Ok((Promise::Ipv4, frame)),
        LinkType::Ipv6 => Ok((Promise::Ipv6, frame)),
        LinkType::Other(number) => Err(Undecodable::LinkType(number)),
    }
}

/// Follows an Ethernet type, through any number of VLAN tags.
#[inline]
fn by_ether_type(mut ether_type: u16, mut rest: &[u8]) -> Stripped<'_> {
    loop {
        match ether_type {
            0x0800 => return Ok((Promise::Ipv4, rest)),
            0x86dd => return Ok((Promise::Ipv6, rest)),
            tag if is_vlan_tag(tag) => {
                let (&[_, _, high, low], inner) = split::<4>(rest, Layer::Vlan)?;
                ether_type = u16::from_be_bytes([high, low]);
                rest = inner;
            }
            length @ ..0x0600 => return Err(Undecodable::NotIp(Carried::Ieee8023(length))),
            other => return Err(Undecodable::NotIp(Carried::EtherType(other))),
        }
    }
}

/// Returns whether a VLAN tag follows an Ethernet type.
const fn is_vlan_tag(ether_type: u16) -> bool {
    matches!(ether_type, 0x8100 | 0x88a8 | 0x9100)
}

/// Returns the first two bytes of each VLAN tag of a frame, outermost first.
pub(super) fn tags(link: LinkType, frame: &[u8]) -> impl Iterator<Item = [u8; 2]> + '_ {
    // The offset of the Ethernet type, and the frame after that header.
    let (type_at, header) = match link {
        LinkType::Ethernet => (12, 14),
        LinkType::LinuxSll => (14, 16),
        LinkType::LinuxSll2 => (0, 20),
        LinkType::Null
        | LinkType::Loop
        | LinkType::Ppp
        | LinkType::PppHdlc
        | LinkType::Raw
        | LinkType::Ipv4
        | LinkType::Ipv6
        | LinkType::Other(_) => (frame.len(), frame.len()),
    };
    let mut ether_type = frame.get(type_at..).and_then(<[u8]>::first_chunk).copied();
    let mut rest = frame.get(header..).unwrap_or_default();
    core::iter::from_fn(move || {
        ether_type.filter(|bytes| is_vlan_tag(u16::from_be_bytes(*bytes)))?;
        let (&[first, second, high, low], inner) = rest.split_first_chunk()?;
        (ether_type, rest) = (Some([high, low]), inner);
        Some([first, second])
    })
}

/// Reads the address family in whichever byte order means IP: no family means IP in both orders.
fn null(frame: &[u8]) -> Stripped<'_> {
    let (&family, rest) = split::<4>(frame, Layer::Loopback)?;
    let little = u32::from_le_bytes(family);
    let big = u32::from_be_bytes(family);
    match by_family(little).or(by_family(big)) {
        Some(promise) => Ok((promise, rest)),
        None => Err(Undecodable::NotIp(Carried::AddressFamily(little.min(big)))),
    }
}

/// Returns the meaning of an address family: 2 is IPv4 everywhere; IPv6 is 10 on Linux, 24 on
/// NetBSD and OpenBSD, 28 on FreeBSD and 30 on macOS.
const fn by_family(family: u32) -> Option<Promise> {
    match family {
        2 => Some(Promise::Ipv4),
        10 | 24 | 28 | 30 => Some(Promise::Ipv6),
        _ => None,
    }
}

fn hdlc(frame: &[u8]) -> Stripped<'_> {
    match split::<2>(frame, Layer::Hdlc)? {
        (&[0xff, 0x03], _) => ppp(frame, 0),
        (&[0x0f | 0x8f, _], _) => {
            let (&[_, _, high, low], rest) = split::<4>(frame, Layer::Hdlc)?;
            by_ether_type(u16::from_be_bytes([high, low]), rest)
        }
        (&[address, control], _) => Err(Undecodable::NotIp(Carried::HdlcAddress(address, control))),
    }
}

/// Reads a PPP header after its first `before` bytes. Address and control (ff 03) may be left out, and
/// also the upper byte of the protocol if it is 0: the lower byte is always odd, the upper one even.
fn ppp(frame: &[u8], before: usize) -> Stripped<'_> {
    let cut = |more: usize| Undecodable::Cut {
        layer: Layer::Ppp,
        needed: before.saturating_add(frame.len()).saturating_add(more),
        had: before.saturating_add(frame.len()),
    };
    let (protocol, rest) = match *frame {
        [0xff, 0x03, ref rest @ ..] if before == 0 => return ppp(rest, 2),
        [0xff] if before == 0 => return Err(cut(2)),
        [low, ref rest @ ..] if low & 1 == 1 => (u16::from(low), rest),
        [high, low, ref rest @ ..] => (u16::from_be_bytes([high, low]), rest),
        [] | [_] => return Err(cut(1)),
    };
    match protocol {
        0x0021 => Ok((Promise::Ipv4, rest)),
        0x0057 => Ok((Promise::Ipv6, rest)),
        other => Err(Undecodable::NotIp(Carried::PppProtocol(other))),
    }
}

/// Takes the first `N` bytes, which belong to `layer`.
#[inline]
fn split<const N: usize>(bytes: &[u8], layer: Layer) -> Result<(&[u8; N], &[u8]), Undecodable> {
    bytes.split_first_chunk().ok_or(Undecodable::Cut { layer, needed: N, had: bytes.len() })
}
