//! Signals that do not end the daemon, and those that do.

use std::fs;

use nix::sys::signal::Signal;

use crate::common::{Daemon, Machine, Need, PROGRAMS, require, wait_until};

const OPEN: &str = "\
[open]
    sequence = 7001:udp
    start_command = echo >> DIR/opened
    cmd_timeout = 1000
    stop_command = echo >> DIR/closed
";

#[test]
fn no_signal_that_can_be_ignored_leaves_a_door_open() {
    let name = "no_signal_that_can_be_ignored_leaves_a_door_open";
    let Some(machine) = machine(name) else { return };
    let daemon = Daemon::start(&machine, "-v --lookup");
    machine.knock(&[7001]);
    machine.wait_for_lines("opened", 1);
    let ends = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGKILL];
    // Those that stop a process, and those by which a program ends that has made a mistake.
    let others = [
        [Signal::SIGSTOP, Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU],
        [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE],
        [Signal::SIGABRT, Signal::SIGTRAP, Signal::SIGSYS, Signal::SIGSYS],
    ];
    let harmless = |signal: &Signal| !ends.contains(signal) && !others.concat().contains(signal);
    let harmless: Vec<Signal> = Signal::iterator().filter(harmless).collect();
    assert!(harmless.len() > 15, "{harmless:?}");
    for signal in &harmless {
        for process in machine.processes() {
            if process.name.starts_with("knockd") {
                process.signal(*signal);
            }
        }
    }
    machine.set_up(&format!(
        "for number in 34 50 64; do kill -$number {}; done",
        daemon.runner.inner().unwrap()
    ));
    // Twice is said once.
    daemon.runner.signal(Signal::SIGUSR2);
    daemon.runner.signal(Signal::SIGUSR2);
    let line = "knockd: warning: ignoring SIGUSR2, which means nothing to knockd; HUP reloads the \
                configuration, USR1 reopens the log file, TERM ends knockd";
    daemon.wait_for_error(line);
    machine.knocker([127, 0, 0, 2]).knock(&[7001]);
    machine.wait_for_lines("opened", 2);
    let outcome = daemon.end();
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.matches("SIGUSR2").count(), 0, "{}", outcome.stderr);
    assert_eq!(machine.folder.read("closed").lines().count(), 2);
}

#[test]
fn sigquit_ends_the_daemon_in_order() {
    let Some(machine) = machine("sigquit_ends_the_daemon_in_order") else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7001]);
    machine.wait_for_lines("opened", 1);
    daemon.runner.signal(Signal::SIGQUIT);
    assert_eq!(daemon.live.finish().status, Some(0));
    assert_eq!(machine.folder.read("closed").lines().count(), 1);
}

#[test]
fn sigusr1_reopens_the_log_file_and_reloads_nothing() {
    let Some(machine) = machine("sigusr1_reopens_the_log_file_and_reloads_nothing") else { return };
    let daemon = Daemon::start(&machine, "-v -g DIR/log");
    machine.folder.write("knockd.conf", "[other]\nsequence = 7002:udp\ncommand = true\n");
    fs::rename(machine.folder.path("log"), machine.folder.path("old")).unwrap();
    daemon.runner.signal(Signal::SIGUSR1);
    machine.wait_for_text("log", "re-opening log file: ");
    assert!(machine.folder.read("old").contains("closing log file: "));
    machine.knock(&[7001]);
    machine.wait_for_text("log", "open: OPEN SESAME");
    assert!(!machine.folder.read("old").contains("OPEN SESAME"));
    assert!(!machine.folder.read("log").contains("re-reading"));
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn signals_in_the_first_moments_kill_no_daemon_with_a_pid_file() {
    let name = "signals_in_the_first_moments_kill_no_daemon_with_a_pid_file";
    let Some(machine) = machine(name) else { return };
    // From the first moment at which anyone can know the process, and on.
    let storm = "until [ -s pid ]; do :; done; while kill -HUP $(cat pid) && kill -USR1 $(cat pid); \
                 do :; done 2>/dev/null";
    let line = format!(
        "rm -f pid; ({storm}) & storm=$!; $KNOCKD -d -i lo -c knockd.conf -p pid; status=$?; \
         kill $storm; exit $status"
    );
    for _ in 0..10 {
        let outcome = machine.run(&line);
        assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
        machine.process("knockd").signal(Signal::SIGTERM);
        machine.wait_for_no_process();
    }
    // The caller, which has no doors, ignores a hangup too.
    let caller = machine.start("trap '' HUP; exec $KNOCKD -v -i lo -c knockd.conf");
    machine.process("knockd").signal(Signal::SIGHUP);
    assert_eq!(caller.line(), "listening on lo...");
    machine.process("knockd").signal(Signal::SIGTERM);
    wait_until("it ends", || machine.named("knockd").is_empty());
    assert_eq!(caller.finish().status, Some(0));
}

fn machine(name: &str) -> Option<Machine> {
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(OPEN))
}
