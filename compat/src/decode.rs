//! Frames, as knockd 0.8 and its capture filter see them: the cases `a-...`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[cfg(test)]
mod tests;

use knock_engine::{
    Carried, Layer, LinkType, Listening, Packet, Port, TcpFlags, TcpHeader, Transport,
    Undecodable as Common, address,
};

use crate::difference::{Difference, FixedUpTo};
use crate::filter::is_filtered;
use crate::undecodable::Undecodable;

const ETHER_TYPE_IPV4: u16 = 0x0800;
const ETHER_TYPE_IPV6: u16 = 0x86dd;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Finds the addresses, ports and flags in a frame, with some differences fixed.
///
/// # Errors
/// Returns why the rules ignore the frame.
pub(crate) fn decode(
    fixed: FixedUpTo,
    listening: &Listening,
    link: LinkType,
    frame: &[u8],
) -> Result<Packet, Undecodable> {
    let has_filter = fixed.has(Difference::NoAddress) || is_filtered(listening);
    if difference(link, frame).map_or(has_filter, |differs| fixed.has(differs)) {
        knock_engine::decode(link, frame).map_err(Undecodable::from)
    } else {
        decode_08(link, frame, has_filter)
    }
}

/// The differences in how frames are decoded, in the order of their numbers.
const DECODING: [Difference; 7] = [
    Difference::LinkTypes,
    Difference::CookedIpv6,
    Difference::VlanTags,
    Difference::ExtensionHeaders,
    Difference::HeaderLength,
    Difference::NoAddress,
    Difference::NoHost,
];

/// What each rule set sees in a frame.
#[derive(Clone, Debug)]
pub struct Decodings {
    knockd_08: Option<Packet>,
    /// From the difference on that is fixed.
    from: [(Difference, Option<Packet>); DECODING.len()],
}

impl Decodings {
    /// Decodes a frame in all ways.
    #[must_use]
    pub fn of(listening: &Listening, link: LinkType, frame: &[u8]) -> Self {
        let decode = |fixed| decode(FixedUpTo(fixed), listening, link, frame).ok();
        Self { knockd_08: decode(None), from: DECODING.map(|one| (one, decode(Some(one)))) }
    }

    /// Returns what the rule set with these differences fixed sees.
    pub(crate) fn under(&self, fixed: FixedUpTo) -> Option<&Packet> {
        let last = self.from.iter().rfind(|(one, _)| fixed.has(*one));
        last.map_or(&self.knockd_08, |(_, packet)| packet).as_ref()
    }

    /// Returns the differences that a rule set may fix to see something else.
    pub(crate) fn differences(&self) -> impl Iterator<Item = Difference> {
        self.from.iter().map(|&(one, _)| one)
    }
}

/// Returns whether all rule sets see the same in a frame.
#[must_use]
pub fn is_decoded_alike(listening: &Listening, link: LinkType, frame: &[u8]) -> bool {
    is_filtered(listening) && (is_plain(link, frame) || difference(link, frame).is_none())
}

/// Returns whether a frame is IPv4 from a host on Ethernet, without a VLAN tag: nearly all are, and there is no
/// difference in them.
#[inline]
fn is_plain(link: LinkType, frame: &[u8]) -> bool {
    let header = frame.get(12..).and_then(<[u8]>::first_chunk::<18>);
    let source = match header {
        Some(&[0x08, 0x00, 0x45..=0x4f, .., a, b, c, d]) => Ipv4Addr::new(a, b, c, d),
        _ => return false,
    };
    link == LinkType::Ethernet && address::is_of_a_host(IpAddr::V4(source))
}

