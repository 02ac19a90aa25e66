//! Frames of every link type, each with at most one packet, which doors may or may not admit.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{address, knock, setting, shape};
use crate::capture_builder::{Oddity, Shape, datagram};
use crate::model::{ACK, Knock, Packet, Protocol, SYN, Setting, Transport};

/// A frame, whole or cut.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its bytes as a filter in the kernel sees them: without the outermost VLAN tag, if Linux knows
    /// that one.
    pub seen_by_kernel: Vec<u8>,
    /// Whether it has nothing that only decoding understands. It may still be cut.
    pub is_ordinary: bool,
    /// Its properties.
    pub kinds: Vec<Kind>,
}

/// A property of a frame, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The packet is of IPv6.
    Ipv6,
    /// There is one VLAN tag.
    TaggedOnce,
    /// There are more VLAN tags.
    TaggedTwice,
    /// The link header is not the one that libpcap expects.
    OddlyFramed,
    /// There are IPv6 extension headers.
    Extensions,
    /// There are IPv4 options.
    Options,
    /// It ends between the ports and the flags of TCP.
    CutBeforeFlags,
}

/// Doors, and frames of one link type.
#[derive(Clone, Debug)]
pub struct Wild {
    /// The doors, the local addresses and whether there is IPv6.
    pub setting: Setting,
    /// The link type.
    pub link: LinkKind,
    /// The frames.
    pub frames: Vec<Frame>,
}

/// The kinds of link headers, by the numbers that libpcap gives them on Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkKind {
    /// Ethernet, 1.
    Ethernet,
    /// Linux cooked, 113.
    Sll,
    /// Linux cooked, version 2, 276.
    Sll2,
    /// IP of either version, 12 on Linux.
    Raw,
    /// IPv4 only, 228.
    Ipv4,
    /// IPv6 only, 229.
    Ipv6,
    /// BSD loopback, 0.
    Null,
    /// OpenBSD loopback, 108.
    Loop,
    /// PPP, 9.
    Ppp,
    /// PPP or Cisco's protocol in HDLC-like framing, 50.
    PppHdlc,
}

impl LinkKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Ethernet,
        Self::Sll,
        Self::Sll2,
        Self::Raw,
        Self::Ipv4,
        Self::Ipv6,
        Self::Null,
        Self::Loop,
        Self::Ppp,
        Self::PppHdlc,
    ];

    /// Returns the `DLT_` number on Linux.
    #[must_use]
    pub const fn dlt(self) -> u16 {
        match self {
            Self::Ethernet => 1,
            Self::Sll => 113,
            Self::Sll2 => 276,
            Self::Raw => 12,
            Self::Ipv4 => 228,
            Self::Ipv6 => 229,
            Self::Null => 0,
            Self::Loop => 108,
            Self::Ppp => 9,
            Self::PppHdlc => 50,
        }
    }
}

/// Draws doors and frames that concern them.
pub fn wild() -> impl Strategy<Value = Wild> {
    let link = prop_oneof![
        4 => Just(LinkKind::Ethernet),
        9 => select(&LinkKind::ALL[1..]),
    ];
    (setting(), link, vec(plan(), 1..=24)).prop_map(|(setting, link, plans)| {
        let frames = plans.iter().map(|plan| plan.frame(&setting, link)).collect();
        Wild { setting, link, frames }
    })
}

#[derive(Clone, Debug)]
struct Plan {
    six: bool,
    /// One of those that count or, for larger numbers, one of those that do not.
    destination: Index,
    knock: KnockPlan,
    sport: u16,
    flags: u8,
    shape: Shape,
    tags: Vec<(u16, u16)>,
    framing: Index,
    options: Option<u8>,
    extensions: Vec<(Extension, u8)>,
}

#[derive(Clone, Debug)]
enum KnockPlan {
    /// One that some door names.
    Of(Index, Index),
    /// The same with another protocol, or at a port nearby.
    Near(Index, Index, bool, u16),
    Any(Knock),
}

#[derive(Clone, Copy, Debug)]
enum Extension {
    HopByHop,
    Routing,
    Fragment,
    Authentication,
    Destination,
}

fn plan() -> impl Strategy<Value = Plan> {
    let near = (any::<(Index, Index, bool)>(), 0..=2_u16);
    let knock_plan = prop_oneof![
        5 => any::<(Index, Index)>().prop_map(|(door, at)| KnockPlan::Of(door, at)),
        1 => near.prop_map(|((door, at, other), by)| KnockPlan::Near(door, at, other, by)),
        1 => knock().prop_map(KnockPlan::Any),
    ];
    let sport = prop_oneof![4 => Just(40_000), 1 => knock().prop_map(|knock| knock.port)];
    let flags = prop_oneof![4 => Just(SYN), 1 => Just(SYN | ACK), 1 => Just(0), 3 => any::<u8>()];
    let kind = prop_oneof![8 => Just(0x8100_u16), 2 => Just(0x88a8), 1 => Just(0x9100)];
    let tags = prop_oneof![3 => Just(vec![]), 2 => vec((kind, 0..=0xffff_u16), 1..=3)];
    let extension = select(vec![
        Extension::HopByHop,
        Extension::Routing,
        Extension::Fragment,
        Extension::Authentication,
        Extension::Destination,
    ]);
    let extensions = prop_oneof![4 => Just(vec![]), 1 => vec((extension, 0..4_u8), 1..=10)];
    let ip = (option::weighted(0.2, 1..=10_u8), extensions);
    let link = (tags, any::<Index>());
    (any::<(bool, Index)>(), knock_plan, sport, flags, shape(), link, ip).prop_map(
        |((six, destination), knock, sport, flags, shape, link, ip)| {
            let (tags, framing) = link;
            let (options, extensions) = ip;
            #[rustfmt::skip]
            let plan = Plan {
                six, destination, knock, sport, flags, shape, tags, framing, options, extensions,
            };
            plan
        },
    )
}

