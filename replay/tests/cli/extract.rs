//! `extract`: one small capture of large ones.

use std::fs;
use std::process::Stdio;

use crate::common::capture_builder::{Packet, knocks, knocks_pcap, pcap, pcap_header, syn};
use crate::common::{
    CaseRunner, Live, Need, OPENED, finish, require, signal, wait_for_signals_held_back,
};

/// A capture with much that no door wants, around the knocks.
fn busy_pcap() -> Vec<u8> {
    let other = |at| syn(at, 53).udp();
    let before = (0..500).map(other);
    let knocks = knocks(1000);
    let after = (2000..2500).map(other);
    let packets: Vec<Packet> = before.chain(knocks).chain(after).collect();
    pcap(&packets)
}

#[test]
fn only_what_the_doors_name_is_kept_and_the_transcript_is_the_same() {
    let desk = CaseRunner::with(busy_pcap());
    let outcome = desk.run("extract knocks.pcap -c knockd.conf -o small.pcapng");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    insta::assert_snapshot!(outcome.stderr);
    let transcripts = ["knocks.pcap", "small.pcapng"]
        .map(|capture| desk.run(&format!("{capture} -c knockd.conf --time=relative")).stdout);
    assert_eq!(transcripts[0], transcripts[1]);
    assert!(transcripts[0].contains("OPEN SESAME"));
    let length = |file: &str| fs::metadata(desk.path(file)).unwrap().len();
    assert!(length("small.pcapng") < length("knocks.pcap") / 50);
}

#[test]
fn other_programs_read_it_and_a_comment_says_where_a_packet_was() {
    let name = "other_programs_read_it_and_a_comment_says_where_a_packet_was";
    if !require(name, &["tcpdump"], Need::Programs) {
        return;
    }
    let desk = CaseRunner::with(busy_pcap());
    assert_eq!(desk.run("extract knocks.pcap -c knockd.conf -o small.pcapng").status, Some(0));
    let outcome = finish(desk.program("tcpdump").args(["-n", "-r", "small.pcapng", "tcp"]));
    assert_eq!(outcome.stdout.lines().count(), 3, "{}", outcome.stdout);
    let bytes = fs::read(desk.path("small.pcapng")).unwrap();
    for number in 501..=503 {
        let comment = format!("packet {number} of knocks.pcap");
        assert!(bytes.windows(comment.len()).any(|part| part == comment.as_bytes()), "{comment}");
    }
}

#[test]
fn the_ports_of_every_configuration_are_kept() {
    let desk = CaseRunner::with(busy_pcap());
    desk.write("new.conf", "[dns]\nsequence = 53:udp\ncommand = true\n");
    let outcome = desk.run("extract knocks.pcap -c knockd.conf -c new.conf -o small.pcapng");
    assert_eq!(outcome.stderr, "knock-replay: 1003 packets read, 1003 kept\n");
    for config in ["knockd.conf", "new.conf"] {
        let transcripts = ["knocks.pcap", "small.pcapng"]
            .map(|capture| desk.run(&format!("{capture} -c {config} --time")).stdout);
        assert_eq!(transcripts[0], transcripts[1], "{config}");
    }
}

#[test]
fn the_new_capture_can_go_through_a_pipe() {
    let desk = CaseRunner::with(busy_pcap());
    let program = env!("CARGO_BIN_EXE_knock-replay");
    let line = format!(
        "{program} extract - -q -c knockd.conf -o - < knocks.pcap | {program} - -q -c knockd.conf"
    );
    let outcome = finish(desk.program("sh").args(["-c", &line]));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), (OPENED, ""));
}

#[test]
fn a_damaged_capture_is_used_as_far_as_it_can_be_read() {
    let whole = busy_pcap();
    let desk = CaseRunner::with(&whole[..whole.len() - 10]);
    let outcome = desk.run("extract knocks.pcap -c knockd.conf -o small.pcapng");
    assert_eq!(outcome.status, Some(3));
    assert!(outcome.stderr.contains("error: knocks.pcap: "), "{}", outcome.stderr);
    assert_eq!(desk.run("small.pcapng -c knockd.conf").stdout, OPENED);
}

#[test]
fn where_nothing_is_named_it_says_so() {
    let desk = CaseRunner::with(pcap(&[syn(0, 53).udp(), syn(1, 53).udp()]));
    let outcome = desk.run("extract knocks.pcap -c knockd.conf -o small.pcapng");
    assert_eq!(outcome.status, Some(0));
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn nothing_that_is_read_is_written_over_and_faults_have_their_status() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("part.conf", "[dns]\nsequence = 53:udp\ncommand = true\n");
    desk.write("whole.conf", "Include = part.conf\n");
    desk.write("bad.conf", "[dns]\nsequence = x\n");
    let cases = [
        ("knocks.pcap -c knockd.conf -o knocks.pcap", 2, "'--output' would write over knocks.pcap"),
        ("knocks.pcap -c knockd.conf -o knockd.conf", 2, "'--output' would write over knockd.conf"),
        ("knocks.pcap -c whole.conf -o part.conf", 2, "'--output' would write over part.conf"),
        ("knocks.pcap -c knockd.conf -c bad.conf -o small.pcapng", 2, "error: bad.conf: 1 error"),
        ("- - -c knockd.conf -o small.pcapng", 2, "is named more than once"),
        ("knocks.pcap -c knockd.conf", 2, "--output <FILE.pcapng>"),
        ("knocks.pcap -o small.pcapng", 2, "--config <FILE>"),
        ("missing.pcap -c knockd.conf -o small.pcapng", 3, "missing.pcap"),
        (
            "knocks.pcap -c knockd.conf -o no/such/small.pcapng",
            4,
            "cannot write no/such/small.pcapng",
        ),
    ];
    for (arguments, status, told) in cases {
        let outcome = desk.run(&format!("extract {arguments}"));
        assert_eq!(outcome.status, Some(status), "{arguments}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(told), "{arguments}: {}", outcome.stderr);
    }
    assert_eq!(fs::read(desk.path("knocks.pcap")).unwrap(), knocks_pcap());
    assert!(!desk.path("small.pcapng").exists());
    let program = env!("CARGO_BIN_EXE_knock-replay");
    let line = format!("{program} extract knocks.pcap -c knockd.conf -o - > /dev/full");
    let outcome = finish(desk.program("sh").args(["-c", &line]));
    assert_eq!(outcome.status, Some(4), "{}", outcome.stderr);
}

#[test]
fn a_signal_while_packets_come_leaves_a_whole_capture() {
    let desk = CaseRunner::new();
    let arguments = "extract - -c knockd.conf -o small.pcapng";
    let mut live = Live::start(desk.command(arguments).stdin(Stdio::piped()));
    wait_for_signals_held_back(&live);
    live.send(&pcap_header());
    for packet in knocks(0) {
        live.send(&packet.record());
    }
    live.send(&syn(5000, 7000).record()[..20]);
    signal(&live, "-INT");
    let open = live.stdin.take();
    let outcome = live.finish();
    drop(open);
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    let last = outcome.stderr.lines().last().unwrap();
    assert_eq!(last, "knock-replay: interrupted: the new capture has what came until then");
    assert_eq!(desk.run("small.pcapng -c knockd.conf").stdout, OPENED);
}
