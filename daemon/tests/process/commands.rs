//! Commands: their environment, their output and their end.

use nix::sys::signal::{Signal, kill};

use crate::common::{Daemon, Machine, Need, PROGRAMS, require, wait_until};

#[test]
fn the_output_of_a_command_is_logged_without_control_characters() {
    let name = "the_output_of_a_command_is_logged_without_control_characters";
    let script = "printf 'one\\n\\033[31mred\\007\\n' && printf 'three\\twithout end' >&2";
    let Some(machine) = machine(name, &format!("command = {script}")) else { return };
    let daemon = Daemon::start(&machine, "-v -g DIR/log");
    machine.knock(&[7000]);
    let expected = [
        "door: output: one",
        "door: output: \u{fffd}[31mred\u{fffd}",
        "door: output: three without end",
    ];
    for line in expected {
        daemon.wait_for_error(line);
    }
    assert_eq!(daemon.end().status, Some(0));
    let log = machine.folder.read("log");
    let texts: Vec<&str> = log.lines().filter_map(|line| Some(line.split_once("] ")?.1)).collect();
    assert_eq!(texts[4..7], expected, "{log}");
}

#[test]
fn a_status_other_than_0_is_logged_as_by_knockd_08() {
    let name = "a_status_other_than_0_is_logged_as_by_knockd_08";
    let Some(machine) = machine(name, "command = exit 7") else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000]);
    daemon.wait_for_error("door: command returned non-zero status code (7)");
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_command_that_a_signal_ended_has_the_status_that_a_shell_reports() {
    let name = "a_command_that_a_signal_ended_has_the_status_that_a_shell_reports";
    let Some(machine) = machine(name, "command = kill -KILL $$") else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000]);
    daemon.wait_for_error("door: command returned non-zero status code (137)");
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_command_that_cannot_be_started_is_logged_and_the_next_is_tried() {
    let name = "a_command_that_cannot_be_started_is_logged_and_the_next_is_tried";
    let Some(machine) = machine(name, "command = true") else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.folder.write("no-shell", "");
    // Nothing else can be started inside from here on.
    machine.set_up("mount --bind no-shell /bin/sh");
    for _ in 0..2 {
        machine.knock(&[7000]);
        let error = daemon.live.error_line();
        assert_eq!(
            error,
            "door: command for 127.0.0.1 cannot be started (Permission denied): true"
        );
        daemon.wait_for_error("door: command returned non-zero status code (127)");
    }
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_command_begins_like_a_program_that_is_started_by_hand() {
    let name = "a_command_begins_like_a_program_that_is_started_by_hand";
    let look = "cat /proc/self/status > DIR/status; cut -d' ' -f1,6 /proc/$$/stat > DIR/session; \
                readlink /proc/$$/fd/0 /proc/$$/cwd > DIR/input; env > DIR/environment; \
                ls /proc/self/fd > DIR/descriptors; touch DIR/looked";
    let Some(machine) = machine(name, &format!("command = {look}")) else { return };
    let signals = "--ignore-signal=HUP,PIPE,CHLD --block-signal=USR1,RTMIN,CHLD,TERM";
    let variables = "FOO=bar LD_LIBRARY_PATH=/nosuch BASH_ENV=/nosuch HOME=/root LC_ALL=C";
    let line = format!("exec 9<knockd.conf && exec env {signals} {variables} ");
    let daemon = Daemon::start_as(&machine, &format!("{line}$KNOCKD -v -i lo -c knockd.conf"));
    machine.knock(&[7000]);
    wait_until("it has looked", || machine.folder.path("looked").exists());
    let status = machine.folder.read("status");
    for set in ["SigBlk", "SigIgn", "SigCgt"] {
        let line = status.lines().find_map(|line| line.strip_prefix(set)?.strip_prefix(":\t"));
        let signals = u64::from_str_radix(line.unwrap(), 16).unwrap();
        // The C library keeps signals 32 and 33 for itself.
        assert_eq!(signals & !(0b11 << 31), 0, "{set}: {status}");
    }
    let session = machine.folder.read("session");
    let (process, leader) = session.trim_end().split_once(' ').unwrap();
    assert_eq!(process, leader);
    let folder = machine.folder.directory().to_str().unwrap();
    assert_eq!(machine.folder.read("input"), format!("/dev/null\n{folder}\n"));
    // The last is that of the listing itself.
    assert_eq!(machine.folder.read("descriptors"), "0\n1\n2\n3\n");
    let environment = machine.folder.read("environment");
    let mut names: Vec<&str> =
        environment.lines().map(|line| line.split_once('=').unwrap().0).collect();
    names.retain(|name| !["LANG", "LOGNAME", "SHELL", "TZ", "USER"].contains(name));
    names.sort_unstable();
    // The shell adds PWD.
    let expected = ["HOME", "KNOCK_CLIENT", "KNOCK_DOOR", "KNOCK_PHASE", "LC_ALL", "PATH", "PWD"];
    assert_eq!(names, expected);
    for line in ["HOME=/root", "KNOCK_CLIENT=127.0.0.1", "KNOCK_DOOR=door", "KNOCK_PHASE=start"] {
        assert!(environment.lines().any(|one| one == line), "{line}: {environment}");
    }
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn the_daemon_gets_signals_that_its_parent_ignored_or_blocked() {
    let name = "the_daemon_gets_signals_that_its_parent_ignored_or_blocked";
    let Some(machine) = machine(name, "command = exit 7") else { return };
    let signals = "--ignore-signal=HUP,TERM,INT,CHLD --block-signal=HUP,TERM,INT,CHLD";
    let line = format!("exec env {signals} $KNOCKD -v -i lo -c knockd.conf");
    let daemon = Daemon::start_as(&machine, &line);
    daemon.runner.signal(Signal::SIGHUP);
    let line = daemon.live.line();
    assert!(line.starts_with("re-reading config file: "), "{line}");
    machine.knock(&[7000]);
    daemon.wait_for_error("door: command returned non-zero status code (7)");
    let outcome = daemon.end();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn commands_of_a_daemon_begin_in_the_root_folder() {
    let Some(machine) =
        machine("commands_of_a_daemon_begin_in_the_root_folder", "command = pwd > DIR/at")
    else {
        return;
    };
    machine.set_up("$KNOCKD -d -i lo -c knockd.conf -p DIR/pid");
    machine.knock(&[7000]);
    machine.wait_for_lines("at", 1);
    assert_eq!(machine.folder.read("at"), "/\n");
    machine.process("knockd").signal(Signal::SIGTERM);
    machine.wait_for_no_process();
}

#[test]
fn processes_that_a_command_leaves_running_delay_neither_door_nor_daemon() {
    let name = "processes_that_a_command_leaves_running_delay_neither_door_nor_daemon";
    let commands = "start_command = { echo begun; sleep 600; } & echo started\ncmd_timeout = 1\n\
                    stop_command = touch DIR/stopped";
    let Some(machine) = machine(name, commands) else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000]);
    daemon.wait_for("127.0.0.1: door: command timeout");
    wait_until("it was stopped", || machine.folder.path("stopped").exists());
    machine.process("sleep");
    let outcome = daemon.end();
    assert_eq!(outcome.status, Some(0));
    let mut lines: Vec<&str> = outcome.stderr.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["door: output: begun", "door: output: started"]);
    // The daemon leaves it alone.
    machine.process("sleep");
}

