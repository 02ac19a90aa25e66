//! `check`, `check --explain` and what goes with them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::common::{CaseRunner, Outcome};

/// A door with nothing to be said against it.
const SOUND: &str = "\
[ssh]
    sequence = 18044,7326,61402
    seq_timeout = 5
    tcpflags = syn
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

#[test]
fn many_configurations_and_folders_are_checked_and_counted() {
    let desk = CaseRunner::new();
    for folder in ["servers/a", "servers/b", "empty"] {
        fs::create_dir_all(desk.path(folder)).unwrap();
    }
    desk.write("servers/a/knockd.conf", SOUND);
    desk.write("servers/b/knockd.conf", SOUND.replace("7326,61402", "61402"));
    desk.write("servers/b/notes.txt", "not a configuration");
    desk.write("broken.conf", "[ssh]\nsequence = x\n");
    let both = desk.run("check servers");
    assert_eq!((both.status, both.stdout.as_str()), (Some(0), ""));
    insta::assert_snapshot!(both.stderr);
    // Every one is checked, also after one with errors.
    let all = desk.run("check broken.conf empty nosuch.conf servers --quiet");
    assert_eq!((all.status, all.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(all.stderr);
    let quiet = desk.run("check servers --quiet");
    assert_eq!((quiet.status, quiet.stderr.as_str()), (Some(0), ""));
    let denied = desk.run("check servers --deny few-knocks --quiet");
    assert_eq!(denied.status, Some(2));
    let told = "2 configurations: 1 with errors, 1 warning\n";
    assert!(denied.stderr.ends_with(told), "{}", denied.stderr);
    let json = desk.run("check servers broken.conf --format json");
    assert_eq!((json.status, json.stderr.as_str()), (Some(2), ""));
    let files: Vec<String> = json
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["file"].to_string())
        .collect();
    assert_eq!(files.last().unwrap(), "\"broken.conf\"");
    assert!(files.contains(&"\"servers/b/knockd.conf\"".to_owned()), "{files:?}");
    let twice = desk.run("check -c broken.conf servers");
    assert_eq!(twice.status, Some(2));
    assert!(twice.stderr.contains("cannot be used with"), "{}", twice.stderr);
}

#[test]
fn all_codes_are_listed_with_what_they_mean() {
    let outcome = checked("", "check --list");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(outcome.stdout.lines().count(), knock_config::warnings::Code::ALL.len());
    let told = outcome.stdout.lines().filter_map(|line| line.split_once("  "));
    let mut told = told.map(|(code, meaning)| (code, meaning.trim()));
    let expected = ("few-knocks", "A sequence has only one or two knocks.");
    assert!(told.any(|one| one == expected), "{}", outcome.stdout);
}

/// Runs the program beside a `knockd.conf`.
fn checked(config: &str, arguments: &str) -> Outcome {
    let desk = CaseRunner::new();
    desk.write("knockd.conf", config);
    desk.run(arguments)
}

#[test]
fn who_can_write_the_files_matters_only_where_that_is_asked() {
    let desk = CaseRunner::new();
    desk.write("knockd.conf", SOUND);
    fs::set_permissions(desk.path("knockd.conf"), Permissions::from_mode(0o666)).unwrap();
    let status = |more: &str| desk.run(&format!("check -c knockd.conf {more}")).status;
    assert_eq!(status(""), Some(0));
    assert_eq!(status("--on-this-machine --no-strict-modes"), Some(0));
    let refused = desk.run("check -c knockd.conf --on-this-machine");
    assert_eq!(refused.status, Some(2));
    assert!(refused.stderr.contains("knockd.conf can be written by every user"), "{refused:?}");
}
