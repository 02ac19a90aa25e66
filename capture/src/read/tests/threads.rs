//! Captures that threads read give the same as those that are read one packet after another.

use std::io::{Cursor, Write as _};
use std::net::IpAddr;
use std::sync::Arc;

use knock_engine::{LinkType, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::pass_over::{capture, flavours, items};
use super::{Capture, Next};
use crate::read::merge::Large;
use crate::read::skim::Skim;
use crate::{Merge, Passed, Unwanted};

/// What a merge gives.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Given {
    Packet { capture: usize, number: u64, at: Timestamp, frame: Vec<u8> },
    Passed { capture: usize, passed: Passed },
    Addresses(Vec<IpAddr>),
}

fn given(merge: &mut Merge) -> Vec<Given> {
    let mut all = Vec::new();
    while let Some(next) = merge.peek() {
        let addresses = merge.take_local_addresses();
        if !addresses.is_empty() {
            all.push(Given::Addresses(addresses));
        }
        let (capture, at) = (merge.index(), merge.at().unwrap());
        all.push(match next {
            Next::Packet(head) => {
                assert_eq!(at, head.at);
                Given::Packet { capture, number: head.number, at, frame: merge.frame().to_vec() }
            }
            Next::Passed => {
                let passed = merge.take_passed();
                assert_eq!(passed.latest, Some(at));
                Given::Passed { capture, passed }
            }
        });
        merge.advance();
    }
    all
}

/// Fewer packets than there are, so that there is something to pass over.
fn is_unwanted(frame: &[u8]) -> bool {
    frame.first().is_some_and(|byte| byte % 8 != 0)
}

/// Checks that the same is given but for packets that are unwanted, which are counted where they were.
fn check_passing(plain: &[Given], passing: Vec<Given>) {
    let mut rest = plain.iter();
    let mut missing: Vec<Vec<(Timestamp, bool)>> = vec![Vec::new(); 10];
    let mut latest = vec![None; 10];
    for one in passing {
        // What a capture has passed over has its turn with the last packet of it.
        if let Given::Passed { capture, passed } = one {
            while (missing[capture].len() as u64) < passed.packets {
                skip(rest.next(), &mut missing, &mut latest);
            }
            let packets = std::mem::take(&mut missing[capture]);
            let backwards = packets.iter().filter(|(_, is_backwards)| *is_backwards).count();
            assert_eq!(
                (packets.len(), backwards),
                (passed.packets as usize, passed.backwards as usize)
            );
            assert_eq!(passed.latest, latest[capture]);
            continue;
        }
        loop {
            let plain = rest.next().expect("nothing is invented");
            if *plain == one {
                break;
            }
            skip(Some(plain), &mut missing, &mut latest);
        }
        if let Given::Packet { capture, at, .. } = one {
            assert!(missing[capture].is_empty(), "what comes before was counted");
            latest[capture] = latest[capture].max(Some(at));
        }
    }
    rest.for_each(|one| skip(Some(one), &mut missing, &mut latest));
    assert!(missing.iter().all(Vec::is_empty), "{missing:?}");
}

/// Notes a packet that was passed over.
fn skip(
    one: Option<&Given>,
    missing: &mut [Vec<(Timestamp, bool)>],
    latest: &mut [Option<Timestamp>],
) {
    let Some(Given::Packet { capture, at, frame, number }) = one else {
        panic!("{one:?} is missing")
    };
    assert!(is_unwanted(frame) && *number > 1, "{one:?} is missing");
    missing[*capture].push((*at, Some(*at) < latest[*capture]));
    latest[*capture] = latest[*capture].max(Some(*at));
}

fn errors(merge: Merge) -> Vec<String> {
    merge.into_errors().iter().map(ToString::to_string).collect()
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn threads_and_passing_over_change_neither_what_comes_nor_its_order(
        captures in vec(
            (flavours(), items(), proptest::option::weighted(0.2, any::<prop::sample::Index>()), prop::bool::weighted(0.2)),
            1..6,
        ),
        window in 1..2000_usize,
    ) {
        let (mut files, mut streams) = (Vec::new(), Vec::new());
        for (flavour, items, cut, compresses) in captures {
            let mut bytes = capture(flavour, &items);
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()).max(60));
            }
            let mut file = NamedTempFile::new().unwrap();
            file.write_all(&if compresses { compress(&bytes) } else { bytes.clone() }).unwrap();
            let name = file.path().display().to_string();
            streams.push(Capture::from_stream(name, Box::new(Cursor::new(bytes))).unwrap());
            files.push(file);
        }
        let mut plain = Merge::new(streams);
        let expected = given(&mut plain);
        let expected_errors = errors(plain);
        let open = || {
            let captures = files.iter().map(|file| {
                let mut capture = Capture::open(file.path()).unwrap();
                capture.skim = Skim::with_window(window);
                capture
            });
            Merge::new(captures.collect())
        };
        let passes: Unwanted = Arc::new(|_: LinkType, frame: &[u8]| is_unwanted(frame));
        // By threads, and here.
        for large in [0, u64::MAX].map(|size| Large { read: size, mapped: size }) {
            let mut merge = open();
            merge.begin_with(None, large);
            assert_eq!(given(&mut merge), expected);
            assert_eq!(sorted(errors(merge)), sorted(expected_errors.clone()));
            let mut merge = open();
            merge.begin_with(Some(Arc::clone(&passes)), large);
            check_passing(&expected, given(&mut merge));
            assert_eq!(sorted(errors(merge)), sorted(expected_errors.clone()));
        }
    }
}

/// What is compressed has other places in its errors.
fn sorted(errors: Vec<String>) -> Vec<String> {
    errors.into_iter().map(|error| error.replace(" of the decompressed data", "")).collect()
}
