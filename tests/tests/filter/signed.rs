//! Filters for doors that hear signed packets.

use std::net::{Ipv4Addr, Ipv6Addr};

use knock_engine::filter::{Framing, Width};
use knock_engine::{
    Admits, Door, DoorName, DoorSequence, Doors, Event, LinkType, Listening, Port, Sequence,
    SignedDoor, Signing, Users, decode,
};
use knock_signed::PACKET_BYTES;

use super::{Filter, Seen, filters};

const PORT: u16 = 62_201;
const SERVER_4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SERVER_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// Returns a door that hears signed packets, beside a sequence if it has one.
fn doors(knock: Option<knock_engine::Knock>) -> Doors {
    let sequence = knock.map_or(DoorSequence::None, |knock| {
        DoorSequence::Fixed(Sequence::new(vec![knock, knock]).unwrap())
    });
    let signed = Some(SignedDoor { users: Users::Any, admits: Admits::Source });
    let door = Door { signed, ..Door::new(DoorName::new(b"SSH"), sequence) };
    let signing = Signing::new(Port(PORT), b"home", Signing::SKEW_DEFAULT, vec![]).unwrap();
    Doors::new(vec![door]).unwrap().with_signing(signing)
}

fn udp(port: u16, length: usize) -> Vec<u8> {
    let said = u16::try_from(8 + length).unwrap();
    let header = [40_000, port, said, 0].map(u16::to_be_bytes).concat();
    [header, vec![0x5a; length]].concat()
}

fn ipv4(udp: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + udp.len()).unwrap().to_be_bytes();
    let start = [&[0x45, 0][..], &length, &[0; 4], &[64, 17, 0, 0], &[198, 51, 100, 7]].concat();
    [&start[..], &SERVER_4.octets(), udp].concat()
}

fn ipv6(udp: &[u8]) -> Vec<u8> {
    let length = u16::try_from(udp.len()).unwrap().to_be_bytes();
    let source = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7).octets();
    [&[0x60, 0, 0, 0][..], &length, &[17, 64], &source, &SERVER_6.octets(), udp].concat()
}

fn passes(filter: &Filter, ip: &[u8]) -> bool {
    let protocol: u16 = if ip[0] >> 4 == 4 { 0x0800 } else { 0x86dd };
    let frame = [&[2; 12][..], &protocol.to_be_bytes(), ip].concat();
    let bytes = match filter.framing {
        Framing::Ethernet => &frame[..],
        Framing::Cooked => ip,
    };
    filter.passes(&Seen { framing: filter.framing, protocol, bytes })
}

fn is_heard(doors: &Doors, listening: &Listening, ip: &[u8]) -> bool {
    let link = LinkType::from_number(12);
    let packet = decode(link, ip).unwrap();
    Event::captured(link, ip, packet, doors.signed_knock()).is_heard(doors, listening)
}

/// Checks that every filter lets through what the engine hears, and that the exact one lets nothing else through.
fn check(doors: &Doors, listening: &Listening, expected: &[(u16, usize)]) {
    for port in [PORT - 1, PORT, PORT + 1] {
        for length in [0, 1, PACKET_BYTES - 1, PACKET_BYTES, PACKET_BYTES + 1, 1_000] {
            for ip in [ipv4(&udp(port, length)), ipv6(&udp(port, length))] {
                let is_expected = expected.contains(&(port, length));
                assert_eq!(is_heard(doors, listening, &ip), is_expected, "{port}: {length}");
                for framing in [Framing::Ethernet, Framing::Cooked] {
                    for filter in filters(doors, listening, framing) {
                        let passes = passes(&filter, &ip);
                        let is_exact = filter.width == Width::Exact;
                        let width = filter.width;
                        assert!(passes || !is_expected, "{width:?} loses {port}: {length}");
                        assert!(!passes || is_expected || !is_exact, "{port}: {length}");
                    }
                }
            }
        }
    }
}

fn everywhere_and_here() -> [Listening; 2] {
    [Listening::everywhere(), Listening::at([SERVER_4.into(), SERVER_6.into()])]
}

#[test]
fn only_what_is_as_long_as_a_signed_packet_gets_to_the_engine() {
    for listening in everywhere_and_here() {
        check(&doors(None), &listening, &[(PORT, PACKET_BYTES)]);
    }
}

#[test]
fn knocks_beside_signed_packets_are_heard() {
    let udp =
        |port| knock_engine::Knock { port: Port(port), protocol: knock_engine::Protocol::Udp };
    let lengths = [0, 1, PACKET_BYTES - 1, PACKET_BYTES, PACKET_BYTES + 1, 1_000];
    for listening in everywhere_and_here() {
        // At the port of signed packets itself, a knock may have any length.
        check(&doors(Some(udp(PORT))), &listening, &lengths.map(|length| (PORT, length)));
        let mut both = lengths.map(|length| (PORT + 1, length)).to_vec();
        both.push((PORT, PACKET_BYTES));
        check(&doors(Some(udp(PORT + 1))), &listening, &both);
    }
}

#[test]
fn a_packet_to_another_host_is_not_heard() {
    let elsewhere = Listening::at([Ipv4Addr::new(192, 0, 2, 9).into()]);
    check(&doors(None), &elsewhere, &[]);
}

/// A datagram that is cut, or a fragment, is no signed packet, and does no harm.
#[test]
fn a_datagram_that_is_not_whole_is_not_signed() {
    let (doors, link) = (doors(None), LinkType::from_number(12));
    let whole = ipv4(&udp(PORT, PACKET_BYTES));
    for length in 24..whole.len() {
        let cut = &whole[..length];
        let packet = decode(link, cut).unwrap();
        let event = Event::captured(link, cut, packet, doors.signed_knock());
        assert!(matches!(event, Event::Packet(_)), "{length}");
    }
    let packet = decode(link, &whole).unwrap();
    let event = Event::captured(link, &whole, packet, doors.signed_knock());
    assert!(matches!(event, Event::SignedPacket(..)));
    // What follows is the padding of a short frame.
    let padded = [&whole[..], &[0; 9]].concat();
    let event = Event::captured(link, &padded, packet, doors.signed_knock());
    assert!(matches!(event, Event::SignedPacket(..)));
}
