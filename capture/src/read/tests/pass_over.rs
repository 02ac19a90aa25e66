//! A walk at many places of a file finds the same packets as one from record to record.

use std::io::Write as _;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::forge::{
    End, Header, MICROS, MODIFIED, NANOS, enhanced, interface, option, section, simple,
};
use super::{Capture, Seen, SeenPacket, drain};
use crate::read::Passed;
use crate::read::skim::Skim;

/// Reads a file with windows of several sizes, and passes over some packets, over none and over all.
pub(super) fn check(path: &Path, plain: &Seen) {
    for window in [1, 60, 500, 8 << 20] {
        for wanted in [0, 1, 5, 256] {
            check_one(path, plain, window, wanted);
        }
    }
}

/// Reads a file, and passes over all packets whose bytes add up to at least `wanted` (modulo 256).
fn check_one(path: &Path, plain: &Seen, window: usize, wanted: u64) {
    let is_unwanted =
        |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>() % 256 >= wanted;
    let Ok(mut capture) = Capture::open(path) else { return };
    capture.skim = Skim::with_window(window);
    let (mut packets, mut latest) = (0, None);
    let error = loop {
        let passing = capture.pass_over(&|_, bytes: &[u8]| is_unwanted(bytes));
        let head = match passing.and_then(|()| capture.peek()) {
            Ok(head) => head,
            Err(error) => break error.to_string(),
        };
        let passed = capture.take_passed();
        let upto = head.map_or(plain.packets.len(), |head| head.number as usize - 1);
        let expected = pass(&plain.packets[packets..upto], &mut latest);
        let seen = (passed.packets, passed.backwards, passed.latest);
        assert_eq!(seen, expected, "{window} {wanted}: {packets}..{upto}");
        assert!(plain.packets[packets..upto].iter().all(|packet| is_unwanted(&packet.bytes)));
        assert!(packets > 0 || upto == 0, "the first packet is passed over");
        packets = upto;
        let Some(head) = head else { break String::new() };
        let bytes = capture.frame().to_vec();
        let packet = SeenPacket { at: head.at, link: head.link, bytes };
        assert_eq!(packet, plain.packets[packets], "{window} {wanted}");
        latest = latest.max(Some(packet.at));
        packets += 1;
        capture.advance();
    };
    let passed = capture.take_passed();
    pass(&plain.packets[packets..], &mut latest);
    assert_eq!(packets + passed.packets as usize, plain.packets.len(), "{window} {wanted}");
    assert_eq!(error, plain.error(), "{window} {wanted}");
    assert_eq!(capture.take_local_addresses(), plain.addresses);
}

/// Returns how many packets these are, how many of them go back in time, and the latest time.
fn pass(
    packets: &[SeenPacket],
    latest: &mut Option<knock_engine::Timestamp>,
) -> (u64, u64, Option<knock_engine::Timestamp>) {
    let mut backwards = 0;
    for packet in packets {
        backwards += u64::from(Some(packet.at) < *latest);
        *latest = (*latest).max(Some(packet.at));
    }
    let none = Passed::default();
    let latest = if packets.is_empty() { none.latest } else { *latest };
    (packets.len() as u64, backwards, latest)
}

/// What may be in a packet.
#[derive(Clone, Debug)]
enum Content {
    Bytes(Vec<u8>),
    /// The beginning of another capture of the same kind, after a few bytes.
    Records(u8, u8),
}

/// A packet, or what else may be in its place.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Seconds after the one before.
    later: i8,
    content: Content,
    /// Whether something else comes before it: in a pcapng file a simple packet, or an interface.
    is_odd: bool,
}

pub(super) fn items() -> impl Strategy<Value = Vec<Item>> {
    let content = prop_oneof![
        vec(any::<u8>(), 0..80).prop_map(Content::Bytes),
        (0..9_u8, 1..20_u8).prop_map(|(before, records)| Content::Records(before, records)),
    ];
    let later = prop_oneof![8 => 0..3_i8, 1 => -60..60_i8];
    let item = (later, content, prop::bool::weighted(0.03))
        .prop_map(|(later, content, is_odd)| Item { later, content, is_odd });
    vec(item, 1..120)
}

/// A format of captures.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flavour {
    Pcap(Header),
    PcapNg(End),
}

