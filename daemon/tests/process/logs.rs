//! Log files and the standard streams.

use std::fs;

use nix::sys::signal::Signal;

use crate::common::{CONFIG, Daemon, Machine, Need, PROGRAMS, require};

/// The lines in a log for one opening of the first door.
const OPENED: [&str; 4] = [
    "127.0.0.1: door: Stage 1",
    "127.0.0.1: door: Stage 2",
    "127.0.0.1: door: OPEN SESAME",
    "door: running command: echo 127.0.0.1 >> DIR/opened",
];

#[test]
fn a_log_file_has_the_lines_and_the_stamp_of_knockd_08() {
    let name = "a_log_file_has_the_lines_and_the_stamp_of_knockd_08";
    let Some(machine) = machine(name, "[options]\nlogfile = DIR/log\n") else { return };
    let daemon = Daemon::start(&machine, "");
    open(&machine, 1);
    assert_eq!(daemon.end().status, Some(0));
    let expected = [&["starting up, listening on lo"][..], &OPENED, &["shutting down"]].concat();
    assert_eq!(texts(&machine, "log"), in_folder(&machine, &expected));
}

#[test]
fn the_command_line_beats_the_files_of_the_configuration() {
    let name = "the_command_line_beats_the_files_of_the_configuration";
    let options = "[options]\nlogfile = DIR/log\npidfile = DIR/pid\n";
    let Some(machine) = machine(name, options) else { return };
    machine.set_up("$KNOCKD -d -i lo -c knockd.conf -g DIR/other-log -p DIR/other-pid");
    open(&machine, 1);
    let runner = machine.process("knockd");
    assert_eq!(machine.folder.read("other-pid"), format!("{}\n", runner.inner().unwrap()));
    runner.signal(Signal::SIGTERM);
    machine.wait_for_no_process();
    let expected = [&["starting up, listening on lo"][..], &OPENED, &["shutting down"]].concat();
    assert_eq!(texts(&machine, "other-log"), in_folder(&machine, &expected));
    assert!(!machine.folder.path("log").exists() && !machine.folder.path("pid").exists());
}

#[test]
fn a_log_file_that_was_moved_away_is_reopened_at_sighup() {
    let name = "a_log_file_that_was_moved_away_is_reopened_at_sighup";
    let Some(machine) = machine(name, "[options]\nlogfile = DIR/log\n") else { return };
    let daemon = Daemon::start(&machine, "");
    open(&machine, 1);
    fs::rename(machine.folder.path("log"), machine.folder.path("log.1")).unwrap();
    daemon.runner.signal(Signal::SIGHUP);
    machine.wait_for_text("log", "re-opening");
    open(&machine, 2);
    assert_eq!(daemon.end().status, Some(0));
    let before = ["re-reading config file: DIR/knockd.conf", "closing log file: DIR/log"];
    let before = [&["starting up, listening on lo"][..], &OPENED, &before].concat();
    assert_eq!(texts(&machine, "log.1"), in_folder(&machine, &before));
    let after = [&["re-opening log file: DIR/log"][..], &OPENED, &["shutting down"]].concat();
    assert_eq!(texts(&machine, "log"), in_folder(&machine, &after));
}

#[test]
fn a_log_file_that_cannot_be_opened_is_a_warning() {
    let name = "a_log_file_that_cannot_be_opened_is_a_warning";
    let Some(machine) = machine(name, "") else { return };
    let daemon = Daemon::start(&machine, "-v -g /nosuch/log");
    open(&machine, 1);
    let outcome = daemon.end();
    let warning = "knockd: warning: cannot open the log file /nosuch/log: there is no such directory; create it, or name a file in \
         another one\n";
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), warning));
    let folder = machine.folder.directory().to_str().unwrap();
    assert_eq!(outcome.stdout, OPENED.join("\n").replace("DIR", folder) + "\nclosing...\n");
}

#[test]
fn a_log_file_is_not_readable_by_others_and_is_appended_to() {
    let Some(machine) = machine("a_log_file_is_not_readable_by_others_and_is_appended_to", "")
    else {
        return;
    };
    for lines in [2, 4] {
        assert_eq!(Daemon::start(&machine, "-g DIR/log").end().status, Some(0));
        assert_eq!(texts(&machine, "log").len(), lines);
    }
    let mode = machine.run("umask && stat --format=%a log").stdout;
    assert!(mode.ends_with("\n640\n"), "{mode}");
}

