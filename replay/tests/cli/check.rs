//! `check`, `check --explain` and what goes with them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::common::{CaseRunner, Outcome};

/// A door with nothing to be said against it.
const SOUND: &str = "\
[ssh]
    sequence = 18044,7326,61402
    seq_timeout = 5
    command = /nosuch/open %IP%
";

#[test]
fn a_sound_configuration_is_status_0() {
    let outcome = checked(SOUND, "check -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    assert_eq!(outcome.stderr, "knockd.conf: 1 door, no errors\n");
}

#[test]
fn warnings_are_status_0_unless_they_are_denied() {
    let config = SOUND.replace("7326,61402", "61402");
    let status = |arguments: &str| {
        let outcome = checked(&config, &format!("check -c knockd.conf {arguments}"));
        assert_eq!(outcome.stdout, "");
        outcome.status
    };
    assert_eq!(status(""), Some(0));
    assert_eq!(status("--deny warnings"), Some(2));
    assert_eq!(status("--deny no-command,few-knocks"), Some(2));
    assert_eq!(status("--deny no-command"), Some(0));
    assert_eq!(status("--deny warnings --allow few-knocks --allow ascending-sequence"), Some(0));
    assert_eq!(status("--deny few-knocks --allow few-knocks"), Some(2));
    assert_eq!(status("--deny warnings --quiet"), Some(2));
}

#[test]
fn a_check_says_what_a_replay_does_not() {
    let config = SOUND.replace("7326,61402", "61402");
    let outcome = checked(&config, "check -c knockd.conf");
    insta::assert_snapshot!(outcome.stderr);
    let desk = CaseRunner::with(crate::common::capture_builder::knocks_pcap());
    desk.write("knockd.conf", &config);
    let outcome = desk.run("knocks.pcap -c knockd.conf");
    assert!(!outcome.stderr.contains("few-knocks"), "{}", outcome.stderr);
    let quiet = checked(&config, "check -c knockd.conf --quiet");
    assert_eq!((quiet.status, quiet.stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_machine_is_looked_at_only_where_that_is_asked() {
    let desk = CaseRunner::new();
    desk.write("knockd.conf", SOUND);
    fs::set_permissions(desk.path("knockd.conf"), Permissions::from_mode(0o644)).unwrap();
    let without = desk.run("check -c knockd.conf --deny warnings");
    assert_eq!(without.status, Some(0), "{}", without.stderr);
    let with = desk.run("check -c knockd.conf --on-this-machine");
    assert_eq!(with.status, Some(0));
    insta::assert_snapshot!(with.stderr);
}

#[test]
fn an_error_is_status_2_with_all_that_is_wrong() {
    let outcome = checked("[ssh]\nsequence = 7000,x\nfoo = 1\n", "check -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    assert!(outcome.stderr.ends_with("\nerror: knockd.conf: 2 errors\n"), "{}", outcome.stderr);
    let outcome = checked("", "check -c nosuch.conf");
    assert_eq!(outcome.status, Some(2));
    let told = "error: cannot read `nosuch.conf`: there is no such file\n";
    assert!(outcome.stderr.starts_with(told), "{}", outcome.stderr);
}

#[test]
fn json_goes_to_standard_output_and_nothing_goes_elsewhere() {
    let config = SOUND.replace("7326,61402", "61402");
    let outcome = checked(&config, "check -c knockd.conf --format json --deny few-knocks");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(2), ""));
    insta::assert_snapshot!(outcome.stdout);
    let outcome = checked("", "check -c nosuch.conf --format json");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(2), ""));
    insta::assert_snapshot!(outcome.stdout);
    let outcome = checked(SOUND, "check -c knockd.conf --format json");
    assert_eq!(
        (outcome.status, outcome.stdout.as_str(), outcome.stderr.as_str()),
        (Some(0), "", "")
    );
}

#[test]
fn a_code_is_explained_without_anything_else() {
    let outcome = checked("", "check --explain sequence-suffix");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(outcome.stdout);
}

/// Runs the program beside a `knockd.conf`.
fn checked(config: &str, arguments: &str) -> Outcome {
    let desk = CaseRunner::new();
    desk.write("knockd.conf", config);
    desk.run(arguments)
}
