//! `--expect` and `--bless`.

use std::fs;
use std::os::unix::fs::symlink;

use crate::common::capture_builder::{knocks_pcap, pcap};
use crate::common::{CaseRunner, OPENED};

#[test]
fn a_transcript_that_is_as_expected_is_status_0_and_prints_nothing() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("expected", OPENED);
    let outcome = desk.run("knocks.pcap -c knockd.conf --expect expected");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    assert!(outcome.stderr.ends_with("knock-replay: as expected says\n"), "{}", outcome.stderr);
    let quiet = desk.run("knocks.pcap -c knockd.conf --expect expected -q");
    assert_eq!((quiet.status, quiet.stdout.as_str(), quiet.stderr.as_str()), (Some(0), "", ""));
}

#[test]
fn a_transcript_that_is_blessed_is_expected_from_then_on() {
    let desk = CaseRunner::with(knocks_pcap());
    let missing = desk.run("knocks.pcap -c knockd.conf -q --expect expected --time=relative");
    let told = "knock-replay: error: cannot read expected: there is no such file; --bless writes it as \
                the transcript is now\n";
    assert_eq!((missing.status, missing.stderr.as_str()), (Some(2), told));
    let blessed =
        desk.run("knocks.pcap -c knockd.conf -q --expect expected --bless --time=relative");
    assert_eq!(blessed.status, Some(0));
    assert_eq!(blessed.stderr, "knock-replay: 7 lines written to expected\n");
    let lines = fs::read_to_string(desk.path("expected")).unwrap();
    assert_eq!(lines, desk.run("knocks.pcap -c knockd.conf --time=relative").stdout);
    let same = desk.run("knocks.pcap -c knockd.conf -q --expect expected --time=relative");
    assert_eq!(same.status, Some(0));
}

#[test]
fn what_differs_is_shown_with_the_lines_around_it_and_is_status_1() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("expected", OPENED.replace("Stage 2", "Stage 9"));
    let outcome = desk.run("knocks.pcap -c knockd.conf -q --expect expected");
    assert_eq!(outcome.status, Some(1));
    insta::assert_snapshot!(format!("{}{}", outcome.stdout, outcome.stderr));
    // The file is as it was.
    assert_eq!(
        fs::read_to_string(desk.path("expected")).unwrap(),
        OPENED.replace("Stage 2", "Stage 9")
    );
}

#[test]
fn a_capture_of_which_nothing_is_admitted_tests_nothing() {
    let desk = CaseRunner::with(pcap(&[]));
    desk.write("expected", "");
    let nothing = "knock-replay: error: no packet was admitted, so nothing was tested; see the summary, \
                   and 'knock-replay explain'\n";
    let empty = desk.run("knocks.pcap -c knockd.conf -q --expect expected");
    assert_eq!((empty.status, empty.stderr.as_str()), (Some(1), nothing));
    fs::write(desk.path("knocks.pcap"), knocks_pcap()).unwrap();
    let elsewhere =
        desk.run("knocks.pcap -c knockd.conf -q --expect expected --local 192.0.2.9 --bless");
    assert_eq!((elsewhere.status, elsewhere.stderr.as_str()), (Some(1), nothing));
    let here = desk.run("knocks.pcap -c knockd.conf -q --expect expected --local 10.0.0.1 --bless");
    assert_eq!(here.status, Some(0));
}

#[test]
fn a_capture_that_is_cut_is_not_compared() {
    let mut capture = knocks_pcap();
    capture.truncate(capture.len() - 1);
    let desk = CaseRunner::with(capture);
    for arguments in ["--expect expected", "--expect expected --bless"] {
        let outcome = desk.run(&format!("knocks.pcap -c knockd.conf -q {arguments}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{arguments}");
        assert!(!desk.path("expected").exists());
    }
}

#[test]
fn a_file_that_cannot_be_written_is_status_4() {
    let desk = CaseRunner::with(knocks_pcap());
    let outcome = desk.run("knocks.pcap -c knockd.conf -q --expect no/such/file --bless");
    let told = "knock-replay: error: cannot write no/such/file: there is no such directory; create it, or name a file in \
                another one\n";
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(4), told));
}

#[test]
fn nothing_that_is_read_is_blessed() {
    let desk = CaseRunner::with(knocks_pcap());
    fs::hard_link(desk.path("knockd.conf"), desk.path("same.conf")).unwrap();
    for (file, read) in [
        ("knockd.conf", "knockd.conf"),
        ("same.conf", "knockd.conf"),
        ("knocks.pcap", "knocks.pcap"),
    ] {
        let before = fs::read(desk.path(read)).unwrap();
        let outcome = desk.run(&format!("knocks.pcap -c knockd.conf -q --expect {file} --bless"));
        let told = format!(
            "knock-replay: error: '--bless' would write over {read}, which is read: name another file\n"
        );
        assert_eq!((outcome.status, outcome.stderr), (Some(2), told), "{file}");
        assert_eq!(fs::read(desk.path(read)).unwrap(), before, "{file}");
    }
    // A link is followed, and a folder is left as it is after an error.
    symlink("real", desk.path("link")).unwrap();
    fs::write(desk.path("real"), "old\n").unwrap();
    let outcome = desk.run("knocks.pcap -c knockd.conf -q --expect link --bless");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(fs::symlink_metadata(desk.path("link")).unwrap().is_symlink());
    assert_ne!(fs::read(desk.path("real")).unwrap(), b"old\n");
    let names = fs::read_dir(desk.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().ends_with(".new")));
}
