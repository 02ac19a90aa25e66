//! Decoding of random bytes.

use knock_engine::{LinkType, Undecodable, decode};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// Where failing cases are stored; later runs try them first.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/decode.txt");

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_bytes_under_any_link_type_panic(number: u16, frame: Vec<u8>) {
        // The point is to get here without a panic.
        let link = LinkType::from_number(number);
        let outcome = decode(link, &frame);
        prop_assert!(link.is_supported() || outcome == Err(Undecodable::LinkType(number)));
    }

    #[test]
    fn bytes_that_resemble_headers_do_not_panic_and_never_change_ports_when_cut(
        link in prop::sample::select(&LinkType::SUPPORTED[..]),
        pieces in prop::collection::vec(piece(), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let frame = pieces.concat();
        let part = &frame[..cut.index(frame.len().max(1))];
        match (decode(link, &frame), decode(link, part)) {
            (Ok(whole), Ok(part)) => {
                prop_assert_eq!(whole.source, part.source);
                prop_assert_eq!(whole.destination, part.destination);
                prop_assert_eq!(whole.source_port, part.source_port);
                prop_assert_eq!(whole.knock(), part.knock());
            }
            (Err(_), Ok(part)) => prop_assert!(false, "a port in the part only: {part:?}"),
            (Ok(_), Err(error)) => {
                prop_assert!(matches!(error, Undecodable::Cut { .. }), "{error}");
            }
            (Err(_), Err(error)) => {
                if let Undecodable::Cut { needed, had, .. } = error {
                    prop_assert!(had < needed && had <= part.len());
                }
            }
        }
    }
}

/// Headers, or beginnings of headers, that lead the decoder deep into a frame.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let next = prop::sample::select(&[0_u8, 1, 6, 17, 43, 44, 51, 58, 60][..]);
    prop_oneof![
        ether_type().prop_map(|kind| [&[2; 12][..], &kind].concat()),
        ether_type().prop_map(|kind| [&[0; 14][..], &kind].concat()),
        ether_type().prop_map(|kind| [&kind[..], &[0; 18]].concat()),
        ether_type().prop_map(|kind| [&[0, 7][..], &kind].concat()),
        Just(vec![0, 0, 0, 2]),
        Just(vec![30, 0, 0, 0]),
        Just(vec![0xff, 0x03, 0x00, 0x21]),
        Just(vec![0x57]),
        (0x44_u8..=0x4f, next.clone(), 0_u8..3).prop_map(|(first, protocol, offset)| {
            let mut bytes = vec![first, 0, 0, 40, 0, 0, 0, offset / 2, 64, protocol];
            bytes.resize(20, 9);
            bytes
        }),
        next.clone().prop_map(|next| {
            let mut bytes = vec![0x60, 0, 0, 0, 0, 0, next, 64];
            bytes.resize(40, 9);
            bytes
        }),
        (next, 0_u8..3).prop_map(|(next, length)| vec![next, length, 0, 0, 0, 0, 0, 0]),
        prop::collection::vec(any::<u8>(), 0..24),
    ]
}

fn ether_type() -> impl Strategy<Value = [u8; 2]> {
    prop::sample::select(
        &[[0x08, 0x00], [0x86, 0xdd], [0x81, 0x00], [0x88, 0xa8], [0x08, 0x06]][..],
    )
}
