//! What keeps hashes safe from collisions changes nothing that happens.

#![cfg(test)]

use knock_engine::{
    CommandStatus, DoorSequence, Doors, Effect, Engine, Event, Limits, Listening, OneTimeSequences,
    Rules, TimedEffect, Timestamp, config, decode,
};
use knock_tests::arb::{self, Case, Resolution};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

fn doors(case: &Case) -> Doors {
    let mut config = config::parse(&case.conf.text).config.unwrap();
    for door in &mut config.doors {
        let Some(file) = &door.one_time_file else { continue };
        let name = String::from_utf8_lossy(file.name.as_bytes());
        let (_, text) = case.conf.sequence_files.iter().find(|(other, _)| *other == name).unwrap();
        door.door.sequence = DoorSequence::OneTime(OneTimeSequences::parse(text).0.unwrap());
    }
    Doors::new(config.doors.into_iter().map(|door| door.door).collect()).unwrap()
}

fn effects(case: &Case, hash_seed: u64) -> Vec<TimedEffect> {
    let limits = Limits { hash_seed, ..Limits::default() };
    let mut engine = Engine::new(doors(case), Listening::everywhere(), Rules::Knock, &limits);
    let mut effects = Vec::new();
    let mut drain = |engine: &mut Engine| {
        while let Some(timed) = engine.poll_effect() {
            effects.push(timed);
            if let Effect::RunCommand { run, .. } = timed.effect {
                let status = CommandStatus::SUCCESS;
                engine.handle(timed.at, Event::CommandEnded { run, status });
            }
        }
    };
    for sight in &case.sights {
        let (frame, kept) = sight.shape.frame(&sight.packet, case.link, false);
        let link = knock_engine::LinkType::from_number(case.link.number());
        let Ok(packet) = decode(link, &frame[..kept]) else { continue };
        engine.handle(Timestamp::from_nanos(sight.packet.at_ns), Event::Packet(packet));
        drain(&mut engine);
    }
    engine.handle(Timestamp::MAX, Event::DeadlineReached);
    drain(&mut engine);
    effects
}

/// Where failing cases are kept, to be tried first from then on.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/seeds.txt");

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_hash_seed_changes_no_effect(case in arb::case(Resolution::Nano), seed: u64) {
        prop_assert_eq!(effects(&case, 0), effects(&case, seed));
    }
}
