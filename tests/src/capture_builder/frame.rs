//! IP datagrams, normal and odd, and what the rules see of them.

use std::net::IpAddr;

use etherparse::{
    IpFragOffset, IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv6Extensions,
    Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader, PacketBuilder, TcpHeader,
};

use super::Link;
use crate::model::{ACK, CWR, ECE, FIN, PSH, Packet, RST, SYN, Transport, URG, is_of_a_host};

/// What is unusual about the IP layer of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Oddity {
    /// Nothing.
    #[default]
    None,
    /// IPv4 options (a router alert); for IPv6 a hop-by-hop header.
    Options,
    /// The first fragment of more.
    FirstFragment,
    /// A later fragment, whose data looks like a transport header. The offset counts 8 bytes, from
    /// 1 to 8,191.
    LaterFragment {
        /// The offset.
        offset: u16,
        /// Whether more fragments follow.
        more: bool,
    },
    /// The length field of the IP header has this wrong value.
    WrongLength(u16),
    /// The checksums are wrong.
    WrongChecksums,
    /// The IPv4 header length field claims this many words, 0 to 4. No effect with IPv6.
    ShortHeader(u8),
    /// The datagram claims to carry this protocol, neither TCP nor UDP.
    OtherProtocol(u8),
}

/// How a packet is put into a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The data after the transport header.
    pub payload: Vec<u8>,
    /// Whether a TCP header has the options of a Linux SYN.
    pub tcp_options: bool,
    /// What is unusual about the IP layer.
    pub oddity: Oddity,
    /// The VLAN tags, outermost first; only Ethernet has them.
    pub vlan: Vec<u16>,
    /// How many bytes from the start of the transport header are captured; `None`: all.
    pub kept_of_transport: Option<usize>,
    /// How many bytes of the frame are captured; `None`: all.
    pub kept_of_frame: Option<usize>,
}

impl Shape {
    /// Returns the whole frame and the number of its bytes that are captured.
    #[must_use]
    pub fn frame(&self, packet: &Packet, link: Link, big_endian: bool) -> (Vec<u8>, usize) {
        let (frame, _, kept) = self.cut_frame(packet, link, big_endian);
        (frame, kept)
    }

    /// Also returns, in the middle, the offset of the transport header in the frame.
    fn cut_frame(&self, packet: &Packet, link: Link, big_endian: bool) -> (Vec<u8>, usize, usize) {
        let mut frame = link.header(packet.dst, &self.vlan, big_endian);
        let (datagram, transport_at) = datagram(packet, self);
        let transport_at = frame.len() + transport_at;
        frame.extend(datagram);
        let kept = self.kept_of_transport.map_or(frame.len(), |kept| transport_at + kept);
        let kept = kept.min(self.kept_of_frame.unwrap_or(frame.len())).min(frame.len());
        (frame, transport_at, kept)
    }
}

/// Returns what the rules see of a packet in this shape on this link; `None` if it has no
/// destination port that counts.
///
/// Header lengths below 5 words make a packet invisible (case `a-ip-header-length-4`); wrong lengths
/// and checksums do not, nor do VLAN tags and IPv6 extension headers, which 0.8 cannot see through.
#[must_use]
pub fn visible(packet: &Packet, shape: &Shape, link: Link) -> Option<Packet> {
    let six = packet.dst.is_ipv6();
    let hidden = match shape.oddity {
        Oddity::None
        | Oddity::Options
        | Oddity::FirstFragment
        | Oddity::WrongLength(_)
        | Oddity::WrongChecksums => false,
        Oddity::LaterFragment { .. } | Oddity::OtherProtocol(_) => true,
        Oddity::ShortHeader(_) => !six,
    };
    let other_family = (link == Link::Ipv4 && six) || (link == Link::Ipv6 && !six);
    let (_, transport_at, kept) = shape.cut_frame(packet, link, false);
    let kept = kept.saturating_sub(transport_at);
    if hidden || other_family || kept < 4 || !is_of_a_host(packet.src) {
        return None;
    }
    let transport = match packet.transport {
        Transport::Tcp { seq, flags } => {
            Transport::Tcp { seq: seq.filter(|_| kept >= 8), flags: flags.filter(|_| kept >= 14) }
        }
        Transport::Udp => Transport::Udp,
    };
    Some(Packet { transport, ..*packet })
}