impl Plan {
    fn frame(&self, setting: &Setting, link: LinkKind) -> Frame {
        let packet = self.packet(setting);
        let six = packet.dst.is_ipv6();
        let header = self.header(link, six);
        let (ip, transport_at) = self.ip(&packet);
        let whole = [&header.bytes[..], &ip].concat();
        let transport_at = header.bytes.len() + transport_at;
        let kept = self.shape.kept_of_transport.map_or(whole.len(), |kept| transport_at + kept);
        let kept = kept.min(self.shape.kept_of_frame.unwrap_or(whole.len())).min(whole.len());
        let bytes = whole[..kept].to_vec();
        let has_extensions = six
            && (!self.extensions.is_empty()
                || matches!(
                    self.shape.oddity,
                    Oddity::Options | Oddity::FirstFragment | Oddity::LaterFragment { .. }
                ));
        let seen_by_kernel = header.without_tag(&bytes);
        let in_line = header.tags.len() - usize::from(seen_by_kernel.len() < bytes.len());
        let is_misread = matches!(self.shape.oddity, Oddity::ShortHeader(_))
            || (link == LinkKind::Ipv4 && six)
            || (link == LinkKind::Ipv6 && !six);
        let is_tcp = matches!(packet.transport, Transport::Tcp { .. });
        let kept_of_transport = kept.saturating_sub(transport_at);
        let is_cut_before_flags = is_tcp && (4..14).contains(&kept_of_transport);
        let kinds = [
            six.then_some(Kind::Ipv6),
            (header.tags.len() == 1).then_some(Kind::TaggedOnce),
            (header.tags.len() > 1).then_some(Kind::TaggedTwice),
            header.is_odd.then_some(Kind::OddlyFramed),
            has_extensions.then_some(Kind::Extensions),
            (!six && ip[0] & 15 > 5).then_some(Kind::Options),
            is_cut_before_flags.then_some(Kind::CutBeforeFlags),
        ];
        let kinds = kinds.into_iter().flatten().collect();
        Frame {
            seen_by_kernel,
            is_ordinary: in_line == 0 && !header.is_odd && !has_extensions && !is_misread,
            kinds,
            bytes,
        }
    }

    fn packet(&self, setting: &Setting) -> Packet {
        let ours = setting.local.iter().flatten().copied();
        let targets = setting.doors.iter().filter_map(|door| door.target);
        let others = OTHERS.map(address);
        let all = ours.chain(targets).chain(others).filter(|one| one.is_ipv6() == self.six);
        let dst = *self.destination.get(&all.collect::<Vec<_>>());
        let named = |door: &Index, at: &Index| {
            let sequences = &door.get(&setting.doors).sequences;
            *at.get(sequences.current().expect("none is used"))
        };
        let knock = match &self.knock {
            KnockPlan::Of(door, at) => named(door, at),
            KnockPlan::Any(knock) => *knock,
            KnockPlan::Near(door, at, is_other_protocol, by) => {
                let Knock { port, protocol } = named(door, at);
                let is_udp = (protocol == Protocol::Udp) != *is_other_protocol;
                let port = port.wrapping_add(*by).wrapping_sub(1);
                if is_udp { Knock::udp(port) } else { Knock::tcp(port) }
            }
        };
        let transport = match knock.protocol {
            Protocol::Tcp => Transport::Tcp { seq: Some(7), flags: Some(self.flags) },
            Protocol::Udp => Transport::Udp,
        };
        let src = address(if self.six { "2001:db8:1::1" } else { "192.0.2.1" });
        Packet { at_ns: 0, src, dst, sport: self.sport, dport: knock.port, transport }
    }

    /// Returns the datagram and the offset of the transport header in it.
    fn ip(&self, packet: &Packet) -> (Vec<u8>, usize) {
        let (mut ip, mut transport_at) = datagram(packet, &self.shape);
        if packet.dst.is_ipv6() {
            let mut next = ip[6];
            let mut headers = Vec::new();
            for &(kind, length) in self.extensions.iter().rev() {
                let (number, header) = kind.header(next, length);
                next = number;
                headers.splice(..0, header);
            }
            ip[6] = next;
            transport_at += headers.len();
            ip.splice(40..40, headers);
        } else if let Some(words) = self.options
            && ip[0] == 0x45
        {
            ip[0] += words;
            let options = vec![1; usize::from(words) * 4];
            transport_at += options.len();
            ip.splice(20..20, options);
        }
        (ip, transport_at)
    }

