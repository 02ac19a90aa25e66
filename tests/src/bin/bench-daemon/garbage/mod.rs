//! Floods of packets that open nothing, as fast as they can be sent, and honest knocks among them.

mod honest;
mod kinds;

use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum as _;

use self::honest::{Honest, Knocks};
use self::kinds::Flood;
pub(crate) use self::kinds::Kind;
use crate::daemon::{Daemon, Program, Usage};
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

/// A daemon that was flooded.
struct Outcome {
    /// The packets sent in a second.
    rate: f64,
    /// How many were sent, and how many of them were lost, as far as anybody knows.
    sent: u64,
    lost: u64,
    /// What its processes used until honest clients knocked, and the nanoseconds of processor time for a packet.
    used: Usage,
    nanos: f64,
    knocks: Knocks,
}

/// Measures these kinds, or all if there are none.
pub(crate) fn measure(
    ours: &Program,
    theirs: &Program,
    trials: usize,
    kinds: &[Kind],
    table: &mut Table,
) {
    table.head("honest knocks without a flood");
    crate::progress("garbage: honest knocks without a flood");
    let pause = || thread::sleep(Duration::from_micros(20));
    let (our_wire, their_wire) = (Wire::new(), Wire::new());
    let mut honest = Honest::set_up(&our_wire);
    let daemon = Daemon::start(ours, &our_wire, &[]);
    let our_knocks = honest.knocks(trials, pause);
    drop(daemon);
    let mut honest = Honest::set_up_for_08(&their_wire);
    let daemon = Daemon::start(theirs, &their_wire, &[]);
    let their_knocks = honest.knocks(trials, pause);
    drop(daemon);
    report(&our_knocks, &their_knocks, table);
    let kinds = if kinds.is_empty() { Kind::value_variants() } else { kinds };
    for &kind in kinds {
        crate::progress(&format!("garbage: {}", kind.name()));
        let wire = Wire::new();
        let ours = flood(ours, kind, trials, &wire, Honest::set_up(&wire));
        let wire = Wire::new();
        let theirs = flood(theirs, kind, trials, &wire, Honest::set_up_for_08(&wire));
        add(kind, &ours, &theirs, table);
    }
}

fn flood(
    program: &Program,
    kind: Kind,
    trials: usize,
    wire: &Wire,
    mut honest: Honest<'_>,
) -> Outcome {
    let daemon = Daemon::start(program, wire, &[]);
    let mut flood = Flood::new(kind, wire);
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
    let nanos = used.cpu.as_secs_f64() * 1e9 / flood.sent() as f64;
    let knocks = honest.knocks(trials, || flood.send());
    wait_for_rest(&daemon);
    let (arrived, dropped) = daemon.arrived();
    let sent = flood.sent() + knocks.packets;
    let lost = dropped + sent.saturating_sub(arrived + dropped) + reported_lost(&daemon.end());
    Outcome { rate, sent, lost, used, nanos, knocks }
}

/// Adds the rows of a kind. knockd 0.8 does not say what it has lost.
fn add(kind: Kind, ours: &Outcome, theirs: &Outcome, table: &mut Table) {
    let Outcome { sent, lost, used, .. } = ours;
    table.head(&format!("garbage: {}", kind.name()));
    let [our_rate, their_rate] = [ours, theirs].map(|one| format!("{:.0}", one.rate));
    table.row("packets a second").ours(&our_rate).theirs(&their_rate);
    table.row("packets lost").ours(&format!("{lost} of {sent}")).bar(&"0", *lost == 0);
    let [our_nanos, their_nanos] = [ours, theirs].map(|one| format!("{:.0} ns", one.nanos));
    let row = table.row("processor time for each").ours(&our_nanos).theirs(&their_nanos);
    if !kind.is_wanted() {
        row.bar(&"0", used.cpu < CPU_MAX);
        let row = table.row("times that a process woke");
        row.ours(&used.waits).theirs(&theirs.used.waits).bar(&"0", used.waits == 0);
    }
    report(&ours.knocks, &theirs.knocks, table);
}

/// Adds the rows about honest knocks.
fn report(ours: &Knocks, theirs: &Knocks, table: &mut Table) {
    let what = "honest knock, sequence: median, 99 of 100";
    let row = table.row(what).ours(&quantiles(&ours.sequences));
    row.theirs(&quantiles(&theirs.sequences));
    let what = "honest knock, signed: median, 99 of 100";
    table.row(what).ours(&quantiles(&ours.signed));
    let opened = |knocks: &Knocks| {
        let opened = knocks.sequences.len();
        format!("{opened} of {}", knocks.made_sequences)
    };
    let row = table.row("honest sequences that opened").ours(&opened(ours));
    row.theirs(&opened(theirs));
    let opened = ours.sequences.len() + ours.signed.len();
    let row = table.row("honest knocks that opened").ours(&format!("{opened} of {}", ours.made));
    row.bar(&"all", opened == ours.made);
}

fn quantiles(times: &[Duration]) -> String {
    if times.is_empty() {
        return "none".to_owned();
    }
    let mut times: Vec<Millis> = times.iter().copied().map(millis).collect();
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let [median, most] = [0.5, 0.99].map(|share| quantile(&times, share));
    format!("{median}, {most}")
}
