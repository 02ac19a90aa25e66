//! Link-layer headers.

use std::net::IpAddr;

/// A link layer: the first header of each frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Ethernet, link type 1.
    Ethernet,
    /// Linux cooked capture v1, link type 113.
    Sll,
    /// Linux cooked capture v2, link type 276.
    Sll2,
    /// No header, link type 101.
    Raw,
    /// No header, link type 12, as some systems write it.
    RawBsd,
    /// No header and IPv4 only, link type 228.
    Ipv4,
    /// No header and IPv6 only, link type 229.
    Ipv6,
    /// BSD loopback, an address family in the byte order of the machine; link type 0.
    Null,
    /// `OpenBSD` loopback, an address family in network byte order; link type 108.
    Loop,
    /// PPP with HDLC-like framing, link type 9.
    Ppp,
    /// Anything else; its frames can only be given raw.
    Other(u16),
}

impl Link {
    /// Returns the link whose name in a `knocks.txt` is `name`; a number is a link type.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ethernet" => Self::Ethernet,
            "sll" => Self::Sll,
            "sll2" => Self::Sll2,
            "raw" => Self::Raw,
            "raw-bsd" => Self::RawBsd,
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            "null" => Self::Null,
            "loop" => Self::Loop,
            "ppp" => Self::Ppp,
            number => Self::Other(number.parse().ok()?),
        })
    }

    /// Returns the number of the link type in a capture file.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Ethernet => 1,
            Self::Sll => 113,
            Self::Sll2 => 276,
            Self::Raw => 101,
            Self::RawBsd => 12,
            Self::Ipv4 => 228,
            Self::Ipv6 => 229,
            Self::Null => 0,
            Self::Loop => 108,
            Self::Ppp => 9,
            Self::Other(number) => number,
        }
    }

    /// Returns the header before an IP datagram to `dst`, with VLAN tags if the link is Ethernet.
    /// `big_endian` is the byte order of the machine that captured.
    #[must_use]
    pub fn header(self, dst: IpAddr, vlan: &[u16], big_endian: bool) -> Vec<u8> {
        let ethertype = if dst.is_ipv6() { [0x86, 0xdd] } else { [0x08, 0x00] };
        match self {
            Self::Ethernet => {
                let mut out = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01".to_vec();
                for (at, tag) in vlan.iter().enumerate() {
                    // All but the innermost tag are service tags (802.1ad).
                    let outer = at + 1 < vlan.len();
                    out.extend(if outer { [0x88, 0xa8] } else { [0x81, 0x00] });
                    out.extend(tag.to_be_bytes());
                }
                out.extend(ethertype);
                out
            }
            Self::Sll => [&b"\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0"[..], &ethertype].concat(),
            Self::Sll2 => {
                [&ethertype[..], b"\0\0\0\0\0\x02\0\x01\0\x06\x02\0\0\0\0\x01\0\0"].concat()
            }
            Self::Null => {
                let family = family(dst);
                if big_endian { family.to_be_bytes().into() } else { family.to_le_bytes().into() }
            }
            Self::Loop => family(dst).to_be_bytes().into(),
            Self::Ppp => {
                let protocol = if dst.is_ipv6() { 0x57 } else { 0x21 };
                vec![0xff, 0x03, 0x00, protocol]
            }
            Self::Raw | Self::RawBsd | Self::Ipv4 | Self::Ipv6 | Self::Other(_) => vec![],
        }
    }
}

/// The address families as macOS numbers them.
fn family(dst: IpAddr) -> u32 {
    if dst.is_ipv6() { 30 } else { 2 }
}
