//! Where a limit forbids threads, what is printed is the same as without the limit, or it is an error.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process;

use crate::common::capture_builder::{gzip, knocks_pcap, pcap_header, syn};
use crate::common::{CONFIG, CaseRunner, Need, Outcome, finish, require};

/// What can do without a thread.
const ALONE: &[&str] = &[
    "check knockd.conf",
    "test tests",
    "init made -c knockd.conf",
    "extract -c knockd.conf knocks.pcap --output kept.pcapng",
    "extract -c knockd.conf knocks.pcap more.pcap packed.pcap.gz --output kept.pcapng",
    "merge 1 2",
    "convert knocks.scenario made.pcapng",
    "-c knockd.conf knocks.pcap --assert tests/knocks.assert",
    "-c knockd.conf knocks.pcap more.pcap packed.pcap.gz --assert tests/knocks.assert",
    "explain -q -c knockd.conf knocks.pcap more.pcap",
    "report -c knockd.conf knocks.pcap more.pcap -o page.html",
];

/// What cannot.
const TOGETHER: &[&str] = &[
    "-c knockd.conf knocks.pcap",
    "-c knockd.conf knocks.pcap --rules knockd-0.8",
    "-c knockd.conf knocks.pcap --expect tests/knocks.expect",
    "-c knockd.conf knocks.pcap --expect new.expect --bless",
    "-c knockd.conf knocks.pcap more.pcap packed.pcap.gz",
    "-c knockd.conf knocks.pcap --format json",
    "-c knockd.conf knocks.pcap --format json --shard 1/2",
    "-c knockd.conf knocks.pcap more.pcap --format json",
    "explain -c knockd.conf knocks.pcap",
    "explain -c knockd.conf knocks.pcap more.pcap --format json",
    "diff -c knockd.conf --new new.conf knocks.pcap",
    "diff -c knockd.conf --new new.conf knocks.pcap more.pcap --format json",
    "diff -c knockd.conf --rules knocks.pcap",
    "diff -c knockd.conf --rules knocks.pcap more.pcap --format json",
];

/// What a command writes besides standard output.
const MADE: &[&str] = &["made", "kept.pcapng", "made.pcapng", "new.expect", "page.html"];

#[test]
fn a_limit_of_threads_is_an_error_or_makes_no_difference() {
    let name = "a_limit_of_threads_is_an_error_or_makes_no_difference";
    if !require(name, &["setpriv", "prlimit"], Need::Root) {
        return;
    }
    let desk = desk();
    for (commands, can_be_alone) in [(ALONE, true), (TOGETHER, false)] {
        for arguments in commands {
            let free = run(&desk, "100", arguments);
            assert!(matches!(free.0.status, Some(0 | 1)), "{arguments}: {}", free.0.stderr);
            // The first thread of the process counts as well.
            for limit in ["1", "2", "3", "4"] {
                let (outcome, made) = run(&desk, limit, arguments);
                if outcome.status == Some(3) {
                    assert!(!can_be_alone, "{arguments}, {limit}: {}", outcome.stderr);
                    let error = outcome.stderr.lines().last().unwrap();
                    assert!(error.starts_with(ERROR), "{arguments}, {limit}: {}", outcome.stderr);
                    assert_eq!((outcome.stdout.as_str(), made), ("", vec![]), "{arguments}");
                    continue;
                }
                assert!(can_be_alone || limit != "1", "{arguments}: {}", outcome.stderr);
                assert_eq!((outcome, made), free, "{arguments}, {limit}");
            }
        }
    }
}

const ERROR: &str = "knock-replay: error: cannot start a thread: the limit of processes and threads is reached; raise it";

/// Returns what all commands need. Captures are read by threads from 1 MiB on.
fn desk() -> CaseRunner {
    let desk = CaseRunner::with(knocks_pcap());
    let more = [pcap_header(), syn(0, 1).record().repeat(15_000)].concat();
    desk.write("packed.pcap.gz", gzip(&more));
    desk.write("more.pcap", more);
    desk.write("knocks.scenario", "to 10.0.0.1\nknock 10.0.0.5 7000 8000 9000 every 0.1s\n");
    desk.write("new.conf", CONFIG.replace("9000", "9001"));
    fs::create_dir(desk.path("tests")).unwrap();
    desk.write("tests/knocks.pcap", knocks_pcap());
    desk.write("tests/knocks.assert", "config ../knockd.conf\nopens ssh 1 time from 10.0.0.5\n");
    desk.write("tests/knocks.expect", desk.run("-c knockd.conf knocks.pcap").stdout);
    for shard in ["1", "2"] {
        let arguments = format!("-c knockd.conf knocks.pcap --format json --shard {shard}/2");
        desk.write(shard, desk.run(&arguments).stdout);
    }
    // Where the program is built, others may not be able to go. Another process copies it, because a child of another
    // test could inherit the file while it is written, and such a file cannot be executed.
    let mut command = desk.program("cp");
    let outcome = finish(command.args([env!("CARGO_BIN_EXE_knock-replay"), "knock-replay"]));
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    fs::set_permissions(desk.directory(), Permissions::from_mode(0o777)).unwrap();
    desk
}

/// Runs the program as a user of whom there are no other processes. Returns also what it has made.
fn run(desk: &CaseRunner, limit: &str, arguments: &str) -> (Outcome, Vec<Vec<u8>>) {
    let user = 100_000 + process::id();
    let mut command = desk.program("prlimit");
    command.args([&format!("--nproc={limit}"), "setpriv", "--clear-groups"]);
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "./knock-replay"]);
    let outcome = finish(command.args(arguments.split_whitespace()));
    let mut made = Vec::new();
    for path in MADE.iter().map(|name| desk.path(name)) {
        if path.is_dir() {
            made.push(fs::read(path.join("ssh/opens.scenario")).unwrap());
            fs::remove_dir_all(path).unwrap();
        } else if path.exists() {
            made.push(fs::read(&path).unwrap());
            fs::remove_file(path).unwrap();
        }
    }
    (outcome, made)
}
