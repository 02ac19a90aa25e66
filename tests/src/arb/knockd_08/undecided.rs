//! Frames of which nobody can say what knockd 0.8 sees in them.
//!
//! Its filter is a list of tests, which libpcap's optimiser arranges as it likes; a test that reads
//! behind the end of the frame refuses the frame. So a frame that ends between the ports and the
//! flags of TCP passes for a door without flags if that is tested first, and does not if a door with
//! flags is.

use std::collections::BTreeSet;

use crate::forge::Link;
use crate::model::{Door, Protocol, Sequences};

/// The TCP ports for which it matters whether a frame has flags.
#[derive(Clone, Debug)]
pub struct Ports(BTreeSet<u16>);

impl Ports {
    /// Returns the ports that doors with flags and doors without name.
    #[must_use]
    pub fn of(doors: &[Door]) -> Self {
        let (flagged, flagless): (Vec<&Door>, Vec<&Door>) =
            doors.iter().partition(|door| door.wanted | door.refused != 0);
        Self(&tcp_ports(&flagged) & &tcp_ports(&flagless))
    }

    /// Returns whether a frame, as far as it was captured, is undecided.
    #[must_use]
    pub fn matter_to(&self, link: Link, frame: &[u8]) -> bool {
        let (header, version) = match link {
            Link::Ethernet => (14, ether_type_version(frame, 12)),
            Link::Sll => (16, ether_type_version(frame, 14)),
            Link::Raw => (0, frame.first().map(|byte| byte >> 4)),
            // knockd 0.8 knows no other.
            Link::Sll2
            | Link::RawBsd
            | Link::Ipv4
            | Link::Ipv6
            | Link::Null
            | Link::Loop
            | Link::Ppp
            | Link::Other(_) => return false,
        };
        let Some(ip) = frame.get(header..) else { return false };
        let transport_at = match version {
            Some(4) => usize::from(ip.first().map_or(0, |byte| byte & 15)) * 4,
            Some(6) => 40,
            _ => return false,
        };
        let Some(&[high, low]) = ip.get(transport_at + 2..transport_at + 4) else { return false };
        ip.len() < transport_at + 14 && self.0.contains(&u16::from_be_bytes([high, low]))
    }
}

/// Returns whether the link layer of a frame promises one version of IP and the header is of the
/// other. The filter of knockd 0.8 goes by the one and the daemon by the other.
#[must_use]
pub fn contradicts_itself(link: Link, frame: &[u8]) -> bool {
    let (header, promised) = match link {
        Link::Ethernet => (14, ether_type_version(frame, 12)),
        Link::Sll => (16, ether_type_version(frame, 14)),
        Link::Raw
        | Link::Sll2
        | Link::RawBsd
        | Link::Ipv4
        | Link::Ipv6
        | Link::Null
        | Link::Loop
        | Link::Ppp
        | Link::Other(_) => return false,
    };
    match (promised, frame.get(header).map(|byte| byte >> 4)) {
        (Some(promised), Some(found @ (4 | 6))) => promised != found,
        _ => false,
    }
}

/// Returns the version that an Ethernet type promises.
fn ether_type_version(frame: &[u8], at: usize) -> Option<u8> {
    match frame.get(at..at + 2)? {
        [0x08, 0x00] => Some(4),
        [0x86, 0xdd] => Some(6),
        _ => None,
    }
}

fn tcp_ports(doors: &[&Door]) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    for door in doors {
        let sequences = match &door.sequences {
            Sequences::Fixed(knocks) => std::slice::from_ref(knocks),
            Sequences::OneTime(lines) => lines,
        };
        let knocks = sequences.iter().flatten();
        ports
            .extend(knocks.filter(|knock| knock.protocol == Protocol::Tcp).map(|knock| knock.port));
    }
    ports
}
