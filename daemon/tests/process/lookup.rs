//! `--lookup`: names of clients, and what they must not delay.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant, SystemTime};

use crate::common::{Daemon, Machine, Need, PROGRAMS, require};

#[test]
fn a_client_is_told_by_its_address_and_its_name() {
    let Some(machine) = machine("a_client_is_told_by_its_address_and_its_name") else { return };
    machine.folder.write("hosts", "127.0.0.1 named.example other.example\n");
    machine.set_up("mount --bind hosts /etc/hosts");
    let daemon = Daemon::start(&machine, "-v --lookup");
    machine.knock(&[7000, 8000]);
    assert_eq!(daemon.live.line(), "127.0.0.1 (named.example): door: Stage 1");
    assert_eq!(daemon.live.line(), "127.0.0.1 (named.example): door: Stage 2");
    assert_eq!(daemon.live.line(), "127.0.0.1 (named.example): door: OPEN SESAME");
    let command = daemon.live.line();
    assert!(command.starts_with("door: running command: echo 127.0.0.1 >> "), "{command}");
    // Another client has no name. The command has the address in any case.
    machine.knocker([127, 0, 0, 2]).knock(&[7000]);
    assert_eq!(daemon.live.line(), "127.0.0.2: door: Stage 1");
    machine.wait_for_lines("opened", 1);
    assert_eq!(machine.folder.read("opened"), "127.0.0.1\n");
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_name_is_also_in_the_log_file() {
    let Some(machine) = machine("a_name_is_also_in_the_log_file") else { return };
    machine.folder.write("hosts", "127.0.0.1 named.example\n");
    machine.set_up("mount --bind hosts /etc/hosts");
    let daemon = Daemon::start(&machine, "-l -g DIR/log");
    machine.knock(&[7000]);
    machine.wait_for_text("log", "] 127.0.0.1 (named.example): door: Stage 1\n");
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_resolver_that_never_answers_delays_lines_and_no_command() {
    let name = "a_resolver_that_never_answers_delays_lines_and_no_command";
    let Some(machine) = machine(name) else { return };
    let silent = silent_name_server(&machine);
    let daemon = Daemon::start(&machine, "-v --lookup");
    machine.knock(&[7000, 8000]);
    assert_eq!(daemon.live.line(), "127.0.0.1: door: Stage 1");
    let told = SystemTime::now();
    // By then the command, which is asked for by a later line, was run.
    let opened = fs::metadata(machine.folder.path("opened")).unwrap().modified().unwrap();
    assert!(opened < told, "{opened:?} {told:?}");
    // It was asked in vain, or this test has shown nothing.
    silent.recv(&mut [0; 512]).unwrap();
    assert_eq!(daemon.live.line(), "127.0.0.1: door: Stage 2");
    assert_eq!(daemon.live.line(), "127.0.0.1: door: OPEN SESAME");
    assert!(daemon.live.line().starts_with("door: running command: "));
    // Lines of more clients than have names looked up at once: none is missing, and few wait in vain.
    let begin = Instant::now();
    for last in 2..=20 {
        machine.knocker([127, 0, 0, last]).knock(&[7000]);
    }
    for last in 2..=20 {
        assert_eq!(daemon.live.line(), format!("127.0.0.{last}: door: Stage 1"));
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    let outcome = daemon.end();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    machine.wait_for_nobody();
}

#[test]
fn without_a_resolver_there_are_lines_without_names() {
    let Some(machine) = machine("without_a_resolver_there_are_lines_without_names") else { return };
    let daemon = Daemon::start(&machine, "-v --lookup");
    machine.process("knockd: resolver").signal(nix::sys::signal::Signal::SIGKILL);
    machine.knock(&[7000, 8000]);
    daemon.wait_for("127.0.0.1: door: OPEN SESAME");
    machine.wait_for_lines("opened", 1);
    assert_eq!(daemon.end().status, Some(0));
}

fn machine(name: &str) -> Option<Machine> {
    require(name, PROGRAMS, Need::Namespaces).then(Machine::new)
}

/// Has all names asked for at a server that hears and says nothing.
fn silent_name_server(machine: &Machine) -> UdpSocket {
    machine.folder.write("hosts", "");
    machine.folder.write("resolv.conf", "nameserver 127.0.0.53\n");
    machine.set_up("mount --bind hosts /etc/hosts && mount --bind resolv.conf /etc/resolv.conf");
    machine.on_network(|| UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 53), 53)).unwrap())
}
