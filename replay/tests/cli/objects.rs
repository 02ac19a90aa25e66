//! `--format json` without `--explain` and `--check`: the command around what `tests/objects.rs` shows
//! case by case.

use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::common::capture_builder::{first_knocks_pcap, knocks_pcap, pcap_header, syn};
use crate::common::{CaseRunner, Live};

/// So many that their objects fill several lists, and more than a pipe has room for.
const CLIENTS: u32 = 10_000;

/// The address of the first of them.
const FIRST_CLIENT: u32 = 0x0a00_0000;

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

/// They are made by another thread, many at once.
#[test]
fn objects_of_a_flood_are_the_lines_of_its_transcript() {
    let desk = CaseRunner::with(first_knocks_pcap(CLIENTS));
    let transcript = desk.run("knocks.pcap -c knockd.conf").stdout;
    let objects = desk.run("knocks.pcap -c knockd.conf --format json").stdout;
    let objects: Vec<Value> =
        objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, objects) = objects.split_last().unwrap();
    assert_eq!((&summary["type"], &summary["packets"]), (&"summary".into(), &CLIENTS.into()));
    assert_eq!(objects.len(), transcript.lines().count());
    for (object, line) in objects.iter().zip(transcript.lines()) {
        assert_eq!(object["text"], line);
        // Each client has one packet: the one with its number.
        let client: Ipv4Addr = object["client"].as_str().unwrap().parse().unwrap();
        let number = client.to_bits() - FIRST_CLIENT + 1;
        let expected = (object["event"] == "stage").then_some(number);
        assert_eq!(
            object.get("packet").map(|packet| &packet["number"]),
            expected.map(Value::from).as_ref()
        );
    }
}

#[test]
fn an_error_of_reading_comes_after_all_objects() {
    let mut capture = first_knocks_pcap(CLIENTS);
    capture.pop();
    let desk = CaseRunner::with(capture);
    let outcome = desk.run("knocks.pcap -c knockd.conf --format json");
    assert_eq!(outcome.status, Some(3));
    let stages = outcome.stdout.lines().filter(|line| line.contains(r#""event":"stage""#)).count();
    assert_eq!(stages, usize::try_from(CLIENTS - 1).unwrap());
    let summary: Value = serde_json::from_str(outcome.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(summary["packets"], CLIENTS - 1);
    let error = outcome.stderr.lines().last().unwrap();
    assert!(error.contains(&format!("is cut in packet {CLIENTS} at byte ")), "{error}");
}

#[test]
fn a_reader_of_objects_that_leaves_early_ends_the_replay() {
    let desk = CaseRunner::with(first_knocks_pcap(CLIENTS));
    for more in ["", "--shard 1/2"] {
        let mut child = desk
            .command(&format!("knocks.pcap -c knockd.conf --format json {more}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 12];
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut first).unwrap();
        assert_eq!(&first, br#"{"version":1"#);
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), errors), (Some(0), String::new()), "{more}");
    }
}

#[test]
fn a_live_replay_ends_when_the_reader_of_its_objects_has_left() {
    let desk = CaseRunner::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = desk.command("- -c knockd.conf --format json");
    let mut live = Live::start_with_output(command.stdin(Stdio::piped()), writer);
    drop(reader);
    let mut stdin = live.stdin.take().unwrap();
    stdin.write_all(&pcap_header()).unwrap();
    // Its standard input stays open: only what it writes tells it.
    let mut turns = 0_u64..;
    while live.runs() {
        let _ = stdin.write_all(&syn(turns.next().unwrap() * 6000, 7000).record());
        std::thread::sleep(Duration::from_millis(1));
        assert!(turns.start < 60_000, "the program does not notice");
    }
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
    let told = "knock-replay: error: cannot write to standard output: the disk is full; remove files, or \
         redirect it to another disk\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), told);
}