/// Returns an IP datagram and the offset of the transport header in it.
#[must_use]
pub fn datagram(packet: &Packet, shape: &Shape) -> (Vec<u8>, usize) {
    let headers = ip_headers(packet, shape.oddity);
    let transport_at = headers.header_len();
    let builder = PacketBuilder::ip(headers);
    let mut out = Vec::new();
    let written = match packet.transport {
        Transport::Tcp { seq, flags } => {
            let header = tcp_header(packet, seq.unwrap_or(0), flags.unwrap_or(0), shape);
            builder.tcp_header(header).write(&mut out, &shape.payload)
        }
        Transport::Udp => builder.udp(packet.sport, packet.dport).write(&mut out, &shape.payload),
    };
    written.expect("payloads are small, addresses of one family");
    distort(&mut out, transport_at, packet, shape.oddity);
    (out, transport_at)
}

fn ip_headers(packet: &Packet, oddity: Oddity) -> IpHeaders {
    let fragment = match oddity {
        Oddity::FirstFragment => Some((0, true)),
        Oddity::LaterFragment { offset, more } => Some((offset, more)),
        Oddity::None
        | Oddity::Options
        | Oddity::WrongLength(_)
        | Oddity::WrongChecksums
        | Oddity::ShortHeader(_)
        | Oddity::OtherProtocol(_) => None,
    };
    let fragment = fragment
        .map(|(offset, more)| (IpFragOffset::try_new(offset).expect("offsets end at 8,191"), more));
    match (packet.src, packet.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let mut header = Ipv4Header::new(0, 64, IpNumber::TCP, src.octets(), dst.octets())
                .expect("no payload is short enough");
            header.identification = 0x1234;
            if let Some((offset, more)) = fragment {
                header.dont_fragment = false;
                header.fragment_offset = offset;
                header.more_fragments = more;
            }
            if oddity == Oddity::Options {
                header.options = [0x94, 0x04, 0, 0].into();
            }
            IpHeaders::Ipv4(header, Ipv4Extensions::default())
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let header = Ipv6Header {
                hop_limit: 64,
                source: src.octets(),
                destination: dst.octets(),
                ..Ipv6Header::default()
            };
            let padding = [1, 4, 0, 0, 0, 0];
            let hop_by_hop_options = (oddity == Oddity::Options)
                .then(|| Ipv6RawExtHeader::new_raw(IpNumber::TCP, &padding).expect("6 bytes fit"));
            let fragment = fragment
                .map(|(offset, more)| Ipv6FragmentHeader::new(IpNumber::TCP, offset, more, 0x1234));
            let extensions =
                Ipv6Extensions { hop_by_hop_options, fragment, ..Ipv6Extensions::default() };
            IpHeaders::Ipv6(header, extensions)
        }
        (src, dst) => panic!("{src} and {dst} are not of one family"),
    }
}

fn tcp_header(packet: &Packet, seq: u32, flags: u8, shape: &Shape) -> TcpHeader {
    let mut header = TcpHeader::new(packet.sport, packet.dport, seq, 64_240);
    header.fin = flags & FIN != 0;
    header.syn = flags & SYN != 0;
    header.rst = flags & RST != 0;
    header.psh = flags & PSH != 0;
    header.ack = flags & ACK != 0;
    header.urg = flags & URG != 0;
    header.ece = flags & ECE != 0;
    header.cwr = flags & CWR != 0;
    if shape.tcp_options {
        let of_linux = b"\x02\x04\x05\xb4\x04\x02\x08\x0a\0\0\0\x01\0\0\0\0\x01\x03\x03\x07";
        header.set_options_raw(of_linux).expect("20 bytes fit");
    }
    header
}

fn distort(datagram: &mut [u8], transport_at: usize, packet: &Packet, oddity: Oddity) {
    let six = packet.dst.is_ipv6();
    match oddity {
        Oddity::WrongLength(length) => {
            let at = if six { 4 } else { 2 };
            datagram[at..at + 2].copy_from_slice(&length.to_be_bytes());
        }
        Oddity::WrongChecksums => {
            if !six {
                datagram[10] ^= 0x5a;
            }
            let checksum_at = match packet.transport {
                Transport::Tcp { .. } => 16,
                Transport::Udp => 6,
            };
            datagram[transport_at + checksum_at] ^= 0x5a;
        }
        Oddity::OtherProtocol(number) => datagram[if six { 6 } else { 9 }] = number,
        Oddity::ShortHeader(words) if !six => datagram[0] = 0x40 | words.min(4),
        Oddity::ShortHeader(_)
        | Oddity::None
        | Oddity::Options
        | Oddity::FirstFragment
        | Oddity::LaterFragment { .. } => {}
    }
}
