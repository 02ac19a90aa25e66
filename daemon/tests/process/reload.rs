//! Reloading the configuration.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use crate::common::{CONFIG, Daemon, Machine, Need, PROGRAMS, require, wait_until};

/// A door with one-time sequences.
const ONCE: &str = "[once]\none_time_sequences = DIR/lines\ncommand = echo %IP% >> DIR/opened\n";

/// A door that a reload adds.
const OTHER: &str = "[other]\nsequence = 7009:udp\ncommand = echo >> DIR/other\n";

#[test]
fn a_sequence_that_is_used_while_the_files_are_read_is_used_up() {
    let name = "a_sequence_that_is_used_while_the_files_are_read_is_used_up";
    let Some(machine) = machine(name, ONCE) else { return };
    machine.folder.write("lines", " 7001:udp,7002:udp\n 7003:udp,7004:udp\n 7005:udp,7006:udp\n");
    let daemon = Daemon::start(&machine, "-v");
    // With a marked line, the file is no longer the one that the sniffer knows.
    machine.knock(&[7001, 7002]);
    machine.wait_for_lines("opened", 1);
    // The runner reads the files before the request to mark a sequence in one of them.
    daemon.runner.signal(Signal::SIGSTOP);
    machine.knock(&[7003, 7004]);
    wait_until("the sniffer has asked for the mark", || has_unread_messages(&machine));
    machine.folder.write("knockd.conf", &[ONCE, OTHER].concat());
    daemon.runner.signal(Signal::SIGHUP);
    // Its parent was stopped along with it.
    for process in [daemon.runner.parent(), daemon.runner.id] {
        kill(process, Signal::SIGCONT).unwrap();
    }
    machine.wait_for_lines("opened", 2);
    wait_for_other(&machine, &daemon);
    machine.knock(&[7003, 7004]);
    machine.knock(&[7005, 7006]);
    machine.wait_for_lines("opened", 3);
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(machine.folder.read("opened").lines().count(), 3);
    let lines = "#7001:udp,7002:udp\n#7003:udp,7004:udp\n#7005:udp,7006:udp\n";
    assert_eq!(machine.folder.read("lines"), lines);
}

#[test]
fn included_files_are_read_again_and_an_error_in_one_keeps_the_doors_as_they_are() {
    let name = "included_files_are_read_again_and_an_error_in_one_keeps_the_doors_as_they_are";
    let Some(machine) = machine(name, "Include = doors-*.conf\n") else { return };
    machine.folder.write("doors-1.conf", CONFIG);
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000, 8000]);
    daemon.wait_for("127.0.0.1: door: OPEN SESAME");
    machine.folder.write("doors-2.conf", "[other]\nsequence = 70090:udp\n");
    daemon.runner.signal(Signal::SIGHUP);
    daemon.wait_for_beginning("re-reading config file: ");
    machine.knock(&[7000, 8000]);
    machine.wait_for_lines("opened", 2);
    machine.folder.write("doors-2.conf", OTHER);
    daemon.runner.signal(Signal::SIGHUP);
    wait_for_other(&machine, &daemon);
    let ended = daemon.end();
    assert_eq!(ended.status, Some(0));
    assert!(ended.stderr.contains("doors-2.conf:2:12"), "{}", ended.stderr);
}

/// A door whose sequence is in a file.
const IN_FILE: &str = "[file]\nsequence_file = DIR/sequence\ncommand = echo %IP% >> DIR/opened\n";

