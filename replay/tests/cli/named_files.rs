//! Files that a command line names and that cannot be used: for each command the same causes.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::common::capture_builder::knocks_pcap;
use crate::common::{CaseRunner, Need, Outcome, finish, require};

/// What is read, with the exit status if it cannot be. `@` is the file.
const READERS: [(&str, i32); 16] = [
    ("@ -c knockd.conf", 3),
    ("knocks.pcap -c @", 2),
    ("knocks.pcap -c knockd.conf --replay-state @", 2),
    ("-q knocks.pcap -c knockd.conf --expect @", 2),
    ("knocks.pcap -c knockd.conf --assert @", 2),
    ("explain @ -c knockd.conf", 3),
    ("diff knocks.pcap -c knockd.conf --new @", 2),
    ("report @ -c knockd.conf -o page.html", 3),
    ("test @ -c knockd.conf", 2),
    ("test tests -c @", 2),
    ("init more -c @", 2),
    ("check @", 2),
    ("extract @ -c knockd.conf -o small.pcapng", 3),
    ("merge @ shard", 3),
    ("convert @ new.pcap", 3),
    ("convert scenario new.pcap -c @", 2),
];

/// What is written.
const WRITERS: [&str; 6] = [
    "report knocks.pcap -c knockd.conf -o @",
    "test tests -c knockd.conf --junit @",
    "init @ -c knockd.conf",
    "extract knocks.pcap -c knockd.conf -o @",
    "convert scenario @",
    "-q knocks.pcap -c knockd.conf --expect @ --bless",
];

/// The words of the system for the causes that are tried.
const OF_THE_SYSTEM: [&str; 5] =
    ["No such file", "Is a directory", "Not a directory", "Permission denied", "os error"];

/// What every message has one of: it says what to do.
const WAYS_OUT: [&str; 9] = [
    "as `tcpdump -w` writes it",
    "name ",
    "check the path",
    "run as ",
    "give the path",
    "add a section",
    "write lines",
    "replay this shard again",
    "--bless writes it",
];

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_cause_and_a_way_out() {
    let desk = desk();
    let mut printed = String::new();
    for file in ["missing", "folder", "knocks.pcap/x"] {
        for (command, status) in READERS {
            // `check` takes a folder, and `test` asks for one.
            if file == "folder" && (command == "check @" || command.starts_with("test @")) {
                continue;
            }
            let line = command.replace('@', file);
            judge(&line, file, status, &desk.run(&line), &mut printed);
        }
    }
    insta::assert_snapshot!(printed);
}

#[test]
fn an_empty_file_is_named_with_what_belongs_in_it() {
    let desk = desk();
    desk.write("empty", "");
    let mut printed = String::new();
    for (command, status) in READERS {
        let line = command.replace('@', "empty");
        // An empty configuration is one, with a warning; `used` is empty before the first use. An empty transcript
        // is not what is printed, and tests of doors that are not there name their own files.
        let usable = [
            ("-c @", 0),
            ("check @", 0),
            ("--replay-state @", 0),
            ("--new @", 1),
            ("--expect @", 1),
            ("test tests -c @", 2),
        ];
        let is_usable = usable.iter().rev().find(|(end, _)| command.ends_with(end));
        match is_usable.filter(|_| !command.starts_with("init")) {
            Some((_, status)) => assert_eq!(desk.run(&line).status, Some(*status), "{line}"),
            None => judge(&line, "empty", status, &desk.run(&line), &mut printed),
        }
    }
    insta::assert_snapshot!(printed);
}

#[test]
fn a_file_that_cannot_be_written_is_named_with_the_cause_and_a_way_out() {
    let desk = desk();
    let mut printed = String::new();
    for file in ["folder", "missing/x", "knocks.pcap/x"] {
        for command in WRITERS {
            // `init` makes a folder with all above it.
            if command.starts_with("init") && file != "knocks.pcap/x" {
                continue;
            }
            let line = command.replace('@', file);
            judge(&line, file, 4, &desk.run(&line), &mut printed);
        }
    }
    insta::assert_snapshot!(printed);
}

#[test]
fn a_file_without_permission_is_named_with_a_way_out() {
    let name = "a_file_without_permission_is_named_with_a_way_out";
    if !require(name, &["setpriv"], Need::Root) {
        return;
    }
    let desk = desk();
    let readable = finish(desk.program("chmod").args(["-R", "go+rX", "."]));
    assert_eq!(readable.status, Some(0), "{}", readable.stderr);
    desk.write("closed", "text");
    fs::set_permissions(desk.path("closed"), Permissions::from_mode(0o600)).unwrap();
    // Where it was built, others may not be able to go.
    let mut copy = desk.program("cp");
    let copied = finish(copy.args([env!("CARGO_BIN_EXE_knock-replay"), "knock-replay"]));
    assert_eq!(copied.status, Some(0), "{}", copied.stderr);
    let run = |line: &str| {
        let mut command = desk.program("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "./knock-replay"]);
        finish(command.args(line.split_whitespace()))
    };
    let mut printed = String::new();
    for (command, status) in READERS {
        // Files that are written would fail first.
        let command = command.replace("new.pcap", "/dev/null").replace("small.pcapng", "/dev/null");
        let command =
            command.replace("page.html", "/dev/null").replace("init more", "init /dev/null");
        // That is no folder, which any user can see.
        if !command.starts_with("test @") {
            let line = command.replace('@', "closed");
            judge(&line, "closed", status, &run(&line), &mut printed);
        }
    }
    for command in WRITERS {
        let line = command.replace('@', "new-file");
        judge(&line, "new-file", 4, &run(&line), &mut printed);
    }
    insta::assert_snapshot!(printed);
}

/// Returns a folder with what all commands need.
fn desk() -> CaseRunner {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("scenario", "knock 10.0.0.5 7000 8000 9000\n");
    fs::create_dir(desk.path("folder")).unwrap();
    assert_eq!(desk.run("init tests -c knockd.conf").status, Some(0));
    let shard = desk.run("-q knocks.pcap -c knockd.conf --format json --shard 2/2");
    assert_eq!(shard.status, Some(0), "{}", shard.stderr);
    desk.write("shard", shard.stdout);
    desk
}

/// Adds what was printed about a file.
fn judge(line: &str, file: &str, status: i32, outcome: &Outcome, printed: &mut String) {
    let Outcome { status: is, stdout, stderr } = outcome;
    assert_eq!(*is, Some(status), "{line}: {stdout}{stderr}");
    // Of a folder of tests, each has the same error.
    let said = if line.starts_with("test") && line.contains("-c ") && !stdout.is_empty() {
        stdout.split("\n\n").find(|part| part.contains("error: ")).unwrap_or(stdout)
    } else {
        stderr
    };
    assert!(said.contains(file), "{line}: {said}");
    for words in OF_THE_SYSTEM {
        assert!(!said.contains(words), "{line}: {said}");
    }
    let has_way_out = WAYS_OUT.iter().any(|words| said.contains(words));
    assert!(has_way_out, "{line}: {said}");
    write!(printed, "$ knock-replay {line}\n{}\n\n", said.trim_end()).unwrap();
}
