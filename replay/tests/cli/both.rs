//! `--rules`: knockd 0.8, knock, and where they differ.

use knock_tests::schema::Schema;
use serde_json::Value;

use crate::common::capture_builder::{knocks, pcap, syn};
use crate::common::{CaseRunner, OPENED};

/// A knock whose second packet comes twice, as behind a firewall that drops.
fn retransmitting() -> CaseRunner {
    let [first, second, third] = [syn(0, 7000), syn(100, 8000), syn(1300, 9000)];
    let again = second.again(1100);
    CaseRunner::with(pcap(&[first, second, again, third]))
}

#[test]
fn each_set_of_rules_prints_its_own_transcript() {
    let desk = retransmitting();
    let stdout = |rules: &str| desk.run(&format!("knocks.pcap -c knockd.conf {rules}")).stdout;
    assert_eq!(stdout(""), OPENED);
    assert_eq!(stdout("--rules knock"), OPENED);
    let voided = "10.0.0.5: ssh: Stage 1\n10.0.0.5: ssh: Stage 2\n";
    assert_eq!(stdout("--rules knockd-0.8"), voided);
}

#[test]
fn both_print_what_differs_with_number_and_packet() {
    let outcome = retransmitting().run("diff knocks.pcap -c knockd.conf --rules --time=relative");
    insta::assert_snapshot!(outcome.stdout);
    insta::assert_snapshot!(outcome.stderr);
    assert_eq!(outcome.status, Some(1));
}

#[test]
fn both_print_nothing_where_nothing_differs() {
    let outcome = CaseRunner::with(pcap(&knocks(0))).run("diff knocks.pcap -c knockd.conf --rules");
    let same = "knock-replay: 3 packets read: knockd 0.8 and knock do the same\n\
                knock-replay: openings: 1 by knockd 0.8, 1 by knock\n";
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    assert_eq!(outcome.stderr, same);
}

/// Else wrong local addresses would look like a migration without a risk.
#[test]
fn both_warn_if_no_packet_was_for_any_door() {
    let desk = CaseRunner::with(pcap(&knocks(0)));
    let outcome = desk.run("diff knocks.pcap -c knockd.conf --local 10.9.9.9 --rules");
    assert_eq!(outcome.status, Some(0));
    assert!(outcome.stderr.contains("warning: no packet was for any door"), "{}", outcome.stderr);
    let outcome = desk.run("diff knocks.pcap -c knockd.conf --local 10.9.9.9 --rules -q");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn a_configuration_that_knockd_08_does_not_start_with_differs() {
    let desk = CaseRunner::with(pcap(&[]));
    let config = "[d]\nsequence = 1\ntarget = 2001:db8::1\ntcpflags = syn\ncommand = x\n";
    desk.write("knockd.conf", config);
    let replay = "knocks.pcap -c knockd.conf --local 10.0.0.1 --rules";
    let outcome = desk.run(&format!("{replay} knockd-0.8"));
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("error: knockd 0.8 would not start: "), "{}", outcome.stderr);
    let outcome = desk.run(&format!("{replay} both"));
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stderr.contains("(difference 8)"), "{}", outcome.stderr);
}

#[test]
fn a_crash_of_knockd_08_is_reported() {
    let desk = CaseRunner::with(pcap(&[syn(0, 1), syn(100, 7000)]));
    desk.write(
        "knockd.conf",
        "[d]\none_time_sequences = list\ncommand = x\n[e]\nsequence = 7000\n",
    );
    desk.write("list", " 1\n");
    let outcome = desk.run("diff knocks.pcap -c knockd.conf --rules");
    insta::assert_snapshot!(outcome.stdout);
    insta::assert_snapshot!(outcome.stderr);
    assert_eq!(outcome.status, Some(1));
}

