//! Scenarios in the place of captures, and `convert`.

use std::fs;

use crate::common::{CaseRunner, OPENED};

const SCENARIO: &str =
    "# The three knocks.\nto 10.0.0.1\nknock 10.0.0.5 7000 8000 9000 every 0.1s\n";

#[test]
fn a_scenario_is_taken_wherever_a_capture_is() {
    let desk = CaseRunner::new();
    desk.write("scenario.txt", SCENARIO);
    let outcome = desk.run("scenario.txt -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), OPENED));
    let outcome = desk.run_with_input("- -c knockd.conf", SCENARIO.as_bytes());
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), OPENED));
    let explained = desk.run("explain scenario.txt -c knockd.conf");
    assert!(explained.stdout.contains("OPEN SESAME"), "{}", explained.stdout);
    let both = desk.run("diff scenario.txt -c knockd.conf --rules");
    assert_eq!((both.status, both.stdout.as_str()), (Some(0), ""));
}

#[test]
fn a_scenario_and_a_capture_are_merged_by_time() {
    let desk = CaseRunner::new();
    desk.write("first.txt", "0 10.0.0.5 > 10.0.0.1 tcp 7000\n0.2 10.0.0.5 > 10.0.0.1 tcp 9000\n");
    desk.write("second.txt", "0.1 10.0.0.5 > 10.0.0.1 tcp 8000\n");
    let outcome = desk.run("convert second.txt second.pcap");
    assert_eq!(
        (outcome.status, outcome.stdout.as_str(), outcome.stderr.as_str()),
        (Some(0), "", "")
    );
    let outcome = desk.run("first.txt second.pcap -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), OPENED));
}

#[test]
fn a_scenario_written_as_a_capture_replays_to_the_same() {
    let desk = CaseRunner::new();
    desk.write("scenario.txt", SCENARIO);
    assert_eq!(desk.run("convert scenario.txt scenario.pcap").status, Some(0));
    let times = |file: &str| desk.run(&format!("{file} -c knockd.conf --time")).stdout;
    assert_eq!(times("scenario.pcap"), times("scenario.txt"));
    assert_eq!(times("scenario.txt").lines().count(), 7);
    let again = fs::read(desk.path("scenario.pcap")).unwrap();
    assert_eq!(desk.run_with_input("convert - other.pcap", SCENARIO.as_bytes()).status, Some(0));
    assert_eq!(fs::read(desk.path("other.pcap")).unwrap(), again);
}

#[test]
fn a_scenario_with_errors_is_status_3_with_all_of_them() {
    let desk = CaseRunner::new();
    desk.write("scenario.txt", "0 10.0.0.5 > 10.0.0.1 tpc 7000\nknok 10.0.0.5 7000\n");
    let told = ["scenario.txt -c knockd.conf", "convert scenario.txt k.pcap"].map(|arguments| {
        let outcome = desk.run(arguments);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{arguments}");
        outcome.stderr
    });
    assert_eq!(told[0], told[1]);
    insta::assert_snapshot!(told[0]);
    assert!(!desk.path("k.pcap").exists());
}

#[test]
fn only_a_scenario_is_written_as_a_capture() {
    let desk = CaseRunner::with(crate::common::capture_builder::knocks_pcap());
    desk.write("scenario.txt", SCENARIO);
    desk.write("page.html", "<html>\n");
    desk.write("empty", "");
    let mut told = String::new();
    for (arguments, status) in [
        ("convert knocks.pcap k.pcap", 3),
        ("convert page.html k.pcap", 3),
        ("convert missing k.pcap", 3),
        ("convert empty k.pcap", 3),
        ("convert scenario.txt no/such/k.pcap", 4),
        ("convert scenario.txt scenario.txt k.pcap", 2),
    ] {
        let outcome = desk.run(arguments);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(status), ""), "{arguments}");
        told += &outcome.stderr;
    }
    insta::assert_snapshot!(told);
    assert!(!desk.path("k.pcap").exists());
}

#[test]
fn a_scenario_is_not_written_over() {
    let desk = CaseRunner::new();
    desk.write("a.scenario", "knock 10.0.0.5 7000 8000 9000\n");
    let outcome = desk.run("convert a.scenario ./a.scenario");
    let told = "knock-replay: error: 'convert' would write over a.scenario, which is read: name another \
                file\n";
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(2), told));
    let text = std::fs::read_to_string(desk.path("a.scenario")).unwrap();
    assert_eq!(text, "knock 10.0.0.5 7000 8000 9000\n");
}
