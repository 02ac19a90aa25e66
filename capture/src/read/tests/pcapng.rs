use std::net::IpAddr;

use knock_engine::{LinkType, Timestamp};

use super::forge::{
    End, block, enhanced, interface, obsolete, option, pcapng, section, section_of_version, simple,
};
use super::read;

const END: End = End::Little;

#[test]
fn every_kind_of_packet_in_sections_of_both_byte_orders_is_read() {
    let seen = read(&pcapng());
    assert_eq!(seen.error(), "");
    assert_eq!(seen.frames(), [&b"first"[..], b"second", b"third", b"fourth", b"fift"]);
    let seconds = [1_i64, 2, 3, 4, 4].map(|second| second * 1_000_000_000);
    assert_eq!(seen.nanos(), seconds);
    let (ethernet, sll, sll2) = (LinkType::Ethernet, LinkType::LinuxSll, LinkType::LinuxSll2);
    assert_eq!(seen.links(), [ethernet, sll, ethernet, sll2, sll2]);
}

#[test]
fn times_are_of_the_resolution_and_offset_of_their_interface() {
    for end in [End::Big, End::Little] {
        let stated = |resolution: u8, offset: i64| {
            let offset = option(end, 14, &end.u64(offset.cast_unsigned()));
            interface(end, 1, 0, &[option(end, 9, &[resolution]), offset].concat())
        };
        let seen = read(
            &[
                section(end),
                interface(end, 1, 0, &[]),
                stated(3, 10),
                stated(0x81, -10),
                enhanced(end, 0, 1_000_001, b""),
                enhanced(end, 1, 1_001, b""),
                enhanced(end, 2, 3, b""),
            ]
            .concat(),
        );
        assert_eq!(seen.nanos(), [1_000_001_000, 11_001_000_000, -8_500_000_000]);
    }
}

#[test]
fn times_out_of_range_become_the_nearest_moment() {
    let stated =
        |offset: i64| interface(END, 1, 0, &option(END, 14, &END.u64(offset.cast_unsigned())));
    let seen = read(
        &[
            section(END),
            stated(i64::MIN),
            stated(0),
            enhanced(END, 0, u64::MAX, b""),
            enhanced(END, 1, u64::MAX, b""),
        ]
        .concat(),
    );
    assert_eq!(seen.nanos(), [Timestamp::MIN.as_nanos(), Timestamp::MAX.as_nanos()]);
}

#[test]
fn a_simple_packet_has_the_time_of_the_one_before_and_the_shortest_length() {
    let with_snap_length = |snap_length, wire| {
        let packet = simple(END, wire, b"1234567");
        let seen = read(&[section(END), interface(END, 1, snap_length, &[]), packet].concat());
        assert_eq!(seen.nanos(), [0]);
        seen.packets[0].bytes.len()
    };
    assert_eq!(with_snap_length(0, 7), 7);
    assert_eq!(with_snap_length(0, 3), 3);
    assert_eq!(with_snap_length(5, 7), 5);
    assert_eq!(with_snap_length(5, 3), 3);
    assert_eq!(with_snap_length(0, 100), 8, "with the padding: the block does not say more");
}

#[test]
fn interfaces_end_with_their_section() {
    let seen = read(
        &[
            section(END),
            interface(END, 1, 0, &[]),
            enhanced(END, 0, 0, b"frame"),
            section(END),
            enhanced(END, 0, 0, b"frame"),
        ]
        .concat(),
    );
    assert_eq!(seen.packets.len(), 1);
    assert_eq!(
        seen.error(),
        "test: is damaged at byte 116, after packet 1: \
         the packet names interface 0, but only 0 are described"
    );
}

#[test]
fn packets_of_an_unsupported_link_type_are_delivered_with_their_number() {
    let interfaces = [interface(END, 242, 0, &[]), interface(END, 1, 0, &[])].concat();
    let packets = [enhanced(END, 0, 0, b"a"), obsolete(END, 1, 0, b"b")].concat();
    let seen = read(&[section(END), interfaces, packets].concat());
    assert_eq!(seen.links(), [LinkType::Other(242), LinkType::Ethernet]);
}

#[test]
fn addresses_of_interfaces_are_returned() {
    let v6 = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 64];
    let options = [
        option(END, 2, b"eth0"),
        option(END, 4, &[192, 0, 2, 9, 255, 255, 255, 0]),
        option(END, 5, &v6),
        option(END, 4, &[192, 0, 2, 10, 255, 255, 255, 0]),
        option(END, 4, &[192, 0, 2]),
    ];
    let seen = read(&[section(END), interface(END, 1, 0, &options.concat())].concat());
    let expected = ["192.0.2.9", "2001:db8::9", "192.0.2.10"];
    assert_eq!(seen.addresses, expected.map(|address| address.parse::<IpAddr>().unwrap()));
}

