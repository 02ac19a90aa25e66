//! Doors with one-time sequences.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::common::CaseRunner;
use crate::common::capture_builder::{knocks, pcap, syn};

const CONFIG: &str = "\
[once]
    one_time_sequences = sequences
    command = once %IP%

[ssh]
    sequence = 7000,8000,9000
    command = open %IP%
";

#[test]
fn the_next_line_takes_over_and_the_file_is_never_written() {
    let desk = desk(" 1,2\n#3,4\n 5,6\n");
    let file = desk.path("sequences");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    let before = (fs::read(&file).unwrap(), fs::metadata(&file).unwrap().modified().unwrap());
    let outcome = desk.run("knocks.pcap -c knockd.conf");
    assert_eq!(outcome.status, Some(0));
    assert_eq!(
        outcome.stdout,
        "10.0.0.5: once: Stage 1\n10.0.0.5: once: Stage 2\n10.0.0.5: once: OPEN SESAME\n\
         once: running command: once 10.0.0.5\n\
         10.0.0.5: once: Stage 1\n10.0.0.5: once: Stage 2\n10.0.0.5: once: OPEN SESAME\n\
         once: running command: once 10.0.0.5\n\
         10.0.0.5: ssh: Stage 1\n10.0.0.5: ssh: Stage 2\n10.0.0.5: ssh: Stage 3\n\
         10.0.0.5: ssh: OPEN SESAME\nssh: running command: open 10.0.0.5\n"
    );
    let after = (fs::read(&file).unwrap(), fs::metadata(&file).unwrap().modified().unwrap());
    assert_eq!(after, before);
}

#[test]
fn a_file_that_can_be_written_is_not_written_either() {
    let desk = desk(" 1,2\n 5,6\n");
    let file = desk.path("sequences");
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    assert!(desk.run("knocks.pcap -c knockd.conf").stdout.contains("once: OPEN SESAME"));
    assert_eq!(fs::read(&file).unwrap(), b" 1,2\n 5,6\n");
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
}

#[test]
fn the_last_sequence_used_is_a_warning_that_names_the_door() {
    let desk = desk(" 1,2\n");
    let outcome = desk.run("knocks.pcap -c knockd.conf -v");
    assert_eq!(outcome.status, Some(0));
    assert_eq!(outcome.stdout.matches("once: OPEN SESAME").count(), 1, "{}", outcome.stdout);
    assert_eq!(outcome.stdout.matches("ssh: OPEN SESAME").count(), 1, "{}", outcome.stdout);
    insta::assert_snapshot!(outcome.stderr);
    assert_eq!(desk.run("knocks.pcap -c knockd.conf --quiet").stderr, "");
}

#[test]
fn a_file_without_a_sequence_is_a_warning_and_other_doors_go_on() {
    let desk = desk("#1,2\n\n");
    let outcome = desk.run("knocks.pcap -c knockd.conf");
    assert_eq!(outcome.status, Some(0));
    assert!(!outcome.stdout.contains("once: "), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("ssh: OPEN SESAME"), "{}", outcome.stdout);
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn a_file_that_is_missing_is_status_2() {
    let desk = desk("");
    fs::remove_file(desk.path("sequences")).unwrap();
    let outcome = desk.run("knocks.pcap -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    assert!(outcome.stderr.contains("`sequences`: there is no such file"), "{}", outcome.stderr);
}

/// Returns a desk with a file of sequences and a capture of 1,2 and 5,6 and 7000,8000,9000.
fn desk(sequences: &str) -> CaseRunner {
    let first = [syn(0, 1), syn(100, 2), syn(200, 5), syn(300, 6)];
    let desk = CaseRunner::with(pcap(&[first.to_vec(), knocks(10_000)].concat()));
    desk.write("knockd.conf", CONFIG);
    desk.write("sequences", sequences);
    desk
}
