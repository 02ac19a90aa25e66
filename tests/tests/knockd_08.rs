//! Compares the rule set `knockd-0.8` with an independent, naive model of knockd 0.8.

#![cfg(test)]

use knock_compat::{Engine, Rules, TimedEffect};
use knock_engine::{Event, Limits, Timestamp};
use knock_tests::generators::{self, Case, Resolution};
use knock_tests::model::Setting;
use knock_tests::model_08::Daemon;
use knock_tests::{boundary, drive};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// Returns the transcript of the engine, driven as a replay does.
fn said(case: &Case) -> Vec<String> {
    let Setting { doors, local, ipv4_only } = &case.setting;
    let listening = boundary::listening(local.as_deref(), *ipv4_only);
    let limits = Limits::default();
    let mut engine = Rules::Knockd08.engine(boundary::doors(doors), listening, &limits);
    let mut lines = Vec::new();
    let mut take =
        |engine: &Engine, timed: TimedEffect| lines.extend(drive::line(engine, &timed.effect));
    for packet in case.packets() {
        let at = Timestamp::from_nanos(packet.at_ns);
        drive::tell(&mut engine, at, Event::Packet(boundary::packet(&packet)), &mut take);
    }
    while let Some(deadline) = engine.poll_deadline() {
        drive::tell(&mut engine, deadline.at, Event::DeadlineReached, &mut take);
    }
    lines
}

fn expected(case: &Case) -> Vec<String> {
    let mut daemon = Daemon::new(&case.setting);
    daemon.packets(&case.packets());
    daemon.time(i64::MAX);
    daemon.lines().iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

/// Where failing cases are stored; later runs try them first.
const REGRESSIONS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/knockd_08.txt");

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_engine_says_what_knockd_08_says(case in generators::case(Resolution::Nano)) {
        prop_assert_eq!(said(&case), expected(&case), "{:#?}", case.setting);
    }
}
