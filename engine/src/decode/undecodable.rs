//! Why a frame is not a packet with a port.

use core::fmt;
use core::net::IpAddr;

use super::LinkType;

/// Why [`decode`](super::decode) found no port in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// Frames of this `LINKTYPE_` number are not decoded.
    LinkType(u16),
    /// The link layer carries something else than IP.
    NotIp(Carried),
    /// The layer below promises one version of IP and the IP header says another.
    WrongVersion {
        /// The version that is promised, 4 or 6.
        promised: u8,
        /// The version that the header says, 0 to 15.
        found: u8,
    },
    /// A header says that it is shorter than any such header is.
    BadHeaderLength {
        /// The header.
        layer: Layer,
        /// The length that it says, in bytes.
        said: usize,
        /// The least length that it can have, in bytes.
        least: usize,
    },
    /// A fragment that is not the first one: the ports are in another frame.
    LaterFragment,
    /// IP carries another protocol, of this number.
    NotTcpOrUdp(u8),
    /// The source is an address that no host has: unspecified, multicast or limited broadcast.
    NoHost(IpAddr),
    /// The frame ends, or was captured only, up to somewhere before the end of the destination
    /// port.
    Cut {
        /// The header that it ends in.
        layer: Layer,
        /// How many bytes of that header are needed, counted from its beginning.
        needed: usize,
        /// How many there are, fewer than `needed`.
        had: usize,
    },
}

impl Undecodable {
    /// Returns the reason without its particulars, to count by.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match *self {
            Self::LinkType(_) => Reason::LinkType,
            Self::NotIp(_) => Reason::NotIp,
            Self::WrongVersion { .. } => Reason::WrongVersion,
            Self::BadHeaderLength { .. } => Reason::BadHeaderLength,
            Self::LaterFragment => Reason::LaterFragment,
            Self::NotTcpOrUdp(_) => Reason::NotTcpOrUdp,
            Self::NoHost(_) => Reason::NoHost,
            Self::Cut { layer, .. } => layer.cut(),
        }
    }
}

impl fmt::Display for Undecodable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::LinkType(number) => write!(out, "{} is not supported", LinkType::Other(number)),
            Self::NotIp(carried) => write!(out, "not IP but {carried}"),
            Self::WrongVersion { promised, found } => {
                write!(out, "IP version {found} where the layer below promises {promised}")
            }
            Self::BadHeaderLength { layer, said, least } => {
                write!(out, "the {layer} says that it is {said} bytes long; the least is {least}")
            }
            Self::LaterFragment => out.write_str("a later fragment, without ports"),
            Self::NotTcpOrUdp(protocol) => write!(out, "not TCP or UDP but IP protocol {protocol}"),
            Self::NoHost(source) => write!(out, "from {source}, an address that no host has"),
            Self::Cut { layer, needed, had } => {
                write!(out, "cut in the {layer}: {needed} bytes needed, {had} there")
            }
        }
    }
}

impl core::error::Error for Undecodable {}

/// What a link layer carries where IP could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// A protocol by its Ethernet type, 1,536 or more: 0x0806 is ARP, 0x88cc LLDP, 0x8864 `PPPoE`,
    /// 0x8847 MPLS.
    EtherType(u16),
    /// An IEEE 802.3 frame, whose type field is a length below 1,536, or what Linux cooked
    /// captures put there for it.
    Ieee8023(u16),
    /// A protocol by its PPP number: 0xc021 is LCP.
    PppProtocol(u16),
    /// The first bytes of a frame in HDLC-like framing that are neither those of PPP nor of Cisco
    /// HDLC: address and control.
    HdlcAddress(u8, u8),
    /// A protocol by the number of its address family.
    AddressFamily(u32),
    /// An IP header of neither version 4 nor 6, where nothing else says what a frame is.
    IpVersion(u8),
}

impl fmt::Display for Carried {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::EtherType(number) => match ether_type_name(number) {
                Some(name) => out.write_str(name),
                None => write!(out, "Ethernet type 0x{number:04x}"),
            },
            Self::Ieee8023(length) => write!(out, "IEEE 802.3, length {length}"),
            Self::PppProtocol(number) => write!(out, "PPP protocol 0x{number:04x}"),
            Self::HdlcAddress(address, control) => {
                write!(out, "HDLC address 0x{address:02x}, control 0x{control:02x}")
            }
            Self::AddressFamily(family) => write!(out, "address family {family}"),
            Self::IpVersion(version) => write!(out, "IP version {version}"),
        }
    }
}

const fn ether_type_name(number: u16) -> Option<&'static str> {
    Some(match number {
        0x0806 => "ARP",
        0x8035 => "RARP",
        0x8847 | 0x8848 => "MPLS",
        0x8863 | 0x8864 => "PPPoE",
        0x888e => "EAPOL",
        0x88cc => "LLDP",
        0x88e5 => "MACsec",
        _ => return None,
    })
}

