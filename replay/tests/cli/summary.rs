//! Standard error: the summary, warnings and notes.

use crate::common::capture_builder::{knocks, knocks_pcap, pcap, pcapng, syn};
use crate::common::{CONFIG, CaseRunner};

#[test]
fn the_summary_counts_what_the_packets_were() {
    let retransmitted = syn(0, 7000);
    let packets = [
        vec![retransmitted.clone(), retransmitted.again(50), syn(60, 9000)],
        knocks(10_000),
        vec![syn(30_000, 25).udp(), syn(30_100, 7000).arp(), syn(30_200, 7000).arp()],
        vec![syn(30_300, 443), syn(40_000, 7000).from("10.0.0.9").to("10.0.0.4")],
    ]
    .concat();
    assert_eq!(packets.len(), 11);
    let mut capture = pcap(&packets);
    // A packet that is cut in its ports.
    let record = syn(50_000, 7000).record();
    let length = 36_u32.to_le_bytes();
    capture.extend([&record[..8], &length, &length, &record[16..52]].concat());
    insta::assert_snapshot!(CaseRunner::with(capture).run("knocks.pcap -c knockd.conf").stderr);
}

#[test]
fn one_of_each_is_not_said_in_the_plural() {
    let desk = CaseRunner::with(pcap(&[syn(0, 25).udp()]));
    desk.write("knockd.conf", "[a]\nsequence = 25:udp\ncommand =\n");
    insta::assert_snapshot!(desk.run("knocks.pcap -c knockd.conf").stderr);
}

#[test]
fn the_summary_says_where_the_local_addresses_are_from() {
    let line = |desk: &CaseRunner, locals: &str| {
        let stderr = desk.run(&format!("knocks.pcap -c knockd.conf {locals}")).stderr;
        stderr.lines().find(|line| line.contains("local addresses")).unwrap().to_owned()
    };
    let unknown = CaseRunner::with(knocks_pcap());
    let named = CaseRunner::with(pcapng(&[[10, 0, 0, 1].into(), [10, 0, 0, 2].into()], &knocks(0)));
    let given = "--local 2001:db8::1 --local 10.0.0.1";
    let lines = [line(&unknown, ""), line(&named, ""), line(&named, given)];
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn packets_with_backwards_time_are_counted() {
    let line = |times_ms: &[u64]| {
        let packets: Vec<_> = times_ms.iter().map(|&at_ms| syn(at_ms, 7000)).collect();
        let stderr = CaseRunner::with(pcap(&packets)).run("knocks.pcap -c knockd.conf").stderr;
        stderr.lines().find(|line| line.contains("earlier")).unwrap_or_default().to_owned()
    };
    assert_eq!(line(&[10, 20, 20, 30]), "");
    let rest = "stamped earlier than one before; taken as coming at the latest time seen";
    assert_eq!(line(&[10, 20, 15, 30]), format!("knock-replay: warning: 1 packet is {rest}"));
    assert_eq!(line(&[30, 20, 10]), format!("knock-replay: warning: 2 packets are {rest}"));
}

#[test]
fn a_replay_without_a_knock_hints_at_the_causes() {
    let outcome =
        CaseRunner::with(knocks_pcap()).run("knocks.pcap -c knockd.conf --local 192.0.2.1");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn what_the_limit_of_attempts_cost_is_said() {
    let packets: Vec<_> =
        (6..9).map(|turn| syn(turn, 7000).from(&format!("10.0.0.{turn}"))).collect();
    let desk = CaseRunner::with(pcap(&packets));
    let outcome = desk.run("knocks.pcap -c knockd.conf --max-attempts 1 -v");
    insta::assert_snapshot!(outcome.stderr);
    assert!(outcome.stdout.ends_with("10.0.0.8: ssh: sequence timeout (stage 1)\n"));
}

#[test]
fn verbose_says_why_packets_did_not_count() {
    let first = syn(0, 7000);
    let packets =
        [first.clone(), first.again(10), syn(20, 8000).flags(0x10), syn(30, 9000), syn(40, 7000)];
    let desk = CaseRunner::with(pcap(&packets));
    // A packet with other flags is seen at all only because of a second door.
    let config = [CONFIG, "\n[other]\nsequence = 8000\ncommand =\n"].concat();
    desk.write("knockd.conf", config);
    let verbose = desk.run("knocks.pcap -c knockd.conf --verbose");
    insta::assert_snapshot!(verbose.stderr);
    let plain = desk.run("knocks.pcap -c knockd.conf");
    assert_eq!(plain.stdout, verbose.stdout);
    assert!(!plain.stderr.contains("note: "), "{}", plain.stderr);
}

#[test]
fn a_replay_of_what_cannot_be_read_hints_at_the_causes() {
    let hint = |capture: Vec<u8>| {
        let outcome = CaseRunner::with(capture).run("knocks.pcap -c knockd.conf");
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
        outcome.stderr.lines().last().unwrap().to_owned()
    };
    let hints = [hint(pcap(&[])), hint(pcap(&[syn(0, 7000).arp()])), hint(pcap(&[syn(0, 443)]))];
    insta::assert_snapshot!(hints.join("\n"));
}
