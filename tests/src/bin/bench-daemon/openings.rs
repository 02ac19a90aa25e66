//! How many openings a second the daemon can do with `Open`.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::{Daemon, Program};
use crate::firewall::{Opener, Watch};
use crate::flood::{Pace, Sent, pace, spoofed, wait_for_rest};
use crate::latency::millis;
use crate::table::{Millis, Table};
use crate::wire::{CLIENT, SEQUENCE, Wire, syn};

/// How many openings a second must be possible.
const RATE_MIN: f64 = 5_000.0;

/// A little faster than that.
const PER_SECOND: u32 = 6_000;

/// For how many seconds.
const LASTS: u32 = 5;

/// How many clients there are. They knock in turn: whoever is in already gets all the time again, which is
/// as much work for the kernel and as many lines in the log. A door has at most 5,000 clients at once.
const CLIENTS: u32 = 4_000;

/// An hour: nobody's time ends.
const LONG: u32 = 3_600;

/// The result of many openings.
#[derive(Debug)]
struct Outcome {
    sent: Sent,
    /// How many openings there were in the kernel, according to the log.
    done: usize,
    /// How many there should have been.
    wanted: usize,
    /// Openings a second, from the first knock until the last client got in.
    per_second: f64,
    /// From the last knock of all to the first SYN that got through; `None` if none did.
    last: Option<Millis>,
}

impl Outcome {
    fn is_complete(&self) -> bool {
        self.done == self.wanted && self.last.is_some()
    }

    fn done(&self) -> String {
        format!("{} of {}", self.done, self.wanted)
    }

    fn last(&self) -> String {
        self.last.map_or_else(|| "never".to_owned(), |time| time.to_string())
    }
}

pub(crate) fn measure(ours: &Program, table: &mut Table) {
    steady(ours, table);
    steps(ours, table);
    ends(ours, table);
}

fn steady(ours: &Program, table: &mut Table) {
    let what = format!("open: {PER_SECOND} openings a second for {LASTS} s, by {CLIENTS} clients");
    crate::progress(&what);
    let rate = Pace { per_second: PER_SECOND, count: PER_SECOND * LASTS };
    let outcome = open(ours, rate, LONG, Duration::ZERO);
    table.head(&what);
    table.row("openings").ours(&outcome.done()).bar(&"all", outcome.is_complete());
    let row = table.row("openings a second").ours(&format!("{:.0}", outcome.per_second));
    row.bar(&format!(">= {RATE_MIN}"), outcome.per_second >= RATE_MIN);
    table.row("from the last knock of all to the first SYN").ours(&outcome.last());
}

/// Knocks at increasing rates, until the sender or the daemon cannot keep up.
fn steps(ours: &Program, table: &mut Table) {
    table.head(&format!("open: at increasing rates for {LASTS} s: openings, and a second"));
    let mut per_second = PER_SECOND;
    loop {
        per_second *= 2;
        crate::progress(&format!("open: {per_second} openings a second for {LASTS} s"));
        let rate = Pace { per_second, count: per_second * LASTS };
        let outcome = open(ours, rate, LONG, Duration::ZERO);
        let sent = outcome.sent.per_second / SEQUENCE.len() as f64;
        let row = table.row(&format!("{sent:.0} a second are sent"));
        row.ours(&format!("{}, {:.0}", outcome.done(), outcome.per_second));
        let is_kept = outcome.per_second >= f64::from(per_second) * 0.8;
        if !is_kept || !outcome.is_complete() {
            break;
        }
    }
}

/// Knocks when the time of many clients has just ended. This client has no more time than they: if the daemon
/// is busy with them for longer than that, it never gets in.
fn ends(ours: &Program, table: &mut Table) {
    let what = format!("open: a knock when the time of {CLIENTS} clients has just ended");
    crate::progress(&what);
    let rate = Pace { per_second: PER_SECOND, count: CLIENTS };
    let outcome = open(ours, rate, 1, Duration::from_secs(1));
    table.head(&what);
    table.row("openings").ours(&outcome.done());
    table.row("from the last knock to the first SYN").ours(&outcome.last());
}

/// Opens a door many times, each time with all knocks of the sequence, and once for an honest client
/// after a pause.
///
/// The rate counts openings. The knocks of one client come one after the other, at equal intervals. An
/// opening that the log has is in the kernel: only then is its line written.
fn open(program: &Program, rate: Pace, seconds: u32, pause: Duration) -> Outcome {
    let wire = Wire::new();
    Opener::Open { seconds }.set_up(&wire);
    let log = wire.path("log");
    let name = log.to_str().expect("a temporary folder has a plain name");
    let daemon = Daemon::start(program, &wire, &["-g", name]);
    let mut watch = Watch::new(&wire);
    let length = SEQUENCE.len() as u32;
    let knocks = Pace { per_second: rate.per_second * length, count: rate.count * length };
    let begin = Instant::now();
    let sent = pace(knocks, |number| {
        let client = spoofed(number / length % CLIENTS);
        let port = SEQUENCE[(number % length) as usize];
        wire.send(&syn(client, port, number));
    });
    thread::sleep(pause);
    // The daemon handles knocks in their order, so all are handled when this client gets in.
    let through = watch.knock(CLIENT, || {});
    let wanted = rate.count as usize + 1;
    let per_second = wanted as f64 / begin.elapsed().as_secs_f64();
    wait_for_rest(&daemon);
    let log = fs::read_to_string(log).unwrap();
    let done = log.lines().filter(|line| line.contains("door: admit ")).count();
    Outcome { sent, done, wanted, per_second, last: through.map(|time| millis(time.after)) }
}
