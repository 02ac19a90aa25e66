//! `--lookup`: names of clients, which must not delay anything else.

use std::collections::VecDeque;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;

use crate::common::{Daemon, Machine, Need, PROGRAMS, require, wait_until};
use crate::resolver::answer;

#[test]
fn lines_have_the_address_and_the_name_of_a_client() {
    let Some(machine) = machine("lines_have_the_address_and_the_name_of_a_client") else { return };
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
fn a_resolver_that_dies_is_collected_reported_and_replaced() {
    let name = "a_resolver_that_dies_is_collected_reported_and_replaced";
    let Some(machine) = machine(name) else { return };
    let addresses = (1..=3).map(|last| format!("127.0.0.{last} named.example\n"));
    machine.folder.write("hosts", &addresses.collect::<String>());
    machine.set_up("mount --bind hosts /etc/hosts");
    let daemon = Daemon::start(&machine, "-v --lookup");
    for last in 1..=2 {
        let resolver = machine.resolver();
        resolver.signal(Signal::SIGKILL);
        let error = "knockd: warning: the process that looks up names has died (killed by SIGKILL); starting \
                     another: until then, lines have addresses only";
        daemon.wait_for_error(error);
        wait_until("there is another one", || {
            machine.named("knockd: resolver").iter().any(|new| new.id != resolver.id)
        });
        assert!(!resolver.path("stat").exists(), "it was not collected");
        // The new one has names, once its socket has come to where lines are written.
        wait_until("a line has a name", || {
            machine.knocker([127, 0, 0, last + 1]).knock(&[7000]);
            daemon.live.line().contains("(named.example)")
        });
    }
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
    let printed = SystemTime::now();
    // By then the command was run, though its line comes later.
    let opened = fs::metadata(machine.folder.path("opened")).unwrap().modified().unwrap();
    assert!(opened < printed, "{opened:?} {printed:?}");
    // The server got a question, or this test has shown nothing.
    silent.recv(&mut [0; 512]).unwrap();
    assert_eq!(daemon.live.line(), "127.0.0.1: door: Stage 2");
    assert_eq!(daemon.live.line(), "127.0.0.1: door: OPEN SESAME");
    assert!(daemon.live.line().starts_with("door: running command: "));
    // More clients than can be looked up at once: no line is missing, and few wait.
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
    machine.wait_for_no_process();
}

#[test]
fn a_slow_name_server_delays_no_line_for_long_and_loses_none() {
    let name = "a_slow_name_server_delays_no_line_for_long_and_loses_none";
    let Some(machine) = machine(name) else { return };
    let server = silent_name_server(&machine);
    let answering = thread::spawn(move || {
        // Each answer comes 0.8 seconds after its question, whatever else was asked.
        let mut late: VecDeque<(Instant, Vec<u8>, SocketAddr)> = VecDeque::new();
        let mut answered = 0_u32;
        loop {
            let now = Instant::now();
            while let Some((_, answer, to)) = late.pop_front_if(|(due, ..)| *due <= now) {
                server.send_to(&answer, to).unwrap();
                answered += 1;
            }
            server.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            let mut query = [0; 512];
            let Ok((length, from)) = server.recv_from(&mut query) else { continue };
            if query[..length].windows(3).any(|part| part == b"end") {
                return answered;
            }
            let due = Instant::now() + Duration::from_millis(800);
            late.push_back((due, answer(&query[..length], "slow", false), from));
        }
    });
    let daemon = Daemon::start(&machine, "--lookup -g DIR/log");
    // Far more clients than can be looked up in the time, which all come at once.
    let clients = 60;
    for last in 1..=clients {
        machine.knocker([127, 0, 1, last]).knock(&[7000, 8000]);
    }
    let begin = Instant::now();
    machine.wait_for_lines("opened", clients.into());
    let opened = || machine.folder.read("log").matches("OPEN SESAME").count();
    wait_until("all openings are logged", || opened() >= usize::from(clients));
    // One after the other, they would take 48 seconds, and 12 with four at a time.
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    // A name that came too late for its line is there for the next one.
    wait_until("there is a name", || {
        machine.knocker([127, 0, 1, 1]).knock(&[7000]);
        machine.folder.read("log").contains("] 127.0.1.1 (slow.example): door: Stage 1\n")
    });
    assert_eq!(daemon.end().status, Some(0));
    let log = machine.folder.read("log");
    for last in 1..=clients {
        let with_name = format!("] 127.0.1.{last} (slow.example): door: OPEN SESAME\n");
        let without = format!("] 127.0.1.{last}: door: OPEN SESAME\n");
        let count = log.matches(&with_name).count() + log.matches(&without).count();
        assert_eq!(count, 1, "127.0.1.{last}: {log}");
    }
    let last = machine.on_network(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    last.send_to(b"end", (Ipv4Addr::new(127, 0, 0, 53), 53)).unwrap();
    // The server was asked, or this test has shown nothing.
    assert!(answering.join().unwrap() >= 1);
}

#[test]
fn a_resolver_that_dies_keeps_no_door_shut() {
    let Some(machine) = machine("a_resolver_that_dies_keeps_no_door_shut") else { return };
    let daemon = Daemon::start(&machine, "-v --lookup");
    machine.resolver().signal(Signal::SIGKILL);
    machine.knock(&[7000, 8000]);
    // By then, another one may have answered.
    assert!(daemon.next_opening().starts_with("127.0.0.1"));
    machine.wait_for_lines("opened", 1);
    assert_eq!(daemon.end().status, Some(0));
}

fn machine(name: &str) -> Option<Machine> {
    require(name, PROGRAMS, Need::Namespaces).then(Machine::new)
}

/// Has all names looked up at a server that never answers.
fn silent_name_server(machine: &Machine) -> UdpSocket {
    machine.folder.write("hosts", "");
    machine.folder.write("resolv.conf", "nameserver 127.0.0.53\n");
    machine.set_up("mount --bind hosts /etc/hosts && mount --bind resolv.conf /etc/resolv.conf");
    machine.on_network(|| UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 53), 53)).unwrap())
}