#[test]
fn options_are_read_leniently() {
    let nanos = option(END, 9, &[9]);
    let past_the_end = [&END.u16(9)[..], &END.u16(400), &[0; 4]].concat();
    let first_end = [option(END, 0, b""), option(END, 9, &[0])].concat();
    for (what, odd) in [
        ("not UTF-8", option(END, 2, &[0xff, 0xfe])),
        ("a hardware address of 4 bytes", option(END, 6, &[1, 2, 3, 4])),
        ("an offset of 4 bytes", option(END, 14, &[1, 2, 3, 4])),
        ("a resolution of no bytes", option(END, 9, &[])),
        ("past the end", past_the_end),
        ("after the end of options", first_end),
        ("a beginning of an option", vec![9, 0]),
    ] {
        let options = [nanos.clone(), odd].concat();
        let packet = enhanced(END, 0, 5, b"frame");
        let seen = read(&[section(END), interface(END, 1, 0, &options), packet].concat());
        assert_eq!((seen.nanos(), seen.error()), (vec![5], String::new()), "{what}");
    }
}

#[test]
fn blocks_of_other_kinds_are_skipped() {
    let others = [4, 5, 9, 0xbad, 0x4000_0bad, 0x8000_0001].map(|kind| block(END, kind, b"other"));
    let packet = enhanced(END, 0, 0, b"frame");
    let bytes = [section(END), others.concat(), interface(END, 1, 0, &[]), others.concat(), packet];
    let seen = read(&bytes.concat());
    assert_eq!((seen.packets.len(), seen.error()), (1, String::new()));
}

#[test]
fn sections_of_another_major_version_are_refused() {
    let seen = read(&section_of_version(END, 2, 0));
    assert_eq!(seen.error(), "test: has pcapng version 2.0; only 1.x can be read");

    let before = [section(END), interface(END, 1, 0, &[]), enhanced(END, 0, 0, b"frame")].concat();
    let seen = read(&[before, section_of_version(END, 3, 1)].concat());
    assert_eq!(seen.packets.len(), 1);
    assert_eq!(
        seen.error(),
        "test: has pcapng version 3.1 from byte 88, after packet 1; only 1.x can be read"
    );
    assert_eq!(read(&section_of_version(END, 1, 2)).error(), "");
}

#[test]
fn damaged_blocks_are_errors_at_their_place() {
    let mut lengths_differ = block(END, 6, &[0; 40]);
    lengths_differ[48] = 60;
    let mut no_magic = section(END);
    no_magic[8] = 0;
    let head = |length: u32| [&END.u32(6)[..], &END.u32(length), &[0; 64]].concat();
    let mut long_packet = enhanced(END, 0, 0, b"frame");
    long_packet[20] = 9;
    for (damaged, fault) in [
        (lengths_differ, "the lengths before and after a block differ"),
        (no_magic, "a section header without byte-order magic"),
        (head(8), "a block of 8 bytes; the length must be a multiple of 4, and at least 12"),
        (head(33), "a block of 33 bytes; the length must be a multiple of 4, and at least 12"),
        (head(16_777_220), "a block claims 16777220 bytes; none is larger than 16777216"),
        (
            block(END, 0x0a0d_0d0a, &END.u32(0x1a2b_3c4d)),
            "a block too short for its fields: 16 bytes needed, 0 present",
        ),
        (block(END, 1, &[0; 4]), "a block too short for its fields: 8 bytes needed, 4 present"),
        (block(END, 2, &[0; 16]), "a block too short for its fields: 20 bytes needed, 16 present"),
        (block(END, 3, b""), "a block too short for its fields: 4 bytes needed, 0 present"),
        (block(END, 6, &[0; 16]), "a block too short for its fields: 20 bytes needed, 16 present"),
        (enhanced(END, 1, 0, b""), "the packet names interface 1, but only 1 are described"),
        (obsolete(END, 1, 0, b""), "the packet names interface 1, but only 1 are described"),
    ] {
        let before = [section(END), interface(END, 1, 0, &[]), enhanced(END, 0, 0, b"frame")];
        let seen = read(&[before.concat(), damaged].concat());
        assert_eq!(seen.packets.len(), 1, "{fault}");
        let message = format!("test: is damaged at byte 88, after packet 1: {fault}");
        assert_eq!(seen.error(), message);
    }
}

#[test]
fn a_packet_must_fit_into_its_block() {
    let mut packet = enhanced(END, 0, 0, b"frame");
    packet[20] = 9;
    let seen = read(&[section(END), interface(END, 1, 0, &[]), packet].concat());
    assert_eq!(
        seen.error(),
        "test: is damaged at byte 48, before any whole packet: the packet claims 9 bytes, its block has 8"
    );
}

#[test]
fn a_cut_block_is_an_error_after_the_packets_before_it() {
    let whole = pcapng();
    let seen = read(&whole[..whole.len() - 1]);
    assert_eq!(seen.packets.len(), 4);
    let message =
        "test: is cut in the block at byte 316, after packet 4: 24 bytes needed, 23 present";
    assert_eq!(seen.error(), message);
}

#[test]
fn lists_have_limits() {
    let interfaces = interface(END, 1, 0, &[]).repeat(65_537);
    let seen = read(&[section(END), interfaces].concat());
    assert!(seen.error().ends_with("more than 65536 interfaces in a section"), "{}", seen.error());

    let address = option(END, 4, &[192, 0, 2, 9, 255, 255, 255, 0]);
    let seen = read(&[section(END), interface(END, 1, 0, &address.repeat(65_536))].concat());
    assert_eq!((seen.addresses.len(), seen.error()), (65_536, String::new()));
    let seen = read(&[section(END), interface(END, 1, 0, &address.repeat(65_537))].concat());
    assert!(
        seen.error().ends_with("interfaces with more than 65536 addresses"),
        "{}",
        seen.error()
    );
}