#[test]
fn a_capture_that_knockd_08_cannot_read_is_reported() {
    let desk = CaseRunner::new();
    let conf = "[d]\nsequence = 1\ncommand = x\n";
    desk.write("knockd.conf", conf);
    // Linux cooked, version 2, as of `tcpdump -i any`.
    let header =
        [[0xd4, 0xc3, 0xb2, 0xa1], [2, 0, 4, 0], [0; 4], [0; 4], [0, 0, 4, 0], [20, 1, 0, 0]];
    let frame = [&[8, 0][..], &[0; 18], &[0x45]].concat();
    let length = [u8::try_from(frame.len()).unwrap(), 0, 0, 0];
    let record = [[1, 0, 0, 0], [0; 4], length, length];
    desk.write(
        "knocks.pcap",
        [&header.concat(), &record.concat(), &frame].map(|part| &part[..]).concat(),
    );
    let outcome = desk.run("knocks.pcap -c knockd.conf --rules knockd-0.8");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    let said = "warning: knockd 0.8 cannot read any of the packets: it starts only on Ethernet";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
}

#[test]
fn differences_can_be_left_out() {
    // The first knock of an attempt that comes to nothing: the real one never tells of its end.
    let desk = CaseRunner::with(pcap(&[knocks(0), vec![syn(60_000, 7000)]].concat()));
    let both = "diff knocks.pcap -c knockd.conf --rules";
    let outcome = desk.run(both);
    assert_eq!((outcome.status, outcome.stdout.lines().count()), (Some(1), 1));
    for except in ["--except 17", "--except 12,17", "--except=12 --except=17"] {
        let outcome = desk.run(&format!("{both} {except}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    }
    assert_eq!(desk.run(&format!("{both} --except 12")).status, Some(1));
    for wrong in ["--except 28", "--except x"] {
        assert_eq!(desk.run(&format!("{both} {wrong}")).status, Some(2), "{wrong}");
    }
    let without = "diff knocks.pcap -c knockd.conf --new knockd.conf --except 17";
    assert_eq!(desk.run(without).status, Some(2));
}

#[test]
fn both_name_the_capture_of_several_and_the_packet_within_it() {
    let desk = CaseRunner::with(pcap(&[syn(0, 7000)]));
    desk.write("other.pcap", pcap(&[syn(100, 443), syn(9000, 7000)]));
    let outcome = desk.run("diff other.pcap knocks.pcap -c knockd.conf --rules");
    let line =
        "- 10.0.0.5: ssh: sequence timeout (stage 1)  [difference 17, packet 2 of other.pcap]";
    assert!(outcome.stdout.lines().any(|one| one == line), "{}", outcome.stdout);
}

/// The lines that text and objects show are the same, with the same numbers and packets.
#[test]
fn objects_are_what_the_text_says_and_what_the_schema_says() {
    let desk = retransmitting();
    let text = desk.run("diff knocks.pcap -c knockd.conf --rules --time=utc -q");
    let objects = desk.run("diff knocks.pcap -c knockd.conf --rules --format json -q");
    assert_eq!((text.status, objects.status), (Some(1), Some(1)));
    let schema = Schema::read("knock-rules.schema.json");
    let objects: Vec<Value> =
        objects.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for object in &objects {
        schema.check(object);
    }
    let (summary, lines) = objects.split_last().unwrap();
    let as_text = lines.iter().map(|one| {
        let sign = if one["by"] == "knock" { "+" } else { "-" };
        let time = one["time"].as_str().unwrap().replace("000Z", "Z");
        let place = match one["packet"]["number"].as_u64() {
            Some(number) => format!("packet {number}"),
            None => "after the last packet".to_owned(),
        };
        let (text, difference) = (one["text"].as_str().unwrap(), &one["difference"]);
        format!("{sign} {time} {text}  [difference {difference}, {place}]\n")
    });
    assert_eq!(as_text.collect::<String>(), text.stdout);
    assert!(lines.len() > 1);
    assert_eq!(summary["lines"], lines.len());
    assert_eq!(summary["packets"], 4);
}

#[test]
fn objects_have_both_times() {
    let outcome =
        retransmitting().run("diff knocks.pcap -c knockd.conf --rules --format json --time");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    let told = "knock-replay: error: objects have both times: leave out '--time'\n";
    assert!(outcome.stderr.starts_with(told), "{}", outcome.stderr);
}
