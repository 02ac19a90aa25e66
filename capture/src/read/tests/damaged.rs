use proptest::prelude::*;

use super::compressed::{gzip, zstd};
use super::forge::all;
use super::{read, stream};
use crate::{Fault, Kind, Looks};

#[test]
fn a_capture_cut_anywhere_gives_its_first_packets() {
    for capture in all() {
        let whole = read(&capture);
        assert!(whole.packets.len() > 1 && whole.error.is_none());
        for length in 0..capture.len() {
            let seen = read(&capture[..length]);
            assert!(whole.packets.starts_with(&seen.packets));
            assert!(seen.packets.len() < whole.packets.len());
        }
    }
}

#[test]
fn nothing_at_all_is_empty() {
    assert_eq!(
        read(b"").error(),
        "test: is empty; even a capture without packets has a header, as `tcpdump -w` writes it"
    );
}

#[test]
fn what_is_not_a_capture_is_named() {
    for (bytes, looks) in [
        (&b"snoop\0\0\0\0\0\0\x02"[..], Looks::Known(Kind::Snoop)),
        (b"GMBU", Looks::Known(Kind::NetworkMonitor)),
        (b"XCP\0", Looks::Known(Kind::Sniffer)),
        (b"\xfd7zXZ\0", Looks::Known(Kind::Compressed("xz"))),
        (b"BZh9", Looks::Known(Kind::Compressed("bzip2"))),
        (b"\x7fELF", Looks::Known(Kind::Elf)),
        (b"[op", Looks::Text),
        (b"\xa1\xb2", Looks::Unknown(vec![0xa1, 0xb2])),
        (&[0; 100], Looks::Unknown(vec![0; 4])),
    ] {
        let Fault::NotACapture(found) = read(bytes).error.unwrap().fault else { panic!("{looks}") };
        assert_eq!(found, looks);
    }
    assert_eq!(
        read(b"snoop\0\0\0").error(),
        "test: is a snoop file, not pcap or pcapng; convert it with Wireshark's `editcap`"
    );
    assert_eq!(
        read(&[0; 9]).error(),
        "test: is not a pcap or pcapng capture, beginning with 00 00 00 00; \
         save packets with `tcpdump -w`"
    );
}

proptest! {
    #[test]
    fn no_bytes_after_any_magic_panic_or_never_end(
        magic in prop::sample::select(vec![
            &[][..],
            &[0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4],
            &[0x34, 0xcd, 0xb2, 0xa1, 2, 0, 4, 0],
            &[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a],
            &[0x1f, 0x8b, 8],
            &[0x28, 0xb5, 0x2f, 0xfd],
            &[0x50, 0x2a, 0x4d, 0x18],
        ]),
        rest: Vec<u8>,
    ) {
        let bytes = [magic, &rest[..]].concat();
        let seen = stream(&bytes);
        prop_assert!(seen.packets.len() <= bytes.len());
    }

    #[test]
    fn no_damage_panics_or_never_ends_or_makes_packets_larger_than_the_capture(
        capture in prop::sample::select(all()),
        compression in 0..3,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = match compression {
            0 => capture,
            1 => gzip(&capture),
            _ => zstd(&capture),
        };
        for (place, value) in damage {
            *place.get_mut(&mut bytes) = value;
        }
        let seen = stream(&bytes);
        if compression == 0 {
            let total: usize = seen.packets.iter().map(|packet| packet.bytes.len()).sum();
            prop_assert!(total <= bytes.len());
        }
    }
}
