//! The messages that a service manager gets.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::{CONFIG, Daemon, Machine, Need, PROGRAMS, require};

/// A service manager that only listens.
struct Manager(UnixDatagram);

impl Manager {
    fn new(machine: &Machine) -> Self {
        let socket = UnixDatagram::bind(machine.folder.path("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        Self(socket)
    }

    /// Returns the next message, without times.
    fn next(&self) -> String {
        let mut buffer = [0; 200];
        let length = self.0.recv(&mut buffer).unwrap();
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
    let manager = Manager::new(&machine);
    let daemon = Daemon::start_as(
        &machine,
        "NOTIFY_SOCKET=$PWD/notify exec $KNOCKD -i lo -c knockd.conf -v",
    );
    assert_eq!(manager.next(), "READY=1");
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
