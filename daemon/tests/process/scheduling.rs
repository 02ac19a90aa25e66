//! When commands run: whose turn it is, what they wait for, and what becomes of their children.

use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::{Daemon, Machine, Need, PROGRAMS, require, wait_until};

#[test]
fn a_stop_command_for_which_there_is_no_process_is_tried_until_there_is() {
    let name = "a_stop_command_for_which_there_is_no_process_is_tried_until_there_is";
    let commands = "start_command = touch DIR/open\ncmd_timeout = 1\nstop_command = rm DIR/open";
    let Some(machine) = machine(name, commands) else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000]);
    daemon.wait_for("127.0.0.1: door: OPEN SESAME");
    wait_until("it is open", || machine.folder.path("open").exists());
    limit_files(&daemon, 3);
    daemon.wait_for("127.0.0.1: door: command timeout");
    daemon.wait_for_error(&format!(
        "door: command for 127.0.0.1 cannot be started (Too many open files), trying again every second: \
         rm {}",
        machine.folder.path("open").display()
    ));
    // It is tried again, and that is not logged again.
    thread::sleep(Duration::from_secs(3));
    assert!(machine.folder.path("open").exists());
    limit_files(&daemon, 1024);
    wait_until("it is closed", || !machine.folder.path("open").exists());
    let outcome = daemon.end();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn commands_that_hang_at_one_door_stop_no_other_door() {
    let name = "commands_that_hang_at_one_door_stop_no_other_door";
    let more = "start_command = touch DIR/open-%IP%\ncmd_timeout = 1\nstop_command = rm DIR/open-%IP%\n\
                [start hangs]\nsequence = 7001:udp\ncommand = exec sleep 600\n\
                [stop hangs]\nsequence = 7002:udp\ncommand = touch DIR/on-%IP%\ncmd_timeout = 1\n\
                stop_command = exec sleep 600";
    let Some(machine) = machine(name, more) else { return };
    for (door, port) in [("start hangs", 7001), ("stop hangs", 7002)] {
        let daemon = Daemon::start(&machine, "-v");
        for last in 1..=80 {
            machine.knocker([127, 0, 1, last]).knock(&[port]);
        }
        daemon.wait_for_error_beginning(&format!("{door}: command for 127.0.1."));
        let hanging = || machine.named("sleep").len();
        wait_until("many hang", || hanging() >= 3);
        let opened = machine.folder.path("open-127.0.0.1");
        for _ in 0..2 {
            machine.knock(&[7000]);
            wait_until("it is open", || opened.exists());
            wait_until("it is closed", || !opened.exists());
        }
        assert!((3..=33).contains(&hanging()), "{}", hanging());
        daemon.runner.signal(Signal::SIGKILL);
        assert_eq!(daemon.live.finish().status, None);
        for sleep in machine.named("sleep") {
            sleep.signal(Signal::SIGKILL);
        }
        machine.wait_for_no_process();
    }
}

#[test]
fn start_commands_that_hang_are_ended_with_the_daemon_and_their_doors_are_closed() {
    let name = "start_commands_that_hang_are_ended_with_the_daemon_and_their_doors_are_closed";
    let commands =
        "start_command = touch DIR/begun; exec sleep 600\nstop_command = touch DIR/closed";
    let Some(machine) = machine(name, commands) else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000]);
    wait_until("it has begun", || machine.folder.path("begun").exists());
    let outcome = daemon.end();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let why = "door: command for 127.0.0.1 was sent SIGTERM, because knockd is exiting: touch ";
    assert!(outcome.stderr.starts_with(why), "{outcome:?}");
    assert!(machine.folder.path("closed").exists());
}

#[test]
fn start_commands_for_which_there_are_no_files_are_tried_again() {
    let name = "start_commands_for_which_there_are_no_files_are_tried_again";
    let Some(machine) = machine(name, "command = touch DIR/ran-%IP%; sleep 0.2") else { return };
    let daemon = Daemon::start(&machine, "-v");
    // For the sockets of the daemon and a few commands, but not for 40.
    limit_files(&daemon, 20);
    for last in 1..=40 {
        machine.knocker([127, 0, 1, last]).knock(&[7000]);
    }
    for last in 1..=40 {
        let ran = machine.folder.path(&format!("ran-127.0.1.{last}"));
        wait_until("it has run", || ran.exists());
    }
    let outcome = daemon.end();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(!outcome.stderr.contains("status code"), "{outcome:?}");
}

/// As the first process of a container, the daemon inherits what commands leave running.
#[test]
fn the_first_process_of_a_container_collects_processes_that_commands_leave_behind() {
    let name = "the_first_process_of_a_container_collects_processes_that_commands_leave_behind";
    let commands = "command = (sh -c 'sleep 0.1; echo end >> DIR/ends; kill -34 $$' &)\n\
                    [look]\nsequence = 7001:udp\n\
                    command = cat /proc/[0-9]*/stat | grep -c ') Z ' > DIR/zombies\n\
                    [end]\nsequence = 7002:udp\ncommand = kill -TERM 1";
    let Some(machine) = machine(name, commands) else { return };
    let inside = "unshare --pid --fork --kill-child --mount-proc";
    let daemon = machine.start(&format!("exec {inside} $KNOCKD -v -i lo -c knockd.conf"));
    assert_eq!(daemon.line(), "listening on lo...");
    for last in 1..=20 {
        machine.knocker([127, 0, 1, last]).knock(&[7000]);
    }
    machine.wait_for_lines("ends", 20);
    wait_until("none of them is left", || {
        machine.knock(&[7001]);
        machine.folder.read("zombies") == "0\n"
    });
    machine.knock(&[7002]);
    let outcome = daemon.finish();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

/// Sets how many files the process that starts commands may have open.
fn limit_files(daemon: &Daemon, number: u32) {
    let mut command = Command::new("prlimit");
    command.arg("--pid").arg(daemon.runner.id.to_string()).arg(format!("--nofile={number}:1024"));
    assert!(command.status().unwrap().success());
}

/// Returns a machine with a door that one knock opens.
fn machine(name: &str, commands: &str) -> Option<Machine> {
    let config = format!("[door]\nsequence = 7000:udp\n{commands}\n");
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(&config))
}