/// Finds the addresses, ports and flags that knockd 0.8 sees in a frame.
///
/// VLAN tags, IPv6 extension headers, other link types than Ethernet, Linux cooked (version 1) and
/// raw IP, and IPv6 on the latter two are not understood. An IPv4 header length below 20 is
/// trusted. Without a filter (`is_filtered`), the daemon looks at every frame and reads past its end,
/// which is read as zeros here; what is neither TCP nor UDP then counts as a packet to port 0, which
/// no door has.
///
/// With a filter, an IPv6 header below an IPv4 Ethernet type, or the reverse, is ignored: the filter
/// goes by the type and the daemon by the header. Without a filter there is only the daemon,
/// which wants any Ethernet type of IP on Ethernet and none on a cooked link.
///
/// # Errors
///
/// Returns why knockd 0.8 ignores the frame.
fn decode_08(link: LinkType, frame: &[u8], is_filtered: bool) -> Result<Packet, Undecodable> {
    let frame = Bytes { captured: frame, layer: Layer::Ethernet, ends: is_filtered };
    let (ether_type, ip) = match link {
        LinkType::Ethernet => (frame.u16(12)?, frame.from(14, Layer::Ip)),
        LinkType::LinuxSll => (frame.of(Layer::LinuxCooked).u16(14)?, frame.from(16, Layer::Ip)),
        LinkType::Raw => {
            let ip = frame.of(Layer::Ip);
            (ether_type_of(ip)?, ip)
        }
        LinkType::Other(number) => return Err(Common::LinkType(number).into()),
        LinkType::Null
        | LinkType::Loop
        | LinkType::Ppp
        | LinkType::PppHdlc
        | LinkType::Ipv4
        | LinkType::Ipv6
        | LinkType::LinuxSll2 => return Err(Undecodable::LinkTypeUnknownTo08(link)),
    };
    let goes_by_header = match ether_type {
        ETHER_TYPE_IPV4 | ETHER_TYPE_IPV6 => !is_filtered,
        _ => !is_filtered && link == LinkType::LinuxSll,
    };
    match if goes_by_header { ether_type_of(ip)? } else { ether_type } {
        ETHER_TYPE_IPV4 => v4(ip.of(Layer::Ipv4), is_filtered),
        ETHER_TYPE_IPV6 if link == LinkType::Ethernet => v6(ip.of(Layer::Ipv6)),
        ETHER_TYPE_IPV6 => Err(Undecodable::Ipv6UnknownTo08(link)),
        length @ ..0x0600 => Err(Common::NotIp(Carried::Ieee8023(length)).into()),
        other => Err(Common::NotIp(Carried::EtherType(other)).into()),
    }
}

/// Returns the Ethernet type that fits an IP header.
fn ether_type_of(ip: Bytes<'_>) -> Result<u16, Undecodable> {
    match ip.u8(0)? >> 4 {
        4 => Ok(ETHER_TYPE_IPV4),
        6 => Ok(ETHER_TYPE_IPV6),
        version => Err(Common::NotIp(Carried::IpVersion(version)).into()),
    }
}

/// Returns the last difference between knockd 0.8 and knock that affects a frame, in the order of
/// their numbers. Both read the frame alike only once all differences up to it are fixed.
fn difference(link: LinkType, frame: &[u8]) -> Option<Difference> {
    let (link_type, tag) = match link {
        LinkType::Ethernet => (None, frame.get(12..14)),
        LinkType::LinuxSll => (None, frame.get(14..16)),
        LinkType::Raw | LinkType::Other(_) => (None, None),
        LinkType::Null
        | LinkType::Loop
        | LinkType::Ppp
        | LinkType::PppHdlc
        | LinkType::Ipv4
        | LinkType::Ipv6
        | LinkType::LinuxSll2 => (Some(Difference::LinkTypes), None),
    };
    let is_tagged = matches!(tag, Some([0x81 | 0x91, 0x00] | [0x88, 0xa8]));
    let ip = knock_engine::ip(link, frame).unwrap_or_default();
    let (version, words) = ip.first().map_or((0, 0), |first| (first >> 4, first & 0x0f));
    let has_extension = version == 6 && !matches!(ip.get(6), None | Some(&(TCP | UDP)));
    let is_cooked = version == 6 && link != LinkType::Ethernet;
    [
        link_type,
        is_cooked.then_some(Difference::CookedIpv6),
        is_tagged.then_some(Difference::VlanTags),
        has_extension.then_some(Difference::ExtensionHeaders),
        (version == 4 && words < 5).then_some(Difference::HeaderLength),
        knock_engine::source(link, frame)
            .is_some_and(|source| !address::is_of_a_host(source))
            .then_some(Difference::NoHost),
    ]
    .into_iter()
    .flatten()
    .max()
}

