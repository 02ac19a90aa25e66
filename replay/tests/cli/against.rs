//! `diff --new`: the command around what `tests/against.rs` holds to the transcripts.

use std::fs;
use std::process::Stdio;

use crate::common::capture_builder::{Packet, knocks, knocks_pcap, pcap, pcap_header, syn};
use crate::common::{CONFIG, CaseRunner, Live};

const DIFF: &str = "diff knocks.pcap -c knockd.conf --new new.conf";

/// Knocks at `ssh` that one of two clients is slow with, and a knock at `mail`.
fn traffic() -> Vec<Packet> {
    let slow = [(0, 7000), (3000, 8000), (6000, 9000)]
        .map(|(after_ms, port)| syn(1000 + after_ms, port).from("10.0.0.6"));
    let mail = [syn(20_000, 25).udp().from("10.0.0.7"), syn(20_100, 110).from("10.0.0.7")];
    [knocks(0), slow.to_vec(), mail.to_vec()].concat()
}

fn desk(edit: impl Fn(&str) -> String) -> CaseRunner {
    let desk = CaseRunner::with(pcap(&traffic()));
    desk.write("new.conf", edit(CONFIG));
    desk
}

#[test]
fn what_changes_is_shown_side_by_side_with_what_it_comes_from() {
    type Edit = fn(&str) -> String;
    let edits: [(&str, Edit); 9] = [
        ("a longer seq_timeout", |text| text.replace("seq_timeout = 5", "seq_timeout = 8")),
        ("a shorter cmd_timeout", |text| text.replace("cmd_timeout = 10", "cmd_timeout = 3")),
        ("another port", |text| text.replace("7000,8000,9000", "7000,8000,9001")),
        ("one more knock", |text| text.replace("25:udp,110", "25:udp,110,143")),
        ("other flags", |text| text.replace("tcpflags = syn", "tcpflags = syn,ack")),
        ("other commands", |text| text.replace(" %IP%", " it for %IP%")),
        ("no stop command", |text| text.replace("    stop_command = close %IP%\n", "")),
        ("another name", |text| text.replace("[mail]", "[post]")),
        ("another address", |text| text.replace("[mail]\n", "[mail]\n    target = 192.0.2.9\n")),
    ];
    let mut told = String::new();
    for (name, edit) in edits {
        let outcome = desk(edit).run(DIFF);
        assert_eq!(outcome.status, Some(1), "{name}");
        told.extend(["## ", name, "\n", &outcome.stdout, "--\n", &outcome.stderr, "\n"]);
    }
    insta::assert_snapshot!(told);
}

#[test]
fn the_answer_by_client_names_who_is_hit_hardest_first_and_counts_the_rest() {
    let slow = |begin_ms: u64, client: &str| {
        [(0, 7000), (2000, 8000), (4000, 9000)]
            .map(|(after_ms, port)| syn(begin_ms + after_ms, port).from(client))
    };
    let quick = |begin_ms: u64, client: &str| {
        [(0, 7000), (100, 8000), (200, 9000)]
            .map(|(after_ms, port)| syn(begin_ms + after_ms, port).from(client))
    };
    // Five of six openings are lost, then one of two, then one of one by each of 25 more.
    let mut packets: Vec<Packet> =
        (0..5).flat_map(|round| slow(round * 20_000, "10.0.0.1")).collect();
    packets.extend(quick(200_000, "10.0.0.1"));
    packets.extend([slow(300_000, "10.0.0.2"), quick(320_000, "10.0.0.2")].concat());
    packets.extend((0..25).flat_map(|one| slow(400_000 + one * 10_000, &format!("10.0.1.{one}"))));
    let desk = CaseRunner::with(pcap(&packets));
    desk.write("new.conf", CONFIG.replace("seq_timeout = 5", "seq_timeout = 3"));
    let outcome = desk.run(DIFF);
    let answer = outcome.stdout.lines().last().unwrap();
    let all_lost =
        (0..20).map(|one| format!("10.0.1.{one} (1 of 1)")).collect::<Vec<_>>().join(", ");
    assert_eq!(
        answer,
        format!("27 clients lose openings, 25 of them all of theirs: {all_lost} and 7 more")
    );
    let client = desk.run("diff knocks.pcap -c new.conf --new knockd.conf");
    let answer = client.stdout.lines().last().unwrap();
    assert!(
        answer.starts_with("27 clients gain openings: 10.0.0.1 (5 of 6), 10.0.0.2 (1 of 2), "),
        "{answer}"
    );
}

