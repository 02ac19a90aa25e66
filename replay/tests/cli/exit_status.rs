//! The exit statuses, and what is said with each.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use crate::common::capture_builder::{Packet, gzip, knocks, knocks_pcap, pcap, syn, zstd};
use crate::common::{CaseRunner, Live, Need, OPENED, Outcome, finish, require};

#[test]
fn a_replay_to_the_end_is_status_0() {
    let outcome = CaseRunner::with(knocks_pcap()).run("knocks.pcap -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), OPENED));
}

#[test]
fn a_capture_without_packets_is_status_0_with_a_hint() {
    let outcome = CaseRunner::with(pcap(&[])).run("knocks.pcap -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn a_bad_configuration_is_status_2_with_all_its_errors() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("knockd.conf", "[ssh]\nsequence = 7000,x,0\nseq_timeout = ten\nfoo = 1\n");
    let outcome = desk.run("knocks.pcap -c knockd.conf");
    insta::assert_snapshot!(refused(2, outcome));
}

#[test]
fn a_capture_in_the_place_of_the_configuration_is_known_as_one() {
    let desk = CaseRunner::with(knocks_pcap());
    let errors = refused(2, desk.run("knockd.conf -c knocks.pcap"));
    let told = "error: cannot read `knocks.pcap`: it is a packet capture, not a configuration\n";
    assert!(errors.starts_with(told), "{errors}");
    assert!(errors.ends_with("the configuration after `-c`\n"), "{errors}");
}

#[test]
fn a_bad_configuration_is_reported_before_captures_are_opened() {
    let desk = CaseRunner::new();
    desk.write("knockd.conf", "foo\n");
    let outcome = desk.run("missing.pcap -c knockd.conf --quiet");
    let errors = refused(2, outcome);
    assert!(errors.ends_with("\nerror: knockd.conf: 1 error\n"), "{errors}");
    assert!(!errors.contains("missing.pcap"), "{errors}");
}

#[test]
fn a_configuration_without_doors_is_a_warning_and_status_0() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("knockd.conf", "");
    let outcome = desk.run("knocks.pcap -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    assert!(outcome.stderr.starts_with("warning[no-doors]: "), "{}", outcome.stderr);
    assert_eq!(desk.run("knocks.pcap -c knockd.conf -q").stderr, "");
}

#[test]
fn every_fault_of_the_command_line_is_status_2() {
    let desk = CaseRunner::with(knocks_pcap());
    let mut told = String::new();
    for arguments in [
        "knocks.pcap -c missing.conf",
        "knocks.pcap -c .",
        "knocks.pcap -c knockd.conf --frobnicate",
        "knocks.pcap",
        "-c knockd.conf",
        "",
        "- - -c knockd.conf",
        "- -r - -c knockd.conf",
        "knocks.pcap -c knockd.conf --local localhost",
        "knocks.pcap -c knockd.conf --local 10.0.0.0/8",
        "knocks.pcap -c knockd.conf --time=here",
        "knocks.pcap -c knockd.conf --time=local --expect x",
        "knocks.pcap -c knockd.conf --max-attempts 0",
        "knocks.pcap -c knockd.conf --max-attempts many",
        "knocks.pcap -c knockd.conf -q -v",
    ] {
        let errors = refused(2, desk.run(arguments));
        told.extend(["$ knock-replay ", arguments, "\n", &errors, "\n"]);
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_subcommand_after_an_option_is_named_as_the_mistake() {
    let desk = CaseRunner::with(knocks_pcap());
    for (arguments, subcommand) in [
        ("-q check knockd.conf", "check"),
        ("-c knockd.conf explain knocks.pcap", "explain"),
        ("--config knockd.conf --local 192.0.2.1 diff --rules", "diff"),
        ("--quiet test knocks --nosuch", "test"),
    ] {
        let errors = refused(2, desk.run(arguments));
        let told = format!(
            "knock-replay: error: after an option, '{subcommand}' is the name of a capture, and there is no such \
             file\n\n  tip: write the subcommand first: 'knock-replay {subcommand} ...'\n"
        );
        assert!(errors.starts_with(&told), "{arguments}: {errors}");
    }
    // Not where it is a value, or the name of a file.
    let errors = refused(2, desk.run("-c check knocks.pcap"));
    assert!(errors.starts_with("error: cannot read `check`: "), "{errors}");
    desk.write("check", knocks_pcap());
    assert_eq!(desk.run("-q -c knockd.conf check").status, Some(0));
}

#[test]
fn every_capture_that_cannot_be_read_is_status_3() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("empty.pcap", "");
    desk.write("text.pcap", "10:00:00 IP 10.0.0.5.40000 > 10.0.0.1.7000: Flags [S]\n");
    desk.write("cut-in-header.pcap", &knocks_pcap()[..20]);
    desk.write("bytes.pcap", [1, 2, 3, 4, 5]);
    desk.write("escape-\x1b[31m.pcap", "");
    fs::create_dir(desk.path("directory")).unwrap();
    let mut told = String::new();
    for capture in [
        "missing.pcap",
        "directory",
        "empty.pcap",
        "text.pcap",
        "cut-in-header.pcap",
        "bytes.pcap",
        "knockd.conf",
        "escape-\x1b[31m.pcap",
        "knocks.pcap/x",
    ] {
        told += &refused(3, desk.run(&format!("{capture} -c knockd.conf")));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn all_captures_that_cannot_be_opened_are_reported() {
    let outcome = CaseRunner::with(knocks_pcap()).run("a.pcap knocks.pcap b.pcap -c knockd.conf");
    let errors = refused(3, outcome);
    assert_eq!(errors.lines().count(), 2, "{errors}");
    assert!(errors.contains(" a.pcap: ") && errors.contains(" b.pcap: "), "{errors}");
}

#[test]
fn a_cut_capture_prints_what_came_before_and_is_status_3() {
    let mut capture = knocks_pcap();
    capture.extend(&syn(300, 25).record()[..40]);
    let mut told = String::new();
    for cut in [capture.clone(), gzip(&capture), zstd(&capture)] {
        let outcome = CaseRunner::with(cut).run("knocks.pcap -c knockd.conf");
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), OPENED));
        told = outcome.stderr;
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_cut_capture_among_several_leaves_the_others_whole() {
    let desk = CaseRunner::new();
    let mut cut = pcap(&[syn(0, 7000)]);
    cut.extend(&syn(300, 25).record()[..40]);
    desk.write("cut.pcap", cut);
    desk.write("whole.pcap", pcap(&[syn(100, 8000), syn(20_000, 7000)]));
    let outcome = desk.run("cut.pcap whole.pcap -c knockd.conf --quiet");
    assert_eq!(outcome.status, Some(3));
    assert_eq!(
        outcome.stdout,
        "10.0.0.5: ssh: Stage 1\n10.0.0.5: ssh: Stage 2\n10.0.0.5: ssh: sequence timeout (stage 2)\n\
         10.0.0.5: ssh: Stage 1\n10.0.0.5: ssh: sequence timeout (stage 1)\n"
    );
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn a_full_disk_is_status_4() {
    let desk = CaseRunner::with(knocks_pcap());
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = desk.command("knocks.pcap -c knockd.conf");
    let outcome = Live::start_with_output(&mut command, full).finish();
    assert_eq!(outcome.status, Some(4));
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn a_disk_without_room_for_a_file_is_status_4_and_leaves_nothing() {
    let name = "a_disk_without_room_for_a_file_is_status_4_and_leaves_nothing";
    if !require(name, &["unshare", "mount"], Need::Namespaces) {
        return;
    }
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("knocks.scenario", "knock 10.0.0.5 7000\n");
    fs::create_dir(desk.path("full")).unwrap();
    for arguments in [
        "report knocks.pcap -c knockd.conf -o full/file",
        "extract knocks.pcap -c knockd.conf -o full/file",
        "convert knocks.scenario full/file",
        "knocks.pcap -c knockd.conf -q --expect full/file --bless",
    ] {
        // Only this process sees the disk.
        let line = "mount -t tmpfs -o size=4k none full && head -c 4k /dev/zero > full/filler && \
                    \"$@\"; status=$?; ls -A full; exit $status";
        let mut command = desk.program("unshare");
        command.args(["--mount", "sh", "-c", line, "sh", env!("CARGO_BIN_EXE_knock-replay")]);
        let outcome = finish(command.args(arguments.split_whitespace()));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(4), "filler\n"), "{arguments}");
        let error = "knock-replay: error: cannot write full/file: the disk is full; remove files, or name a place \
                     on another disk\n";
        assert_eq!(outcome.stderr, error, "{arguments}");
    }
}

#[test]
fn help_that_cannot_be_written_is_status_4() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let outcome = Live::start_with_output(&mut CaseRunner::new().command("--help"), full).finish();
    assert_eq!(outcome.status, Some(4));
    assert!(outcome.stderr.starts_with("knock-replay: error: cannot write"), "{}", outcome.stderr);
}

#[test]
fn standard_error_that_cannot_be_written_changes_neither_transcript_nor_status() {
    let desk = CaseRunner::with(knocks_pcap());
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = desk.command("knocks.pcap -c knockd.conf -v");
    let output = command.stderr(full).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), OPENED.as_bytes()));
}