#[test]
fn the_sequence_of_a_door_may_be_in_a_file_that_only_its_owner_can_read() {
    let name = "the_sequence_of_a_door_may_be_in_a_file_that_only_its_owner_can_read";
    let Some(machine) = machine(name, IN_FILE) else { return };
    let write = |text: &str, mode: u32| {
        machine.folder.write("sequence", text);
        let permissions = Permissions::from_mode(mode);
        fs::set_permissions(machine.folder.path("sequence"), permissions).unwrap();
    };
    let exposed = "it has a sequence, and other users may read it (mode 0640)";
    write("7031:udp,7032:udp\n", 0o640);
    let refused = machine.run("$KNOCKD -i lo -c knockd.conf");
    assert_eq!(refused.status, Some(1));
    assert!(refused.stderr.contains(exposed), "{}", refused.stderr);
    write("7031:udp,7032:udp\n", 0o600);
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7031, 7032]);
    daemon.wait_for("127.0.0.1: file: OPEN SESAME");
    // A reload reads it again.
    write("7033:udp,7034:udp\n", 0o600);
    machine.folder.write("knockd.conf", &[IN_FILE, OTHER].concat());
    daemon.runner.signal(Signal::SIGHUP);
    wait_for_other(&machine, &daemon);
    machine.knock(&[7031, 7032]);
    machine.knock(&[7033, 7034]);
    machine.wait_for_lines("opened", 2);
    // What cannot be used keeps the door as it is.
    let unusable = [("7035:udp,7036:udp\n", 0o640), ("7035:udp,port\n", 0o600), ("", 0o600)];
    for ((text, mode), opened) in unusable.into_iter().zip(3..) {
        write(text, mode);
        daemon.runner.signal(Signal::SIGHUP);
        daemon.wait_for_error_beginning("reload rejected: ");
        machine.knock(&[7035, 7036]);
        machine.knock(&[7033, 7034]);
        daemon.wait_for("127.0.0.1: file: OPEN SESAME");
        // While a command runs and another one waits, a third is left out.
        machine.wait_for_lines("opened", opened);
    }
    let ended = daemon.end();
    assert_eq!(ended.status, Some(0));
    assert!(!ended.stdout.contains("7033"), "{}", ended.stdout);
}

#[test]
fn packets_that_came_before_a_reload_count_for_the_doors_as_they_were() {
    let name = "packets_that_came_before_a_reload_count_for_the_doors_as_they_were";
    let Some(machine) = machine(name, CONFIG) else { return };
    let daemon = Daemon::start(&machine, "-v");
    daemon.sniffer.signal(Signal::SIGSTOP);
    machine.knock(&[7000, 8000]);
    machine.folder.write("knockd.conf", OTHER);
    daemon.runner.signal(Signal::SIGHUP);
    // The order is there before the process reads anything.
    daemon.wait_for_beginning("re-reading config file: ");
    wait_until("the order is sent", || daemon.runner.status("State").starts_with('S'));
    daemon.sniffer.signal(Signal::SIGCONT);
    daemon.wait_for("127.0.0.1: door: OPEN SESAME");
    wait_until("the new door is there", || {
        machine.knock(&[7009]);
        !machine.folder.read("other").is_empty()
    });
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_log_file_that_a_reload_adds_has_every_line() {
    let Some(machine) = machine("a_log_file_that_a_reload_adds_has_every_line", CONFIG) else {
        return;
    };
    // Without a log file, and without -v, stages interest nobody.
    let daemon = Daemon::start(&machine, "");
    let with_log = format!("[options]\nlogfile = DIR/log\n{CONFIG}{OTHER}");
    machine.folder.write("knockd.conf", &with_log);
    daemon.runner.signal(Signal::SIGHUP);
    wait_until("the new door is there", || {
        machine.knock(&[7009]);
        !machine.folder.read("other").is_empty()
    });
    machine.knock(&[7000]);
    wait_until("the stage is in the log", || {
        machine.folder.read("log").contains("] 127.0.0.1: door: Stage 1\n")
    });
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_file_in_which_no_sequence_can_be_marked_is_refused() {
    let name = "a_file_in_which_no_sequence_can_be_marked_is_refused";
    let Some(machine) = machine(name, CONFIG) else { return };
    machine.folder.write("lines", " 7001:udp,7002:udp\n");
    let daemon = Daemon::start(&machine, "-v");
    machine.set_up("mount --bind -o ro lines lines");
    machine.folder.write("knockd.conf", ONCE);
    daemon.runner.signal(Signal::SIGHUP);
    let cause = "cannot write DIR/lines: the file system is read-only; a sequence that is not marked as used \
                 could be used again";
    let cause = cause.replace("DIR", machine.folder.directory().to_str().unwrap());
    daemon.wait_for_error(&format!("error: {cause}"));
    machine.knock(&[7001, 7002, 7000, 8000]);
    daemon.wait_for("127.0.0.1: door: OPEN SESAME");
    assert_eq!(daemon.end().status, Some(0));
    for (options, status) in [("", 1), ("--check", 2)] {
        let outcome = machine.run(&format!("$KNOCKD -i lo -c knockd.conf {options}"));
        assert_eq!(outcome.status, Some(status), "{options}");
        // A check also prints warnings.
        let expected = format!("knockd: error: {cause}\n");
        assert!(outcome.stderr.ends_with(&expected), "{options}: {}", outcome.stderr);
    }
}

#[test]
fn a_reload_during_the_start_is_done_after_it() {
    let name = "a_reload_during_the_start_is_done_after_it";
    let mut doors = String::new();
    for number in 0..5000 {
        write!(doors, "[d{number}]\nsequence = {},1\ncommand =\n", 2000 + number).unwrap();
    }
    let Some(machine) = machine(name, &doors) else { return };
    let live = machine.start("exec $KNOCKD -i lo -c knockd.conf -v");
    // Once there is a sniffer, the runner handles signals; with so many doors, the sniffer takes long
    // until it listens.
    let _ = machine.process("knockd: sniffer");
    let runner = machine.process("knockd");
    runner.signal(Signal::SIGHUP);
    wait_until("it has the signal", || !runner.has_pending(Signal::SIGHUP));
    assert_eq!(live.line(), "listening on lo...");
    assert!(live.line().starts_with("re-reading config file: "));
    runner.signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, Some(0));
}

#[test]
fn a_route_that_was_removed_does_not_prevent_a_reload() {
    let name = "a_route_that_was_removed_does_not_prevent_a_reload";
    let Some(machine) = machine(name, CONFIG) else { return };
    machine.set_up("ip route add default dev lo");
    let daemon = Daemon::start_as(&machine, "exec $KNOCKD -c knockd.conf -v");
    machine.set_up("ip route del default");
    machine.folder.write("knockd.conf", OTHER);
    daemon.runner.signal(Signal::SIGHUP);
    wait_for_other(&machine, &daemon);
    let outcome = daemon.end();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn sequences_that_were_appended_count_after_a_reload_and_enable_a_disabled_door() {
    let name = "sequences_that_were_appended_count_after_a_reload_and_enable_a_disabled_door";
    let Some(machine) = machine(name, ONCE) else { return };
    machine.folder.write("lines", " 7001:udp,7002:udp\n 7003:udp,7004:udp\n");
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7001, 7002]);
    machine.wait_for_lines("opened", 1);
    append(&machine, " 7005:udp,7006:udp\n");
    reload(&machine, &daemon, &[ONCE, OTHER].concat());
    machine.knock(&[7001, 7002, 7003, 7004]);
    machine.wait_for_lines("opened", 2);
    machine.knock(&[7005, 7006]);
    machine.wait_for_lines("opened", 3);
    daemon.wait_for_error("once: no one-time sequence is left, the door is disabled");
    append(&machine, " 7007:udp,7008:udp\n");
    // Another door than before, which shows when this reload is done.
    machine.folder.write("knockd.conf", &[ONCE, &OTHER.replace("other", "another")].concat());
    daemon.runner.signal(Signal::SIGHUP);
    wait_until("the door is there", || {
        machine.knock(&[7009]);
        machine.folder.path("another").exists()
    });
    machine.knock(&[7001, 7002, 7003, 7004, 7005, 7006, 7007, 7008]);
    machine.wait_for_lines("opened", 4);
    let outcome = daemon.end();
    assert_eq!((outcome.status, machine.folder.read("opened").lines().count()), (Some(0), 4));
    let lines = "#7001:udp,7002:udp\n#7003:udp,7004:udp\n#7005:udp,7006:udp\n#7007:udp,7008:udp\n";
    assert_eq!(machine.folder.read("lines"), lines);
}