#[test]
fn configurations_that_do_the_same_are_status_0_and_print_nothing() {
    let desk = desk(|text| format!("# A comment.\n{text}"));
    let outcome = desk.run(DIFF);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    let told = "knock-replay: 8 packets read: knockd.conf and new.conf do the same\n\
                knock-replay: openings: 2 with knockd.conf, 2 with new.conf\n";
    assert_eq!(outcome.stderr, told);
    let quiet = desk.run(&format!("{DIFF} -q"));
    assert_eq!((quiet.status, quiet.stdout.as_str(), quiet.stderr.as_str()), (Some(0), "", ""));
}

#[test]
fn a_capture_of_which_nothing_is_admitted_compares_nothing() {
    let nothing = "knock-replay: error: no packet was admitted under either configuration, so nothing \
                   was compared\n";
    let desk = CaseRunner::with(pcap(&[]));
    desk.write("new.conf", CONFIG);
    let outcome = desk.run(&format!("{DIFF} -q"));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(1), nothing));
    fs::write(desk.path("knocks.pcap"), knocks_pcap()).unwrap();
    let elsewhere = desk.run(&format!("{DIFF} -q --local 192.0.2.9"));
    assert_eq!((elsewhere.status, elsewhere.stderr.as_str()), (Some(1), nothing));
    let told = desk.run(&format!("{DIFF} --local 192.0.2.9")).stderr;
    let verdict = "knock-replay: 3 packets read: knockd.conf and new.conf have nothing to do\n";
    assert!(told.starts_with(verdict), "{told}");
}

#[test]
fn errors_of_either_configuration_are_reported_with_its_name() {
    let desk = desk(|text| text.replace("7000", "70000"));
    let outcome = desk.run(DIFF);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    assert!(outcome.stderr.contains("--> new.conf:2:16"), "{}", outcome.stderr);
    let outcome = desk.run("diff knocks.pcap -c new.conf --new nosuch.conf");
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("--> new.conf:2:16"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("nosuch.conf"), "{}", outcome.stderr);
    let outcome = desk.run("diff knocks.pcap -c knockd.conf --new nosuch.conf");
    assert_eq!(outcome.status, Some(2));
    let told = "error: cannot read `nosuch.conf`: there is no such file\n";
    assert!(outcome.stderr.starts_with(told), "{}", outcome.stderr);
}

#[test]
fn a_capture_that_is_cut_is_compared_up_to_there_and_is_status_3() {
    let mut capture = pcap(&traffic());
    capture.truncate(capture.len() - 1);
    let desk = CaseRunner::with(capture);
    desk.write("new.conf", CONFIG.replace("cmd_timeout = 10", "cmd_timeout = 3"));
    let outcome = desk.run(DIFF);
    assert_eq!(outcome.status, Some(3));
    assert!(outcome.stdout.contains("10.200000  3.200000  command timeout"), "{}", outcome.stdout);
}

/// What is due with a packet happens before it: under both an attempt begins with the packet, but the
/// one before it did not end in the same way.
#[test]
fn a_timeout_at_the_time_of_a_packet_is_what_it_comes_from() {
    let desk = CaseRunner::with(pcap(&[syn(0, 7000), syn(1000, 7000)]));
    desk.write("new.conf", CONFIG.replace("seq_timeout = 5", "seq_timeout = 1"));
    let outcome = desk.run(DIFF);
    assert_eq!(outcome.status, Some(1));
    let told = "\
  +  -         1.000000  sequence timeout
  because of the sequence timeout
    old: no timeout then
         knockd.conf:3: seq_timeout = 5
    new: sequence timeout at stage 1 of 3: no 8000/tcp came in time
         new.conf:3: seq_timeout = 1
";
    assert!(outcome.stdout.contains(told), "{}", outcome.stdout);
}

