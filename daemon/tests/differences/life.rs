//! Reloads and ends.

use std::fs;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use crate::common::{Machine, wait_until};
use crate::{OURS, THEIRS, both, can_run, end, listen, rest};

const TIMED: &str = "\
[timed]
    sequence = 7000:udp
    start_command = touch DIR/opened
    cmd_timeout = 2
    stop_command = touch DIR/closed
";

#[test]
fn a_signal_for_all_processes_leaves_doors_open_under_knockd_08_only() {
    if !can_run("a_signal_for_all_processes_leaves_doors_open_under_knockd_08_only", &[]) {
        return;
    }
    let config = TIMED.replace("= 2", "= 1000");
    let closed = both(&config, |machine, program| {
        let (live, _) = listen(machine, program, "");
        machine.knock(&[7000]);
        wait_until("the door is open", || machine.folder.path("opened").exists());
        if program == THEIRS {
            // The child that will close it sleeps.
            wait_until("both wait", || {
                let waiting = machine.named("knockd");
                waiting.len() == 2
                    && waiting.iter().all(|process| process.status("State").starts_with('S'))
            });
        }
        for process in machine.processes() {
            if process.name.starts_with("knockd") {
                // The first may have ended the others.
                process.signal_if_there(Signal::SIGTERM);
            }
        }
        let _ = live.finish();
        machine.wait_for_no_process();
        machine.folder.path("closed").exists()
    });
    assert_eq!(closed, [false, true]);
}

#[test]
fn a_daemon_that_is_killed_closes_no_door_though_knockd_08_did() {
    if !can_run("a_daemon_that_is_killed_closes_no_door_though_knockd_08_did", &[]) {
        return;
    }
    let closed = both(TIMED, |machine, program| {
        let (_live, process) = listen(machine, program, "");
        machine.knock(&[7000]);
        wait_until("the door is open", || machine.folder.path("opened").exists());
        process.signal(Signal::SIGKILL);
        // Of our daemon, no process is left to do it.
        machine.wait_for_no_process();
        machine.folder.path("closed").exists()
    });
    assert_eq!(closed, [true, false]);
}

#[test]
fn a_reload_with_errors_ends_knockd_08_only() {
    if !can_run("a_reload_with_errors_ends_knockd_08_only", &[]) {
        return;
    }
    for program in [THEIRS, OURS] {
        let machine = Machine::with(TIMED);
        let (live, process) = listen(&machine, program, "");
        machine.folder.write("knockd.conf", "nonsense\n");
        process.signal(Signal::SIGHUP);
        if program == OURS {
            while !live.error_line().starts_with("reload rejected: ") {}
            machine.knock(&[7000]);
            wait_until("the door is open", || machine.folder.path("opened").exists());
            assert_eq!(end(live, &rest(&machine)).status, Some(0));
        } else {
            assert_eq!(live.finish().status, Some(1));
        }
    }
}

#[test]
fn a_signal_that_means_nothing_ends_knockd_08_only() {
    if !can_run("a_signal_that_means_nothing_ends_knockd_08_only", &[]) {
        return;
    }
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGALRM, Signal::SIGPROF] {
        let ended = both(TIMED, |machine, program| {
            let (live, process) = listen(machine, program, "");
            process.signal(signal);
            if program == THEIRS {
                let _ = live.finish();
                return true;
            }
            machine.knock(&[7000]);
            wait_until("the door is open", || machine.folder.path("opened").exists());
            end(live, &rest(machine)).status != Some(0)
        });
        assert_eq!(ended, [true, false], "{signal}");
    }
}

#[test]
fn a_storm_of_knocks_and_reloads_is_survived_by_us_only() {
    if !can_run("a_storm_of_knocks_and_reloads_is_survived_by_us_only", &[]) {
        return;
    }
    // It crashes nearly always; otherwise it loses knocks, or hears none any more. But it can have luck.
    let had_luck = (0..10).all(|_| {
        let [theirs, ours] = both(&storm(0), lost_in_a_storm);
        assert_eq!(ours, Some(0));
        theirs == Some(0)
    });
    assert!(!had_luck);
}

/// Returns how many knocks a daemon misses while it is reloaded again and again; `None` if it crashes.
fn lost_in_a_storm(machine: &Machine, program: &str) -> Option<usize> {
    let (live, process) = listen(machine, program, "");
    let knocker = machine.knocker([127, 0, 0, 1]);
    let mut sent = 0;
    for number in 1..=100 {
        machine.folder.write("new.conf", &storm(number));
        let [new, old] = ["new.conf", "knockd.conf"].map(|name| machine.folder.path(name));
        fs::rename(new, old).unwrap();
        // Once the daemon has crashed, it has no ID.
        process.inner()?;
        if kill(process.id, Signal::SIGHUP).is_err() {
            return None;
        }
        for _ in 0..5 {
            knocker.knock(&[7001, 7002]);
            sent += 1;
        }
    }
    // What was sent before this knock has been read when it opens its door. Whoever hears nothing any
    // more counts as having crashed.
    let is_heard = (0..200).any(|_| {
        knocker.knock(&[7009]);
        thread::sleep(Duration::from_millis(50));
        machine.folder.read("log").contains("last: OPEN SESAME")
    });
    if !is_heard {
        return None;
    }
    // Openings while a command runs are one, and the log has no line for each step of a flood.
    let printed = end(live, &process).stdout;
    Some(sent - printed.matches("storm: Stage 2\n").count())
}

/// A configuration for a storm of knocks. Each number has another kernel filter.
fn storm(number: u16) -> String {
    let other = 20_000 + number;
    format!(
        "[options]\nlogfile = DIR/log\n[storm]\nsequence = 7001:udp,7002:udp\nseq_timeout = 300\n\
         command = true\n[other]\nsequence = {other}:udp\ncommand = true\n[last]\n\
         sequence = 7009:udp\ncommand = true\n"
    )
}
