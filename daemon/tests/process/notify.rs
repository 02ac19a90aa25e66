//! The messages that a service manager gets.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};

use crate::common::{CONFIG, Daemon, Machine, Need, PROGRAMS, require, wait_until};

/// A service manager that only listens.
struct Manager(UnixDatagram);

impl Manager {
    /// Starts a daemon with more environment variables, and waits until it says that it is ready.
    fn start(machine: &Machine, environment: &str) -> (Self, Daemon) {
        let manager = Self::new(machine);
        let daemon = Daemon::start_as(machine, &script(environment));
        assert_eq!(manager.next(), "READY=1");
        (manager, daemon)
    }

    fn new(machine: &Machine) -> Self {
        let path = machine.folder.path("notify");
        // That of the last one is still there.
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        Self(socket)
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

    /// Reloads as systemd from 253 on does it for `Type=notify-reload`: it notes the time, sends the signal, and waits
    /// for a message that a reload has begun at that time or later, and then for one that the daemon is ready. What it
    /// gets before counts for nothing, and neither does a time in a message of its own.
    fn reload(&self, daemon: &Daemon) {
        let begin = monotonic();
        daemon.runner.signal(Signal::SIGHUP);
        self.wait_for_reload(begin);
        while !self.whole().lines().any(|line| line == "READY=1") {}
    }

    /// Waits until a reload has begun that began at this time or later.
    fn wait_for_reload(&self, begin: u128) {
        loop {
            let message = self.whole();
            let is_begin = message.lines().any(|line| line == "RELOADING=1");
            let time = message.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
            let time = time.map(|time| time.parse::<u128>().unwrap());
            if is_begin && time.is_some_and(|time| time >= begin) {
                assert!(time.unwrap() <= monotonic(), "{message} is in the future");
                return;
            }
        }
    }

    /// Returns the next message as it is.
    fn whole(&self) -> String {
        let mut buffer = [0; 200];
        let length = self.receive(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    fn next_of_any_kind(&self) -> String {
        let text = self.whole();
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

/// Returns what starts a daemon with more environment variables.
fn script(environment: &str) -> String {
    format!("NOTIFY_SOCKET=$PWD/notify {environment} exec $KNOCKD -i lo -c knockd.conf -v")
}

/// Returns the time of the clock by which reloads are stamped, in microseconds.
fn monotonic() -> u128 {
    Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap()).as_micros()
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

/// When it is ready, it knows the doors that a killed one has left open, and hears the next knock.
#[test]
fn a_daemon_is_ready_when_it_knows_what_is_open_and_hears() {
    let name = "a_daemon_is_ready_when_it_knows_what_is_open_and_hears";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let config = "[options]\nControlSocket = DIR/control\n[late]\nsequence = 7000:udp\ncmd_timeout = 600\n\
                  start_command = echo >>DIR/started\nstop_command = echo >>DIR/stopped\n";
    let machine = Machine::with(config);
    let list = format!("exec {} --socket control list", env!("CARGO_BIN_EXE_knockctl"));
    for time in 1..=3_u8 {
        let manager = Manager::new(&machine);
        let knocker = machine.knocker([127, 0, 0, time]);
        let live = machine.start(&script(""));
        // Nothing but this is waited for.
        assert_eq!(manager.next(), "READY=1");
        knocker.knock(&[7000]);
        machine.wait_for_lines("started", time.into());
        wait_until("it has all deadlines", || {
            machine.run(&list).stdout.matches(" in ").count() == usize::from(time)
        });
        machine.process("knockd").signal(Signal::SIGKILL);
        let _ = live.finish();
        machine.wait_for_no_process();
    }
    let (_manager, daemon) = Manager::start(&machine, "");
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(machine.folder.read("stopped").lines().count(), 3);
}

#[test]
fn a_manager_that_waits_for_the_times_of_reloads_gets_them() {
    let name = "a_manager_that_waits_for_the_times_of_reloads_gets_them";
    if !require(name, PROGRAMS, Need::Root) {
        return;
    }
    let machine = Machine::with(CONFIG);
    let (manager, daemon) = Manager::start(&machine, "");
    let other = "[other]\nsequence = 7009:udp\ncommand = echo >>DIR/other\n";
    for (text, port) in
        [(other, 7009), (CONFIG, 7000), ("[door]\nsequence = x\n", 7000), (other, 7009)]
    {
        machine.folder.write("knockd.conf", text);
        manager.reload(&daemon);
        // It is done by then: the next knock is heard by the doors of the file that counts.
        let ports: &[u16] = if port == 7009 { &[7009] } else { &[7000, 8000] };
        machine.knock(ports);
        machine.wait_for_lines(if port == 7009 { "other" } else { "opened" }, 1);
        for file in ["other", "opened"] {
            machine.folder.write(file, "");
        }
    }
    // Another reload is asked for while the first is under way: it begins after that, with a time of its own.
    daemon.sniffer.signal(Signal::SIGSTOP);
    let begin = monotonic();
    daemon.runner.signal(Signal::SIGHUP);
    manager.wait_for_reload(begin);
    let begin = monotonic();
    daemon.runner.signal(Signal::SIGHUP);
    wait_until("it has the signal", || !daemon.runner.has_pending(Signal::SIGHUP));
    daemon.sniffer.signal(Signal::SIGCONT);
    manager.wait_for_reload(begin);
    while manager.whole() != "READY=1" {}
    // The process that reads packets dies meanwhile: the reload is over when the next one has the doors.
    daemon.sniffer.signal(Signal::SIGSTOP);
    let begin = monotonic();
    daemon.runner.signal(Signal::SIGHUP);
    manager.wait_for_reload(begin);
    daemon.sniffer.signal(Signal::SIGKILL);
    assert_eq!(manager.next(), "RELOADING=1 MONOTONIC_USEC");
    assert_eq!(manager.next(), "READY=1");
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
