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
fn a_scenario_that_was_copied_with_its_indentation_is_one() {
    for (start, indentation) in
        [("", "    "), ("", "\t\t\t\t"), ("\n\n\n\n\n", ""), ("\u{feff}", "    ")]
    {
        let lines = SCENARIO.lines().map(|line| format!("{indentation}{line}\n"));
        let text = format!("{start}{}", lines.collect::<String>());
        let desk = CaseRunner::new();
        desk.write("scenario.txt", &text);
        let outcome = desk.run("scenario.txt -c knockd.conf");
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), OPENED), "{outcome:?}");
        let outcome = desk.run_with_input("- -c knockd.conf", text.as_bytes());
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), OPENED), "{outcome:?}");
    }
}

#[test]
fn what_is_wrong_in_the_first_line_of_a_scenario_has_a_place() {
    let good = "knock 10.0.0.5 7000\n";
    for (first, column, help) in [
        ("Knock 10.0.0.5 7000", 1, "did you mean `knock`?"),
        ("      KNOCK 10.0.0.5 7000", 7, "did you mean `knock`?"),
        ("- knock 10.0.0.5 7000", 1, "a line is such as `0.5 10.0.0.5 > 192.0.2.1:7000 tcp`"),
        ("\"knock 10.0.0.5 7000", 1, "did you mean `knock`?"),
        (".5s 10.0.0.5 192.0.2.1 tcp 7000", 14, "write `10.0.0.5 > 192.0.2.1 tcp 7000 syn`"),
        (
            "[2001:db8::5]:4000 2001:db8::1 tcp 7000",
            20,
            "write `10.0.0.5 > 192.0.2.1 tcp 7000 syn`",
        ),
        ("hello", 1, "a line is such as `0.5 10.0.0.5 > 192.0.2.1:7000 tcp`"),
    ] {
        let desk = CaseRunner::new();
        let text = format!("{first}\n{good}");
        desk.write("scenario.txt", &text);
        let by_file = desk.run("scenario.txt -c knockd.conf");
        assert_eq!(by_file.status, Some(3), "{by_file:?}");
        let place = format!("\n --> scenario.txt:1:{column}\n  |\n1 | {first}\n  | ");
        assert!(by_file.stderr.contains(&place), "{first}: {}", by_file.stderr);
        assert!(by_file.stderr.contains(&format!("help: {help}")), "{first}: {}", by_file.stderr);
        let by_pipe = desk.run_with_input("- -c knockd.conf", text.as_bytes());
        assert_eq!(by_pipe.status, Some(3));
        assert!(by_pipe.stderr.contains(&format!("1 | {first}\n")), "{}", by_pipe.stderr);
    }
}

#[test]
fn a_time_may_begin_with_its_point() {
    let desk = CaseRunner::new();
    let lines = ".5 10.0.0.5 > 10.0.0.1 tcp 7000\n+.25s 10.0.0.5 > 10.0.0.1 tcp 8000\n\
                 knock 10.0.0.5 9000 to 10.0.0.1 every .5\n";
    desk.write("scenario.txt", lines);
    let outcome = desk.run("scenario.txt -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), OPENED), "{outcome:?}");
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
