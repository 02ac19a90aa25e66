//! `explain`: the command around what `tests/explain.rs` shows case by case.

use std::fs::File;
use std::process::Stdio;

use crate::common::capture_builder::{
    Packet, first_knocks_pcap, knocks, knocks_pcap, pcap, pcap_header, syn,
};
use crate::common::{CONFIG, CaseRunner, Live};

const EXPLAIN: &str = "explain knocks.pcap -c knockd.conf";

/// A knock whose second packet went to a wrong port.
fn mistyped() -> Vec<Packet> {
    vec![syn(0, 7000), syn(500, 8001), syn(1000, 9000)]
}

#[test]
fn standard_output_gets_the_explanation_and_nothing_of_the_transcript() {
    let outcome = CaseRunner::with(pcap(&mistyped())).run(EXPLAIN);
    assert_eq!(outcome.status, Some(0));
    assert!(outcome.stdout.starts_with("10.0.0.5 at door ssh\n"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("10.0.0.5: ssh: Stage"), "{}", outcome.stdout);
    let last = outcome.stdout.lines().rev().nth(1).unwrap();
    assert!(last.starts_with("door ssh: 10.0.0.5 came to stage 1 of 3 once; "), "{last}");
    assert!(outcome.stderr.starts_with("knock-replay: 3 packets read"), "{}", outcome.stderr);
    let rules =
        "knock-replay: explained by the rules of knock; knockd 0.8 would have opened the same\n";
    assert!(outcome.stderr.ends_with(rules), "{}", outcome.stderr);
    let quiet = CaseRunner::with(pcap(&mistyped())).run(&format!("{EXPLAIN} --quiet"));
    assert_eq!((quiet.stdout, quiet.stderr.as_str()), (outcome.stdout, ""));
}

#[test]
fn the_last_line_says_what_knockd_08_would_have_opened() {
    // It compares whole seconds: from 0.9 s to 5.8 s there are 5 of them.
    let late = |start: u64, client: &str| {
        [(900, 7000), (2000, 8000), (5800, 9000)]
            .map(|(after, port)| syn(start * 1000 + after, port).from(client))
    };
    let packets: Vec<Packet> =
        [late(0, "10.0.0.5"), late(10, "10.0.0.6"), late(20, "10.0.0.5")].concat();
    let desk = CaseRunner::with(pcap(&packets));
    let last = |more: &str| {
        let errors = desk.run(&format!("{EXPLAIN} {more}")).stderr;
        errors.lines().last().unwrap_or_default().to_owned()
    };
    let by = "knock-replay: explained by the rules of knock; knockd 0.8 would have opened";
    let why = "; 'knock-replay diff --rules' says why";
    let (five, six) = (
        "door ssh for 10.0.0.5 never instead of twice",
        "door ssh for 10.0.0.6 never instead of once",
    );
    assert_eq!(last(""), format!("{by} {five} and {six}{why}"));
    assert_eq!(last("--format json"), format!("{by} {five} and {six}{why}"));
    assert_eq!(last("--client 10.0.0.6"), format!("{by} {six}{why}"));
    assert_eq!(last("--client 10.0.0.7"), format!("{by} the same"));
    assert_eq!(last("--quiet"), "");
    let of_one = |client: u64| late(client * 10, &format!("10.0.1.{client}"));
    let many: Vec<Packet> = (1..=5).flat_map(of_one).collect();
    let errors = CaseRunner::with(pcap(&many)).run(EXPLAIN).stderr;
    let rest = format!("door ssh for 10.0.1.3 never instead of once and 2 more{why}\n");
    assert!(errors.ends_with(&rest), "{errors}");
}

#[test]
fn a_configuration_with_which_knockd_08_does_not_start_is_said_to_be_one() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("used", "#7000,8000,9000\n");
    let config = CONFIG.replace("sequence = 7000,8000,9000", "one_time_sequences = used");
    desk.write("knockd.conf", config);
    let errors = desk.run(EXPLAIN).stderr;
    let last = "knock-replay: explained by the rules of knock; knockd 0.8 would not start: no one-time \
                sequence of a door is left\n";
    assert!(errors.ends_with(last), "{errors}");
}