#[test]
fn without_verbose_openings_and_commands_are_on_standard_error_and_stages_are_not() {
    let name = "without_verbose_openings_and_commands_are_on_standard_error_and_stages_are_not";
    let Some(machine) = machine(name, "") else { return };
    let daemon = Daemon::start(&machine, "");
    open(&machine, 1);
    let outcome = daemon.end();
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    let expected = in_folder(&machine, &[OPENED[2], OPENED[3], "shutting down"]);
    assert_eq!(outcome.stderr.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn with_verbose_the_transcript_is_on_standard_output_and_nowhere_else() {
    let name = "with_verbose_the_transcript_is_on_standard_output_and_nowhere_else";
    let Some(machine) = machine(name, "") else { return };
    let daemon = Daemon::start(&machine, "-v");
    open(&machine, 1);
    let outcome = daemon.end();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    let expected = in_folder(&machine, &[&OPENED[..], &["closing..."]].concat());
    // The command has written its line, but may still be there.
    let lines = outcome.stdout.lines().filter(|line| *line != "waiting for child processes...");
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

#[test]
fn debug_prints_every_packet_that_counts() {
    let Some(machine) = machine("debug_prints_every_packet_that_counts", "") else { return };
    let daemon = Daemon::start(&machine, "-D");
    // Of no door.
    machine.knock(&[7777]);
    open(&machine, 1);
    let outcome = daemon.end();
    let packets: Vec<&str> =
        outcome.stdout.lines().filter(|line| line.contains(": udp: 127.0.0.1:")).collect();
    let destinations = packets.iter().map(|line| line.rsplit_once(" -> ").unwrap().1);
    let expected = ["127.0.0.1:7000 42 bytes", "127.0.0.1:8000 42 bytes"];
    assert_eq!(destinations.collect::<Vec<_>>(), expected, "{}", outcome.stdout);
    let date = machine.run("date +%Y-%m-").stdout;
    assert!(packets[0].starts_with(date.trim()), "{} {date}", packets[0]);
}

/// Returns a machine whose configuration has these options.
fn machine(name: &str, options: &str) -> Option<Machine> {
    let config = format!("{options}{CONFIG}");
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(&config))
}

/// Opens the first door, and waits until its command was run this many times in total.
fn open(machine: &Machine, times: usize) {
    machine.knock(&[7000, 8000]);
    machine.wait_for_lines("opened", times);
}

fn in_folder(machine: &Machine, lines: &[&str]) -> Vec<String> {
    let folder = machine.folder.directory().to_str().unwrap();
    lines.iter().map(|line| line.replace("DIR", folder)).collect()
}

/// Returns the lines of a log file without their stamps, which must have the form of knockd 0.8 and the
/// present date.
fn texts(machine: &Machine, log: &str) -> Vec<String> {
    let today = machine.run("date '+[%Y-%m-%d '").stdout;
    let text = machine.folder.read(log);
    let without_stamp = |line: &str| {
        let (stamp, text) = line.split_at(line.find("] ").unwrap() + 2);
        let shape: String =
            stamp.chars().map(|one| if one.is_ascii_digit() { '0' } else { one }).collect();
        assert_eq!(shape, "[0000-00-00 00:00] ", "{line}");
        assert!(stamp.starts_with(today.trim_end_matches('\n')) || is_midnight(stamp), "{line}");
        text.to_owned()
    };
    text.lines().map(without_stamp).collect()
}

/// Returns whether a stamp is so close to midnight that the date may have changed since.
fn is_midnight(stamp: &str) -> bool {
    stamp.contains(" 23:5") || stamp.contains(" 00:0")
}

#[test]
fn a_client_whose_knocks_are_spoilt_again_and_again_is_logged_once() {
    let name = "a_client_whose_knocks_are_spoilt_again_and_again_is_logged_once";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let door = |name: &str, sequence: &str| format!("[{name}]\nsequence = {sequence}\ncommand =\n");
    let doors =
        [door("d", "7001:udp,7002:udp"), door("e", "7005:udp,7006:udp"), door("f", "7009:udp")];
    let machine = Machine::with(&format!("[options]\nLogFile = DIR/log\n{}", doors.concat()));
    let daemon = Daemon::start(&machine, "");
    for _ in 0..20 {
        machine.knock(&[7001, 7006]);
    }
    machine.knock(&[7009]);
    machine.wait_for_text("log", "127.0.0.1: f: OPEN SESAME");
    let log = machine.folder.read("log");
    let hints: Vec<&str> = log.lines().filter(|line| line.contains("forged?")).collect();
    let [hint] = hints[..] else { panic!("{log}") };
    assert!(hint.contains("127.0.0.1: d: voided 5 times in "), "{hint}");
    assert!(
        hint.contains(" s by packets from the client's address, the last to 7006/udp: forged?")
    );
    assert_eq!(daemon.end().status, Some(0));
}