/// The headers that a frame can end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The Ethernet header, 14 bytes.
    Ethernet,
    /// A VLAN tag behind its Ethernet type, 4 bytes with the type that follows.
    Vlan,
    /// The header of a Linux cooked capture, 16 bytes, or 20 in version 2.
    LinuxCooked,
    /// The address family of a loopback capture, 4 bytes.
    Loopback,
    /// The PPP header, 1 to 4 bytes.
    Ppp,
    /// The HDLC header, 4 bytes.
    Hdlc,
    /// The first byte of an IP header of either version.
    Ip,
    /// The IPv4 header, 20 to 60 bytes.
    Ipv4,
    /// The IPv6 header, 40 bytes.
    Ipv6,
    /// A hop-by-hop, routing or destination options header of IPv6, 8 to 2,048 bytes.
    Ipv6Options,
    /// A fragment header of IPv6, 8 bytes.
    Ipv6Fragment,
    /// An authentication header behind IPv6, 12 to 1,028 bytes.
    Authentication,
    /// The TCP header, of which only the ports, 4 bytes, are needed.
    Tcp,
    /// The UDP header, of which only the ports, 4 bytes, are needed.
    Udp,
}

impl Layer {
    const fn cut(self) -> Reason {
        match self {
            Self::Ethernet
            | Self::Vlan
            | Self::LinuxCooked
            | Self::Loopback
            | Self::Ppp
            | Self::Hdlc => Reason::CutInLink,
            Self::Ip
            | Self::Ipv4
            | Self::Ipv6
            | Self::Ipv6Options
            | Self::Ipv6Fragment
            | Self::Authentication => Reason::CutInIp,
            Self::Tcp => Reason::CutInTcp,
            Self::Udp => Reason::CutInUdp,
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Ethernet => "Ethernet header",
            Self::Vlan => "VLAN tag",
            Self::LinuxCooked => "Linux cooked header",
            Self::Loopback => "loopback header",
            Self::Ppp => "PPP header",
            Self::Hdlc => "HDLC header",
            Self::Ip => "IP header",
            Self::Ipv4 => "IPv4 header",
            Self::Ipv6 => "IPv6 header",
            Self::Ipv6Options => "IPv6 extension header",
            Self::Ipv6Fragment => "IPv6 fragment header",
            Self::Authentication => "authentication header",
            Self::Tcp => "TCP header",
            Self::Udp => "UDP header",
        })
    }
}

/// An [`Undecodable`] without its particulars: few enough to count each in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// [`Undecodable::NotIp`].
    NotIp,
    /// [`Undecodable::NotTcpOrUdp`].
    NotTcpOrUdp,
    /// [`Undecodable::LaterFragment`].
    LaterFragment,
    /// [`Undecodable::LinkType`].
    LinkType,
    /// [`Undecodable::NoHost`].
    NoHost,
    /// [`Undecodable::WrongVersion`].
    WrongVersion,
    /// [`Undecodable::BadHeaderLength`].
    BadHeaderLength,
    /// [`Undecodable::Cut`] in the link-layer header.
    CutInLink,
    /// [`Undecodable::Cut`] in the IP header or an extension of it.
    CutInIp,
    /// [`Undecodable::Cut`] in the TCP header.
    CutInTcp,
    /// [`Undecodable::Cut`] in the UDP header.
    CutInUdp,
}

impl Reason {
    /// How many reasons there are.
    pub const COUNT: usize = 11;

    /// How many of them, the first in [`Reason::ALL`], are of sound frames.
    pub const SOUND: usize = 5;

    /// Every reason once, at its [`index`](Self::index): first what every network has, last what
    /// hints at damage.
    pub const ALL: [Self; Self::COUNT] = [
        Self::NotIp,
        Self::NotTcpOrUdp,
        Self::LaterFragment,
        Self::LinkType,
        Self::NoHost,
        Self::WrongVersion,
        Self::BadHeaderLength,
        Self::CutInLink,
        Self::CutInIp,
        Self::CutInTcp,
        Self::CutInUdp,
    ];

    /// Returns the place in [`Reason::ALL`], below [`Reason::COUNT`].
    #[must_use]
    #[expect(clippy::as_conversions, reason = "the discriminants of the enum are 0 to COUNT - 1")]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns whether the frame is damaged or was cut short. The others are sound: traffic that
    /// carries no knock, or frames of a link type that is not decoded.
    #[must_use]
    pub const fn is_damage(self) -> bool {
        match self {
            Self::NotIp
            | Self::NotTcpOrUdp
            | Self::LaterFragment
            | Self::LinkType
            | Self::NoHost => false,
            Self::WrongVersion
            | Self::BadHeaderLength
            | Self::CutInLink
            | Self::CutInIp
            | Self::CutInTcp
            | Self::CutInUdp => true,
        }
    }
}

/// Words that can follow any number of packets.
impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotIp => "not IP",
            Self::NotTcpOrUdp => "not TCP or UDP",
            Self::LaterFragment => "not the first fragment",
            Self::LinkType => "of an unsupported link type",
            Self::NoHost => "from an address that no host has",
            Self::WrongVersion => "of the wrong IP version",
            Self::BadHeaderLength => "with a bad header length",
            Self::CutInLink => "cut in the link-layer header",
            Self::CutInIp => "cut in the IP header",
            Self::CutInTcp => "cut in the TCP header",
            Self::CutInUdp => "cut in the UDP header",
        })
    }
}
