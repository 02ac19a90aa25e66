//! Runs the simulation of `knock_tests::simulation` until the time is over or an invariant is broken.
//!
//! Called by `scripts/simulate`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints what it finds")]

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use knock_tests::simulation::{self, Tally};

const EXAMPLES: &str = "\
Examples:
  scripts/simulate                           a minute of runs, from a random seed on
  scripts/simulate --seconds 3600            an hour of them
  scripts/simulate --seed 42 --runs 1        the run of seed 42, without a time limit
  scripts/simulate --seed 0 --runs 200       the runs of seeds 0 to 199

A failure is reproduced by its seed at the same commit.
Exit status: 0 if nothing was found, 1 if something was, 2 for a wrong command line.";

/// Simulates clients, networks, clocks, commands and reloads around the engine, and checks the
/// invariants after every step.
#[derive(Debug, Parser)]
#[command(name = "simulate", after_help = EXAMPLES)]
struct Args {
    /// Stop after this many seconds [default: 60, or no limit if --runs is given]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,

    /// Begin with the run of this seed, and add 1 for each further run [default: random]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

    /// Stop after this many runs
    #[arg(long, value_name = "N")]
    runs: Option<u64>,

    /// Print a line each time this many runs are done
    #[arg(long, value_name = "N", default_value = "100")]
    every: std::num::NonZeroU64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let first = args.seed.unwrap_or_else(random_seed);
    let seconds = args.seconds.or(args.runs.is_none().then_some(60));
    let start = Instant::now();
    let is_time_over =
        || seconds.is_some_and(|seconds| start.elapsed() >= Duration::from_secs(seconds));
    let mut total = Tally::default();
    println!("from seed {first} on");
    while !is_time_over() && args.runs.is_none_or(|runs| total.runs < runs) {
        match simulation::run(first.wrapping_add(total.runs)) {
            Ok(tally) => total.add(&tally),
            Err(failure) => {
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
        }
        if total.runs.checked_rem(args.every.get()) == Some(0) {
            let Tally { runs, packets, openings, .. } = total;
            let seconds = start.elapsed().as_secs();
            println!("{seconds:>6} s: {runs} runs, {packets} packets, {openings} openings");
        }
    }
    print!("{total}");
    println!("no invariant was broken");
    ExitCode::SUCCESS
}

/// Returns a seed that is easily typed.
fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish() >> 24
}
