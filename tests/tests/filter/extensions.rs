//! Filters, and packets with IPv6 extension headers or with impossible headers.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use knock_config as config;
use knock_engine::filter::{EXTENSION_HEADERS_MAX, Framing, Width};
use knock_engine::{
    Admits, Door, DoorName, DoorSequence, Doors, Event, LinkType, Listening, Port, SignedDoor,
    Signing, Users, decode,
};
use knock_signed::PACKET_BYTES;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Filter, Seen, filters};

const SIGNED: u16 = 62_201;
const SERVER_4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SERVER_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const CLIENT_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

const TCP: u8 = 6;
const UDP: u8 = 17;

/// An extension header: its kind, its length field, and for a fragment where it belongs.
#[derive(Clone, Copy, Debug)]
struct Extension {
    number: u8,
    length: u8,
    offset: u16,
}

/// An IPv6 packet with extension headers.
#[derive(Clone, Debug)]
struct Extended {
    destination: Ipv6Addr,
    extensions: Vec<Extension>,
    protocol: u8,
    port: u16,
    flags: u8,
    payload: usize,
    /// How much of the IP packet there is.
    kept: Option<usize>,
}

const HOP_BY_HOP: Extension = Extension::new(0);
const ROUTING: Extension = Extension::new(43);
const FRAGMENT: Extension = Extension::new(44);
const AUTHENTICATION: Extension = Extension { length: 1, ..Extension::new(51) };
const DESTINATION: Extension = Extension::new(60);
const ALL: [Extension; 5] = [HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION];

/// Returns a knock with a flag, one without, and a signed packet.
fn wanted() -> [Extended; 3] {
    let syn = Extended {
        destination: SERVER_6,
        extensions: Vec::new(),
        protocol: TCP,
        port: 7000,
        flags: 2,
        payload: 0,
        kept: None,
    };
    let datagram = Extended { protocol: UDP, port: 8000, ..syn.clone() };
    let signed = Extended { port: SIGNED, payload: PACKET_BYTES, ..datagram.clone() };
    [syn, datagram, signed]
}

impl Extension {
    const fn new(number: u8) -> Self {
        Self { number, length: 0, offset: 0 }
    }

    fn bytes(self, next: u8) -> Vec<u8> {
        let Self { number, length, offset } = self;
        let size = match number {
            44 => 8,
            51 => (usize::from(length) + 2) * 4,
            _ => (usize::from(length) + 1) * 8,
        };
        let mut bytes = vec![0x5a; size];
        bytes[..2].copy_from_slice(&[next, length]);
        if number == 44 {
            bytes[2..4].copy_from_slice(&offset.to_be_bytes());
        }
        bytes
    }
}

impl Extended {
    fn with(&self, extensions: Vec<Extension>) -> Self {
        Self { extensions, ..self.clone() }
    }

    fn ip(&self) -> Vec<u8> {
        let mut transport = [40_000_u16, self.port].map(u16::to_be_bytes).concat();
        if self.protocol == TCP {
            transport.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, self.flags, 0, 0, 0, 0, 0, 0]);
        } else {
            let length = u16::try_from(8 + self.payload).unwrap();
            transport.extend([length, 0].map(u16::to_be_bytes).concat());
        }
        transport.resize(transport.len() + self.payload, 0x5a);
        let mut next = self.protocol;
        let mut after = transport;
        for extension in self.extensions.iter().rev() {
            after = [extension.bytes(next), after].concat();
            next = extension.number;
        }
        let length = u16::try_from(after.len()).unwrap().to_be_bytes();
        let start = [&[0x60, 0, 0, 0][..], &length, &[next, 64]].concat();
        let mut ip = [&start[..], &CLIENT_6.octets(), &self.destination.octets(), &after].concat();
        ip.truncate(self.kept.unwrap_or(usize::MAX));
        ip
    }
}

/// Returns doors that hear knocks with flags, knocks without, and signed packets.
fn doors() -> Doors {
    let text = b"[a]\nsequence = 7000,7001\ntcpflags = syn\ncommand = a\n\
                 [b]\nsequence = 8000:udp,9000\ncommand = b\n";
    let config = config::parse(text).config.unwrap();
    let mut doors: Vec<Door> = config.doors.into_iter().map(|door| door.door()).collect();
    let signed = Some(SignedDoor { users: Users::Any, admits: Admits::Source });
    doors.push(Door { signed, ..Door::new(DoorName::new(b"c"), DoorSequence::None) });
    let signing = Signing::new(Port(SIGNED), b"home", Signing::SKEW_DEFAULT, vec![]).unwrap();
    Doors::new(doors).unwrap().with_signing(signing)
}

