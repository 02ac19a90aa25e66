//! Floods of packets that open nothing, as fast as they can be sent, and honest knocks among them.

mod honest;
mod kinds;

use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum as _;

use self::honest::{Honest, Knocks};
use self::kinds::Flood;
pub(crate) use self::kinds::Kind;
use crate::daemon::{Daemon, Program};
use crate::flood::{reported_lost, wait_for_rest};
use crate::latency::millis;
use crate::table::{Millis, Table, quantile};
use crate::wire::Wire;

/// How long a flood without honest knocks lasts, which shows what a packet costs.
const LASTS: Duration = Duration::from_secs(3);

/// How often an honest client knocks during a flood.
const EVERY: Duration = Duration::from_millis(25);

/// How much processor time a flood of packets that no door wants may take, as in `idle`.
const CPU_MAX: Duration = Duration::from_millis(1);

/// Measures these kinds, or all if there are none.
pub(crate) fn measure(ours: &Program, trials: usize, kinds: &[Kind], table: &mut Table) {
    table.head("honest knocks without a flood");
    crate::progress("garbage: honest knocks without a flood");
    let wire = Wire::new();
    let mut honest = Honest::set_up(&wire);
    let daemon = Daemon::start(ours, &wire, &[]);
    let knocks = honest.knocks(trials, || thread::sleep(Duration::from_micros(20)));
    drop(daemon);
    report(&knocks, table);
    let kinds = if kinds.is_empty() { Kind::value_variants() } else { kinds };
    for &kind in kinds {
        flood(ours, kind, trials, table);
    }
}

fn flood(program: &Program, kind: Kind, trials: usize, table: &mut Table) {
    crate::progress(&format!("garbage: {}", kind.name()));
    let wire = Wire::new();
    let mut honest = Honest::set_up(&wire);
    let daemon = Daemon::start(program, &wire, &[]);
    let mut flood = Flood::new(kind, &wire);
    wait_for_rest(&daemon);
    let (before, begin) = (daemon.usage(), Instant::now());
    while begin.elapsed() < LASTS {
        flood.send();
    }
    let rate = flood.sent() as f64 / begin.elapsed().as_secs_f64();
    if kind.is_wanted() {
        wait_for_rest(&daemon);
    }
    let used = daemon.usage().since(before);
    let each = used.cpu.as_secs_f64() * 1e9 / flood.sent() as f64;
    let knocks = honest.knocks(trials, || flood.send());
    wait_for_rest(&daemon);
    let (arrived, dropped) = daemon.arrived();
    let all = flood.sent() + knocks.packets;
    let lost = dropped + all.saturating_sub(arrived + dropped) + reported_lost(&daemon.end());

    table.head(&format!("garbage: {}", kind.name()));
    table.row("packets a second").ours(&format!("{rate:.0}"));
    table.row("packets lost").ours(&format!("{lost} of {all}")).bar(&"0", lost == 0);
    let row = table.row("processor time for each").ours(&format!("{each:.0} ns"));
    if !kind.is_wanted() {
        row.bar(&"0", used.cpu < CPU_MAX);
        let row = table.row("times that a process woke").ours(&used.waits);
        row.bar(&"0", used.waits == 0);
    }
    report(&knocks, table);
}

fn report(knocks: &Knocks, table: &mut Table) {
    for (name, times) in [("sequence", &knocks.sequences), ("signed", &knocks.signed)] {
        if times.is_empty() {
            continue;
        }
        let mut times: Vec<Millis> = times.iter().copied().map(millis).collect();
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        let [median, most] = [0.5, 0.99].map(|share| quantile(&times, share));
        let row = table.row(&format!("honest knock, {name}: median, 99 of 100"));
        row.ours(&format!("{median}, {most}"));
    }
    let opened = knocks.sequences.len() + knocks.signed.len();
    let row = table.row("honest knocks that opened").ours(&format!("{opened} of {}", knocks.made));
    row.bar(&"all", opened == knocks.made);
}
