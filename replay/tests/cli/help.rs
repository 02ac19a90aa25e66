//! `--help` and `--version`.

use crate::common::capture_builder::{gzip, knocks_pcap};
use crate::common::{CaseRunner, OPENED, finish};

#[test]
fn help_is_short_or_long_and_goes_to_standard_output() {
    let desk = CaseRunner::new();
    for arguments in ["-h", "--help"] {
        let outcome = desk.run(arguments);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
        insta::assert_snapshot!(outcome.stdout);
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let expected = format!("knock-replay {}\n", env!("CARGO_PKG_VERSION"));
    for arguments in ["-V", "--version"] {
        let outcome = CaseRunner::new().run(arguments);
        assert_eq!((outcome.status, outcome.stdout), (Some(0), expected.clone()));
    }
}

/// The modes, that without a subcommand first.
const MODES: [&str; 10] =
    ["", "check", "explain", "diff", "report", "test", "init", "extract", "merge", "convert"];

#[test]
fn help_fits_into_80_columns_and_that_of_the_whole_on_two_screens() {
    let desk = CaseRunner::new();
    for (mode, option) in MODES.into_iter().flat_map(|mode| [(mode, "-h"), (mode, "--help")]) {
        let help = desk.run(&format!("{mode} {option}")).stdout;
        assert!(help.contains("Usage: knock-replay"), "{mode} {option}: {help}");
        let usage = |line: &&str| !line.starts_with("Usage: ");
        let longest = help.lines().filter(usage).map(|line| line.chars().count()).max();
        assert!(longest <= Some(80), "{mode} {option}: {longest:?} columns");
    }
    let lines = desk.run("--help").stdout.lines().count();
    assert!(lines <= 60, "{lines} lines");
}

#[test]
fn options_of_before_are_not_in_the_help() {
    let help = CaseRunner::new().run("--help").stdout;
    let hidden = ["--against", "--write", "--report", "--check", "--explain", "--deny", "both"];
    for option in hidden {
        assert!(!help.contains(option), "{option}");
    }
}

#[test]
fn every_example_in_the_help_works() {
    let mut outputs = Vec::new();
    for mode in MODES {
        let desk = desk_for_examples();
        for example in examples(mode) {
            let outcome = finish(desk.program("sh").arg("-c").arg(in_the_desk(&example)));
            // The check is strict enough to find something.
            let status = if example.contains("--deny") { 2 } else { 0 };
            assert_eq!(outcome.status, Some(status), "{example}: {}", outcome.stderr);
            outputs.push((example, outcome.stdout));
        }
        if mode == "report" {
            assert!(desk.path("report.html").exists());
        }
        if mode == "extract" {
            assert_eq!(desk.run("small.pcapng -c knockd.conf").stdout, OPENED);
        }
        if mode == "convert" {
            assert_eq!(desk.run("scenario.pcap -c knockd.conf").stdout, OPENED);
        }
    }
    assert_eq!(outputs.len(), 26);
    let output = |example: &str| {
        let mut outputs = outputs.iter();
        outputs.find(|(one, _)| one.contains(example)).map(|(_, output)| output.as_str())
    };
    assert_eq!(output("--config /etc/knockd.conf --local"), Some(OPENED));
    assert_eq!(output("tcpdump"), Some(OPENED));
    let nothing = "no packet of 203.0.113.7 concerned any door\n3 packets of other clients\n\n";
    assert_eq!(output("explain knocks.pcap"), Some(nothing));
    assert_eq!([output("--new new.conf"), output("--rules")], [Some(""); 2]);
}

/// Returns the commands of the examples in the help of a mode.
fn examples(mode: &str) -> Vec<String> {
    let help = CaseRunner::new().run(&format!("{mode} --help")).stdout;
    let (_, examples) = help.split_once("\nExamples:\n").unwrap();
    let (examples, _) = examples.split_once("\nExit status:\n").unwrap();
    examples.lines().filter_map(|line| line.strip_prefix("      ")).map(str::to_owned).collect()
}

/// Puts what this test has in the place of what the example has.
fn in_the_desk(example: &str) -> String {
    let program = env!("CARGO_BIN_EXE_knock-replay");
    example
        .replace("tcpdump -i eth0 -U -w -", "cat knocks.pcap")
        .replace("knock-replay", program)
        .replace("/etc/knockd.conf", "knockd.conf")
        .replace("192.0.2.1", "10.0.0.1")
        .replace("openSSH from 203.0.113.7", "ssh from 10.0.0.5")
}

fn desk_for_examples() -> CaseRunner {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("knocks.pcap.gz", gzip(&knocks_pcap()));
    desk.write("new.conf", crate::common::CONFIG);
    std::fs::create_dir(desk.path("servers")).unwrap();
    desk.write("servers/knockd.conf", crate::common::CONFIG);
    desk.write("scenario.txt", "knock 10.0.0.5 7000 8000 9000\n");
    desk
}
