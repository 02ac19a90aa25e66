//! Doors are closed, whatever fails.

use std::fs;

use nix::sys::signal::Signal;

use crate::common::{Daemon, Machine, Need, PROGRAMS, require, wait_until};

/// Commands of a door that is open while there is a file.
fn door(stop: &str) -> String {
    format!(
        "[options]\nLeaseFile = DIR/leases\n[door]\nsequence = 7000:udp\n\
         start_command = touch DIR/open-%IP%\ncmd_timeout = 1\nstop_command = {stop}\n"
    )
}

#[test]
fn a_stop_command_that_fails_is_tried_again_until_the_door_is_closed() {
    let name = "a_stop_command_that_fails_is_tried_again_until_the_door_is_closed";
    for (failure, status) in [("exit 4", 4), ("kill -TERM 0", 143), ("kill -34 $$", 162)] {
        let stop = format!(
            "echo >> DIR/tries; [ $(wc -l < DIR/tries) -gt 2 ] || {failure}; rm DIR/open-%IP%"
        );
        let Some(machine) = machine(name, &door(&stop)) else { return };
        let daemon = Daemon::start(&machine, "-v");
        machine.knock(&[7000]);
        for pause in [1, 2] {
            daemon.wait_for_error_beginning(&format!(
                "door: STAYS OPEN for 127.0.0.1; its stop command failed with status {status} and is \
                 tried again in {pause} s: echo"
            ));
            assert!(machine.folder.read("leases").contains(" 127.0.0.1 1000 "));
            if pause == 1 {
                // The engine prints it.
                daemon.wait_for_error(&format!(
                    "door: command returned non-zero status code ({status})"
                ));
            }
        }
        daemon.wait_for_error("door: closed for 127.0.0.1 at try 3");
        assert!(!machine.folder.path("open-127.0.0.1").exists());
        let outcome = daemon.end();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
        assert!(!machine.folder.path("leases").exists());
    }
}

#[test]
fn a_door_is_closed_as_soon_as_there_is_a_shell_again() {
    let name = "a_door_is_closed_as_soon_as_there_is_a_shell_again";
    let Some(machine) = machine(name, &door("rm DIR/open-%IP%")) else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.folder.write("no-shell", "");
    machine.knock(&[7000]);
    wait_until("it is open", || machine.folder.path("open-127.0.0.1").exists());
    machine.set_up("mount --bind no-shell /bin/sh");
    daemon.wait_for_error_beginning(
        "door: command for 127.0.0.1 cannot be started (Permission denied): rm ",
    );
    daemon.wait_for_error_beginning("door: STAYS OPEN for 127.0.0.1; its stop command failed with");
    let mut command = machine.command_without_shell(&["umount", "/bin/sh"]);
    assert!(command.status().unwrap().success());
    wait_until("it is closed", || !machine.folder.path("open-127.0.0.1").exists());
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_door_that_cannot_be_closed_at_the_end_gives_status_1_and_is_closed_by_the_next_start() {
    let name =
        "a_door_that_cannot_be_closed_at_the_end_gives_status_1_and_is_closed_by_the_next_start";
    let stop = "[ -e DIR/go ] || exit 4; rm DIR/open-%IP%";
    let Some(machine) = machine(name, &door(stop)) else { return };
    let daemon = Daemon::start(&machine, "-v");
    for last in [1, 2] {
        machine.knocker([127, 0, 0, last]).knock(&[7000]);
    }
    let open = |last| machine.folder.path(&format!("open-127.0.0.{last}")).exists();
    wait_until("both are open", || open(1) && open(2));
    daemon.wait_for_error_beginning("door: STAYS OPEN for 127.0.0.1; its stop command failed with");
    let outcome = daemon.end();
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    for client in ["127.0.0.1", "127.0.0.2"] {
        let line = format!("door: STAYS OPEN for {client}; to close it, run: [ -e ");
        assert_eq!(outcome.stderr.matches(&line).count(), 1, "{outcome:?}");
    }
    assert!(open(1) && open(2));
    machine.folder.write("go", "");
    let daemon = Daemon::start(&machine, "-v");
    wait_until("both are closed", || !open(1) && !open(2));
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_door_that_is_opened_again_while_it_cannot_be_closed_stays_open_until_its_new_deadline() {
    let name =
        "a_door_that_is_opened_again_while_it_cannot_be_closed_stays_open_until_its_new_deadline";
    let stop = "echo >> DIR/tries; [ $(wc -l < DIR/tries) -gt 1 ] || exit 4; rm -f DIR/open-%IP%";
    // The second try would be after a second.
    let config = door(stop).replace("cmd_timeout = 1", "cmd_timeout = 4");
    let Some(machine) = machine(name, &config) else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000]);
    daemon.wait_for_error_beginning("door: STAYS OPEN for 127.0.0.1; its stop command failed with");
    machine.knock(&[7000]);
    daemon.wait_for("127.0.0.1: door: OPEN SESAME");
    daemon.wait_for("127.0.0.1: door: OPEN SESAME");
    daemon.wait_for_beginning("door: running command: touch");
    // Both stop commands run at the deadline of the second.
    daemon.wait_for("127.0.0.1: door: command timeout");
    machine.wait_for_lines("tries", 3);
    assert!(!machine.folder.path("open-127.0.0.1").exists());
    let outcome = daemon.end();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(machine.folder.read("tries").lines().count(), 3);
}

