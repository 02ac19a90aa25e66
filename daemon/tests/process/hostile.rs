//! Attacks and failures that the daemon must withstand.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use crate::common::{CONFIG, Daemon, Live, Machine, Need, PROGRAMS, require, wait_until};

#[test]
fn a_pid_file_that_is_not_a_regular_file_is_refused_and_left_alone() {
    let name = "a_pid_file_that_is_not_a_regular_file_is_refused_and_left_alone";
    let Some(machine) = machine(name) else { return };
    machine.folder.write("treasure", "to be kept\n");
    symlink(machine.folder.path("treasure"), machine.folder.path("link")).unwrap();
    symlink(machine.folder.path("nothing"), machine.folder.path("dangling")).unwrap();
    fs::create_dir(machine.folder.path("folder")).unwrap();
    machine.set_up("mkfifo pipe");
    let mut report = String::new();
    for file in ["link", "dangling", "folder", "pipe", "/dev/null"] {
        let outcome = machine.run(&format!("$KNOCKD -d -i lo -c knockd.conf -p {file}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{file}");
        report += &outcome.stderr;
        machine.wait_for_no_process();
    }
    insta::assert_snapshot!(report);
    assert_eq!(machine.folder.read("treasure"), "to be kept\n");
    assert!(!machine.folder.path("nothing").exists());
    for file in ["link", "dangling"] {
        assert!(machine.folder.path(file).is_symlink());
    }
}

#[test]
fn no_knock_is_lost_in_a_storm_of_sighup() {
    let Some(machine) = machine("no_knock_is_lost_in_a_storm_of_sighup") else { return };
    let daemon = Daemon::start(&machine, "-g DIR/log");
    for number in 1..=50 {
        // Openings of one client would be merged.
        let knocker = machine.knocker([127, 0, 0, number]);
        daemon.runner.signal(Signal::SIGHUP);
        knocker.knock(&[7000]);
        daemon.runner.signal(Signal::SIGHUP);
        knocker.knock(&[8000]);
    }
    machine.wait_for_lines("opened", 50);
    let outcome = daemon.end();
    assert_eq!(outcome.status, Some(0));
    let log = machine.folder.read("log");
    assert_eq!(log.matches("door: OPEN SESAME").count(), 50);
    assert_eq!(log.matches("door: Stage").count(), 100);
    // Signals that come while one waits are the same one.
    let reloads = log.matches("re-reading").count();
    assert!((1..=100).contains(&reloads), "{reloads} reloads");
    assert!(!log.contains("error") && !log.contains("warning"), "{log}");
}

#[test]
fn a_reader_that_has_stopped_delays_neither_commands_nor_the_end() {
    let name = "a_reader_that_has_stopped_delays_neither_commands_nor_the_end";
    let Some(machine) = machine(name) else { return };
    // It holds about 64 kB, and nothing reads them.
    let (reader, writer) = io::pipe().unwrap();
    let script = "exec $KNOCKD -i lo -c knockd.conf -v -g DIR/log";
    let live = Live::start_with_output(&mut machine.command(script), writer);
    machine.wait_for_text("log", "starting up");
    let runner = machine.process("knockd");
    // A few more lines than the pipe and the queue have room for; in turns, so that the kernel's buffer
    // has room for all packets.
    let knocker = machine.knocker([127, 0, 0, 1]);
    for turn in 1..=11 {
        for _ in 0..1000 {
            knocker.knock(&[7002, 8002]);
        }
        knocker.knock(&[7000, 8000]);
        machine.wait_for_lines("opened", turn);
    }
    // Reopening the log must wait for its turn, and nothing else may wait for that.
    runner.signal(Signal::SIGHUP);
    knocker.knock(&[7000, 8000]);
    machine.wait_for_lines("opened", 12);
    let begin = Instant::now();
    runner.signal(Signal::SIGTERM);
    let outcome = live.finish();
    // It waits 5 seconds for lines to be written.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    // The log file still has every line.
    let log = machine.folder.read("log");
    assert_eq!(log.matches("OPEN SESAME").count(), 11_012);
    assert_eq!(log.matches("lost").count(), 0);
    assert!(
        log.ends_with("shutting down\n"),
        "{:?}",
        log.lines().rev().take(4).collect::<Vec<_>>()
    );
    drop(reader);
    machine.wait_for_no_process();
}

#[test]
fn a_closed_standard_output_does_not_end_the_daemon() {
    let Some(machine) = machine("a_closed_standard_output_does_not_end_the_daemon") else { return };
    let (reader, writer) = io::pipe().unwrap();
    let script = "exec $KNOCKD -i lo -c knockd.conf -v -g DIR/log";
    let live = Live::start_with_output(&mut machine.command(script), writer);
    machine.wait_for_text("log", "starting up");
    drop(reader);
    let knocker = machine.knocker([127, 0, 0, 1]);
    for time in 1..=2 {
        knocker.knock(&[7000, 8000]);
        machine.wait_for_lines("opened", time);
    }
    machine.process("knockd").signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, Some(0));
}