#[test]
fn what_is_advised_helps() {
    let late: Vec<Packet> = [(0, 5400), (100, 6200), (200, 5000)]
        .into_iter()
        .flat_map(|(start, last): (u64, u64)| {
            [(0, 7000), (2000, 8000), (last, 9000)]
                .map(|(after_ms, port)| syn(start * 1000 + after_ms, port))
        })
        .collect();
    let desk = CaseRunner::with(pcap(&late));
    let openings = |timeout: u32| {
        let config = CONFIG.replace("seq_timeout = 5", &format!("seq_timeout = {timeout}"));
        desk.write("other.conf", config);
        let outcome = desk.run("knocks.pcap -c other.conf");
        outcome.stdout.matches("OPEN SESAME").count()
    };
    let outcome = desk.run(EXPLAIN);
    let advice = "seq_timeout = 7 would have been enough";
    assert!(outcome.stdout.contains(advice), "{}", outcome.stdout);
    assert_eq!([5, 6, 7].map(openings), [0, 2, 3]);
}

#[test]
fn each_thing_that_happens_to_live_packets_is_explained_at_once() {
    let desk = CaseRunner::new();
    let arguments = "explain - -c knockd.conf --client 10.0.0.5";
    let mut live = Live::start(desk.command(arguments).stdin(Stdio::piped()));
    live.send(&[pcap_header(), syn(0, 7000).record()].concat());
    assert_eq!(live.line(), "10.0.0.5: ssh: 0.000 s  packet 1  7000/tcp  Stage 1 of 3");
    live.send(&syn(100, 7000).from("10.0.0.6").record());
    live.send(&syn(500, 8001).record());
    let wrong = "10.0.0.5: ssh: 0.500 s  packet 3  8001/tcp  not heard: wrong port (expected \
                 8000/tcp, got 8001/tcp); still at stage 1 of 3";
    assert_eq!(live.line(), wrong);
    assert_eq!(live.line(), "    knockd.conf:2: sequence = 7000,8000,9000");
    assert!(live.runs());
    let outcome = live.finish();
    assert_eq!(outcome.status, Some(0));
    insta::assert_snapshot!(outcome.stdout);
}

#[test]
fn each_thing_that_happens_to_live_packets_is_an_object_at_once() {
    let desk = CaseRunner::new();
    let arguments = "explain - -c knockd.conf --format json";
    let mut live = Live::start(desk.command(arguments).stdin(Stdio::piped()));
    live.send(&[pcap_header(), syn(0, 7000).record()].concat());
    let object = live.line();
    let start = r#"{"version":1,"type":"explanation","time":"2023-11-14T22:13:20.000000000Z""#;
    assert!(object.starts_with(start), "{object}");
    assert!(live.runs());
    assert_eq!(live.finish().status, Some(0));
}

