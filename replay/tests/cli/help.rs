//! `--help` and `--version`.

use crate::common::forge::{gzip, knocks_pcap};
use crate::common::{Desk, OPENED, finish};

#[test]
fn help_is_short_or_long_and_goes_to_standard_output() {
    let desk = Desk::new();
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
        let outcome = Desk::new().run(arguments);
        assert_eq!((outcome.status, outcome.stdout), (Some(0), expected.clone()));
    }
}

#[test]
fn help_fits_into_100_columns() {
    for arguments in ["-h", "--help", "test -h", "test --help", "init -h", "init --help"] {
        let help = Desk::new().run(arguments).stdout;
        assert!(help.contains("Usage: knock-replay"), "{help}");
        let longest = help.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(100), "{longest:?} columns");
    }
}

#[test]
fn every_example_in_the_help_works() {
    let examples = examples();
    assert_eq!(examples.len(), 14);
    let mut stdouts = Vec::new();
    let desk = desk_for_examples();
    for example in &examples {
        let outcome = finish(desk.program("sh").arg("-c").arg(in_the_desk(example)));
        // The check is strict enough to find something.
        let status = if example.contains("--check") { 2 } else { 0 };
        assert_eq!(outcome.status, Some(status), "{example}: {}", outcome.stderr);
        stdouts.push(outcome.stdout);
    }
    let timed: Vec<_> = OPENED
        .lines()
        .zip(["0.000000", "0.100000", "0.200000", "0.200000", "0.200000", "10.200000", "10.200000"])
        .map(|(line, time)| format!("{time} {line}"))
        .collect();
    assert_eq!(stdouts[..3], [OPENED, OPENED, ""]);
    assert_eq!(
        stdouts[3],
        "no packet of 203.0.113.7 had to do with any door\n3 packets of other clients\n\n"
    );
    assert_eq!(stdouts[4].lines().collect::<Vec<_>>(), timed);
    assert_eq!(stdouts[5..], ["", "", "", "", "", "", OPENED, "", ""]);
    assert!(desk.path("report.html").exists());
    assert_eq!(std::fs::read_to_string(desk.path("expected.txt")).unwrap(), OPENED);
    assert_eq!(desk.run("scenario.pcap -c knockd.conf").stdout, OPENED);
}

/// Returns the commands of the examples in `--help`.
fn examples() -> Vec<String> {
    let help = Desk::new().run("--help").stdout;
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

fn desk_for_examples() -> Desk {
    let desk = Desk::with(knocks_pcap());
    desk.write("knocks.pcap.gz", gzip(&knocks_pcap()));
    desk.write("new.conf", crate::common::CONFIG);
    desk.write("scenario.txt", "knock 10.0.0.5 7000 8000 9000\n");
    desk
}
