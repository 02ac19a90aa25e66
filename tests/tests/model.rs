//! Compares the command with an independent, naive model of the rules.

#![cfg(test)]

use std::ffi::OsString;

use knock_replay::Exit;
use knock_tests::generators::{self, Case, Resolution};
use knock_tests::in_process::knock_replay_in;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use tempfile::TempDir;

/// Replays a case, and returns standard output and standard error.
fn replay(case: &Case, more: &[&str]) -> (Vec<u8>, String) {
    let folder = TempDir::new().unwrap();
    case.write_to(folder.path()).unwrap();
    let capture = case.capture().file_name();
    let given = ["--config", "knockd.conf", &capture].map(str::to_owned);
    let more = more.iter().map(|&argument| argument.to_owned());
    let args = given.into_iter().chain(case.arguments()).chain(more).map(OsString::from);
    let run = knock_replay_in(folder.path(), args);
    assert_eq!(run.exit, Exit::Done, "{}", run.errors);
    (run.output, run.errors)
}

/// Returns the lines of the model, each after its time.
fn expected(case: &Case) -> String {
    let mut text = String::new();
    for line in case.expected().lines {
        let time = chrono::DateTime::from_timestamp_nanos(line.at_ns)
            .to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let line = String::from_utf8_lossy(&line.text);
        text.push_str(&[&time, " ", &line, "\n"].concat());
    }
    text
}

fn check(case: &Case) {
    let (output, _) = replay(case, &["--time"]);
    let conf = String::from_utf8_lossy(&case.conf.text);
    assert_eq!(String::from_utf8_lossy(&output), expected(case), "{conf}");
}

/// Where failing cases are stored; later runs try them first.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/model.txt");

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_replay_prints_what_the_model_says(case in generators::case(Resolution::Micro)) {
        check(&case);
    }

    #[test]
    fn a_replay_prints_what_the_model_says_to_the_nanosecond(case in generators::case(Resolution::Nano)) {
        check(&case);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_same_input_gives_the_same_bytes(case in generators::case(Resolution::Micro)) {
        prop_assert_eq!(replay(&case, &["-v"]), replay(&case, &["-v"]));
    }
}