#[test]
fn there_are_colours_where_they_are_wanted_and_nowhere_else() {
    let desk = CaseRunner::with(pcap(&mistyped()));
    let output = |variables: &[(&str, &str)]| {
        let mut command = desk.command(EXPLAIN);
        command.env_remove("NO_COLOR").envs(variables.iter().copied());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(!output(&[]).contains('\u{1b}'));
    let coloured = output(&[("CLICOLOR_FORCE", "1")]);
    assert!(coloured.contains("\u{1b}[32mStage 1 of 3\u{1b}[0m"), "{coloured}");
    assert!(coloured.contains("\u{1b}[31mvoid at stage 1 of 3"), "{coloured}");
    assert!(!output(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\u{1b}'));
}

#[test]
fn a_name_in_the_configuration_cannot_command_the_terminal() {
    let desk = CaseRunner::with(pcap(&mistyped()));
    for (name, shown) in [
        ("s\u{1b}[31msh", "U+001B control character in the name of a door"),
        ("s\u{202e}sh", "U+202E mark for the direction of writing in the name of a door"),
        ("::error file=x::y", "name of a door with `::`"),
    ] {
        desk.write("knockd.conf", CONFIG.replace("[ssh]", &format!("[{name}]")));
        for command in [
            EXPLAIN,
            "knocks.pcap -c knockd.conf",
            "check knockd.conf",
            "report knocks.pcap -c knockd.conf -o x.html",
        ] {
            let outcome = desk.run(command);
            let all = outcome.stdout + &outcome.stderr;
            assert_eq!(outcome.status, Some(2), "{command}: {all}");
            assert!(all.contains(&format!("error: {shown}\n")), "{command}: {all}");
            assert!(!all.contains(['\u{1b}', '\u{202e}']), "{command}: {all}");
            assert!(
                !all.lines().any(|line| line.trim_start().starts_with("::")),
                "{command}: {all}"
            );
        }
    }
}

#[test]
fn beyond_a_hundred_lines_of_a_client_at_a_door_the_rest_is_counted() {
    let packets: Vec<Packet> = (0..60).flat_map(|turn| knocks(turn * 20_000)).collect();
    let desk = CaseRunner::with(pcap(&packets));
    // Three stages, the opening, two commands and a timeout.
    let lines = |text: &str| text.lines().filter(|line| line.contains(" s  packet ")).count();
    let outcome = desk.run(&format!("{EXPLAIN} -q"));
    let left_out = "\n  320 more not shown here; name the client (--client CLIENT) or use --format \
                    json to see all\n";
    assert!(outcome.stdout.contains(left_out), "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("door ssh: opened for 10.0.0.5 60 times\n"));
    let one = desk.run(&format!("{EXPLAIN} --client 10.0.0.5 -q")).stdout;
    assert!(!one.contains("more not shown"), "{one}");
    assert_eq!(lines(&one), 60 * 5);
    let objects = desk.run(&format!("{EXPLAIN} -q --format json")).stdout;
    assert_eq!(objects.matches(r#""type":"explanation""#).count(), 60 * 7);
}

#[test]
fn more_clients_than_are_followed_are_counted_and_one_can_be_asked_for() {
    let desk = CaseRunner::with(first_knocks_pcap(20_007));
    let outcome = desk.run(&format!("{EXPLAIN} -q"));
    let left_out = "\n7 packets of further clients not explained; name one of them to see it \
                    (--client CLIENT)\n";
    assert!(outcome.stdout.contains(left_out));
    let more = "\ndoor ssh: 19990 more clients, none of which came nearer than these:\n";
    assert!(outcome.stdout.contains(more));
    let last = desk.run(&format!("{EXPLAIN} --client 10.0.78.38 -q")).stdout;
    assert!(last.starts_with("10.0.78.38 at door ssh\n"), "{last}");
    assert!(last.contains("\n20006 packets of other clients\n"), "{last}");
}

#[test]
fn a_capture_that_is_cut_is_explained_as_far_as_it_goes() {
    let whole = pcap(&mistyped());
    let outcome = CaseRunner::with(&whole[..whole.len() - 1]).run(EXPLAIN);
    assert_eq!(outcome.status, Some(3));
    assert!(outcome.stdout.contains("packet 2  8001/tcp  not heard"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("knock-replay: error: knocks.pcap: "), "{}", outcome.stderr);
}

#[test]
fn a_full_disk_is_status_4_and_a_reader_that_leaves_is_no_fault() {
    // More than may wait between the threads: the engine waits for room when the output ends.
    let desk = CaseRunner::with(first_knocks_pcap(100_000));
    for format in ["text", "json"] {
        let arguments = format!("{EXPLAIN} -q --format {format}");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let outcome = Live::start_with_output(&mut desk.command(&arguments), full).finish();
        assert_eq!(outcome.status, Some(4), "{format}");
        let error = "knock-replay: error: cannot write to standard output: ";
        assert!(outcome.stderr.starts_with(error), "{}", outcome.stderr);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let outcome = Live::start_with_output(&mut desk.command(&arguments), writer).finish();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{format}");
    }
}

#[test]
fn a_line_of_an_included_file_is_named_with_its_file() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write(
        "doors.conf",
        "# by the package\n[ssh]\nsequence = 7000,8000,9001\ncommand = open %IP%\n",
    );
    desk.write("knockd.conf", "[options]\nlogfile = log\nInclude = doors.conf\n");
    let outcome = desk.run("explain knocks.pcap -c knockd.conf");
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains("doors.conf:3: sequence = 7000,8000,9001"),
        "{}",
        outcome.stdout
    );
    // It is read, so it is not written over.
    let report = desk.run("report knocks.pcap -c knockd.conf -o doors.conf");
    assert_eq!(report.status, Some(2));
    assert!(
        report.stderr.contains("would write over doors.conf, which is read"),
        "{}",
        report.stderr
    );
}