#[test]
fn a_sequence_that_another_program_has_marked_does_not_count_after_a_reload() {
    let name = "a_sequence_that_another_program_has_marked_does_not_count_after_a_reload";
    let Some(machine) = machine(name, ONCE) else { return };
    let lines = " 7001:udp,7002:udp\n 7003:udp,7004:udp\n 7005:udp,7006:udp\n";
    machine.folder.write("lines", lines);
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7001, 7002]);
    machine.wait_for_lines("opened", 1);
    // Another program marks the next one while an attempt at it is under way.
    machine.knock(&[7003]);
    daemon.wait_for("127.0.0.1: once: Stage 1");
    let marked = machine.folder.read("lines").replace(" 7003", "#7003");
    machine.folder.write("lines", &marked);
    reload(&machine, &daemon, &[ONCE, OTHER].concat());
    machine.knock(&[7004, 7003, 7004]);
    machine.knock(&[7005, 7006]);
    machine.wait_for_lines("opened", 2);
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(machine.folder.read("opened").lines().count(), 2);
    assert_eq!(machine.folder.read("lines"), lines.replace(' ', "#"));
}

#[test]
fn a_sequence_file_that_was_replaced_is_used_and_marked_after_a_reload() {
    let name = "a_sequence_file_that_was_replaced_is_used_and_marked_after_a_reload";
    let Some(machine) = machine(name, ONCE) else { return };
    machine.folder.write("lines", " 7001:udp,7002:udp\n 7003:udp,7004:udp\n");
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7001, 7002]);
    machine.wait_for_lines("opened", 1);
    // The next sequence of the old file is on another line of the new one.
    machine.set_up("mv lines old");
    machine.folder.write("lines", "# new\n 7005:udp,7006:udp\n 7003:udp,7004:udp\n");
    reload(&machine, &daemon, &[ONCE, OTHER].concat());
    machine.knock(&[7003, 7004]);
    machine.knock(&[7005, 7006]);
    machine.wait_for_lines("opened", 2);
    machine.wait_for_text("lines", "#7005");
    machine.knock(&[7003, 7004]);
    machine.wait_for_lines("opened", 3);
    let outcome = daemon.end();
    assert_eq!((outcome.status, machine.folder.read("opened").lines().count()), (Some(0), 3));
    assert!(!outcome.stderr.contains("cannot mark"), "{}", outcome.stderr);
    assert_eq!(machine.folder.read("lines"), "# new\n#7005:udp,7006:udp\n#7003:udp,7004:udp\n");
    assert_eq!(machine.folder.read("old"), "#7001:udp,7002:udp\n 7003:udp,7004:udp\n");
}

