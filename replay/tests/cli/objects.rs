//! `--format json` without `--explain` and `--check`: the command around what `tests/objects.rs` shows
//! case by case.

use std::process::Stdio;

use crate::common::capture_builder::{knocks_pcap, pcap_header, syn};
use crate::common::{CaseRunner, Live};

#[test]
fn each_object_of_a_live_capture_comes_at_once() {
    let desk = CaseRunner::new();
    let mut live =
        Live::start(desk.command("- -c knockd.conf --format json").stdin(Stdio::piped()));
    live.send(&[pcap_header(), syn(0, 7000).record()].concat());
    let object = r#"{"version":1,"type":"line","time":"2023-11-14T22:13:20.000000000Z","after_seconds":0.0,"event":"stage","client":"10.0.0.5","door":"ssh","stage":1,"packet":{"capture":"standard input","number":1},"text":"10.0.0.5: ssh: Stage 1"}"#;
    assert_eq!(live.line(), object);
    assert!(live.runs());
    assert_eq!(live.finish().status, Some(0));
}

#[test]
fn what_has_no_objects_is_refused_with_a_way_out() {
    let desk = CaseRunner::with(knocks_pcap());
    for (more, told) in [
        (
            "--expect x",
            "knock-replay: error: '--expect' prints no JSON: leave out '--format json'\n",
        ),
        (
            "--rules both",
            "knock-replay: error: '--rules both' prints no JSON: leave out '--format json'\n",
        ),
        ("--time", "knock-replay: error: objects have both times: leave out '--time'\n"),
    ] {
        let outcome = desk.run(&format!("knocks.pcap -c knockd.conf --format json {more}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{more}");
        assert!(outcome.stderr.starts_with(told), "{}", outcome.stderr);
    }
    let outcome = desk.run("knocks.pcap --write x.pcap --format json");
    let told = "knock-replay: error: '--write' prints no JSON: leave out '--format json'\n";
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.starts_with(told), "{}", outcome.stderr);
}

#[test]
fn objects_that_cannot_be_written_are_status_4() {
    let desk = CaseRunner::with(knocks_pcap());
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output =
        desk.command("knocks.pcap -c knockd.conf -q --format json").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let told = "knock-replay: error: cannot write to standard output: No space left on device\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), told);
}
