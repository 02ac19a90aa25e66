//! The time from the last knock to the start of the command.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::{Daemon, Program};
use crate::flood::spoofed;
use crate::table::{Millis, Table, quantile};
use crate::wire::{SEQUENCE, Wire};

/// How long a command may take to start.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest allowed ratio of the median to that of knockd 0.8.
const RATIO_MAX: f64 = 0.2;

/// How long the kernel holds packets back for knockd 0.8, to hand over several at once.
pub(crate) const KEPT: Duration = Duration::from_millis(50);

/// The largest allowed ratio of the median to that of the shell alone.
const SHELL_RATIO_MAX: f64 = 1.3;

/// What a door has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Commands {
    /// One command.
    One,
    /// A command that closes it, too. That it is to be closed is on the disk before the first one starts.
    StartAndStop,
}

pub(crate) fn measure(ours: &Program, theirs: &Program, trials: usize, table: &mut Table) {
    for commands in [Commands::One, Commands::StartAndStop] {
        measure_one(ours, theirs, commands, trials, table);
    }
}

fn measure_one(
    ours: &Program,
    theirs: &Program,
    commands: Commands,
    trials: usize,
    table: &mut Table,
) {
    let what = match commands {
        Commands::One => "",
        Commands::StartAndStop => ", of a door that has a stop_command",
    };
    crate::progress(&format!("latency: {trials} knocks to each daemon in turn{what}"));
    let (our_wire, their_wire) = (Wire::new(), Wire::new());
    if commands == Commands::StartAndStop {
        let state = our_wire.path("state");
        fs::create_dir(&state).expect("there is room for a folder");
        our_wire.configure(&with_stop(&our_wire, &format!("\tStateDir = {}\n", state.display())));
        their_wire.configure(&with_stop(&their_wire, ""));
    }
    let (mut our_times, mut their_times, mut shell_times) = (vec![], vec![], vec![]);
    let ours = Daemon::start(ours, &our_wire, &[]);
    let theirs = Daemon::start(theirs, &their_wire, &[]);
    for trial in 0..trials {
        our_times.push(knock(&our_wire, trial));
        their_times.push(knock(&their_wire, trial));
        shell_times.push(shell(&our_wire, trial));
    }
    drop((ours, theirs));
    for times in [&mut our_times, &mut their_times, &mut shell_times] {
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    table.head(&format!("latency: from the last knock to the start of the command{what}"));
    let at = |share| (quantile(&our_times, share), quantile(&their_times, share));
    let (our_median, their_median) = at(0.5);
    let median = table.row("median");
    let ratio = median.ratio(our_median, their_median);
    median.bar(&format!("ratio <= {RATIO_MAX}"), ratio <= RATIO_MAX);
    for (name, share) in [("90 of 100 are below", 0.9), ("longest", 1.0)] {
        let (ours, theirs) = at(share);
        table.row(name).ratio(ours, theirs);
    }
    let alone = quantile(&shell_times, 0.5);
    let row = table.row("of this, /bin/sh and the report alone").ours(&alone).theirs(&alone);
    if commands == Commands::One {
        let ratio = our_median.0 / alone.0;
        row.bar(&format!("{ratio:.2} <= {SHELL_RATIO_MAX}"), ratio <= SHELL_RATIO_MAX);
    }
}

/// Returns a configuration with a stop command.
fn with_stop(wire: &Wire, options: &str) -> String {
    let knocks = SEQUENCE.map(|port| port.to_string()).join(",");
    let start = wire.stamp("%IP%");
    format!(
        "[options]\n{options}[door]\n\tsequence = {knocks}\n\tseq_timeout = 15\n\ttcpflags = syn\n\
         \tstart_command = {start}\n\tcmd_timeout = 1\n\tstop_command = :\n"
    )
}

/// Knocks at a daemon, as another client each time, and returns the time to its command. When the last knock comes is random, relative
/// to the kernel's timer for packets.
fn knock(wire: &Wire, trial: usize) -> Millis {
    let [first, second, last] = SEQUENCE;
    thread::sleep(part(KEPT, trial, 1));
    let client = spoofed(trial as u32);
    wire.syn(client, first);
    wire.syn(client, second);
    // Processes that the packets woke sleep again.
    thread::sleep(KEPT / 2 + part(KEPT, trial, 2));
    let begin = Instant::now();
    wire.syn(client, last);
    let started = wire.started(&client.to_string(), PATIENCE);
    millis(started.expect("the command starts").saturating_duration_since(begin))
}

/// Returns how long a shell takes alone, after the same pause.
fn shell(wire: &Wire, trial: usize) -> Millis {
    let line = wire.stamp("alone");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &line]).stdin(Stdio::null());
    thread::sleep(KEPT / 2 + part(KEPT, trial, 3));
    let begin = Instant::now();
    let mut child = command.spawn().expect("there is a shell");
    let started = wire.started("alone", PATIENCE).expect("the shell runs");
    child.wait().expect("the shell ends");
    millis(started.saturating_duration_since(begin))
}

pub(crate) fn millis(time: Duration) -> Millis {
    Millis(time.as_secs_f64() * 1000.0)
}

/// Returns a random part of a time.
pub(crate) fn part(of: Duration, trial: usize, dice: u8) -> Duration {
    let chance = RandomState::new().hash_one((trial, dice)) % 1_000_000;
    of.mul_f64(chance as f64 / 1e6)
}
