//! Frames for which it is not known what knockd 0.8 sees in them.
//!
//! Its filter is a list of tests, whose order libpcap's optimiser chooses; a test that reads past the
//! end of the frame rejects the frame. Where doors that ask for different flags name a
//! port, a frame to it that ends between the ports and the flags of TCP passes or not as the tests
//! happen to be arranged: it passes if a door without flags is tested first, and even where one door
//! asks for SYN and one for its absence, as together they ask for nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::capture_builder::Link;
use crate::model::{Door, Knock, Protocol, Sequences};

/// The TCP ports that doors with different flags name.
#[derive(Clone, Debug)]
pub struct Ports(BTreeSet<u16>);

impl Ports {
    /// Returns the ports of these doors, with any of their one-time sequences.
    #[must_use]
    pub fn of(doors: &[Door]) -> Self {
        let mut rules: BTreeMap<u16, BTreeSet<(u8, u8)>> = BTreeMap::new();
        for door in doors {
            for knock in knocks(door).filter(|knock| knock.protocol == Protocol::Tcp) {
                rules.entry(knock.port).or_default().insert((door.wanted, door.refused));
            }
        }
        rules.retain(|_, rules| rules.len() > 1);
        Self(rules.into_keys().collect())
    }

    /// Returns whether a frame, as far as it was captured, ends between the ports and the flags of
    /// TCP and is sent to one of these ports.
    #[must_use]
    pub fn matter_to(&self, link: Link, frame: &[u8]) -> bool {
        let Some((version, ip)) = ip(link, frame) else { return false };
        let transport_at = match version {
            4 => usize::from(ip.first().map_or(0, |byte| byte & 15)) * 4,
            _ => 40,
        };
        let Some(&[high, low]) = ip.get(transport_at + 2..transport_at + 4) else { return false };
        ip.len() < transport_at + 14 && self.0.contains(&u16::from_be_bytes([high, low]))
    }
}

/// Returns whether the link layer and the IP header of a frame state different versions of IP. The
/// filter of knockd 0.8 goes by the link layer and the daemon by the header.
#[must_use]
pub fn contradicts_itself(link: Link, frame: &[u8]) -> bool {
    let Some((promised, ip)) = ip(link, frame) else { return false };
    ip.first().is_some_and(|byte| matches!(byte >> 4, 4 | 6) && byte >> 4 != promised)
}

/// Returns the version of IP that the link layer states, 4 or 6, and what follows it.
fn ip(link: Link, frame: &[u8]) -> Option<(u8, &[u8])> {
    let header = match link {
        Link::Ethernet => 14,
        Link::Sll => 16,
        Link::Raw => {
            let version = frame.first()? >> 4;
            return matches!(version, 4 | 6).then_some((version, frame));
        }
        // knockd 0.8 knows no other.
        Link::Sll2
        | Link::RawBsd
        | Link::Ipv4
        | Link::Ipv6
        | Link::Null
        | Link::Loop
        | Link::Ppp
        | Link::Other(_) => return None,
    };
    match frame.get(header - 2..header)? {
        [0x08, 0x00] => Some((4, &frame[header..])),
        [0x86, 0xdd] => Some((6, &frame[header..])),
        _ => None,
    }
}

fn knocks(door: &Door) -> impl Iterator<Item = &Knock> {
    let sequences = match &door.sequences {
        Sequences::Fixed(knocks) => std::slice::from_ref(knocks),
        Sequences::OneTime(lines) => lines,
        Sequences::Derived(_) => &[],
    };
    sequences.iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Packet, SYN, Transport};

    fn door(port: u16, wanted: u8, refused: u8) -> Door {
        Door { wanted, refused, ..Door::new("a", Sequences::Fixed(vec![Knock::tcp(port)])) }
    }

    fn frame(link: Link, destination: &str, kept_of_transport: usize) -> Vec<u8> {
        let dst: std::net::IpAddr = destination.parse().unwrap();
        let transport = Transport::Tcp { seq: None, flags: Some(SYN) };
        let packet = Packet { at_ns: 0, src: dst, dst, sport: 1, dport: 7000, transport };
        let kept_of_transport = Some(kept_of_transport);
        let shape = crate::capture_builder::Shape { kept_of_transport, ..Default::default() };
        let (mut frame, kept) = shape.frame(&packet, link, false);
        frame.truncate(kept);
        frame
    }

    #[test]
    fn a_frame_that_ends_before_its_flags_matters_where_doors_ask_for_different_flags() {
        let different = Ports::of(&[door(7000, SYN, 0), door(7000, 0, SYN), door(8000, SYN, 0)]);
        for link in [Link::Ethernet, Link::Sll, Link::Raw] {
            for destination in ["10.0.0.1", "2001:db8::1"] {
                let matters = |kept| different.matter_to(link, &frame(link, destination, kept));
                assert_eq!([3, 4, 13, 14].map(matters), [false, true, true, false]);
            }
        }
        let cut = frame(Link::Raw, "10.0.0.1", 4);
        assert!(!Ports::of(&[door(7000, SYN, 0), door(8000, 0, 0)]).matter_to(Link::Raw, &cut));
        assert!(!Ports::of(&[door(7000, SYN, 0), door(7000, SYN, 0)]).matter_to(Link::Raw, &cut));
    }

    #[test]
    fn a_frame_contradicts_itself_if_type_and_header_are_of_different_versions() {
        let mut four = frame(Link::Ethernet, "10.0.0.1", 20);
        assert!(!contradicts_itself(Link::Ethernet, &four));
        four[14] = 0x65;
        assert!(contradicts_itself(Link::Ethernet, &four));
        four[14] = 0x55;
        assert!(!contradicts_itself(Link::Ethernet, &four));
    }
}
