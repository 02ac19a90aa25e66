//! A sniffer that was taken over cannot harm the runner, whatever it sends.

use std::io::{ErrorKind, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::common::{CONFIG, Daemon, Machine, Need, PROGRAMS, Process, require, wait_until};

/// The phases of a command in a message.
const START: u8 = 0;
const STOP: u8 = 1;

/// The doors of [`CONFIG`].
const DOOR: u8 = 0;
const TIMED: u8 = 1;

/// What the runner may grow to, in KiB.
const MEMORY_MAX: u64 = 150 << 10;

/// How long a message waits to be taken where messages are not to be taken for ever.
const SOON: Duration = Duration::from_secs(2);
/// How long where all are to be taken, however busy the machine is.
const LATE: Duration = Duration::from_mins(1);

#[test]
fn a_sniffer_that_does_not_read_orders_does_not_make_the_runner_grow() {
    let name = "a_sniffer_that_does_not_read_orders_does_not_make_the_runner_grow";
    let Some(machine) = machine(name, CONFIG) else { return };
    let daemon = Daemon::start(&machine, "");
    let sniffer = Taken::new(&daemon.sniffer);
    // There is no such command, so each message is answered by an order.
    let taken = sniffer
        .send_all((0..4_000_000).map(|number| run(number, DOOR, STOP, client(number))), SOON);
    assert!(taken < 2_000_000, "{taken} messages were taken");
    assert_is_small(&daemon.runner);
    // At the end, the runner drops the orders that are left.
    daemon.runner.signal(Signal::SIGTERM);
    assert_eq!(daemon.live.finish().status, Some(0));
    machine.wait_for_no_process();
}

#[test]
fn a_sniffer_that_asks_for_endless_commands_does_not_make_the_runner_grow() {
    let name = "a_sniffer_that_asks_for_endless_commands_does_not_make_the_runner_grow";
    let begin = "start_command = : ; exec sleep 600";
    let config = CONFIG.replace("start_command = echo %IP% >> DIR/started", begin);
    let Some(machine) = machine(name, &config) else { return };
    let daemon = Daemon::start(&machine, "");
    let sniffer = Taken::new(&daemon.sniffer);
    let taken = sniffer
        .send_all((0..400_000).map(|number| run(number, TIMED, START, client(number))), LATE);
    assert_eq!(taken, 400_000);
    assert_is_small(&daemon.runner);
    // As many as one door may have.
    wait_until("commands run", || machine.named("sleep").len() >= 33);
    assert_eq!(machine.named("sleep").len(), 33);
    daemon.runner.signal(Signal::SIGTERM);
    // Doors whose start command did not run are not closed. The others are, after their start commands.
    assert_eq!(daemon.live.finish().status, Some(0));
    assert_eq!(machine.folder.read("stopped").lines().count(), 33);
}

#[test]
fn doors_that_a_sniffer_opens_beyond_the_limit_stay_shut() {
    let name = "doors_that_a_sniffer_opens_beyond_the_limit_stay_shut";
    let Some(machine) = machine(name, CONFIG) else { return };
    let daemon = Daemon::start(&machine, "--max-attempts 10");
    let sniffer = Taken::new(&daemon.sniffer);
    let openings = (0..20).map(|number| run(number, TIMED, START, client(number)));
    assert_eq!(sniffer.send_all(openings.chain([run(20, DOOR, START, client(20))]), LATE), 21);
    // The last one has no stop command, so it is not an open door, but comes after all others.
    machine.wait_for_lines("opened", 1);
    machine.wait_for_lines("started", 10);
    let ended = daemon.end();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let mut started: Vec<String> =
        machine.folder.read("started").lines().map(String::from).collect();
    let mut stopped: Vec<String> =
        machine.folder.read("stopped").lines().map(String::from).collect();
    started.sort();
    stopped.sort();
    let mut expected: Vec<String> = (0..10).map(|number| client(number).to_string()).collect();
    expected.sort();
    assert_eq!((&started, &stopped), (&expected, &expected));
}

#[test]
fn an_invalid_message_ends_the_daemon_which_closes_its_doors() {
    let name = "an_invalid_message_ends_the_daemon_which_closes_its_doors";
    let config = CONFIG.replace("cmd_timeout = 1", "cmd_timeout = 600");
    let Some(machine) = machine(name, &config) else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7001, 8001]);
    machine.wait_for_lines("started", 1);
    let sniffer = Taken::new(&daemon.sniffer);
    sniffer.send_all((0..1000).map(|_| [255; 64]), SOON);
    let outcome = daemon.live.finish();
    let error = "knockd: error: the process that reads packets is broken or was taken over (invalid \
                 message); closing all doors and exiting\n";
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(1), error));
    assert_eq!(machine.folder.read("stopped"), "127.0.0.1\n");
    machine.wait_for_no_process();
}

/// The sniffer's end of the socket to the runner. The sniffer itself is stopped.
struct Taken(UnixStream);

impl Taken {
    fn new(sniffer: &Process) -> Self {
        sniffer.signal(Signal::SIGSTOP);
        let socket = sniffer.take_socket();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    /// Sends messages until all are taken, or none is taken for so long, or the runner has ended.
    /// Returns how many were taken.
    fn send_all(&self, messages: impl Iterator<Item = [u8; 64]>, patience: Duration) -> usize {
        let mut taken = 0;
        for message in messages {
            let begin = Instant::now();
            let mut rest = &message[..];
            while !rest.is_empty() {
                match (&self.0).write(rest) {
                    Ok(length) => rest = &rest[length..],
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        if begin.elapsed() > patience {
                            return taken;
                        }
                        thread::sleep(Duration::from_millis(1));
                    }
                    Err(_) => return taken,
                }
            }
            taken += 1;
        }
        taken
    }
}

/// Returns a message that asks for a command, as `daemon/src/wire` writes it.
fn run(number: u32, door: u8, phase: u8, client: Ipv4Addr) -> [u8; 64] {
    let mut message = [0; 64];
    message[..6].copy_from_slice(&[19, phase, 4, 0, 0, door]);
    message[16..24].copy_from_slice(&u64::from(number).to_be_bytes());
    message[36..40].copy_from_slice(&client.octets());
    message
}

fn client(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 + number)
}

fn assert_is_small(process: &Process) {
    let memory = process.status("VmHWM");
    let kib: u64 = memory.strip_suffix(" kB").unwrap().parse().unwrap();
    assert!(kib < MEMORY_MAX, "{memory}");
}

fn machine(name: &str, config: &str) -> Option<Machine> {
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(config))
}