#[test]
fn doors_are_closed_in_time_though_the_sniffer_was_killed_and_replaced() {
    let name = "doors_are_closed_in_time_though_the_sniffer_was_killed_and_replaced";
    let Some(machine) = machine(name) else { return };
    machine.folder.write("knockd.conf", &CONFIG.replace("cmd_timeout = 1", "cmd_timeout = 3"));
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7001, 8001]);
    machine.wait_for_lines("started", 1);
    for time in 1..=2 {
        machine.process("knockd: sniffer").signal(Signal::SIGKILL);
        daemon.wait_for_error_beginning(
            "knockd: error: the process that reads packets has died (killed by SIGKILL); starting another: ",
        );
        daemon.wait_for("listening on lo...");
        machine.wait_for_lines("started", time);
        // The new one has not opened it.
        daemon.wait_for("127.0.0.1: timed: command timeout");
        machine.wait_for_lines("stopped", time);
        machine.knock(&[7001, 8001]);
        daemon.wait_for("127.0.0.1: timed: OPEN SESAME");
        machine.wait_for_lines("started", time + 1);
    }
    let outcome = daemon.end();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(machine.folder.read("stopped").lines().count(), 3);
}

#[test]
fn a_sniffer_that_does_not_answer_is_reported_and_replaced() {
    let name = "a_sniffer_that_does_not_answer_is_reported_and_replaced";
    let Some(machine) = machine(name) else { return };
    let daemon = Daemon::start(&machine, "-v");
    // One that answers again is left alone. It is missed when a packet waits for it.
    daemon.sniffer.signal(Signal::SIGSTOP);
    machine.knock(&[7001]);
    let silent = "knockd: warning: the process that reads packets does not answer: no knock is heard, and \
                  doors are closed without it";
    daemon.wait_for_error(silent);
    daemon.sniffer.signal(Signal::SIGCONT);
    daemon.wait_for_error("the process that reads packets answers again");
    daemon.sniffer.signal(Signal::SIGSTOP);
    // Or when it has an order.
    daemon.runner.signal(Signal::SIGHUP);
    daemon.wait_for_error(silent);
    daemon.wait_for_error(
        "knockd: error: the process that reads packets has not answered for 15 seconds; killing it",
    );
    daemon.wait_for_error_beginning(
        "knockd: error: the process that reads packets has died (killed by",
    );
    daemon.wait_for("listening on lo...");
    machine.knock(&[7001, 8001]);
    machine.wait_for_lines("stopped", 1);
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_one_time_sequence_that_was_used_stays_used_if_the_sniffer_is_replaced() {
    let name = "a_one_time_sequence_that_was_used_stays_used_if_the_sniffer_is_replaced";
    let Some(machine) = machine(name) else { return };
    let config = "[once]\none_time_sequences = DIR/once\ncommand = echo >> DIR/started\n";
    machine.folder.write("knockd.conf", config);
    machine.folder.write("once", " 7000:udp\n 7001:udp\n");
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000]);
    machine.wait_for_lines("started", 1);
    daemon.sniffer.signal(Signal::SIGKILL);
    daemon.wait_for_error_beginning(
        "knockd: error: the process that reads packets has died (killed by",
    );
    daemon.wait_for("listening on lo...");
    machine.knock(&[7000, 7001]);
    machine.wait_for_lines("started", 2);
    let outcome = daemon.end();
    assert_eq!(outcome.status, Some(0));
    assert_eq!(outcome.stdout.matches("OPEN SESAME").count(), 1, "{outcome:?}");
    assert_eq!(machine.folder.read("started").lines().count(), 2);
}

