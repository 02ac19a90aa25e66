//! Doors with derived sequences, in a replay.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::common::CaseRunner;

/// The key of the examples in `testdata/derived/vectors.txt`.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

const CONFIG: &str = "[SSH]\nSequence_Key = the.key\nTCPFlags = syn\nCommand = open %IP%\n";

/// The knocks of the minute in which the scenario starts.
const KNOCKS: &str = "22365 42880 23141 31602 51651";

/// A client that knocks twice in its minute, one whose clock is 3 hours and 12 minutes behind, and a stranger.
fn scenario() -> String {
    format!(
        "start 2025-12-04T00:00:30Z\n0 knock 10.0.0.5 {KNOCKS}\n5 knock 10.0.0.5 {KNOCKS}\n\
         11520 knock 10.0.0.6 {KNOCKS}\n11530 knock 10.0.0.7 20000 20001 20002 20003\n"
    )
}

fn runner() -> CaseRunner {
    let runner = CaseRunner::new();
    runner.write("knockd.conf", CONFIG);
    runner.write("scenario.txt", scenario());
    runner.write("the.key", format!("key = {KEY}\n"));
    fs::set_permissions(runner.path("the.key"), Permissions::from_mode(0o600)).unwrap();
    runner
}

#[test]
fn a_capture_replays_with_the_key_and_the_times_of_its_packets() {
    let outcome = runner().run("scenario.txt -c knockd.conf");
    let stages: Vec<String> =
        (1..=5).map(|stage| format!("10.0.0.5: SSH: Stage {stage}\n")).collect();
    let stages = stages.concat();
    let opened = "10.0.0.5: SSH: OPEN SESAME\nSSH: running command: open 10.0.0.5\n";
    assert_eq!(outcome.stdout, format!("{stages}{opened}{stages}"), "{}", outcome.stderr);
    let ignored = "SSH: opened with this sequence already (Sequence_Period), ignored";
    assert!(outcome.stderr.contains(ignored), "{}", outcome.stderr);
}

#[test]
fn a_replay_begins_with_what_was_used_before() {
    let runner = runner();
    let line = "scenario.txt -c knockd.conf --replay-state used";
    // Periods before this one are no loss, those up to it are.
    for (period, opens) in [(0, true), (u32::MAX, false)] {
        let key: [u8; 32] = std::array::from_fn(|place| u8::try_from(place).unwrap());
        let id = knock_signed::Key::take(&mut { key }).for_sequences().id(b"SSH").to_bits();
        runner.write("used", format!("# comment\nforgotten {id:016x} {period}\n"));
        let outcome = runner.run(line);
        assert_eq!(
            outcome.stdout.contains("OPEN SESAME"),
            opens,
            "{}{}",
            outcome.stdout,
            outcome.stderr
        );
    }
    for (text, said) in [
        (
            "# comment\n[options]\n",
            "used, line 2: this is no whole line of the file `used` in the StateDir of knockd",
        ),
        ("used ab 7", "used, line 1: "),
    ] {
        runner.write("used", text);
        let outcome = runner.run(line);
        assert_eq!((outcome.stdout.as_str(), outcome.status), ("", Some(2)), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    }
    // A folder is no file either.
    for (file, why) in [("absent", "there is no such file"), (".", "it is a directory")] {
        let outcome =
            runner.run(&format!("explain scenario.txt -c knockd.conf --replay-state {file}"));
        let said = format!(
            "knock-replay: error: cannot read the state in {file}: {why}; name the file `used` in the StateDir of \
             knockd (/var/lib/knockd), or a copy of it\n"
        );
        assert_eq!(outcome.stderr.to_lowercase(), said.to_lowercase());
        assert_eq!(outcome.status, Some(2));
    }
}

#[test]
fn an_explanation_finds_out_by_how_much_a_clock_is_wrong() {
    let outcome = runner().run("explain scenario.txt -c knockd.conf");
    let text = outcome.stdout;
    for said in [
        "begins no sequence that counts at this time, and no attempt is under way",
        "the knocks are those of another time: the clock of 10.0.0.6 is about 3 h 12 min behind, or somebody \
         repeats what was recorded",
        "opened with this sequence already (Sequence_Period), ignored",
    ] {
        assert!(text.contains(said), "{text}{}", outcome.stderr);
    }
    // No hint is made up for a stranger.
    assert!(!text.contains("the clock of 10.0.0.7"), "{text}");
}

#[test]
fn no_output_has_the_key_or_knocks_that_nobody_sent() {
    let runner = runner();
    // A client that has made the first knock only.
    runner.write("scenario.txt", "start 2025-12-04T00:00:30Z\n0 knock 10.0.0.5 22365\n");
    runner.write("other.conf", CONFIG.replace("syn", "ack"));
    for line in [
        "scenario.txt -c knockd.conf -v",
        "scenario.txt -c knockd.conf --format json",
        "explain scenario.txt -c knockd.conf",
        "explain scenario.txt -c knockd.conf --format json",
        "diff scenario.txt -c knockd.conf --new other.conf",
        "diff scenario.txt -c knockd.conf --rules",
        "check knockd.conf",
        "check knockd.conf --format json",
        "report scenario.txt -c knockd.conf -o -",
    ] {
        let outcome = runner.run(line);
        let printed = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!printed.is_empty(), "{line}");
        for secret in [KEY, "AAECAw", "42880", "23141", "31602", "51651", "48548"] {
            assert!(!printed.contains(secret), "{line}: {printed}");
        }
    }
}
