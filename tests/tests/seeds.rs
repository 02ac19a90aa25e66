//! The seed that protects hashes from collisions changes no effect.

#![cfg(test)]

use knock_compat::{Engine, Rules, TimedEffect};
use knock_engine::{Event, Limits, LinkType, Listening, Timestamp, decode};
use knock_tests::generators::{self, Case, Resolution};
use knock_tests::{boundary, drive};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

fn effects(case: &Case, hash_seed: u64) -> Vec<TimedEffect> {
    let limits = Limits { hash_seed, ..Limits::default() };
    let (doors, listening) = (boundary::configured(&case.conf), Listening::everywhere());
    let mut engine = Rules::Knock.engine(doors, listening, &limits);
    let mut effects = Vec::new();
    let mut take = |_: &Engine, timed| effects.push(timed);
    for sight in &case.sights {
        let (frame, kept) = sight.shape.frame(&sight.packet, case.link, false);
        let link = LinkType::from_number(case.link.number());
        let Ok(packet) = decode(link, &frame[..kept]) else { continue };
        let at = Timestamp::from_nanos(sight.packet.at_ns);
        drive::tell(&mut engine, at, Event::Packet(packet), &mut take);
    }
    drive::tell(&mut engine, Timestamp::MAX, Event::DeadlineReached, &mut take);
    effects
}

/// Where failing cases are stored; later runs try them first.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/seeds.txt");

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_hash_seed_changes_no_effect(case in generators::case(Resolution::Nano), seed: u64) {
        prop_assert_eq!(effects(&case, 0), effects(&case, seed));
    }
}
