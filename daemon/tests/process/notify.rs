//! The messages that a service manager gets.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::{CONFIG, Daemon, Machine, Need, PROGRAMS, require};

/// A service manager that only listens.
struct Manager(UnixDatagram);

impl Manager {
    /// Starts a daemon with more environment variables, and waits until it says that it is ready.
    fn start(machine: &Machine, environment: &str) -> (Self, Daemon) {
        let socket = UnixDatagram::bind(machine.folder.path("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let manager = Self(socket);
        let script =
            format!("NOTIFY_SOCKET=$PWD/notify {environment} exec $KNOCKD -i lo -c knockd.conf -v");
        let daemon = Daemon::start_as(machine, &script);
        assert_eq!(manager.next(), "READY=1");
        (manager, daemon)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.recv(buffer) {
                // The system does not restart a read with a timeout after a signal.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => return received,
            }
        }
    }

    /// Returns the next message but those about the status, without times.
    fn next(&self) -> String {
        loop {
            let message = self.next_of_any_kind();
            if !message.starts_with("STATUS=") {
                return message;
            }
        }
    }

    /// Waits until the manager shows this as the status, and drops the messages before it.
    fn wait_for_status(&self, text: &str) {
        while self.next_of_any_kind() != format!("STATUS={text}") {}
    }

    fn next_of_any_kind(&self) -> String {
        let mut buffer = [0; 200];
        let length = self.receive(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        let lines = text.lines().map(|line| match line.split_once('=') {
            Some(("MONOTONIC_USEC", time)) => {
                assert!(time.parse::<u64>().unwrap() > 0);
                "MONOTONIC_USEC"
            }
            _ => line,
        });
        lines.collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn a_service_manager_gets_messages_about_the_start_reloads_and_the_end() {
    let name = "a_service_manager_gets_messages_about_the_start_reloads_and_the_end";
    if !require(name, PROGRAMS, Need::Root) {
        return;
    }
    let machine = Machine::with(CONFIG);
    let (manager, daemon) = Manager::start(&machine, "");
    // A reload that is done, one that is rejected by the runner, and one that is done again.
    for text in [CONFIG, "[door]\nsequence = x\n", CONFIG] {
        machine.folder.write("knockd.conf", text);
        daemon.runner.signal(Signal::SIGHUP);
        assert_eq!(manager.next(), "RELOADING=1 MONOTONIC_USEC");
        assert_eq!(manager.next(), "READY=1");
    }
    daemon.runner.signal(Signal::SIGTERM);
    assert_eq!(manager.next(), "STOPPING=1");
    assert_eq!(daemon.live.finish().status, Some(0));
}

#[test]
fn a_service_manager_shows_how_many_doors_are_open() {
    let name = "a_service_manager_shows_how_many_doors_are_open";
    if !require(name, PROGRAMS, Need::Root) {
        return;
    }
    let machine = Machine::with(CONFIG);
    let (manager, daemon) = Manager::start(&machine, "");
    manager.wait_for_status("2 doors, 0 open");
    let longer = CONFIG.replace("cmd_timeout = 1", "cmd_timeout = 3");
    machine.folder.write("knockd.conf", &longer);
    daemon.runner.signal(Signal::SIGHUP);
    assert_eq!(manager.next(), "RELOADING=1 MONOTONIC_USEC");
    assert_eq!(manager.next(), "READY=1");
    machine.knock(&[7001, 8001]);
    manager.wait_for_status("2 doors, 1 open");
    manager.wait_for_status("2 doors, 0 open");
    let one = "[only]\n\tsequence = 7001:udp,8001:udp\n\tstart_command = true\n\tcmd_timeout = 1000\n\t\
               stop_command = true\n";
    machine.folder.write("knockd.conf", one);
    daemon.runner.signal(Signal::SIGHUP);
    manager.wait_for_status("1 door, 0 open");
    machine.knock(&[7001, 8001]);
    manager.wait_for_status("1 door, 1 open");
    daemon.runner.signal(Signal::SIGTERM);
    assert_eq!(manager.next(), "STOPPING=1");
    assert_eq!(daemon.live.finish().status, Some(0));
}

#[test]
fn a_service_manager_that_cannot_be_reached_is_an_error() {
    let name = "a_service_manager_that_cannot_be_reached_is_an_error";
    if !require(name, PROGRAMS, Need::Root) {
        return;
    }
    let machine = Machine::with(CONFIG);
    let outcome = machine.run("NOTIFY_SOCKET=/nonexistent exec $KNOCKD -i lo -c knockd.conf");
    assert_eq!(outcome.status, Some(1));
    let why = "cannot reach the service manager at $NOTIFY_SOCKET: ";
    assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
}

#[test]
fn a_watchdog_is_satisfied_only_while_both_processes_answer() {
    if !require("a_watchdog_is_satisfied_only_while_both_processes_answer", PROGRAMS, Need::Root) {
        return;
    }
    let machine = Machine::with(CONFIG);
    let (manager, daemon) = Manager::start(&machine, "WATCHDOG_USEC=2000000");
    for _ in 0..3 {
        assert_eq!(manager.next(), "WATCHDOG=1");
    }
    // The process that reads packets hangs: at most one answer is still under way.
    daemon.sniffer.signal(Signal::SIGSTOP);
    manager.0.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let mut messages = (0..10).map(|_| manager.receive(&mut [0; 200]));
    assert!(messages.any(|read| read.is_err()), "it went on");
    manager.0.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    daemon.sniffer.signal(Signal::SIGCONT);
    assert_eq!(manager.next(), "WATCHDOG=1");
    daemon.runner.signal(Signal::SIGTERM);
    while manager.next() != "STOPPING=1" {}
    assert_eq!(daemon.live.finish().status, Some(0));
}

#[test]
fn a_watchdog_of_another_process_gets_no_messages() {
    if !require("a_watchdog_of_another_process_gets_no_messages", PROGRAMS, Need::Root) {
        return;
    }
    let machine = Machine::with(CONFIG);
    let (manager, daemon) = Manager::start(&machine, "WATCHDOG_USEC=400000 WATCHDOG_PID=1");
    machine.knock(&[7000, 8000]);
    machine.wait_for_lines("opened", 1);
    daemon.runner.signal(Signal::SIGTERM);
    assert_eq!(daemon.live.finish().status, Some(0));
    assert_eq!(manager.next(), "STOPPING=1");
}