#[test]
fn the_time_until_a_door_closes_begins_when_its_start_command_has_ended() {
    let name = "the_time_until_a_door_closes_begins_when_its_start_command_has_ended";
    // No packet comes meanwhile, so that the engine's clock is not set by one.
    let commands = "start_command = sleep 3; date +%s%N > DIR/began\ncmd_timeout = 2\n\
                    stop_command = date +%s%N > DIR/ended\n";
    let Some(machine) = machine(name, commands) else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000]);
    machine.wait_for_lines("ended", 1);
    let time = |file: &str| machine.folder.read(file).trim().parse::<u64>().unwrap();
    let open = time("ended") - time("began");
    // The engine counts from the packets before, which may be a few milliseconds earlier.
    assert!(open >= 1_950_000_000, "{open}");
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn the_end_waits_for_commands_logs_failures_and_closes_doors() {
    let name = "the_end_waits_for_commands_logs_failures_and_closes_doors";
    let commands = "start_command = until [ -e DIR/go ]; do sleep 0.01; done; exit 7\n\
                    cmd_timeout = 600\n\
                    stop_command = touch DIR/stopped";
    let Some(machine) = machine(name, commands) else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000]);
    daemon.wait_for_beginning("door: running command: ");
    daemon.runner.signal(Signal::SIGTERM);
    daemon.wait_for("waiting for child processes...");
    assert!(!machine.folder.path("stopped").exists());
    machine.folder.write("go", "");
    let outcome = daemon.live.finish();
    let failed = "door: command returned non-zero status code (7)\n";
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), failed));
    assert!(machine.folder.path("stopped").exists());
}

