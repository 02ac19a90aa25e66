use std::net::IpAddr;

use super::forge::{End, Header, enhanced, interface, option, section};
use super::{Capture, Next};
use crate::Merge;

#[test]
fn packets_come_in_order_of_time_and_then_of_the_captures() {
    let merge = Merge::new(vec![
        capture("a", &[(1, b"a1"), (3, b"a3"), (5, b"a5")]),
        capture("b", &[(1, b"b1"), (2, b"b2"), (5, b"b5")]),
        capture("c", &[]),
    ]);
    assert_eq!(frames(merge).0, ["a1", "b1", "b2", "a3", "a5", "b5"]);
}

#[test]
fn a_capture_whose_time_runs_backwards_keeps_its_order() {
    let merge = Merge::new(vec![
        capture("a", &[(5, b"a5"), (1, b"a1"), (6, b"a6")]),
        capture("b", &[(2, b"b2"), (5, b"b5")]),
    ]);
    assert_eq!(frames(merge).0, ["b2", "a5", "a1", "b5", "a6"]);
}

#[test]
fn a_capture_that_ends_in_an_error_does_not_end_the_others() {
    let merge = Merge::new(vec![
        cut_capture("a", &[(1, b"a1"), (2, b"a2")]),
        capture("b", &[(1, b"b1"), (3, b"b3")]),
        cut_capture("c", &[(4, b"c4")]),
        cut_capture("d", &[(4, b"d4")]),
    ]);
    let (frames, errors) = frames(merge);
    assert_eq!(frames, ["a1", "b1", "b3"]);
    assert_eq!(
        errors,
        [
            "c: is cut in packet 1 at byte 24: 18 bytes needed, 17 present",
            "d: is cut in packet 1 at byte 24: 18 bytes needed, 17 present",
            "a: is cut in packet 2 at byte 42: 18 bytes needed, 17 present",
        ]
    );
}

#[test]
fn the_packet_stays_the_same_until_the_next_advance() {
    let mut merge = Merge::new(vec![capture("a", &[(1, b"a1"), (2, b"a2")])]);
    assert_eq!(merge.frame(), b"");
    merge.advance();
    for _ in 0..2 {
        assert_eq!(number(&mut merge), Some(1));
        assert_eq!(merge.frame(), b"a1");
    }
    merge.advance();
    merge.advance();
    assert_eq!(number(&mut merge), Some(2));
}

#[test]
fn a_merge_is_as_live_and_as_long_as_its_captures() {
    let merge = Merge::new(vec![capture("a", &[(1, b"a1")])]);
    assert!(merge.is_live());
    assert_eq!((merge.size(), merge.bytes_read()), (None, 42));
    assert_eq!(Merge::new(Vec::new()).size(), Some(0));
}

#[test]
fn addresses_of_all_captures_are_known_after_a_peek() {
    let end = End::Little;
    let named = |last: u8| {
        let address = option(end, 4, &[192, 0, 2, last, 255, 255, 255, 0]);
        let packet = enhanced(end, 0, 0, b"");
        let bytes = [section(end), interface(end, 1, 0, &address), packet].concat();
        Capture::from_stream("named".to_owned(), Box::new(std::io::Cursor::new(bytes))).unwrap()
    };
    let mut merge = Merge::new(vec![named(1), named(2)]);
    assert!(merge.peek().is_some());
    let expected = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse::<IpAddr>().unwrap());
    assert_eq!(merge.take_local_addresses(), expected);
}

fn number(merge: &mut Merge) -> Option<u64> {
    match merge.peek()? {
        Next::Packet(head) => Some(head.number),
        Next::Passed => None,
    }
}

fn frames(mut merge: Merge) -> (Vec<String>, Vec<String>) {
    let mut frames = Vec::new();
    while merge.peek().is_some() {
        frames.push(String::from_utf8(merge.frame().to_vec()).unwrap());
        merge.advance();
    }
    (frames, merge.into_errors().iter().map(ToString::to_string).collect())
}

fn capture(name: &str, packets: &[(u32, &[u8])]) -> Capture {
    open(name, forge(packets))
}

fn cut_capture(name: &str, packets: &[(u32, &[u8])]) -> Capture {
    let mut bytes = forge(packets);
    bytes.pop();
    open(name, bytes)
}

fn forge(packets: &[(u32, &[u8])]) -> Vec<u8> {
    let header = Header::ETHERNET;
    let mut bytes = header.bytes();
    for (second, frame) in packets {
        bytes.extend(header.record((*second, 0), frame));
    }
    bytes
}

fn open(name: &str, bytes: Vec<u8>) -> Capture {
    Capture::from_stream(name.to_owned(), Box::new(std::io::Cursor::new(bytes))).unwrap()
}
