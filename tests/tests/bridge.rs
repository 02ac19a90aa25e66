//! From `knockd-0.8` to `knock`, one difference at a time.

#![cfg(test)]

use std::collections::BTreeSet;

use knock_compat::{Difference, Engine, Rules, TimedEffect};
use knock_engine::{Doors, Event, Limits, LinkType, Listening, Timestamp};
use knock_replay::diff::rules::compare::{Comparison, Happening};
use knock_tests::generators::{self, Case, Resolution};
use knock_tests::{boundary, drive};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

fn doors(case: &Case) -> Doors {
    boundary::configured(&case.conf)
}

fn listening(case: &Case) -> Listening {
    boundary::listening(case.setting.local.as_deref(), case.setting.ipv4_only)
}

/// The lines of a case under some rules, with their times in nanoseconds.
fn lines(case: &Case, rules: Rules) -> Vec<String> {
    let mut engine = rules.engine(doors(case), listening(case), &Limits::default());
    let mut lines = Vec::new();
    let mut take = |engine: &Engine, TimedEffect { at, effect }| {
        let line = drive::line(engine, &effect);
        lines.extend(line.map(|line| format!("{} {line}", at.as_nanos())));
    };
    let link = LinkType::from_number(case.link.number());
    for sight in &case.sights {
        let (frame, kept) = sight.shape.frame(&sight.packet, case.link, false);
        let event = match knock_compat::decode(&engine, link, &frame[..kept]) {
            Ok(packet) => Event::Packet(packet),
            Err(_) => Event::DeadlineReached,
        };
        let at = Timestamp::from_nanos(sight.packet.at_ns);
        drive::tell(&mut engine, at, event, &mut take);
    }
    drive::tell(&mut engine, Timestamp::MAX, Event::DeadlineReached, &mut take);
    lines
}

/// The differences that a case shows.
fn differences(case: &Case) -> BTreeSet<Option<Difference>> {
    let mut comparison = Comparison::new(&doors(case), &listening(case), &Limits::default());
    let link = LinkType::from_number(case.link.number());
    let mut differing = Vec::new();
    for sight in &case.sights {
        let (frame, kept) = sight.shape.frame(&sight.packet, case.link, false);
        let at = Timestamp::from_nanos(sight.packet.at_ns);
        differing.extend(comparison.step(at, &Happening::Frame(link, &frame[..kept]), drop));
    }
    differing.extend(comparison.step(Timestamp::MAX, &Happening::Time, drop));
    differing.iter().map(|one| one.due_to).collect()
}

/// Where failing cases are stored; later runs try them first.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/bridge.txt");

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_line_that_differs_is_due_to_a_known_difference(case in generators::case(Resolution::Micro)) {
        prop_assert!(!differences(&case).contains(&None));
    }

    #[test]
    fn a_configuration_with_which_knockd_08_does_not_start_opens_nothing(
        case in generators::case(Resolution::Micro),
    ) {
        if Rules::Knockd08.refusal(&doors(&case), &listening(&case)).is_some() {
            prop_assert_eq!(lines(&case, Rules::Knockd08), Vec::<String>::new());
        }
    }

    #[test]
    fn with_all_fixed_the_rules_are_those_of_knock(case in generators::case(Resolution::Nano)) {
        let [.., last] = Difference::ALL;
        prop_assert_eq!(lines(&case, Rules::FixedUpTo(last)), lines(&case, Rules::Knock));
    }
}
