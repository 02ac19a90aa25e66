//! Errors are reported before anything is sent, with status 2.

use std::fmt::Write as _;
use std::fs::File;
use std::process::Stdio;

use knock_tests::process::{Live, finish};

use crate::{knock, output, place, run, schema};

#[test]
fn every_error_of_the_command_line_is_reported_with_status_2() {
    let lines = [
        "",
        "192.0.2.1",
        "192.0.2.1 0",
        "192.0.2.1 65536",
        "192.0.2.1 7000 8000:tpc",
        "192.0.2.1 7000:udp:fin",
        "192.0.2.1 7000:tcp:sny",
        "192.0.2.1 ssh",
        "192.0.2.1 7000,8000",
        "192.0.2.1 7000/udp",
        "192.0.2.1 7000:fin",
        "192.0.2.1 7000 -1",
        "-u 192.0.2.1 7000:tcp:fin",
        "-d abc 192.0.2.1 7000",
        "-d 25h 192.0.2.1 7000",
        "--then 53/udp 192.0.2.1 7000",
        "--then 0 192.0.2.1 7000",
        "--then 22 --wait 0 192.0.2.1 7000",
        "--wait 5 192.0.2.1 7000",
        "--retry 2 192.0.2.1 7000",
        "--seed 1 192.0.2.1 7000",
        "--source here 192.0.2.1 7000",
        "--interface sixteen-bytes-xx 192.0.2.1 7000",
        "--write k.pcap --dry-run 192.0.2.1 7000",
        "-q -v 192.0.2.1 7000",
        "--then none --wait 5 127.0.0.1 7000",
    ];
    insta::assert_snapshot!(printed(&lines));
}

#[test]
fn every_error_of_addresses_and_names_is_reported_with_status_2() {
    let lines = [
        "-4 ::1 7000",
        "-6 127.0.0.1 7000",
        "-6 --source 127.0.0.1 ::1 7000",
        "--source 192.0.2.77 127.0.0.1 7000",
        "--interface nowhere0 127.0.0.1 7000",
        "fe80::1 7000",
        "7000 8000 9000",
        "[2001:db8::1] 7000",
        "192.0.2.1:22 7000",
        "[2001:db8::1]:22 7000",
        "home:22 7000",
        "0.0.0.0 7000",
        ":: 7000",
        "0 7000",
        "fe80::1%nowhere0 7000",
        "--dry-run 127.0.0.01 7000",
        "010.0.0.8 7000",
        "--source 0.0.0.0 127.0.0.1 7000",
        "--write k.pcap 0.0.0.0 7000",
        "--write k.pcap --source :: ::1 7000",
        "-6 ::ffff:127.0.0.1 7000",
        "-6 --source ::ffff:127.0.0.1 ::1 7000",
        "--source ::ffff:127.0.0.1 ::1 7000",
        "--dry-run --source 192.0.2.77 127.0.0.1 7000",
        "--dry-run --interface nowhere0 --source 127.0.0.1 127.0.0.1 7000",
        "nobody.invalid 7000",
        "a\u{1b}[31m.invalid 7000",
    ];
    insta::assert_snapshot!(printed(&lines));
}

/// Returns what is printed for each line.
fn printed(lines: &[&str]) -> String {
    let mut printed = String::new();
    for line in lines {
        let outcome = run(line);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{line}: {outcome:?}");
        // clap leaves a blank line between the error and the tip.
        let (stderr, tip) = match outcome.stderr.split_once("\n\n  tip: ") {
            Some((stderr, tip)) => (stderr.to_owned(), tip.lines().next()),
            None => (outcome.stderr, None),
        };
        // The message of the system's resolver depends on the network.
        let stderr = stderr.lines().map(|line| match line.split_once(".invalid`: ") {
            Some((known, _)) => format!("{known}.invalid`: ..."),
            None => line.to_owned(),
        });
        let stderr = stderr.take_while(|line| !line.is_empty() && !line.starts_with("Usage"));
        let line = line.escape_debug();
        let tip = tip.map(|tip| format!("  tip: {tip}"));
        let stderr = stderr.chain(tip).collect::<Vec<_>>().join("\n");
        writeln!(printed, "$ knock {line}\n{stderr}\n").unwrap();
    }
    printed
}

#[test]
fn too_many_knocks_are_refused() {
    let ports = |count: usize| vec!["7000"; count].join(" ");
    assert_eq!(run(&format!("--dry-run 127.0.0.1 {}", ports(256))).status, Some(0));
    let outcome = run(&format!("--dry-run 127.0.0.1 {}", ports(257)));
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("more than 256 knocks"), "{outcome:?}");
}

