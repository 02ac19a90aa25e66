//! Stopping and starting again, and who else could get in the way.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;

use crate::common::{Machine, Need, PROGRAMS, require, wait_until};

/// Starts a daemon.
const DAEMON: &str = "$KNOCKD -d -i lo -c DIR/knockd.conf -p DIR/pid";

/// A door that takes a while to be closed.
const SLOW: &str = "\
[slow]
    sequence = 7001:udp
    start_command = echo >> DIR/opened
    cmd_timeout = 1000
    stop_command = sleep 0.3; echo >> DIR/closed
";

#[test]
fn thirty_restarts_without_a_pause_all_end_with_a_running_daemon() {
    let name = "thirty_restarts_without_a_pause_all_end_with_a_running_daemon";
    let Some(machine) = machine(name, SLOW, &[]) else { return };
    machine.set_up(DAEMON);
    for round in 1..=30 {
        // In every third round, the last daemon takes a while to end.
        if round % 3 == 0 {
            machine.knock(&[7001]);
            machine.wait_for_lines("opened", round / 3);
        }
        let last = machine.process("knockd");
        let outcome = machine.run(&format!("kill $(cat DIR/pid); {DAEMON}"));
        assert_eq!(outcome.status, Some(0), "round {round}: {}", outcome.stderr);
        wait_until("only the next one is left", || {
            let running = machine.named("knockd");
            running.len() == 1 && running[0].id != last.id
        });
        let next = machine.process("knockd");
        assert_eq!(machine.folder.read("pid"), format!("{}\n", next.inner().unwrap()));
    }
    assert_eq!(machine.folder.read("closed").lines().count(), 10);
    end(&machine);
    assert!(!machine.folder.path("pid").exists() && !machine.folder.path("pid.lock").exists());
}

#[test]
fn a_start_waits_for_the_end_of_the_last_daemon_and_says_so() {
    let name = "a_start_waits_for_the_end_of_the_last_daemon_and_says_so";
    let slow = SLOW.replace("sleep 0.3", "while [ ! -e DIR/go ]; do sleep 0.05; done");
    let Some(machine) = machine(name, &slow, &[]) else { return };
    machine.set_up(DAEMON);
    machine.knock(&[7001]);
    machine.wait_for_lines("opened", 1);
    let last = machine.process("knockd");
    last.signal(Signal::SIGTERM);
    let next = machine.start(&format!("{DAEMON}; echo \"status $?\""));
    let number = last.inner().unwrap();
    let line = format!(
        "knockd: waiting for the last knockd, process {number}, to close its doors and end"
    );
    assert_eq!(next.error_line(), line);
    machine.set_up("touch go");
    assert_eq!(next.line(), "status 0");
    machine.wait_for_lines("closed", 1);
    end(&machine);
}

#[test]
fn a_daemon_that_was_told_to_end_and_has_not_noticed_is_waited_for() {
    let name = "a_daemon_that_was_told_to_end_and_has_not_noticed_is_waited_for";
    let Some(machine) = machine(name, SLOW, &[]) else { return };
    machine.set_up(DAEMON);
    let last = machine.process("knockd");
    last.signal(Signal::SIGSTOP);
    last.signal(Signal::SIGTERM);
    let next = machine.start(&format!("{DAEMON}; echo \"status $?\""));
    assert!(next.error_line().starts_with("knockd: waiting for the last knockd, process "));
    last.signal(Signal::SIGCONT);
    assert_eq!(next.line(), "status 0");
    end(&machine);
}

#[test]
fn no_other_user_can_keep_the_daemon_from_starting() {
    let name = "no_other_user_can_keep_the_daemon_from_starting";
    let Some(machine) = machine(name, SLOW, &["setpriv", "flock"]) else { return };
    machine.folder.open_to_all();
    machine.set_up(DAEMON);
    let daemon = machine.process("knockd");
    // Everyone may read the pid file, and so lock it.
    let path = machine.folder.path("pid");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    let user = "setpriv --reuid=1000 --regid=1000 --clear-groups";
    let refused = machine.run(&format!("{user} flock -n pid.lock true"));
    assert_ne!(refused.status, Some(0));
    assert!(refused.stderr.contains("Permission denied"), "{refused:?}");
    let holder =
        machine.start(&format!("exec {user} flock -n pid sh -c 'echo locked; exec sleep 1000'"));
    assert_eq!(holder.line(), "locked");
    daemon.signal(Signal::SIGKILL);
    machine.wait_for_no_process();
    // The file of the killed daemon is still there, and locked.
    let taken = Flock::lock(File::open(&path).unwrap(), FlockArg::LockExclusiveNonblock);
    assert!(taken.is_err());
    let outcome = machine.run(DAEMON);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    end(&machine);
}

