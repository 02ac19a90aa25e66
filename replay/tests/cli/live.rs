//! Captures that are still being written.

use std::fs::File;
use std::io::Write as _;
use std::process::Stdio;

use crate::common::capture_builder::{Packet, gzip, knocks, pcap_header, syn};
use crate::common::{CaseRunner, Live, Need, OPENED, finish, require};

#[test]
fn each_line_comes_before_the_next_packet_is_sent() {
    let desk = CaseRunner::new();
    let mut live = Live::start(desk.command("- -c knockd.conf").stdin(Stdio::piped()));
    live.send(&pcap_header());
    for (packet, stage) in knocks(0).iter().zip(1..) {
        live.send(&packet.record());
        assert_eq!(live.line(), format!("10.0.0.5: ssh: Stage {stage}"));
    }
    assert_eq!(live.line(), "10.0.0.5: ssh: OPEN SESAME");
    assert_eq!(live.line(), "ssh: running command: open 10.0.0.5");
    // A packet for no door lets time run on.
    live.send(&syn(11_000, 443).record());
    assert_eq!(live.line(), "10.0.0.5: ssh: command timeout");
    assert_eq!(live.line(), "ssh: running command: close 10.0.0.5");
    assert!(live.runs());
    let outcome = live.finish();
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    assert!(outcome.stderr.starts_with("knock-replay: 4 packets read"), "{}", outcome.stderr);
}

#[test]
fn packets_that_come_in_pieces_are_printed_when_they_are_whole() {
    let desk = CaseRunner::new();
    let mut live = Live::start(desk.command("- -c knockd.conf").stdin(Stdio::piped()));
    for piece in pcap_header().chunks(5) {
        live.send(piece);
    }
    let mut held = Vec::new();
    for (packet, stage) in knocks(0).iter().zip(1..) {
        // The rest of the packet before, then a half of this one.
        let record = packet.record();
        live.send(&[&held[..], &record[..30]].concat());
        if stage > 1 {
            assert_eq!(live.line(), format!("10.0.0.5: ssh: Stage {}", stage - 1));
        }
        held = record[30..].to_vec();
    }
    for byte in held {
        live.send(&[byte]);
    }
    assert_eq!(live.line(), "10.0.0.5: ssh: Stage 3");
    assert_eq!(live.finish().status, Some(0));
}

#[test]
fn notes_of_a_live_capture_come_at_once() {
    let desk = CaseRunner::new();
    let mut live = Live::start(desk.command("- -v -c knockd.conf").stdin(Stdio::piped()));
    live.send(&[pcap_header(), syn(0, 7000).record(), syn(1, 9000).record()].concat());
    assert_eq!(live.line(), "10.0.0.5: ssh: Stage 1");
    let note = "knock-replay: note: 10.0.0.5: ssh: void at stage 1: 9000/tcp is not the next knock";
    assert_eq!(live.error_line(), note);
}

#[test]
fn a_named_pipe_is_live_as_standard_input_is() {
    let desk = CaseRunner::new();
    let pipe = desk.pipe("pipe");
    let live = Live::start(&mut desk.command("pipe -c knockd.conf"));
    let mut pipe = File::options().write(true).open(pipe).unwrap();
    pipe.write_all(&[pcap_header(), syn(0, 7000).record()].concat()).unwrap();
    assert_eq!(live.line(), "10.0.0.5: ssh: Stage 1");
    drop(pipe);
    assert_eq!(live.finish().status, Some(0));
}

#[test]
fn a_stream_that_ends_within_a_packet_is_status_3() {
    let desk = CaseRunner::new();
    let bytes = [pcap_header(), syn(0, 7000).record(), syn(1, 8000).record()[..20].to_vec()];
    let outcome = desk.run_with_input("- -q -c knockd.conf", bytes.concat());
    assert_eq!(outcome.status, Some(3));
    assert!(outcome.stdout.starts_with("10.0.0.5: ssh: Stage 1\n"), "{}", outcome.stdout);
    insta::assert_snapshot!(outcome.stderr);
    let outcome = desk.run_with_input("- -c knockd.conf", "");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""));
    assert!(outcome.stderr.contains("standard input: is empty"), "{}", outcome.stderr);
}

#[test]
fn a_compressed_stream_in_a_pipe_is_read_to_its_end() {
    let capture = [pcap_header(), knocks(0).iter().flat_map(Packet::record).collect()];
    let outcome = CaseRunner::new().run_with_input("- -c knockd.conf", gzip(&capture.concat()));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), OPENED));
}

#[test]
fn knocks_are_seen_while_tcpdump_runs() {
    let name = "knocks_are_seen_while_tcpdump_runs";
    let programs = ["tcpdump", "knock", "unshare", "nsenter", "ip"];
    if !require(name, &programs, Need::Namespaces) {
        return;
    }
    let desk = CaseRunner::new();
    // The shell becomes tcpdump: its process is the one in the new namespace.
    let script = "ip link set lo up && exec tcpdump -i lo -Z root -U --immediate-mode -w - tcp";
    let (reader, writer) = std::io::pipe().unwrap();
    let mut tcpdump =
        Live::start_with_output(desk.program("unshare").args(["-n", "sh", "-c", script]), writer);
    let mut replay = desk.command("- -c knockd.conf --local 127.0.0.1");
    let mut replay = Live::start(replay.stdin(reader));
    while !tcpdump.error_line().contains("listening on lo") {}

    let namespace = format!("--net=/proc/{}/ns/net", tcpdump.id());
    let mut knock = desk.program("nsenter");
    knock.args([&namespace, "knock", "127.0.0.1", "7000", "8000", "9000"]);
    assert_eq!(finish(&mut knock).status, Some(0));

    for line in OPENED.lines().take(5) {
        assert_eq!(replay.line(), line.replace("10.0.0.5", "127.0.0.1"));
    }
    assert!(tcpdump.runs() && replay.runs());
    drop(tcpdump);
    let outcome = replay.finish();
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stdout.lines().count(), 2, "{}", outcome.stdout);
}
