//! Limits on the size of filters.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use knock_engine::Listening;
use knock_engine::filter::{Framing, INSTRUCTIONS_MAX, Width};
use knock_tests::boundary;
use knock_tests::capture_builder::{Shape, datagram};
use knock_tests::model::{Door, Knock, Packet, Protocol, SYN, Sequences, Transport};
use proptest::prelude::*;

use super::{Filter, Seen, admits, filters};

/// How to make thousands of doors, each with its own numbers.
#[derive(Clone, Copy, Debug)]
struct Crowd {
    doors: u32,
    knocks: u32,
    /// How many different ports there are, at most.
    ports: u32,
    flags: u32,
    targets: u32,
    local: Option<u32>,
    /// How many lines of one-time sequences each has; 0: a fixed one.
    lines: u32,
}

const ONE: Crowd =
    Crowd { doors: 1, knocks: 3, ports: 65_535, flags: 1, targets: 0, local: Some(2), lines: 0 };

#[test]
fn the_most_doors_have_a_filter() {
    let most = Crowd { doors: 32_767, knocks: 3, ..ONE };
    for crowd in [
        most,
        Crowd { targets: 32_767, flags: 729, ..most },
        Crowd { targets: 5, flags: 2, local: None, ..most },
    ] {
        crowd.check();
    }
}

#[test]
fn every_crowd_of_doors_has_a_filter() {
    for crowd in [
        Crowd { doors: 0, ..ONE },
        Crowd { local: Some(0), ..ONE },
        Crowd { local: Some(10_000), ..ONE },
        Crowd { lines: 10_000, ..ONE },
        Crowd { doors: 5, lines: 64, ..ONE },
        Crowd { doors: 1_100, knocks: 32, ports: 32_768, ..ONE },
        Crowd { doors: 300, flags: 729, ..ONE },
        Crowd { doors: 300, targets: 300, local: Some(3), ..ONE },
        Crowd { doors: 100, targets: 40, flags: 10, local: Some(60), ..ONE },
    ] {
        crowd.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn filters_stay_within_their_bounds(crowd in crowd()) {
        crowd.check();
    }
}

fn crowd() -> impl Strategy<Value = Crowd> {
    let size = (prop_oneof![1..=10_u32, 10..=150_u32], 1..=32_u32);
    let variety = (prop_oneof![1..=100_u32, Just(1_000), Just(65_535)], 1..=30_u32, 0..=30_u32);
    let local = prop_oneof![Just(None), (0..=5_u32).prop_map(Some), (0..=70_u32).prop_map(Some)];
    let lines = prop_oneof![4 => Just(0), 1 => 1..=80_u32];
    (size, variety, local, lines).prop_map(
        |((doors, knocks), (ports, flags, targets), local, lines)| Crowd {
            doors,
            knocks,
            ports,
            flags,
            targets,
            local,
            lines,
        },
    )
}

impl Crowd {
    fn check(self) {
        let made: Vec<Door> = (0..self.doors).map(|number| self.door(number)).collect();
        let doors = boundary::doors(&made);
        let local = |count| Listening::at((0..count).map(address));
        let listening = self.local.map_or(Listening::everywhere(), local);
        let frames: Vec<Vec<u8>> = made.iter().take(100).flat_map(knocks).collect();
        let admitted: Vec<&Vec<u8>> =
            frames.iter().filter(|frame| admits(&doors, &listening, 12, frame)).collect();
        assert!(admitted.len() >= self.least_admitted());
        for framing in [Framing::Ethernet, Framing::Cooked] {
            let filters = filters(&doors, &listening, framing);
            let widths: Vec<Width> = filters.iter().map(|filter| filter.width).collect();
            assert!(widths.ends_with(&[Width::AnyPort, Width::Everything]), "{widths:?}");
            for filter in filters {
                let length = filter.program.len();
                println!("{:?}: {length} instructions", filter.width);
                assert!(length <= INSTRUCTIONS_MAX, "{:?} of {self:?}: {length}", filter.width);
                for ip in &admitted {
                    assert!(passes(&filter, ip), "{:?} of {self:?}", filter.width);
                }
            }
        }
    }

    /// Returns the minimum number of admitted packets, of those to the first doors.
    fn least_admitted(self) -> usize {
        usize::from(self.doors > 0 && self.local != Some(0) && self.targets == 0)
    }

    fn door(self, number: u32) -> Door {
        let line = |line: u32| (0..self.knocks).map(|at| self.knock(number, line, at)).collect();
        let sequences = match self.lines {
            0 => Sequences::Fixed(line(0)),
            lines => Sequences::OneTime((0..lines).map(line).collect()),
        };
        // Each of six flags is ignored, wanted or refused.
        let (mut wanted, mut refused) = (0, 0);
        let mut rest = number % self.flags;
        for bit in 0..6 {
            wanted |= u8::from(rest % 3 == 1) << bit;
            refused |= u8::from(rest % 3 == 2) << bit;
            rest /= 3;
        }
        let target = number % (self.targets + 1);
        // The first targets are local.
        let target = (target > 0).then(|| address(target));
        Door { wanted, refused, target, ..Door::new("d", sequences) }
    }

    fn knock(self, door: u32, line: u32, at: u32) -> Knock {
        let number = door * 1_009 + line * 31 + at;
        let port = (u64::from(number) * 2_654_435_761) >> 7;
        let port = u16::try_from(port % u64::from(self.ports)).unwrap() + 1;
        if number % 7 == 3 { Knock::udp(port) } else { Knock::tcp(port) }
    }
}

/// Returns whether a datagram passes, in a frame if the filter is for frames.
fn passes(filter: &Filter, ip: &[u8]) -> bool {
    let protocol: u16 = if ip[0] >> 4 == 4 { 0x0800 } else { 0x86dd };
    let framing = filter.framing;
    let frame = [&[2; 12][..], &protocol.to_be_bytes(), ip].concat();
    let bytes = match framing {
        Framing::Ethernet => &frame[..],
        Framing::Cooked => ip,
    };
    filter.passes(&Seen { framing, protocol, bytes })
}

/// Returns one address of many, of IPv4 if the number is even.
fn address(number: u32) -> IpAddr {
    if number.is_multiple_of(2) {
        Ipv4Addr::from(0x0a00_0000 + number).into()
    } else {
        Ipv6Addr::from((0x2001_0db8 << 96) + u128::from(number)).into()
    }
}

/// Returns datagrams that knock once at a door.
fn knocks(door: &Door) -> impl Iterator<Item = Vec<u8>> {
    let destinations = door.target.map_or(vec![address(0), address(1)], |target| vec![target]);
    let knocks = door.sequences.current().unwrap().to_vec();
    destinations.into_iter().flat_map(move |dst| {
        let src = if dst.is_ipv6() { address(9_999) } else { address(9_998) };
        let flags = [SYN, 0, 0xff];
        let packets = knocks.clone().into_iter().zip(flags).map(move |(knock, flags)| {
            let transport = match knock.protocol {
                Protocol::Tcp => Transport::Tcp { seq: Some(1), flags: Some(flags) },
                Protocol::Udp => Transport::Udp,
            };
            Packet { at_ns: 0, src, dst, sport: 9, dport: knock.port, transport }
        });
        packets.map(|packet| datagram(&packet, &Shape::default()).0)
    })
}