#[test]
fn a_lock_of_another_user_is_not_respected() {
    let name = "a_lock_of_another_user_is_not_respected";
    let Some(machine) = machine(name, SLOW, &["setpriv", "flock"]) else { return };
    machine.folder.open_to_all();
    machine.folder.give_to(1000);
    let user = "setpriv --reuid=1000 --regid=1000 --clear-groups";
    let holder =
        machine.start(&format!("exec {user} flock pid.lock sh -c 'echo locked; exec sleep 1000'"));
    assert_eq!(holder.line(), "locked");
    let refused = machine.run(DAEMON);
    assert!(refused.stderr.contains(" belongs to user "), "{refused:?}");
    let outcome = machine.run(&format!("{DAEMON} --no-strict-modes"));
    let path = machine.folder.path("pid.lock");
    let warning = format!(
        "knockd: warning: cannot lock {}: it belongs to another user; a second knockd with the same pid \
         file is not noticed\n",
        path.display()
    );
    assert_eq!((outcome.status, outcome.stderr), (Some(0), warning));
    end(&machine);
    assert!(path.exists());
}

#[test]
fn an_ordinary_user_runs_without_the_default_pid_file_and_is_refused_a_named_one() {
    let name = "an_ordinary_user_runs_without_the_default_pid_file_and_is_refused_a_named_one";
    let Some(machine) = machine(name, SLOW, &["setpriv"]) else { return };
    machine.folder.open_to_all();
    machine.folder.give_to(1000);
    // Not the folder of the real machine.
    machine.set_up("mount -t tmpfs -o mode=755 none /run");
    let user = "setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=+net_raw \
                --ambient-caps=+net_raw DIR/knockd -d -i lo -c DIR/knockd.conf";
    let outcome = machine.run(user);
    let warning = "knockd: warning: cannot write the pid file /var/run/knockd.pid: permission denied; \
                   name a place where you may write, or run as another user; knockd runs without one\n";
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), warning));
    machine.knock(&[7001]);
    machine.wait_for_lines("opened", 1);
    end(&machine);
    let refused = machine.run(&format!("{user} -p /run/named.pid"));
    let error = "knockd: error: cannot write the pid file /run/named.pid: permission denied; \
                 name a place where you may write, or run as another user\n";
    assert_eq!((refused.status, refused.stderr.as_str()), (Some(1), error));
}

#[test]
fn a_reload_moves_the_pid_file_and_its_lock() {
    let name = "a_reload_moves_the_pid_file_and_its_lock";
    let Some(machine) = machine(name, SLOW, &[]) else { return };
    let with = |path: &str| format!("[options]\nlogfile = DIR/log\npidfile = DIR/{path}\n{SLOW}");
    machine.folder.write("knockd.conf", &with("first"));
    let start = "$KNOCKD -d -i lo -c DIR/knockd.conf";
    machine.set_up(start);
    let daemon = machine.process("knockd");
    let number = format!("{}\n", daemon.inner().unwrap());
    machine.folder.write("knockd.conf", &with("second"));
    daemon.signal(Signal::SIGHUP);
    machine.wait_for_lines("second", 1);
    wait_until("the first one is gone", || !machine.folder.path("first.lock").exists());
    assert_eq!(machine.folder.read("second"), number);
    assert!(!machine.folder.path("first").exists());
    let other = machine.run(start);
    assert!(other.stderr.contains("another knockd is already running"), "{other:?}");
    // What cannot be used is not, and the old one stays: a folder, a pipe, and that of another daemon.
    machine.set_up("mkdir folder; mkfifo pipe");
    machine.set_up(&format!(
        "sed s/second/third/ knockd.conf > third.conf; {start} -c DIR/third.conf"
    ));
    for (path, cause) in [
        ("folder", "not a regular file; keeping the old one"),
        ("pipe", "not a regular file; keeping the old one"),
        ("third", "give each its own file with '-p'; keeping the old one"),
    ] {
        machine.folder.write("log", "");
        machine.folder.write("knockd.conf", &with(path));
        daemon.signal(Signal::SIGHUP);
        machine.wait_for_text("log", cause);
        assert_eq!(machine.folder.read("second"), number);
    }
    // The same file by another name is no other.
    machine.folder.write("log", "");
    machine.folder.write("knockd.conf", &with("./second"));
    daemon.signal(Signal::SIGHUP);
    machine.wait_for_text("log", "re-opening log file");
    assert!(!machine.folder.read("log").contains("keeping"), "{}", machine.folder.read("log"));
    for process in machine.named("knockd") {
        process.signal(Signal::SIGTERM);
    }
    machine.wait_for_no_process();
    for file in ["second", "second.lock", "third", "third.lock"] {
        assert!(!machine.folder.path(file).exists(), "{file}");
    }
}

fn machine(name: &str, config: &str, programs: &[&str]) -> Option<Machine> {
    require(name, &[PROGRAMS, programs].concat(), Need::Namespaces).then(|| Machine::with(config))
}

fn end(machine: &Machine) {
    machine.process("knockd").signal(Signal::SIGTERM);
    machine.wait_for_no_process();
}
