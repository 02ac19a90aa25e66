//! First knocks from many spoofed addresses, and an honest knock after them.

use std::fs;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::{Daemon, Program};
use crate::latency::millis;
use crate::table::{Millis, Row, Table};
use crate::wire::{CLIENT, SEQUENCE, Wire, syn};

const HONEST: &str = "honest knock after them";

/// How long the command for the honest knock may take to start.
const HONEST_MAX: Millis = Millis(20.0);

/// How much memory an attempt may take, in bytes.
const ATTEMPT_MAX: f64 = 200.0;

/// How long the honest client waits before it gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The flood for the limits.
const BAR: Pace = Pace { per_second: 20_000, count: 100_000 };

/// As many as are remembered by default, all within the timeout of the first.
const MILLION: Pace = Pace { per_second: 80_000, count: 1_000_000 };

/// As fast as a sender can be, for a few seconds.
const FAST: Pace = Pace { per_second: 100_000, count: 500_000 };

/// How fast the log may grow in a flood, in bytes per second.
const LOG_MAX: f64 = 10_000.0;

/// Packets at equal intervals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) per_second: u32,
    pub(crate) count: u32,
}

/// How packets were sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// The packets per second.
    pub(crate) per_second: f64,
    /// The largest delay of a packet.
    late: Duration,
}

/// Calls `send` with the number of each packet at its time.
///
/// It waits without sleeping. If another process had the processor, it sends the late packets at once.
pub(crate) fn pace(pace: Pace, mut send: impl FnMut(u32)) -> Sent {
    let begin = Instant::now();
    let mut late = Duration::ZERO;
    for number in 0..pace.count {
        let nanos = u64::from(number) * 1_000_000_000 / u64::from(pace.per_second);
        let due = Duration::from_nanos(nanos);
        let mut now = begin.elapsed();
        while now < due {
            std::hint::spin_loop();
            now = begin.elapsed();
        }
        late = late.max(now.saturating_sub(due));
        send(number);
    }
    Sent { per_second: f64::from(pace.count) / begin.elapsed().as_secs_f64(), late }
}

/// Where a daemon keeps what it hears.
#[derive(Clone, Copy, Debug)]
enum Keeps {
    Nothing,
    Log,
    Recording,
}

/// The result of a flood.
#[derive(Debug)]
struct Outcome {
    sent: Sent,
    /// How many packets arrived, including the honest ones.
    arrived: u64,
    /// How many packets the daemon reports as lost.
    lost: u64,
    /// How many first knocks of spoofed addresses it has heard, according to what it kept.
    heard: usize,
    /// The size of the log.
    log_bytes: usize,
    /// From the honest knock, whose packets come together, to the start of its command.
    honest: Option<Millis>,
    cpu: Duration,
    /// Its peak memory, and how much of that the flood took.
    peak_bytes: u64,
    grown_bytes: u64,
}

impl Outcome {
    fn honest(&self) -> String {
        self.honest.map_or_else(|| "never".to_owned(), |time| time.to_string())
    }

    fn share(&self) -> String {
        format!("{:.2} %", self.heard as f64 * 100.0 / f64::from(BAR.count))
    }

    fn megabytes(&self) -> String {
        format!("{:.1} MB", self.peak_bytes as f64 / 1e6)
    }
}

pub(crate) fn measure(ours: &Program, theirs: &Program, table: &mut Table) {
    let Pace { per_second, count } = BAR;
    let what = format!("flood: {count} first knocks, {per_second} a second");
    crate::progress(&what);
    let logged = flood(ours, BAR, Keeps::Log);
    let compared = flood(theirs, BAR, Keeps::Log);
    let recorded = flood(ours, BAR, Keeps::Recording);
    table.head(&format!("{what}, with a log file"));
    table.row("heard, by the log").ours(&logged.share()).theirs(&compared.share());
    table.row("packets lost").ours(&logged.lost).bar(&"0", logged.lost == 0);
    judge_honest(table.row(HONEST).theirs(&compared.honest()), &logged);
    table.row("processor time").ratio(millis(logged.cpu), millis(compared.cpu));
    table.row("peak memory").ours(&logged.megabytes()).theirs(&compared.megabytes());
    table.row("size of the log").ours(&logged.log_bytes).theirs(&compared.log_bytes);
    fast(ours, table);
    table.head("the same, recorded instead of logged");
    let is_met = recorded.heard == BAR.count as usize;
    table.row("heard, by the recording").ours(&recorded.share()).bar(&"100.00 %", is_met);
    judge_honest(table.row(HONEST), &recorded);
    table.row("processor time").ours(&millis(recorded.cpu));
    steps(ours, table);
    million(ours, table);
}