fn frame(protocol: u16, ip: &[u8]) -> Vec<u8> {
    [&[2; 12][..], &protocol.to_be_bytes(), ip].concat()
}

/// The doors, the addresses that count, and all filters for them.
struct Server {
    doors: Doors,
    listening: Listening,
    filters: Vec<Filter>,
}

/// Servers to which packets to any address count, and only those to their own.
static SERVERS: LazyLock<[Server; 2]> = LazyLock::new(|| {
    let here = Listening::at([SERVER_4.into(), SERVER_6.into()]);
    [Listening::everywhere(), here].map(|listening| {
        let doors = doors();
        let framings = [Framing::Ethernet, Framing::Cooked].into_iter();
        let filters = framings.flat_map(|framing| filters(&doors, &listening, framing)).collect();
        Server { doors, listening, filters }
    })
});

fn passes(filter: &Filter, frame: &[u8]) -> bool {
    let Filter { framing, .. } = *filter;
    let protocol = u16::from_be_bytes([frame[12], frame[13]]);
    let bytes = match framing {
        Framing::Ethernet => frame,
        Framing::Cooked => &frame[14..],
    };
    filter.passes(&Seen { framing, protocol, bytes })
}

impl Server {
    /// Returns whether the engine hears a frame.
    fn hears(&self, frame: &[u8]) -> bool {
        let Ok(packet) = decode(LinkType::Ethernet, frame) else { return false };
        let signed = self.doors.signed_knock();
        let event = Event::captured(LinkType::Ethernet, frame, packet, signed);
        event.is_heard(&self.doors, &self.listening)
    }

    /// Checks that no filter loses a frame that the engine hears. Returns whether the exact ones let it pass.
    fn lets_through(&self, frame: &[u8]) -> bool {
        let is_heard = self.hears(frame);
        let mut exact = Vec::new();
        for filter in &self.filters {
            let passes = passes(filter, frame);
            assert!(passes || !is_heard, "{:?} loses {frame:x?}", filter.width);
            if filter.width == Width::Exact {
                exact.push(passes);
            }
        }
        assert_eq!(exact[0], exact[1], "both framings of {frame:x?}");
        exact[0]
    }
}

#[test]
fn extension_headers_of_each_kind_are_walked() {
    for server in &*SERVERS {
        for extension in ALL {
            for count in 0..=EXTENSION_HEADERS_MAX + 2 {
                let is_walked = count <= EXTENSION_HEADERS_MAX;
                for packet in wanted() {
                    let packet = packet.with(vec![extension; count]);
                    let passes =
                        |packet: &Extended| server.lets_through(&frame(0x86dd, &packet.ip()));
                    assert!(passes(&packet), "{packet:?}");
                    let others = [
                        Extended { port: 7777, ..packet.clone() },
                        Extended { protocol: 58, ..packet.clone() },
                        Extended { protocol: 59, ..packet.clone() },
                    ];
                    for other in others {
                        assert_eq!(passes(&other), !is_walked, "{other:?}");
                    }
                }
                let [syn, _, signed] = wanted();
                let longer = Extended { payload: PACKET_BYTES + 1, ..signed };
                let without_flag = Extended { flags: 0x10, ..syn };
                for other in [longer, without_flag] {
                    let ip = other.with(vec![extension; count]).ip();
                    let passes = server.lets_through(&frame(0x86dd, &ip));
                    assert_eq!(passes, !is_walked, "{other:?}");
                }
            }
        }
    }
}

#[test]
fn a_later_fragment_is_dropped_wherever_its_header_is() {
    let [syn, ..] = wanted();
    let later = Extension { offset: 8, ..FRAGMENT };
    let first_of_more = Extension { offset: 1, ..FRAGMENT };
    for server in &*SERVERS {
        for before in 0..EXTENSION_HEADERS_MAX {
            let chain = |last| [vec![DESTINATION; before], vec![last]].concat();
            let passes = |last| server.lets_through(&frame(0x86dd, &syn.with(chain(last)).ip()));
            assert!(passes(first_of_more));
            assert!(!passes(later));
            // One that is shorter than it can be, as the engine sees it.
            assert!(!passes(Extension { length: 0, ..AUTHENTICATION }));
        }
    }
}