/// An attempt is told apart from the one before, which came to nothing for another reason.
#[test]
fn each_attempt_has_a_reason_of_its_own() {
    let attempt = |start_ms: u64, second_ms: u64, third_ms: u64| {
        [(0, 7000), (second_ms, 8000), (third_ms, 9000)]
            .map(|(after_ms, port)| syn(start_ms + after_ms, port))
    };
    let attempts = [attempt(0, 3000, 3200), attempt(20_000, 100, 200), attempt(40_000, 100, 3000)];
    let desk = CaseRunner::with(pcap(&attempts.concat()));
    desk.write("new.conf", CONFIG.replace("seq_timeout = 5", "seq_timeout = 2"));
    let outcome = desk.run(DIFF);
    let reasons: Vec<&str> = outcome.stdout.lines().filter(|line| line.contains("new: ")).collect();
    let told = [
        "new: new.conf",
        "    new: sequence timeout at stage 1 of 3: no 8000/tcp came in time",
        "    new: sequence timeout at stage 2 of 3: no 9000/tcp came in time",
    ];
    assert_eq!(reasons, told, "{}", outcome.stdout);
}

/// A packet in between on which both agree does not hide why they differ.
#[test]
fn the_reason_stays_until_an_attempt_begins_or_ends_under_both() {
    let ack = syn(200, 7000).flags(0x10);
    let desk = CaseRunner::with(pcap(&[syn(0, 7000), syn(100, 8000), ack, syn(300, 9000)]));
    desk.write("new.conf", CONFIG.replace("8000", "8001"));
    let outcome = desk.run(DIFF);
    let reasons = outcome.stdout.lines().filter(|line| line.starts_with("  because"));
    let told = [
        "  because of packet 2 (8000/tcp)",
        "  because of the opening before, which is not the same",
    ];
    assert_eq!(reasons.collect::<Vec<_>>(), told);
}

/// When the door closes, a new attempt has begun under both.
#[test]
fn a_door_that_closes_no_more_did_not_open() {
    let first = [(0, 7000), (3000, 8000), (3200, 9000), (6000, 7000)];
    let desk = CaseRunner::with(pcap(&first.map(|(at_ms, port)| syn(at_ms, port))));
    desk.write("new.conf", CONFIG.replace("seq_timeout = 5", "seq_timeout = 2"));
    let outcome = desk.run(DIFF);
    let told = "\
  -  13.200000          -         command timeout
  -  13.200000          -         running command: close 10.0.0.5
  because of the opening before, which is not the same
";
    assert!(outcome.stdout.contains(told), "{}", outcome.stdout);
}

#[test]
fn times_are_absolute_where_that_is_asked() {
    let desk = desk(|text| text.replace("cmd_timeout = 10", "cmd_timeout = 3"));
    let outcome = desk.run(&format!("{DIFF} --time=utc"));
    let row = "  ~  2023-11-14T22:13:30.200000Z  2023-11-14T22:13:23.200000Z  command timeout\n";
    assert!(outcome.stdout.contains(row), "{}", outcome.stdout);
}

#[test]
fn a_pipe_is_compared_when_it_has_ended() {
    let desk = desk(|text| text.replace("cmd_timeout = 10", "cmd_timeout = 3"));
    let arguments = "diff - -c knockd.conf --new new.conf -q";
    let mut live = Live::start(desk.command(arguments).stdin(Stdio::piped()));
    live.send(&pcap_header());
    for packet in knocks(0) {
        live.send(&packet.record());
    }
    let outcome = live.finish();
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stdout.contains("10.200000  3.200000  command timeout"), "{}", outcome.stdout);
}

#[test]
fn there_are_colours_where_they_are_wanted_and_nowhere_else() {
    let desk = desk(|text| text.replace("7000,8000,9000", "7000,8000,9001"));
    let output = |variables: &[(&str, &str)]| {
        let mut command = desk.command(DIFF);
        command.env_remove("NO_COLOR").envs(variables.iter().copied());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let plain = output(&[]);
    assert!(!plain.contains('\u{1b}'));
    let coloured = output(&[("CLICOLOR_FORCE", "1")]);
    assert!(coloured.contains("\u{1b}[31m  -  0.200000 packet 3"), "{coloured}");
    assert_eq!(output(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]), plain);
}

#[test]
fn what_cannot_be_written_is_status_4() {
    let desk = desk(|text| text.replace("7000,8000,9000", "7000,8000,9001"));
    for more in ["", "--format json"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = desk.command(&format!("{DIFF} -q {more}"));
        let output = command.stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(4));
        let told = "knock-replay: error: cannot write to standard output: the disk is full; remove files, or \
         redirect it to another disk\n";
        assert_eq!(String::from_utf8(output.stderr).unwrap(), told);
    }
}