#[test]
fn a_reader_that_leaves_early_is_status_0_and_no_news() {
    let packets: Vec<_> = (0..20_000).flat_map(|turn| knocks(turn * 20_000)).collect();
    let capture: Vec<u8> = packets.iter().flat_map(Packet::record).collect();
    let desk = CaseRunner::with([pcap(&[]), capture].concat());
    let mut child = desk
        .command("knocks.pcap -c knockd.conf")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 23];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"10.0.0.5: ssh: Stage 1\n");
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8(output.stderr).unwrap()),
        (Some(0), String::new())
    );
}

#[test]
fn a_live_replay_ends_when_its_reader_has_left() {
    let desk = CaseRunner::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = desk.command("- -c knockd.conf");
    let mut live = Live::start_with_output(command.stdin(Stdio::piped()), writer);
    drop(reader);
    let mut stdin = live.stdin.take().unwrap();
    stdin.write_all(&pcap(&[])).unwrap();
    // Its standard input stays open: only what it writes tells it. It may have to write more than
    // once, for a process that another test has just forked may hold the reader's end for a moment.
    let mut turns = 0_u64..;
    while live.runs() {
        let _ = stdin.write_all(&syn(turns.next().unwrap() * 6000, 7000).record());
        std::thread::sleep(Duration::from_millis(1));
        assert!(turns.start < 60_000, "the program does not notice");
    }
    let outcome = live.finish();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn quiet_leaves_errors_but_neither_summary_nor_warnings() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("knockd.conf", "[ssh]\nsequence = 7000\n");
    let arguments = "knocks.pcap -c knockd.conf";
    assert!(desk.run(arguments).stderr.starts_with("warning[no-command]: "));
    let quiet = desk.run(&format!("{arguments} --quiet"));
    assert_eq!((quiet.status, quiet.stderr.as_str()), (Some(0), ""));
    let failed = desk.run("missing.pcap -c knockd.conf --quiet");
    assert_eq!(failed.status, Some(3));
    assert!(failed.stderr.contains("missing.pcap: "), "{}", failed.stderr);
}

#[test]
fn the_command_line_is_judged_before_any_file() {
    let errors = refused(2, CaseRunner::new().run("missing.pcap -c missing.conf --local x"));
    assert!(errors.contains("--local") && !errors.contains("missing"), "{errors}");
}

/// Returns what was said on standard error by a run that came to nothing.
fn refused(status: i32, outcome: Outcome) -> String {
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(status), ""), "{}", outcome.stderr);
    outcome.stderr
}

#[test]
fn a_name_that_is_not_utf_8_can_be_opened() {
    use std::os::unix::ffi::OsStrExt as _;
    let name = std::ffi::OsStr::from_bytes(b"knocks-\xff.pcap");
    let desk = CaseRunner::new();
    fs::write(desk.directory().join(name), knocks_pcap()).unwrap();
    let outcome = finish(desk.command("-c knockd.conf").arg(name));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), OPENED));
}