/// Measures how fast a log grows.
fn fast(ours: &Program, table: &mut Table) {
    let Pace { per_second, count } = FAST;
    let what = format!("flood: {count} first knocks, {per_second} a second, with a log file");
    crate::progress(&what);
    let outcome = flood(ours, FAST, Keeps::Log);
    let seconds = f64::from(count) / outcome.sent.per_second;
    let growth = outcome.log_bytes as f64 / seconds;
    table.head(&what);
    table.row("sent a second").ours(&format!("{:.0}", outcome.sent.per_second));
    table.row("packets lost").ours(&outcome.lost);
    judge_honest(table.row(HONEST), &outcome);
    let row = table.row("bytes a second in the log").ours(&format!("{growth:.0}"));
    row.bar(&format!("<= {LOG_MAX}"), growth <= LOG_MAX);
}

fn judge_honest(row: &mut Row, outcome: &Outcome) {
    let is_met = outcome.honest.is_some_and(|time| time <= HONEST_MAX);
    row.ours(&outcome.honest()).bar(&format!("<= {HONEST_MAX}"), is_met);
}

/// Sends at increasing rates, until the sender cannot keep up.
fn steps(ours: &Program, table: &mut Table) {
    table.head("flood for 3 s, at increasing rates: packets lost, and the honest knock after them");
    let mut per_second = 20_000;
    loop {
        let count = per_second * 3;
        crate::progress(&format!("flood: {count} first knocks, {per_second} a second"));
        let outcome = flood(ours, Pace { per_second, count }, Keeps::Nothing);
        let (rate, late) = (outcome.sent.per_second, millis(outcome.sent.late));
        let is_kept = rate >= f64::from(per_second) * 0.95;
        let how = if is_kept { format!("at most {late} late") } else { "no faster".to_owned() };
        let lost = format!("{} of {}", outcome.lost, outcome.arrived);
        let row = table.row(&format!("{rate:.0} a second, {how}"));
        row.ours(&format!("{lost}, {}", outcome.honest()));
        if !is_kept {
            break;
        }
        per_second *= 2;
    }
}

fn million(ours: &Program, table: &mut Table) {
    let Pace { per_second, count } = MILLION;
    let what = format!("flood: {count} first knocks, {per_second} a second");
    crate::progress(&what);
    let outcome = flood(ours, MILLION, Keeps::Nothing);
    table.head(&what);
    table.row("packets lost").ours(&outcome.lost);
    table.row(HONEST).ours(&outcome.honest());
    table.row("processor time").ours(&millis(outcome.cpu));
    table.row("peak memory of all processes").ours(&outcome.megabytes());
    let each = outcome.grown_bytes as f64 / f64::from(count);
    let row = table.row("bytes for an attempt").ours(&format!("{each:.0}"));
    row.bar(&format!("<= {ATTEMPT_MAX}"), each <= ATTEMPT_MAX);
}