#[test]
fn a_packet_with_too_many_extension_headers_passes_only_to_this_machine() {
    let ([everywhere, here], [syn, ..]) = (&*SERVERS, wanted());
    let chain = vec![HOP_BY_HOP; EXTENSION_HEADERS_MAX + 1];
    let elsewhere = Extended { destination: CLIENT_6, ..syn }.with(chain);
    assert!(everywhere.lets_through(&frame(0x86dd, &elsewhere.ip())));
    assert!(!here.lets_through(&frame(0x86dd, &elsewhere.ip())));
}

#[test]
fn only_first_bytes_of_ip_headers_pass() {
    let [_, here] = &*SERVERS;
    let start = [&[0x45, 0, 0, 60][..], &[0; 4], &[64, UDP, 0, 0], &[198, 51, 100, 7]].concat();
    // Where options are, the ports come after them: everything here looks like them.
    let words = [8000_u16.to_be_bytes(); 40].concat();
    let ipv4 = [&start[..], &SERVER_4.octets(), &words].concat();
    let [_, datagram, _] = wanted();
    let ipv6 = datagram.ip();
    for first in 0..=u8::MAX {
        for (protocol, mut ip) in [(0x0800, ipv4.clone()), (0x86dd, ipv6.clone())] {
            ip[0] = first;
            let frame = frame(protocol, &ip);
            let is_heard = here.hears(&frame);
            assert_eq!(here.lets_through(&frame), is_heard, "{first:x} of {protocol:x}");
            let is_header =
                if protocol == 0x0800 { (0x45..0x50).contains(&first) } else { first >> 4 == 6 };
            assert_eq!(is_heard, is_header, "{first:x} of {protocol:x}");
        }
    }
}

fn extension() -> impl Strategy<Value = Extension> {
    let length = prop_oneof![4 => 0..=4_u8, 1 => any::<u8>()];
    let offset = prop_oneof![8 => Just(0), 2 => 0..=7_u16, 1 => any::<u16>()];
    (select(&ALL[..]), length, offset).prop_map(|(extension, length, offset)| {
        // Few authentication headers are shorter than they can be.
        let more = u8::from(extension.number == AUTHENTICATION.number && length < 4);
        Extension { length: length + more, offset, ..extension }
    })
}

fn extended() -> impl Strategy<Value = Extended> {
    let destination = prop_oneof![8 => Just(SERVER_6), 1 => Just(CLIENT_6)];
    let protocol = prop_oneof![5 => Just(TCP), 5 => Just(UDP), 1 => any::<u8>()];
    let ports = vec![7000, 7001, 7002, 8000, 9000, SIGNED, SIGNED + 1];
    let payload = prop_oneof![3 => Just(PACKET_BYTES), 1 => 0..200_usize];
    let flags = prop_oneof![3 => Just(2), 1 => any::<u8>()];
    let chain = vec(extension(), 0..=EXTENSION_HEADERS_MAX + 3);
    let kept = option::weighted(0.3, 0..400_usize);
    (destination, chain, protocol, select(ports), flags, payload, kept).prop_map(
        |(destination, extensions, protocol, port, flags, payload, kept)| Extended {
            destination,
            extensions,
            protocol,
            port,
            flags,
            payload,
            kept,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_passes_with_extension_headers_is_what_the_engine_hears(packet in extended()) {
        let bytes = frame(0x86dd, &packet.ip());
        for server in &*SERVERS {
            let is_heard = server.hears(&bytes);
            let passes = server.lets_through(&bytes);
            // Of a signed packet, the filter sees the length that its header says.
            let is_cut = packet.kept.is_some() && packet.port == SIGNED;
            // The number of a protocol can be that of another extension header.
            let is_walked = packet.extensions.len() < EXTENSION_HEADERS_MAX;
            prop_assert!(passes == is_heard || (passes && (is_cut || !is_walked)), "{:?}", packet);
        }
    }
}
