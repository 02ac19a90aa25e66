//! The link types of captures.

use core::fmt;

/// The kind of header before the IP header of each frame: a `LINKTYPE_` of a capture file.
///
/// Live captures give a `DLT_` number, which is the same for every type that is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// Ethernet (1).
    Ethernet,
    /// BSD loopback, its address family in the byte order of the machine that captured (0).
    Null,
    /// OpenBSD loopback, its address family in network byte order (108).
    Loop,
    /// PPP (9).
    Ppp,
    /// PPP in HDLC-like framing, or Cisco HDLC (50).
    PppHdlc,
    /// An IP header of either version (101; some programs write 12 or 14 instead).
    Raw,
    /// An IPv4 header (228).
    Ipv4,
    /// An IPv6 header (229).
    Ipv6,
    /// Linux cooked capture (113), for example of the interface `any`.
    LinuxSll,
    /// Linux cooked capture, version 2 (276).
    LinuxSll2,
    /// Any other, by its number: its frames are not decoded.
    Other(u16),
}

impl LinkType {
    /// Every link type whose frames are decoded.
    pub const SUPPORTED: [Self; 10] = [
        Self::Ethernet,
        Self::Null,
        Self::Loop,
        Self::Ppp,
        Self::PppHdlc,
        Self::Raw,
        Self::Ipv4,
        Self::Ipv6,
        Self::LinuxSll,
        Self::LinuxSll2,
    ];

    /// Takes a `LINKTYPE_` number.
    #[must_use]
    pub const fn from_number(number: u16) -> Self {
        match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            9 => Self::Ppp,
            12 | 14 | 101 => Self::Raw,
            50 => Self::PppHdlc,
            108 => Self::Loop,
            113 => Self::LinuxSll,
            228 => Self::Ipv4,
            229 => Self::Ipv6,
            276 => Self::LinuxSll2,
            other => Self::Other(other),
        }
    }

    /// Takes the link-type word of a pcap file's header. Its upper half is the length of the frame check
    /// sequence, or reserved, and is ignored.
    #[must_use]
    pub const fn from_header_word(word: u32) -> Self {
        let [.., high, low] = word.to_be_bytes();
        Self::from_number(u16::from_be_bytes([high, low]))
    }

    /// Returns its `LINKTYPE_` number.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::Ppp => 9,
            Self::PppHdlc => 50,
            Self::Raw => 101,
            Self::Loop => 108,
            Self::LinuxSll => 113,
            Self::Ipv4 => 228,
            Self::Ipv6 => 229,
            Self::LinuxSll2 => 276,
            Self::Other(number) => number,
        }
    }

    /// Returns whether frames of this link type are decoded.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Returns the name of a link type that captures are likely to have.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Ethernet => "Ethernet",
            Self::Null => "BSD loopback",
            Self::Loop => "OpenBSD loopback",
            Self::Ppp => "PPP",
            Self::PppHdlc => "PPP over HDLC",
            Self::Raw => "raw IP",
            Self::Ipv4 => "raw IPv4",
            Self::Ipv6 => "raw IPv6",
            Self::LinuxSll => "Linux cooked",
            Self::LinuxSll2 => "Linux cooked v2",
            Self::Other(number) => return foreign_name(number),
        })
    }
}

/// Prints the name; for [`LinkType::Other`] the number, and the name if it is known.
impl fmt::Display for LinkType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, self.name()) {
            (Self::Other(number), Some(name)) => write!(out, "link type {number} ({name})"),
            (Self::Other(number), None) => write!(out, "link type {number}"),
            (_, name) => out.write_str(name.unwrap_or_default()),
        }
    }
}

const fn foreign_name(number: u16) -> Option<&'static str> {
    Some(match number {
        6 => "Token Ring",
        8 => "SLIP",
        10 => "FDDI",
        51 => "PPP over Ethernet",
        104 => "Cisco HDLC",
        105 => "IEEE 802.11",
        107 => "Frame Relay",
        117 => "OpenBSD pflog",
        127 => "IEEE 802.11 with radiotap",
        147..=162 => "user-defined",
        187 | 201 => "Bluetooth HCI",
        189 | 220 => "USB, Linux",
        192 => "PPI",
        195 | 230 => "IEEE 802.15.4",
        166 | 204 => "PPP with direction",
        227 => "CAN bus",
        239 => "Linux netfilter log",
        242 => "IP over InfiniBand",
        247 => "InfiniBand",
        249 => "USB, Windows",
        253 => "Linux netlink",
        258 => "Apple PKTAP",
        _ => return None,
    })
}