fn v4(ip: Bytes<'_>, is_filtered: bool) -> Result<Packet, Undecodable> {
    let first = ip.u8(0)?;
    if first >> 4 != 4 {
        return Err(Common::WrongVersion { promised: 4, found: first >> 4 }.into());
    }
    let source = IpAddr::V4(Ipv4Addr::from(ip.array::<4>(12)?));
    let destination = IpAddr::V4(Ipv4Addr::from(ip.array::<4>(16)?));
    if is_filtered && ip.u16(6)? & 0x1fff != 0 {
        return Err(Common::LaterFragment.into());
    }
    let header_length = usize::from(first & 0x0f).saturating_mul(4);
    match ip.u8(9)? {
        TCP => tcp(source, destination, ip.from(header_length, Layer::Tcp)),
        UDP => udp(source, destination, ip.from(header_length, Layer::Udp)),
        other if is_filtered || other == ICMP => Err(Common::NotTcpOrUdp(other).into()),
        _ => Ok(Packet {
            source,
            destination,
            source_port: Port(0),
            destination_port: Port(0),
            transport: Transport::Udp,
        }),
    }
}

fn v6(ip: Bytes<'_>) -> Result<Packet, Undecodable> {
    let version = ip.u8(0)? >> 4;
    if version != 6 {
        return Err(Common::WrongVersion { promised: 6, found: version }.into());
    }
    let source = IpAddr::V6(Ipv6Addr::from(ip.array::<16>(8)?));
    let destination = IpAddr::V6(Ipv6Addr::from(ip.array::<16>(24)?));
    match ip.u8(6)? {
        TCP => tcp(source, destination, ip.from(40, Layer::Tcp)),
        UDP => udp(source, destination, ip.from(40, Layer::Udp)),
        other => Err(Common::NotTcpOrUdp(other).into()),
    }
}

fn tcp(source: IpAddr, destination: IpAddr, tcp: Bytes<'_>) -> Result<Packet, Undecodable> {
    let header = TcpHeader {
        sequence_number: tcp.array(4).ok().map(u32::from_be_bytes),
        flags: tcp.u8(13).ok().map(TcpFlags),
    };
    packet(source, destination, tcp, Transport::Tcp(header))
}

fn udp(source: IpAddr, destination: IpAddr, udp: Bytes<'_>) -> Result<Packet, Undecodable> {
    packet(source, destination, udp, Transport::Udp)
}

fn packet(
    source: IpAddr,
    destination: IpAddr,
    ports: Bytes<'_>,
    transport: Transport,
) -> Result<Packet, Undecodable> {
    let destination_port = Port(ports.u16(2)?);
    let source_port = Port(ports.u16(0)?);
    Ok(Packet { source, destination, source_port, destination_port, transport })
}

/// Bytes of a frame from somewhere on.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    captured: &'a [u8],
    /// The header that begins there.
    layer: Layer,
    /// Whether the bytes end there. If not, zeros follow.
    ends: bool,
}

impl Bytes<'_> {
    fn of(self, layer: Layer) -> Self {
        Self { layer, ..self }
    }

    fn from(self, at: usize, layer: Layer) -> Self {
        Self { captured: self.captured.get(at..).unwrap_or_default(), layer, ..self }
    }

    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], Undecodable> {
        let rest = self.captured.get(at..).unwrap_or_default();
        if let Some(array) = rest.first_chunk() {
            return Ok(*array);
        }
        if self.ends {
            let needed = at.saturating_add(N);
            return Err(Common::Cut { layer: self.layer, needed, had: self.captured.len() }.into());
        }
        let mut filled_up = [0; N];
        for (byte, &captured) in filled_up.iter_mut().zip(rest) {
            *byte = captured;
        }
        Ok(filled_up)
    }

    fn u8(self, at: usize) -> Result<u8, Undecodable> {
        self.array(at).map(|[byte]| byte)
    }

    fn u16(self, at: usize) -> Result<u16, Undecodable> {
        self.array(at).map(u16::from_be_bytes)
    }
}