#[test]
fn with_json_errors_are_objects_too() {
    for (line, message) in [
        ("--json 192.0.2.1 0", "`0` is not a port"),
        ("192.0.2.1 --json", "no knocks are given"),
        ("--json -4 ::1 7000", "::1 is not an IPv4 address"),
        ("--write - --json ::1 7000", "both take standard output"),
    ] {
        let outcome = run(line);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(2), ""), "{line}");
        let error = schema().object(&outcome.stdout);
        assert_eq!(error["event"], "error", "{line}");
        assert_eq!(error["status"], 2);
        let printed = error["message"].as_str().unwrap();
        assert!(printed.contains(message) && !printed.contains("Usage"), "{error}");
    }
}

#[test]
fn with_json_the_help_is_a_member() {
    for (line, help) in [
        ("--json 192.0.2.1 7000,8000", "ports are separated by blanks: `7000 8000`"),
        ("--json 192.0.2.1 --thn 22", "a similar argument exists: '--then'"),
        ("--json [::1] 7000", "write `::1`"),
    ] {
        let error = schema().object(&run(line).stdout);
        assert_eq!(error["help"], help, "{error}");
        let printed = error["message"].as_str().unwrap();
        assert!(!printed.contains(help) && !printed.ends_with('\n'), "{error}");
    }
}

#[test]
fn a_full_disk_is_reported_with_status_1() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let mut plan = knock("--dry-run 127.0.0.1 7000");
    let outcome = Live::start_with_output(&mut plan, Stdio::from(full())).finish();
    assert_eq!(outcome.status, Some(1));
    let printed = "knock: error: cannot write to standard output: the disk is full; remove files, or \
         redirect it to another disk\n";
    assert_eq!(outcome.stderr, printed);
    let outcome = run("--write /dev/full 127.0.0.1 7000");
    assert_eq!(outcome.status, Some(1));
    // Devices are not written to.
    let printed = "knock: error: cannot write /dev/full: what is there is no regular file; name another \
         place\n";
    assert_eq!(outcome.stderr, printed);
    let outcome = run("--write /nowhere/k.pcap 127.0.0.1 7000");
    assert_eq!(outcome.status, Some(1));
    let printed = "knock: error: cannot write /nowhere/k.pcap: there is no such directory; create it, or name a file in \
         another one\n";
    assert_eq!(outcome.stderr, printed);
}

#[test]
fn a_reader_that_has_gone_is_not_an_error() {
    for arguments in ["--help", "--dry-run 127.0.0.1 7000", "--write - 127.0.0.1 7000"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let outcome = Live::start_with_output(&mut knock(arguments), Stdio::from(writer)).finish();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{arguments}");
    }
}

#[test]
fn quiet_prints_only_errors() {
    let (_folder, path) = place("k.pcap");
    assert_eq!(output(&format!("-q --write {path} 127.0.0.1 7000")), "");
    assert!(!finish(&mut knock("-q 127.0.0.1 0")).stderr.is_empty());
}

/// Files that the command line names, each with the exit status if it cannot be used. `@` is the file.
const NAMED: [(&str, i32); 5] = [
    ("-F @ home", 2),
    ("-c @ --door ssh 127.0.0.1", 2),
    ("--key @ --door ssh 127.0.0.1", 2),
    ("127.0.0.1 7000 --write @", 1),
    ("enroll --user alice --door ssh --server 192.0.2.1 --keys @", 2),
];

#[test]
fn a_file_that_cannot_be_used_is_named_with_a_way_out() {
    let (folder, file) = place("file");
    File::create(&file).unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let mut printed = String::new();
    for name in ["missing", "missing/x", "folder", "file/x"] {
        for (line, status) in NAMED {
            let (reads, is_made) = (!line.contains("--write"), line.contains("--keys"));
            // These are made, or belong there.
            if is_made && name != "file/x" || !reads && name == "missing" {
                continue;
            }
            let line = line.replace('@', name);
            let outcome = finish(knock(&line).current_dir(folder.path()));
            let said = &outcome.stderr;
            assert_eq!(outcome.status, Some(status), "{line}: {said}");
            assert!(said.contains(name), "{line}: {said}");
            for words in ["No such file", "Is a directory", "Not a directory", "os error"] {
                assert!(!said.contains(words), "{line}: {said}");
            }
            assert!(said.contains("; ") || said.contains("help: "), "{line}: {said}");
            write!(printed, "$ knock {line}\n{said}\n").unwrap();
        }
    }
    insta::assert_snapshot!(printed);
}