/// Floods a daemon on a new wire.
fn flood(program: &Program, rate: Pace, keeps: Keeps) -> Outcome {
    let wire = Wire::new();
    let kept = wire.path("kept");
    let name = kept.to_str().expect("a temporary folder has a plain name");
    let daemon = match keeps {
        Keeps::Nothing => Daemon::start(program, &wire, &[]),
        Keeps::Log => Daemon::start(program, &wire, &["-g", name]),
        Keeps::Recording => Daemon::start(program, &wire, &["--record", name]),
    };
    let before = daemon.usage();
    let sent = pace(rate, |number| wire.send(&syn(spoofed(number), SEQUENCE[0], number)));
    let begin = Instant::now();
    for port in SEQUENCE {
        wire.syn(CLIENT, port);
    }
    let started = wire.started(&CLIENT.to_string(), PATIENCE);
    let honest = started.map(|at| millis(at.saturating_duration_since(begin)));
    wait_for_rest(&daemon);
    let usage = daemon.usage();
    let (arrived, dropped) = daemon.arrived();
    let all = u64::from(rate.count) + SEQUENCE.len() as u64;
    assert!(dropped == 0 && arrived >= all, "{arrived} packets came of {all}, {dropped} dropped");
    let lost = reported_lost(&daemon.end());
    let (heard, log_bytes) = match keeps {
        Keeps::Nothing => (0, 0),
        Keeps::Log => {
            let log = fs::read_to_string(&kept).unwrap();
            (first_stages(&log), log.len())
        }
        Keeps::Recording => {
            (packets_in(&fs::read(&kept).unwrap()).saturating_sub(SEQUENCE.len()), 0)
        }
    };
    Outcome {
        sent,
        arrived,
        lost,
        heard,
        log_bytes,
        honest,
        cpu: usage.since(before).cpu,
        peak_bytes: usage.peak_bytes,
        grown_bytes: usage.peak_bytes.saturating_sub(before.peak_bytes),
    }
}

/// Returns the address that a packet claims to come from: a different one for each, in no order.
pub(crate) fn spoofed(number: u32) -> Ipv4Addr {
    // An odd factor makes another number of each.
    Ipv4Addr::from(0x0a00_0000 | (number.wrapping_mul(0x9e_79b1) & 0xff_ffff))
}

/// Waits until the processes of a daemon have handled all packets.
pub(crate) fn wait_for_rest(daemon: &Daemon<'_>) {
    let mut last = daemon.usage().cpu;
    loop {
        thread::sleep(Duration::from_millis(300));
        let now = daemon.usage().cpu;
        if now.saturating_sub(last) < Duration::from_millis(10) {
            return;
        }
        last = now;
    }
}

/// Returns how many packets a daemon reports as lost.
pub(crate) fn reported_lost(errors: &str) -> u64 {
    let counts = errors.lines().filter_map(|line| {
        let (before, _) = line.split_once(" packets were lost")?;
        before.rsplit(' ').next()?.parse().ok()
    });
    counts.max().unwrap_or(0)
}

/// Returns how many first knocks of spoofed addresses a log has: in lines of their own, and counted in those
/// that summarise others.
fn first_stages(log: &str) -> usize {
    let honest = CLIENT.to_string();
    let lines = log.lines().filter(|line| line.ends_with(": Stage 1") && !line.contains(&honest));
    let summaries = log.lines().filter(|line| line.contains("] knockd: flood: "));
    let counts = summaries.flat_map(|line| line.rsplit(": ").next().unwrap_or("").split(", "));
    let counts = counts.filter_map(|count| count.strip_suffix(" Stage 1"));
    let counted: usize = counts.filter_map(|count| count.parse::<usize>().ok()).sum();
    // A summary can be a line that ends like that, too.
    lines.filter(|line| !line.contains("] knockd: flood: ")).count().saturating_add(counted)
}

/// Returns how many packets a pcapng capture of this machine has.
fn packets_in(mut capture: &[u8]) -> usize {
    const ENHANCED_PACKET: u32 = 6;
    let mut count = 0;
    while let Some(([kind @ .., _, _, _, _], _)) = capture.split_first_chunk::<8>() {
        let kind = u32::from_ne_bytes(*kind);
        let length = u32::from_ne_bytes(*capture[4..].first_chunk().expect("there are eight"));
        count += usize::from(kind == ENHANCED_PACKET);
        capture = capture.get(length as usize..).expect("blocks are whole");
    }
    count
}