#[test]
fn a_sniffer_that_hangs_does_not_delay_the_end() {
    let Some(machine) = machine("a_sniffer_that_hangs_does_not_delay_the_end") else { return };
    let begin = "start_command = until [ -e DIR/go ]; do sleep 0.01; done; exit 7";
    let config = CONFIG.replace("start_command = echo %IP% >> DIR/started", begin);
    machine.folder.write("knockd.conf", &config.replace("cmd_timeout = 1", "cmd_timeout = 600"));
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7001, 8001]);
    daemon.wait_for_beginning("timed: running command: ");
    daemon.sniffer.signal(Signal::SIGSTOP);
    daemon.runner.signal(Signal::SIGTERM);
    wait_until("it has the signal", || !daemon.runner.has_pending(Signal::SIGTERM));
    // The engine cannot report it any more.
    machine.folder.write("go", "");
    daemon.wait_for_error("timed: command returned non-zero status code (7)");
    assert_eq!(daemon.live.finish().status, Some(0));
    assert_eq!(machine.folder.read("stopped"), "127.0.0.1\n");
    machine.wait_for_no_process();
}

#[test]
fn what_waits_for_a_runner_that_hangs_is_bounded_and_wakes_nobody() {
    const MANY: usize = 20_000;
    let name = "what_waits_for_a_runner_that_hangs_is_bounded_and_wakes_nobody";
    let Some(machine) = machine(name) else { return };
    machine.folder.write("knockd.conf", "[open]\nsequence = 7001:udp\ncommand =\n");
    let daemon = Daemon::start(&machine, "-v");
    daemon.runner.signal(Signal::SIGSTOP);
    let knocker = machine.knocker([127, 0, 0, 1]);
    let mut sent = 0;
    let mut is_deaf = || {
        let before = daemon.sniffer.activity();
        (0..MANY).for_each(|_| knocker.knock(&[7001]));
        sent += MANY;
        // A block of the ring that is not full is handed over after some milliseconds only.
        (0..20).all(|_| {
            thread::sleep(Duration::from_millis(10));
            daemon.sniffer.status("State").starts_with('S') && daemon.sniffer.activity() == before
        })
    };
    wait_until("so much waits that no more is read", &mut is_deaf);
    // What does not fit is the kernel's to drop: it costs the process neither time nor memory.
    let size = daemon.sniffer.status("VmRSS");
    let kilobytes: u64 = size.strip_suffix(" kB").unwrap().parse().unwrap();
    assert!(kilobytes < 96 << 10, "{size}");
    // More than the largest ring has room for.
    assert!((0..10).all(|_| is_deaf()));
    assert_eq!(daemon.sniffer.status("VmRSS"), size);
    // Its parent was stopped along with it.
    for process in [daemon.runner.parent(), daemon.runner.id] {
        kill(process, Signal::SIGCONT).unwrap();
    }
    wait_until("it reads again", || !is_deaf());
    // At its end, a daemon waits two seconds at most for what was not handled yet.
    let activity = || [daemon.sniffer.activity(), daemon.runner.activity()];
    wait_until("all of it is handled", || {
        let before = activity();
        thread::sleep(Duration::from_millis(500));
        before == activity()
    });
    let outcome = daemon.end();
    assert_eq!(outcome.status, Some(0));
    let lines = outcome.stderr.lines();
    let mut lost = lines.filter_map(|line| line.split_once(" packets were lost"));
    let (lost, _) = lost.next_back().unwrap_or_else(|| panic!("{}", outcome.stderr));
    let lost: usize = lost.rsplit(' ').next().unwrap().parse().unwrap();
    let opened = outcome.stdout.matches("OPEN SESAME").count();
    // Of what is sent over the loopback interface, the kernel also counts the copy that leaves.
    let known = opened + lost;
    let errors = &outcome.stderr;
    assert!((sent..=2 * sent).contains(&known), "{opened} opened, {lost} lost of {sent}: {errors}");
}

#[test]
fn a_terminal_that_interrupts_all_processes_ends_the_daemon_in_order() {
    let name = "a_terminal_that_interrupts_all_processes_ends_the_daemon_in_order";
    let Some(machine) = machine(name) else { return };
    machine.folder.write("knockd.conf", &CONFIG.replace("cmd_timeout = 1", "cmd_timeout = 600"));
    let daemon = Daemon::start(&machine, "-v --lookup");
    machine.knock(&[7001, 8001]);
    machine.wait_for_lines("started", 1);
    for process in [&daemon.sniffer, &machine.resolver(), &daemon.runner] {
        process.signal(Signal::SIGINT);
    }
    let outcome = daemon.live.finish();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(machine.folder.read("stopped"), "127.0.0.1\n");
    wait_until("no process is left", || machine.processes().is_empty());
}

/// Returns a machine with one more door, whose openings run nothing.
fn machine(name: &str) -> Option<Machine> {
    let config = format!("{CONFIG}\n[more]\nsequence = 7002:udp,8002:udp\ncommand =\n");
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(&config))
}