#[test]
fn a_stop_command_that_has_nothing_left_to_close_is_given_up() {
    let name = "a_stop_command_that_has_nothing_left_to_close_is_given_up";
    // Twice open, and closed by the first of two stop commands; or never opened.
    for (begin, times) in [("touch DIR/open-%IP%", 2), ("exit 7; touch DIR/open-%IP%", 1)] {
        let config = door("rm DIR/open-%IP%").replace("touch DIR/open-%IP%", begin);
        let Some(machine) = machine(name, &config) else { return };
        let daemon = Daemon::start(&machine, "-v");
        for _ in 0..times {
            machine.knock(&[7000]);
            daemon.wait_for("127.0.0.1: door: OPEN SESAME");
            daemon.wait_for_beginning("door: running command: ");
        }
        let line = "door: probably closed for 127.0.0.1; its stop command fails with status 1: rm ";
        let mut lines = String::new();
        while !lines.contains(line) {
            lines += &(daemon.live.error_line() + "\n");
        }
        assert!(!lines.contains("STAYS OPEN"), "{lines}");
        let outcome = daemon.end();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
        assert!(!machine.folder.path("leases").exists());
    }
}

#[test]
fn a_door_is_closed_in_time_though_the_process_that_reads_packets_is_stopped() {
    let name = "a_door_is_closed_in_time_though_the_process_that_reads_packets_is_stopped";
    let stop = "rm DIR/open-%IP% && echo >> DIR/stopped";
    let Some(machine) = machine(name, &door(stop)) else { return };
    let daemon = Daemon::start(&machine, "-v");
    let open = machine.folder.path("open-127.0.0.1");
    for time in 1..=2 {
        machine.knock(&[7000]);
        daemon.wait_for("127.0.0.1: door: OPEN SESAME");
        wait_until("it is open", || open.exists());
        daemon.sniffer.signal(Signal::SIGSTOP);
        daemon.wait_for_error(
            "door: closing it for 127.0.0.1 without a request: the process that reads packets is late or \
             hangs",
        );
        machine.wait_for_lines("stopped", time);
        assert!(!open.exists());
        // It asks now, and nothing runs a second time.
        daemon.sniffer.signal(Signal::SIGCONT);
        daemon.wait_for("127.0.0.1: door: command timeout");
    }
    let outcome = daemon.end();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(fs::read_to_string(machine.folder.path("stopped")).unwrap().lines().count(), 2);
}

fn machine(name: &str, config: &str) -> Option<Machine> {
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(config))
}

#[test]
fn doors_that_are_kept_when_the_daemon_is_stopped_are_closed_by_the_next_one() {
    let name = "doors_that_are_kept_when_the_daemon_is_stopped_are_closed_by_the_next_one";
    let doors = "[door]\nsequence = 7000:udp\nstart_command = echo %IP% >> DIR/opened\n\
                 cmd_timeout = 600\nstop_command = echo %IP% >> DIR/closed\n";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let machine = Machine::with(&format!("[options]\nOnStop = keep\n{doors}"));
    for round in 0..2 {
        let daemon = Daemon::start(&machine, "-v");
        if round == 0 {
            machine.knock(&[7000]);
            machine.wait_for_lines("opened", 1);
            // A start command that runs is waited for.
        } else {
            daemon.wait_for_error_beginning(
                "door: was left open for 127.0.0.1 when knockd last ended; closing it in ",
            );
        }
        let outcome = daemon.end();
        assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
        let kept = "1 door stays open until the next start of knockd closes it (OnStop = keep)";
        assert!(outcome.stdout.lines().any(|line| line == kept), "{}", outcome.stdout);
        assert_eq!(machine.folder.read("closed"), "");
    }
    // Whoever is in stays in, until an end that closes.
    machine.folder.write("knockd.conf", doors);
    let daemon = Daemon::start(&machine, "-v");
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(machine.folder.read("closed"), "127.0.0.1\n");
}

#[test]
fn a_door_that_is_not_on_disk_is_closed_even_if_doors_are_kept() {
    let name = "a_door_that_is_not_on_disk_is_closed_even_if_doors_are_kept";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let machine = Machine::with(
        "[options]\nOnStop = keep\nOnStateError = open\nStateDir = /proc/nowhere\n\
         [door]\nsequence = 7000:udp\nstart_command = echo %IP% >> DIR/opened\n\
         cmd_timeout = 600\nstop_command = echo %IP% >> DIR/closed\n",
    );
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000]);
    machine.wait_for_lines("opened", 1);
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(machine.folder.read("closed"), "127.0.0.1\n");
}
