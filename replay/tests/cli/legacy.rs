//! The options of before there were subcommands: they still work, and name the subcommand.

use crate::common::capture_builder::{knocks, knocks_pcap, pcap, syn};
use crate::common::{CONFIG, CaseRunner};

const AGAINST: &str = "knocks.pcap -c knockd.conf --against new.conf";
const EXPLAIN: &str = "knocks.pcap -c knockd.conf --explain";
const REPORT: &str = "knocks.pcap -c knockd.conf --report report.html";

/// A command line of before, the one of today, and the hint that leads there.
const PAIRS: [(&str, &str, &str); 12] = [
    ("--check -c knockd.conf", "check -c knockd.conf", "--check is now 'knock-replay check'"),
    (
        "-c knockd.conf --check --deny warnings --format json",
        "check -c knockd.conf --deny warnings --format json",
        "--check is now 'knock-replay check'",
    ),
    (
        "--check --explain=few-knocks",
        "check --explain few-knocks",
        "--check --explain=CODE is now 'knock-replay check --explain CODE'",
    ),
    (
        "knocks.pcap -c knockd.conf --explain",
        "explain knocks.pcap -c knockd.conf",
        "--explain is now 'knock-replay explain'",
    ),
    (
        "--explain=10.0.0.5 -c knockd.conf knocks.pcap --format json -4",
        "explain --client 10.0.0.5 -c knockd.conf knocks.pcap --format json -4",
        "--explain is now 'knock-replay explain'",
    ),
    (
        "knocks.pcap -c knockd.conf --against new.conf --time=utc",
        "diff knocks.pcap -c knockd.conf --new new.conf --time=utc",
        "--against FILE is now 'knock-replay diff --new FILE'",
    ),
    (
        "-r knocks.pcap -c knockd.conf --against new.conf --format json",
        "diff -r knocks.pcap -c knockd.conf --new new.conf --format json",
        "--against FILE is now 'knock-replay diff --new FILE'",
    ),
    (
        "knocks.pcap -c knockd.conf --rules both --time",
        "diff knocks.pcap -c knockd.conf --rules --time",
        "--rules both is now 'knock-replay diff --rules'",
    ),
    (
        "knocks.pcap -c knockd.conf --rules both --except 12,17 --max-attempts 5",
        "diff knocks.pcap -c knockd.conf --rules --except 12,17 --max-attempts 5",
        "--rules both is now 'knock-replay diff --rules'",
    ),
    (
        "knocks.pcap -c knockd.conf --report page.html --local 10.0.0.1",
        "report knocks.pcap -c knockd.conf -o page.html --local 10.0.0.1",
        "--report FILE is now 'knock-replay report -o FILE'",
    ),
    (
        "scenario.txt --write page.pcap",
        "convert scenario.txt page.pcap",
        "--write FILE is now 'knock-replay convert SCENARIO FILE'",
    ),
    (
        "missing --write page.pcap",
        "convert missing page.pcap",
        "--write FILE is now 'knock-replay convert SCENARIO FILE'",
    ),
];

#[test]
fn every_mode_of_before_does_what_its_subcommand_does_after_a_hint() {
    // Half an attempt that knockd 0.8 never ends, and a retransmission.
    let packets = [knocks(0), vec![syn(300, 7000), syn(60_000, 7000)]].concat();
    let desk = CaseRunner::with(pcap(&packets));
    desk.write("new.conf", CONFIG.replace("7000,8000,9000", "7000,8000,9001"));
    desk.write("scenario.txt", "knock 10.0.0.5 7000 8000 9000\n");
    let files = ["page.html", "page.pcap"];
    let run = |arguments: &str| {
        let outcome = desk.run(arguments);
        let written = files.map(|file| {
            let bytes = std::fs::read(desk.path(file)).ok();
            let _ = std::fs::remove_file(desk.path(file));
            bytes
        });
        (outcome, written)
    };
    for (old, new, hint) in PAIRS {
        let ((old_outcome, old_files), (new_outcome, new_files)) = (run(old), run(new));
        assert_eq!(old_outcome.status, new_outcome.status, "{old}");
        assert_eq!(old_outcome.stdout, new_outcome.stdout, "{old}");
        assert_eq!(old_files, new_files, "{old}");
        let hinted = format!("knock-replay: hint: {hint}\n{}", new_outcome.stderr);
        assert_eq!(old_outcome.stderr, hinted, "{old}");
        if !old.contains("few-knocks") && !old.contains("--write") {
            let (quiet, _) = run(&format!("{old} --quiet"));
            assert!(!quiet.stderr.contains("hint"), "{old}: {}", quiet.stderr);
        }
    }
}

