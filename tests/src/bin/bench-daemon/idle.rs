//! The cost of waiting.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use crate::daemon::{Daemon, Program, Usage};
use crate::flood::{Pace, pace};
use crate::latency::millis;
use crate::table::Table;
use crate::wire::{CLIENT, SEQUENCE, Wire, datagram, syn};

const IDLE: Duration = Duration::from_secs(10);
const PACE: Pace = Pace { per_second: 20_000, count: 100_000 };

/// How much processor time unwanted packets may take.
const CPU_MAX: Duration = Duration::from_millis(1);

pub(crate) fn measure(ours: &Program, theirs: &Program, table: &mut Table) {
    let what = format!("idle: {} s without a packet", IDLE.as_secs());
    crate::progress(&what);
    let (our_wire, their_wire) = (Wire::new(), Wire::new());
    let ours = Daemon::start(ours, &our_wire, &[]);
    let theirs = Daemon::start(theirs, &their_wire, &[]);
    let before = (ours.usage(), theirs.usage());
    thread::sleep(IDLE);
    let (our_idle, their_idle) = (ours.usage().since(before.0), theirs.usage().since(before.1));
    table.head(&what);
    judge_waits(table, our_idle, their_idle);
    table.row("processor time").ratio(millis(our_idle.cpu), millis(their_idle.cpu));

    let Pace { per_second, count } = PACE;
    let what = format!("idle: {count} packets that no door wants, {per_second} a second");
    crate::progress(&what);
    let our_busy = unwanted(&ours, &our_wire);
    let their_busy = unwanted(&theirs, &their_wire);
    table.head(&what);
    judge_waits(table, our_busy, their_busy);
    let time = table.row("processor time");
    time.ratio(millis(our_busy.cpu), millis(their_busy.cpu));
    time.bar(&format!("< {}", millis(CPU_MAX)), our_busy.cpu < CPU_MAX);
    assert_hears(&ours, &our_wire);
    assert_hears(&theirs, &their_wire);
}

fn judge_waits(table: &mut Table, ours: Usage, theirs: Usage) {
    let row = table.row("times that a process woke");
    row.ours(&ours.waits).theirs(&theirs.waits).bar(&"0", ours.waits == 0);
}

/// Sends packets to other ports, by both protocols, and to a port of the door by the wrong one.
fn unwanted(daemon: &Daemon<'_>, wire: &Wire) -> Usage {
    let before = daemon.usage();
    pace(PACE, |number| {
        let from = Ipv4Addr::from(0x0a00_0000 | (number % 5000));
        let port = 10_000 + (number % 50_000) as u16;
        wire.send(&match number % 4 {
            0 => datagram(from, SEQUENCE[0], &[0; 100]),
            1 => datagram(from, port, &[0; 1000]),
            _ => syn(from, port, number),
        });
    });
    daemon.usage().since(before)
}

/// Checks that the daemon listened all the time, and that the statistics show when it wakes.
fn assert_hears(daemon: &Daemon<'_>, wire: &Wire) {
    let before = daemon.usage();
    for port in SEQUENCE {
        wire.syn(CLIENT, port);
    }
    let started = wire.started(&CLIENT.to_string(), Duration::from_secs(5));
    assert!(started.is_some(), "an honest knock is heard");
    let used = daemon.usage().since(before);
    assert!(used.waits > 0 && used.cpu > Duration::ZERO, "{used:?} is what a knock takes");
}