#[test]
fn a_second_signal_ends_at_once_and_lists_the_doors_that_stay_open() {
    let name = "a_second_signal_ends_at_once_and_lists_the_doors_that_stay_open";
    let commands = "start_command = true\ncmd_timeout = 600\n\
                    stop_command = [ %IP% = 127.0.0.2 ] || { touch DIR/%IP%; exec sleep 600; }";
    let Some(machine) = machine(name, commands) else { return };
    let daemon = Daemon::start(&machine, "-v");
    for last in [1, 2, 3, 3] {
        machine.knocker([127, 0, 0, last]).knock(&[7000]);
        daemon.wait_for(&format!("127.0.0.{last}: door: OPEN SESAME"));
        // A second one waits until the first has ended.
        daemon.wait_for("door: running command: true");
    }
    daemon.runner.signal(Signal::SIGTERM);
    for client in ["127.0.0.1", "127.0.0.3"] {
        wait_until("it is being closed", || machine.folder.path(client).exists());
    }
    wait_until("it has ended", || {
        // It may have ended by now.
        let _ = kill(daemon.runner.id, Signal::SIGTERM);
        machine.named("knockd").is_empty()
    });
    let outcome = daemon.live.finish();
    assert_eq!(outcome.status, Some(1));
    let folder = machine.folder.directory().display();
    let times = |client: &str| {
        let line = format!(
            "door: STAYS OPEN for {client}; to close it, run: [ {client} = 127.0.0.2 ] || {{ touch \
             {folder}/{client}; exec sleep 600; }}"
        );
        outcome.stderr.lines().filter(|one| *one == line).count()
    };
    assert!(outcome.stderr.contains("exiting at once, because of a second signal"), "{outcome:?}");
    // The door of 127.0.0.1 is being closed; that of 127.0.0.3 is, and has to be a second time.
    let times = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map(times);
    assert_eq!(times, [1, 0, 2], "{outcome:?}");
}

#[test]
fn a_stop_command_that_fails_during_the_end_is_logged_and_gives_status_1() {
    let name = "a_stop_command_that_fails_during_the_end_is_logged_and_gives_status_1";
    let commands = "start_command = true\ncmd_timeout = 1\nstop_command = touch DIR/stopping; \
                    until [ -e DIR/go ]; do sleep 0.01; done; exit 5";
    let Some(machine) = machine(name, commands) else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000]);
    wait_until("it is being closed", || machine.folder.path("stopping").exists());
    daemon.runner.signal(Signal::SIGTERM);
    daemon.wait_for("waiting for child processes...");
    machine.folder.write("go", "");
    let outcome = daemon.live.finish();
    assert_eq!(outcome.status, Some(1));
    let failed = "door: command returned non-zero status code (5)\ndoor: STAYS OPEN for 127.0.0.1; its \
                  stop command failed with status 5 and is tried again in 1 s: touch ";
    assert!(outcome.stderr.starts_with(failed), "{outcome:?}");
}

/// Returns a machine with a door that one knock opens.
fn machine(name: &str, commands: &str) -> Option<Machine> {
    let config = format!("[door]\nsequence = 7000:udp\n{commands}\n");
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(&config))
}