#[test]
fn a_capture_that_is_called_like_a_subcommand_can_be_replayed() {
    let desk = CaseRunner::with(knocks_pcap());
    let expected = desk.run("knocks.pcap -c knockd.conf").stdout;
    for name in ["check", "explain", "diff", "report", "test", "init", "convert"] {
        desk.write(name, knocks_pcap());
        assert_eq!(desk.run(&format!("./{name} -c knockd.conf")).stdout, expected, "{name}");
        assert_eq!(desk.run(&format!("-c knockd.conf -r {name}")).stdout, expected, "{name}");
    }
}

#[test]
fn what_against_cannot_be_given_with_is_refused() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("new.conf", CONFIG);
    for more in ["--rules both", "--rules knockd-0.8", "--explain", "--expect x", "-v"] {
        let outcome = desk.run(&format!("{AGAINST} {more}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{more}");
        assert!(outcome.stderr.contains("'--against"), "{more}: {}", outcome.stderr);
    }
}

#[test]
fn what_explain_cannot_be_given_with_is_refused_with_a_way_out() {
    let desk = CaseRunner::with(knocks_pcap());
    let mut told = String::new();
    for more in [
        " --rules knockd-0.8",
        " --rules both",
        " --time",
        " -v",
        " --format xml",
        "=host.example",
        "=10.0.0.0/33",
        "=",
        " 10.0.0.5",
        " all",
    ] {
        let outcome = desk.run(&format!("{EXPLAIN}{more}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{more}");
        told.extend(["$ ", EXPLAIN, more, "\n", &outcome.stderr, "\n"]);
    }
    insta::assert_snapshot!(told);
}

#[test]
fn what_a_report_cannot_be_given_with_is_refused_with_a_way_out() {
    let desk = CaseRunner::with(knocks_pcap());
    let mut told = String::new();
    for more in [
        " --rules knockd-0.8",
        " --rules both",
        " --explain",
        " --expect expected.txt",
        " --against new.conf",
        " --format json",
        " --check",
        " --write other.pcap",
        " --time",
        " -v",
    ] {
        let outcome = desk.run(&format!("{REPORT}{more}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{more}");
        told.extend([more.trim(), "\n", outcome.stderr.lines().next().unwrap(), "\n\n"]);
    }
    let outcome = desk.run("knocks.pcap -c knockd.conf --report -");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    told.extend(["-\n", outcome.stderr.lines().next().unwrap(), "\n"]);
    assert!(!desk.path("report.html").exists() && !desk.path("-").exists());
    insta::assert_snapshot!(told);
}

#[test]
fn every_fault_of_a_check_on_the_command_line_is_status_2() {
    let faults = [
        "--check",
        "--check -c knockd.conf knocks.pcap",
        "--check -c knockd.conf --read knocks.pcap",
        "-c knockd.conf --deny warnings knocks.pcap",
        "--check -c knockd.conf --deny few-knoks",
        "--check -c knockd.conf --allow warnings",
        "--check --explain=few-knoks",
        "--check --explain=192.0.2.7",
        "--check --explain",
        "--explain=few-knocks -c knockd.conf knocks.pcap",
    ];
    let told = faults.map(|arguments| {
        let outcome = CaseRunner::new().run(arguments);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{arguments}");
        format!("$ knock-replay {arguments}\n{}\n", outcome.stderr)
    });
    insta::assert_snapshot!(told.concat());
}
