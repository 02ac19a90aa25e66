//! Waiting takes hardly any processor time.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::common::{Daemon, Machine, Need, PROGRAMS, Process, require, wait_until};

/// For how long nothing may happen: more than from an order to the question whether it was taken.
const QUIET: Duration = Duration::from_secs(6);

#[test]
fn without_packets_no_process_is_woken() {
    if !require("without_packets_no_process_is_woken", PROGRAMS, Need::Namespaces) {
        return;
    }
    let machine = Machine::new();
    // With several interfaces, packets wait for earlier ones of the others.
    machine.set_up(
        "ip link add name w0 type veth peer name w1
        for each in w0 w1; do ip link set $each addrgenmode none up; done",
    );
    let daemon =
        Daemon::start_as(&machine, "exec $KNOCKD -i lo -i w0 -c knockd.conf --lookup -g DIR/log");
    // A door was opened and closed: nothing of that wakes a process later.
    machine.knock(&[7001, 8001]);
    machine.wait_for_lines("stopped", 1);
    let mut processes = vec![daemon.runner.clone(), daemon.sniffer.clone()];
    processes.push(machine.resolver());
    let activity = || processes.iter().map(Process::activity).collect::<Vec<_>>();
    let is_quiet_for = |time| {
        let before = activity();
        thread::sleep(time);
        before == activity()
    };
    // Until then they finish what they do after a command, and one is asked whether it still works.
    wait_until("they are at rest", || is_quiet_for(QUIET));
    // Then nothing wakes them: there is no heartbeat without work.
    assert!(is_quiet_for(2 * QUIET));
    let before = activity();
    // Packets that no door wants are not even seen.
    machine.knock(&[1, 2, 3, 9999]);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(activity(), before);
    // Others are seen, or this test has shown nothing.
    machine.knock(&[7000]);
    wait_until("it is woken by a knock", || activity() != before);
    assert_eq!(daemon.end().status, Some(0));
}

/// Clients of each of 64 doors: their commands are nearly as many as doors may be open (10,000).
const CLIENTS: u8 = 148;

#[test]
fn a_runner_without_a_sniffer_takes_no_processor_time_whatever_waits() {
    let name = "a_runner_without_a_sniffer_takes_no_processor_time_whatever_waits";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let ports: Vec<u16> = (7000..7064).collect();
    let door = |port| format!("[{port}]\nsequence = {port}:udp\ncommand = exec sleep 600\n");
    let machine = Machine::with(&ports.iter().map(door).collect::<String>());
    let daemon = Daemon::start(&machine, "-g DIR/log");
    let openings = || machine.folder.read("log").matches("OPEN SESAME").count();
    for client in 1..=CLIENTS {
        machine.knocker([127, 0, 1, client]).knock(&ports);
        // The kernel drops what is sent while a thousand packets wait at the loopback interface.
        if client % 4 == 0 {
            let expected = ports.len() * usize::from(client);
            wait_until("all have opened", || openings() == expected);
        }
    }
    // The more often it dies, the longer is the pause before the next one.
    let mut sniffer = daemon.sniffer.clone();
    for _ in 0..4 {
        sniffer.signal(Signal::SIGKILL);
        wait_until("it was replaced", || {
            let next = machine.named("knockd: sniffer");
            let next = next.into_iter().find(|next| next.id != sniffer.id);
            next.is_some_and(|next| {
                // It has become what it is to be, and reads packets.
                let is_ready = next.status("Seccomp") == "2";
                if is_ready {
                    sniffer = next;
                }
                is_ready
            })
        });
    }
    let dead = "the process that reads packets has died";
    sniffer.signal(Signal::SIGKILL);
    wait_until("it is dead", || machine.folder.read("log").matches(dead).count() == 5);
    // On a busy machine, a process that spins gets as much as this thread does.
    let before = processor_time(&daemon.runner);
    let (begin, spun_before) = (Instant::now(), thread_time());
    while begin.elapsed() < Duration::from_secs(2) {
        std::hint::spin_loop();
    }
    let (used, spun) = (processor_time(&daemon.runner) - before, thread_time() - spun_before);
    assert_eq!(machine.named("knockd: sniffer").len(), 0, "the next one was started meanwhile");
    assert!(used <= 5 + spun / 5, "{used} ticks, and a loop {spun}");
    daemon.runner.signal(Signal::SIGKILL);
}

/// Returns the processor time of a process, in ticks.
fn processor_time(process: &Process) -> u64 {
    let ticks = process.activity().into_iter().map(|[.., ticks]| ticks);
    let sum =
        |ticks: String| ticks.split('+').map(|part| part.parse::<u64>().unwrap()).sum::<u64>();
    ticks.map(sum).sum()
}

/// Returns the processor time of this thread, in ticks.
fn thread_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_whitespace().skip(11).take(2).map(|part| part.parse::<u64>().unwrap()).sum()
}