pub(super) fn flavours() -> impl Strategy<Value = Flavour> {
    let end = prop_oneof![Just(End::Little), Just(End::Big)];
    let magic = prop_oneof![Just(MICROS), Just(NANOS), Just(MODIFIED)];
    let version = prop_oneof![Just((2, 2)), Just((2, 3)), Just((2, 4))];
    let pcap = (end.clone(), magic, version).prop_map(|(end, magic, version)| Header {
        end,
        magic,
        version,
        link: 1,
    });
    prop_oneof![pcap.prop_map(Flavour::Pcap), end.prop_map(Flavour::PcapNg)]
}

pub(super) fn capture(flavour: Flavour, items: &[Item]) -> Vec<u8> {
    let mut bytes = match flavour {
        Flavour::Pcap(header) => header.bytes(),
        Flavour::PcapNg(end) => [section(end), interface(end, 1, 0, &[])].concat(),
    };
    let mut second = 1_000_000_i64;
    for item in items {
        second += i64::from(item.later);
        let now = u32::try_from(second).unwrap();
        let record = |frame: &[u8]| match flavour {
            Flavour::Pcap(header) => header.record((now, 7), frame),
            Flavour::PcapNg(end) => enhanced(end, 0, u64::from(now) * 1_000_000, frame),
        };
        if let (true, Flavour::PcapNg(end)) = (item.is_odd, flavour) {
            let is_simple = item.later == 0;
            let named = [192, 0, 2, item.later.cast_unsigned(), 255, 255, 255, 0];
            let address = option(end, 4, &named);
            let odd =
                if is_simple { simple(end, 5, b"odd") } else { interface(end, 1, 0, &address) };
            bytes.extend(odd);
        }
        bytes.extend(match &item.content {
            Content::Bytes(bytes) => record(bytes),
            Content::Records(before, records) => {
                let mut inner = vec![0; usize::from(*before)];
                for number in 0..*records {
                    inner.extend(record(&[number; 5]));
                }
                record(&inner)
            }
        });
    }
    bytes
}

proptest! {
    #[test]
    fn passing_over_packets_loses_and_invents_none(
        flavour in flavours(),
        items in items(),
        window in 1..4000_usize,
        wanted in 0..100_u64,
        damage in proptest::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>())),
        cut in proptest::option::weighted(0.3, any::<prop::sample::Index>()),
    ) {
        let mut bytes = capture(flavour, &items);
        if let Some((at, byte)) = damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()).max(1));
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        let plain = drain(Capture::open(file.path()));
        check_one(file.path(), &plain, window, wanted);
    }
}

#[test]
fn a_large_capture_is_walked_at_many_places() {
    let header = Header::ETHERNET;
    let mut bytes = header.bytes();
    for second in 0..40_000_u32 {
        let wanted = second % 1000 == 999;
        let frame = [if wanted { 1 } else { 200 }; 700];
        bytes.extend(header.record((second, 0), &frame[..if wanted { 1 } else { 700 }]));
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let mut capture = Capture::open(file.path()).unwrap();
    let mut seen = Vec::new();
    loop {
        capture.pass_over(&|_, frame: &[u8]| frame.len() > 1).unwrap();
        let Some(head) = capture.peek().unwrap() else { break };
        seen.push(head.number);
        capture.advance();
    }
    // All that is unwanted is passed over: nothing had to be read plainly.
    let wanted = (1..=40_000).filter(|number| number % 1000 == 0);
    assert_eq!(seen, std::iter::once(1).chain(wanted).collect::<Vec<u64>>());
}

/// In a flood of knocks, looking at packets twice would cost more than reading them.
#[test]
fn where_all_is_wanted_little_is_walked_and_later_all_the_same() {
    let header = Header::ETHERNET;
    let mut bytes = header.bytes();
    for second in 0..600_000_u32 {
        let frame = [1; 60];
        bytes.extend(header.record((second, 0), &frame[..if second < 200_000 { 60 } else { 50 }]));
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let mut capture = Capture::open(file.path()).unwrap();
    capture.skim = Skim::with_window(1 << 20);
    let looked_at = std::cell::Cell::new(0);
    let (mut read, mut passed) = (0, 0);
    loop {
        let is_unwanted = |_, frame: &[u8]| {
            looked_at.set(looked_at.get() + 1);
            frame.len() < 60
        };
        capture.pass_over(&is_unwanted).unwrap();
        passed += capture.take_passed().packets;
        if capture.peek().unwrap().is_none() {
            break;
        }
        read += 1;
        if read == 200_000 {
            assert!(looked_at.get() < 10_000, "{} packets were looked at", looked_at.get());
        }
        capture.advance();
    }
    assert_eq!(read + passed, 600_000);
    assert!(passed > 50_000, "{passed} packets were passed over");
}
