//! Waiting takes hardly any processor time.

use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Daemon, Machine, Need, PROGRAMS, Process, require, wait_until};

/// For how long nothing may happen: less than from one heartbeat to the next.
const QUIET: Duration = Duration::from_secs(3);

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
    // Until then they finish what they do after a command. Between two heartbeats nothing happens.
    wait_until("they are at rest", || is_quiet_for(QUIET));
    // In a while with several heartbeats, each wakes a process once or twice.
    let wakes = || processes.iter().map(Process::wakes).sum::<u64>();
    let (begin, before) = (Instant::now(), wakes());
    thread::sleep(4 * QUIET);
    let heartbeats = begin.elapsed().as_secs() / 5 + 1;
    let woken = wakes() - before;
    assert!(woken <= 6 * heartbeats, "woken {woken} times");
    // Right after a heartbeat, nothing disturbs the next second.
    let before = activity();
    wait_until("there is a heartbeat", || activity() != before);
    wait_until("they are at rest again", || is_quiet_for(Duration::from_millis(200)));
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