    fn header(&self, link: LinkKind, six: bool) -> Header {
        let ethertype = if six { 0x86dd } else { 0x0800 };
        let tagged = |before: &[u8], between: &[u8], before_type: usize| {
            let mut header = Header { tags: self.tags.clone(), ..Header::default() };
            let mut types: Vec<u16> = self.tags.iter().map(|tag| tag.0).collect();
            types.push(ethertype);
            header.bytes.extend(before);
            header.type_at = before_type;
            header.bytes.extend(types[0].to_be_bytes());
            header.bytes.extend(between);
            header.tag_at = header.bytes.len();
            for (at, (_, tag)) in self.tags.iter().enumerate() {
                header.bytes.extend(tag.to_be_bytes());
                header.bytes.extend(types[at + 1].to_be_bytes());
            }
            header
        };
        let among = |usual: &[&[u8]], odd: &[&[u8]]| {
            let at = self.framing.index(usual.len() * 3 + odd.len());
            let at = at.saturating_sub(usual.len() * 2);
            let bytes = [usual, odd].concat()[at].to_vec();
            Header { bytes, is_odd: at >= usual.len(), ..Header::default() }
        };
        let [high, low] = u16::to_be_bytes(ethertype);
        let protocol = if six { 0x57 } else { 0x21 };
        match link {
            LinkKind::Ethernet => tagged(b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01", &[], 12),
            LinkKind::Sll => tagged(b"\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0", &[], 14),
            LinkKind::Sll2 => tagged(&[], b"\0\0\0\0\0\x02\0\x01\0\x06\x02\0\0\0\0\x01\0\0", 0),
            LinkKind::Raw | LinkKind::Ipv4 | LinkKind::Ipv6 => Header::default(),
            LinkKind::Null if six => among(
                &[&10_u32.to_ne_bytes()],
                &[
                    &10_u32.swap_bytes().to_ne_bytes(),
                    &[0, 0, 0, 24],
                    &[24, 0, 0, 0],
                    &[0, 0, 0, 28],
                    &[28, 0, 0, 0],
                    &[0, 0, 0, 30],
                    &[30, 0, 0, 0],
                ],
            ),
            LinkKind::Null => among(&[&2_u32.to_ne_bytes()], &[&2_u32.swap_bytes().to_ne_bytes()]),
            LinkKind::Loop if six => {
                among(&[&[0, 0, 0, 10]], &[&[0, 0, 0, 24], &[0, 0, 0, 28], &[0, 0, 0, 30]])
            }
            LinkKind::Loop => among(&[&[0, 0, 0, 2]], &[]),
            LinkKind::Ppp => among(
                &[&[0xff, 3, 0, protocol]],
                &[&[0xff, 3, protocol], &[0, protocol], &[protocol]],
            ),
            LinkKind::PppHdlc => among(
                &[&[0xff, 3, 0, protocol]],
                &[&[0xff, 3, protocol], &[0x0f, 0, high, low], &[0x8f, 0, high, low]],
            ),
        }
    }
}

/// Destinations of no host, or of other hosts.
const OTHERS: [&str; 6] =
    ["10.0.0.1", "10.0.0.9", "198.51.100.8", "2001:db8::1", "2001:db8::101", "::"];

#[derive(Default)]
struct Header {
    bytes: Vec<u8>,
    is_odd: bool,
    tags: Vec<(u16, u16)>,
    /// The offset of the Ethernet type, and of what follows it.
    type_at: usize,
    tag_at: usize,
}

impl Header {
    /// Removes the outermost tag, as Linux does.
    fn without_tag(&self, frame: &[u8]) -> Vec<u8> {
        let is_known = self.tags.first().is_some_and(|tag| matches!(tag.0, 0x8100 | 0x88a8));
        let mut frame = frame.to_vec();
        if is_known && frame.len() >= self.tag_at + 4 {
            let inner = [frame[self.tag_at + 2], frame[self.tag_at + 3]];
            frame.drain(self.tag_at..self.tag_at + 4);
            frame[self.type_at..self.type_at + 2].copy_from_slice(&inner);
        }
        frame
    }
}

impl Extension {
    /// Returns the number of the header and its bytes, this much longer than the minimum.
    fn header(self, next: u8, length: u8) -> (u8, Vec<u8>) {
        let mut bytes = vec![next, length, 0, 0, 0, 0, 0, 0];
        let more = |unit: usize| vec![0; usize::from(length) * unit];
        match self {
            Self::HopByHop | Self::Routing | Self::Destination => bytes.extend(more(8)),
            Self::Fragment => bytes[1] = 0,
            Self::Authentication => {
                bytes[1] += 1;
                bytes.extend([0; 4]);
                bytes.extend(more(4));
            }
        }
        let number = match self {
            Self::HopByHop => 0,
            Self::Routing => 43,
            Self::Fragment => 44,
            Self::Authentication => 51,
            Self::Destination => 60,
        };
        (number, bytes)
    }
}
