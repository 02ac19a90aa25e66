//! Every case of `testdata/captures`: transcript, standard error and exit status, as snapshots.

#![cfg(test)]

use std::process::Command;

use knock_tests::cases::{self, Case};
use knock_tests::cases_08::stops_after_starts;

/// Replays a case in its folder, and returns the snapshot and standard output.
fn replay(case: &Case) -> (String, Vec<u8>) {
    replay_by("knock", case)
}

fn replay_by(rules: &str, case: &Case) -> (String, Vec<u8>) {
    // Forged captures lie at a path that changes from run to run, all others in the folder.
    let captures = case.captures.iter().map(|path| path.strip_prefix(&case.folder).unwrap_or(path));
    let output = Command::new(env!("CARGO_BIN_EXE_knock-replay"))
        .current_dir(&case.folder)
        .args(captures)
        .arg("--config")
        .arg(case.conf.file_name().unwrap())
        .args(["--rules", rules])
        .args(&case.args)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let forged = case.forged.path().to_string_lossy();
    let snapshot = format!(
        "status: {}\n---- stdout\n{}---- stderr\n{}",
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stdout),
        errors.replace(&*forged, "(forged)"),
    );
    (snapshot, output.stdout)
}

#[test]
fn every_case_prints_what_its_snapshot_says() {
    let cases = cases::all();
    assert!(cases.len() > 150, "only {} cases were found", cases.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _guard = settings.bind_to_scope();
    for case in cases {
        let (snapshot, _) = replay(&case);
        insta::assert_snapshot!(case.name.replace('/', "__"), snapshot);
    }
}

/// Captures with which only knock opens: a client knocks twice at a port (docs/differences.md, 56).
const ONLY_KNOCK_OPENS: &[&str] = &["zeek-22-80-80-21-timeouts/t15two"];

#[test]
fn what_the_real_knockd_printed_is_printed_byte_for_byte_by_both_rule_sets() {
    let mut compared = 0;
    for case in cases::all() {
        let Some(expected) = &case.expected else { continue };
        let expected = String::from_utf8_lossy(expected);
        for rules in ["knock", "knockd-0.8"] {
            let (_, output) = replay_by(rules, &case);
            // The real one was run without waiting for stop commands.
            let output = stops_after_starts(&output);
            let printed = String::from_utf8_lossy(&output);
            if rules == "knock" && ONLY_KNOCK_OPENS.contains(&&*case.name) {
                assert!(printed.contains("OPEN SESAME") && !expected.contains("OPEN SESAME"));
                continue;
            }
            assert_eq!(printed, expected, "{} by {rules}", case.name);
        }
        compared += 1;
    }
    assert!(compared >= 14, "only {compared} transcripts of the real knockd were found");
}

#[test]
fn a_capture_is_known_by_its_content_not_by_its_name() {
    let folder = tempfile::TempDir::new().unwrap();
    let cases = cases::all();
    let formats: Vec<_> = cases.iter().filter(|case| case.name.starts_with("format-")).collect();
    assert!(!formats.is_empty());
    for case in formats {
        let [capture] = &case.captures[..] else { panic!("{}", case.name) };
        let renamed = folder.path().join("capture.txt");
        std::fs::copy(capture, &renamed).unwrap();
        let other = Case { captures: vec![renamed], ..case.clone() };
        assert_eq!(replay(&other), replay(case), "{}", case.name);
    }
}
