//! `--write`: the knocks as a capture.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use knock_replay::{Exit, Streams};
use knock_tests::process::finish;
use knock_tests::require::{Need, require};

use crate::{output, place, run, schema};

/// Replays a capture under the rules of a name, and returns the transcript.
fn replay(capture: &str, config: &str, rules: &str) -> String {
    let (_folder, path) = place("knockd.conf");
    fs::write(&path, config).unwrap();
    let args = ["knock-replay", capture, "-c", &path, "--quiet", "--rules", rules];
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let mut streams = Streams::plain(&mut output, &mut errors);
    let exit = knock_replay::run(args.map(OsString::from), &mut streams);
    assert_eq!(exit, Exit::Done, "{}", String::from_utf8_lossy(&errors));
    String::from_utf8(output).unwrap()
}

#[test]
fn what_is_written_opens_the_door_in_a_replay_under_both_rule_sets() {
    let (_folder, path) = place("k.pcap");
    for (source, host) in [("192.0.2.10", "192.0.2.1"), ("2001:db8::10", "2001:db8::1")] {
        let knocks = "7000 8000:udp 9000:tcp:fin,psh,urg";
        let printed = output(&format!("--write {path} --source {source} {host} {knocks}"));
        assert_eq!(printed, format!("{path}: 3 knocks\n"));
        // No door has both SYN and FIN: `mixed` takes what comes, `syn` sees the first knock only.
        let config = "
[mixed]
    sequence = 7000,8000:udp,9000
    command =
[syn]
    sequence = 7000,9000
    tcpflags = syn,!ack
    command =
";
        let mixed = ["Stage 1", "Stage 2", "Stage 3", "OPEN SESAME"];
        let mixed = mixed.map(|line| format!("{source}: mixed: {line}"));
        for rules in ["knock", "knockd-0.8"] {
            let transcript = replay(&path, config, rules);
            let lines = transcript.lines().filter(|line| line.contains(": mixed: "));
            assert_eq!(lines.collect::<Vec<_>>(), mixed, "{rules}: {transcript}");
            assert!(transcript.contains(&format!("{source}: syn: Stage 1\n")), "{transcript}");
            assert!(!transcript.contains("syn: Stage 2"), "{transcript}");
        }
    }
}

#[test]
fn an_ipv4_address_that_is_written_as_ipv6_gives_frames_of_ipv4() {
    let (_folder, path) = place("k.pcap");
    let config = "[door]\n    sequence = 7000\n    target = 192.0.2.1\n    command =\n";
    for source in ["192.0.2.10", "::ffff:192.0.2.10"] {
        output(&format!("--write {path} --source {source} ::ffff:192.0.2.1 7000"));
        assert!(replay(&path, config, "knock").starts_with("192.0.2.10: door: Stage 1\n"));
    }
}

#[test]
fn a_capture_may_come_from_an_address_that_is_not_here_and_a_plan_may_not() {
    let (_folder, path) = place("k.pcap");
    output(&format!("--write {path} --source 192.0.2.77 127.0.0.1 7000"));
    assert_eq!(run("--dry-run --source 192.0.2.77 127.0.0.1 7000").status, Some(2));
}