#[test]
fn a_door_that_a_reload_removes_is_closed_when_it_would_have_been() {
    let name = "a_door_that_a_reload_removes_is_closed_when_it_would_have_been";
    let timed = |name: &str, port, cmd_timeout| {
        format!(
            "[{name}]\nsequence = {port}:udp\nstart_command = date +%s%N >> DIR/{name}-opened\n\
             cmd_timeout = {cmd_timeout}\nstop_command = date +%s%N >> DIR/{name}-closed\n"
        )
    };
    let doors = [timed("long", 7001, 1000), timed("short", 7002, 3)].concat();
    let Some(machine) = machine(name, &doors) else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7001, 7002]);
    machine.wait_for_lines("long-opened", 1);
    machine.wait_for_lines("short-opened", 1);
    reload(&machine, &daemon, OTHER);
    daemon.wait_for("127.0.0.1: short: command timeout");
    machine.wait_for_lines("short-closed", 1);
    let [opened, closed] = ["short-opened", "short-closed"]
        .map(|name| machine.folder.read(name).trim().parse::<u64>().unwrap());
    assert!(closed - opened >= 3_000_000_000, "{opened} {closed}");
    // The other one stays open until the end, though its door was removed.
    machine.knock(&[7002]);
    let others = machine.folder.read("other").len();
    machine.knock(&[7009]);
    wait_until("the earlier knock was handled", || machine.folder.read("other").len() > others);
    assert_eq!(machine.folder.read("long-closed"), "");
    assert_eq!(daemon.end().status, Some(0));
    for (file, lines) in [("long-closed", 1), ("short-opened", 1), ("short-closed", 1)] {
        assert_eq!(machine.folder.read(file).lines().count(), lines, "{file}");
    }
}

/// Appends a line to the file of sequences.
fn append(machine: &Machine, line: &str) {
    let lines = machine.folder.read("lines");
    machine.folder.write("lines", &[&lines, line].concat());
}

/// Reloads another configuration, which has the door [`OTHER`].
fn reload(machine: &Machine, daemon: &Daemon, config: &str) {
    machine.folder.write("knockd.conf", config);
    daemon.runner.signal(Signal::SIGHUP);
    wait_for_other(machine, daemon);
}

/// Waits until the daemon has the door [`OTHER`].
fn wait_for_other(machine: &Machine, daemon: &Daemon) {
    daemon.wait_for_beginning("re-reading config file: ");
    let begin = machine.folder.read("other").len();
    wait_until("the door is there", || {
        machine.knock(&[7009]);
        // Another knock while the command runs would be reported.
        (0..100).any(|_| {
            sleep(Duration::from_millis(5));
            machine.folder.read("other").len() > begin
        })
    });
}

/// Returns whether the sniffer has sent something that the runner, which is stopped, has not read.
fn has_unread_messages(machine: &Machine) -> bool {
    let sockets = machine.run("ss --no-header --unix --all").stdout;
    // The columns begin with Netid, State and Recv-Q.
    let unread = sockets.lines().filter_map(|line| line.split_whitespace().nth(2));
    unread.into_iter().any(|bytes| bytes != "0")
}

fn machine(name: &str, config: &str) -> Option<Machine> {
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(config))
}
