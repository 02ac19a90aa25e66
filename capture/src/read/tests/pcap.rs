use knock_engine::LinkType;

use super::forge::{End, Header, MICROS, MODIFIED, NANOS, pcap};
use super::{Seen, read};

#[test]
fn both_byte_orders_and_all_magics_are_read() {
    for end in [End::Big, End::Little] {
        for (magic, nanos) in
            [(MICROS, 1_000_007_000), (NANOS, 1_000_000_007), (MODIFIED, 1_000_007_000)]
        {
            let header = Header { end, magic, ..Header::ETHERNET };
            let seen = read_records(
                header,
                &[header.record((1, 7), b"frame"), header.record((2, 0), b"")],
            );
            assert_eq!(seen.error(), "");
            assert_eq!(seen.nanos(), [nanos, 2_000_000_000]);
            assert_eq!(seen.frames(), [&b"frame"[..], b""]);
            assert_eq!(seen.links(), [LinkType::Ethernet; 2]);
        }
    }
}

#[test]
fn old_versions_state_the_lengths_the_other_way_round() {
    for version in [(2, 0), (2, 1), (2, 2), (2, 3)] {
        let header = Header { version, ..Header::ETHERNET };
        let records = [header.record((1, 0), b"frame"), header.record((2, 0), b"next")];
        assert_eq!(
            read_records(header, &records).frames(),
            [&b"frame"[..], b"next"],
            "{version:?}"
        );
    }
    // Version 2.3 was written in both ways.
    let header = Header { version: (2, 3), ..Header::ETHERNET };
    let swapped = [header.record_head(1, 0, [105, 5]), b"frame".to_vec()].concat();
    assert_eq!(read_records(header, &[swapped]).frames(), [b"frame"]);
}

#[test]
fn other_versions_are_refused() {
    for version in [(1, 4), (2, 5), (3, 0), (543, 0)] {
        let header = Header { version, ..Header::ETHERNET };
        let (major, minor) = version;
        let message =
            format!("test: has pcap version {major}.{minor}; only 2.0 to 2.4 can be read");
        assert_eq!(read(&header.bytes()).error(), message);
    }
}

#[test]
fn a_fraction_of_more_than_a_second_is_added() {
    let header = Header::ETHERNET;
    let seen = read_records(header, &[header.record((1, 1_500_000), b"")]);
    assert_eq!(seen.nanos(), [2_500_000_000]);
}

#[test]
fn times_last_until_2106() {
    let header = Header { magic: NANOS, ..Header::ETHERNET };
    let seen = read_records(header, &[header.record((u32::MAX, u32::MAX), b"")]);
    assert_eq!(seen.nanos(), [4_294_967_295_000_000_000 + 4_294_967_295]);
}

#[test]
fn bits_beside_the_link_type_are_ignored() {
    let header = Header { link: 0x5000_0071, ..Header::ETHERNET };
    assert_eq!(read_records(header, &[header.record((1, 0), b"")]).links(), [LinkType::LinuxSll]);
}

#[test]
fn a_file_of_an_unsupported_link_type_is_refused_at_once() {
    let header = Header { link: 242, ..Header::ETHERNET };
    let message = "test: link type 242 (IP over InfiniBand) is not supported; supported are \
                   Ethernet, BSD loopback, OpenBSD loopback, PPP, PPP over HDLC, raw IP, raw IPv4, \
                   raw IPv6, Linux cooked, Linux cooked v2";
    assert_eq!(read_records(header, &[header.record((1, 0), b"frame")]).error(), message);
}

#[test]
fn a_packet_may_be_longer_than_the_snap_length_and_than_it_was_on_the_wire() {
    let header = Header::ETHERNET;
    let frame = vec![7; 262_144];
    let record = [header.record_head(1, 0, [262_144, 60]), frame.clone()].concat();
    assert_eq!(read_records(header, &[record]).frames(), [frame]);
}

#[test]
fn a_packet_of_more_than_262144_bytes_is_a_fault_at_its_place() {
    let header = Header::ETHERNET;
    let huge = [header.record_head(1, 0, [262_145, 262_145]), vec![7; 262_145]].concat();
    let seen = read_records(header, &[header.record((1, 0), b"frame"), huge]);
    assert_eq!(seen.frames(), [b"frame"]);
    assert_eq!(
        seen.error(),
        "test: is damaged: packet 2 at byte 45 claims 262145 bytes; no packet is larger than 262144"
    );
}

#[test]
fn a_cut_packet_is_an_error_after_those_before_it() {
    let whole = pcap(&[b"frame", b"next"]);
    let seen = read(&whole[..whole.len() - 1]);
    assert_eq!(seen.frames(), [b"frame"]);
    assert_eq!(seen.error(), "test: is cut in packet 2 at byte 45: 20 bytes needed, 19 present");

    let seen = read(&whole[..50]);
    assert_eq!(seen.error(), "test: is cut in packet 2 at byte 45: 16 bytes needed, 5 present");
    let seen = read(&whole[..23]);
    assert_eq!(seen.error(), "test: is cut in its header: 24 bytes needed, 23 present");
}

fn read_records(header: Header, records: &[Vec<u8>]) -> Seen {
    read(&[header.bytes(), records.concat()].concat())
}