#[test]
fn tcpdump_finds_nothing_wrong_with_what_is_written() {
    let name = "tcpdump_finds_nothing_wrong_with_what_is_written";
    if !require(name, &["tcpdump"], Need::Programs) {
        return;
    }
    let (_folder, path) = place("k.pcap");
    for (source, host) in [("192.0.2.10", "192.0.2.1"), ("2001:db8::10", "2001:db8::1")] {
        let knocks = "7000 8000:udp 9000:tcp:none 9001:tcp:syn,ack 9002:tcp:rst";
        output(&format!("--seed 7 --write {path} --source {source} {host} {knocks} -d 250"));
        let mut tcpdump = Command::new("tcpdump");
        let outcome = finish(tcpdump.args(["-n", "-e", "-tt", "-vv", "-r", &path]));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        let seen = outcome.stdout;
        assert_eq!(seen.matches("(correct)").count(), 4, "{seen}");
        assert_eq!(seen.matches("[udp sum ok]").count(), 1, "{seen}");
        assert!(!seen.contains("incorrect") && !seen.contains("bad"), "{seen}");
        for (flags, at) in
            [("[S]", "0.000000"), ("[none]", "0.500000"), ("[S.]", "0.750000"), ("[R]", "1.000000")]
        {
            assert!(seen.contains(&format!("Flags {flags}, cksum")), "{flags}: {seen}");
            let second = 1_000_000_000 + at[..1].parse::<u32>().unwrap();
            assert!(seen.contains(&format!("{second}{}", &at[1..])), "{at}: {seen}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let capture = |options: &str| {
        let (_folder, path) = place("k.pcap");
        let source = "--source 192.0.2.10";
        output(&format!("{options} {source} --write {path} 192.0.2.1 7000 8000:udp 9:tcp:ack"));
        fs::read(path).unwrap()
    };
    assert_eq!(capture("--seed 1"), capture("--seed 1"));
    assert_ne!(capture("--seed 1"), capture("--seed 2"));
    assert_ne!(capture(""), capture(""));
}

#[test]
fn a_capture_may_go_to_standard_output() {
    let (_folder, path) = place("k.pcap");
    let arguments = "--seed 1 --source 192.0.2.10 192.0.2.1 7000 8000 --write";
    output(&format!("{arguments} {path}"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_knock"));
    command.args(arguments.split_whitespace()).arg("-");
    let written = command.output().unwrap();
    assert!(written.status.success());
    assert_eq!(written.stdout, fs::read(path).unwrap());
}

#[test]
fn without_a_route_the_source_is_an_example_address() {
    let name = "without_a_route_the_source_is_an_example_address";
    if !require(name, &["unshare"], Need::Namespaces) {
        return;
    }
    let (_folder, path) = place("k.pcap");
    for (host, source) in [("198.51.100.1", "192.0.2.1"), ("2001:db8::9", "2001:db8::1")] {
        let mut command = Command::new("unshare");
        command.args(["--net", env!("CARGO_BIN_EXE_knock"), "--write", &path, host, "7000"]);
        let outcome = finish(&mut command);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        let note =
            format!("knock: note: there is no route to {host}; using {source} as the source\n");
        assert_eq!(outcome.stderr, note);
        let mut command = Command::new("unshare");
        command.args(["--net", env!("CARGO_BIN_EXE_knock"), "--json", "--dry-run", host, "7000"]);
        let printed = schema().objects(&finish(&mut command).stdout);
        let note = format!("there is no route to {host}; using {source} as the source");
        assert_eq!((&printed[0]["event"], &printed[0]["message"]), (&"note".into(), &note.into()));
        assert_eq!((&printed[1]["event"], &printed[1]["source"]), (&"plan".into(), &source.into()));
        let config = "[door]\n    sequence = 7000\n    command =\n";
        assert!(replay(&path, config, "knock").starts_with(&format!("{source}: door: Stage 1\n")));
    }
}

#[test]
fn a_capture_needs_no_privileges_even_for_flags() {
    let (_folder, path) = place("k.pcap");
    let outcome = run(&format!("--json --write {path} --source 192.0.2.9 192.0.2.1 1:tcp:fin"));
    assert_eq!(outcome.status, Some(0));
    let printed = schema().object(&outcome.stdout);
    assert_eq!((&printed["event"], &printed["file"]), (&"written".into(), &path.into()));
    assert_eq!(printed["knocks"], 1);
}

#[test]
fn no_capture_is_written_over_what_is_read() {
    let (_folder, path) = place("knockd.conf");
    let config = "[door]\nsequence = 7000,8000\ncommand = true\n";
    fs::write(&path, config).unwrap();
    let other = format!("{path}.other");
    fs::hard_link(&path, &other).unwrap();
    for target in [&path, &other] {
        let outcome = run(&format!("--write {target} -c {path} --door door 127.0.0.1"));
        assert_eq!((outcome.status, &*outcome.stdout), (Some(1), ""), "{outcome:?}");
        assert!(outcome.stderr.contains("which is read: name another file"), "{outcome:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), config);
    }
    // What was there was for all, and shows nothing to them now.
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let free = format!("{path}.pcap");
    fs::write(&free, "").unwrap();
    fs::set_permissions(&free, Permissions::from_mode(0o644)).unwrap();
    output(&format!("--write {free} -c {path} --door door 127.0.0.1"));
    assert_eq!(fs::metadata(&free).unwrap().permissions().mode() & 0o7777, 0o600);
}
