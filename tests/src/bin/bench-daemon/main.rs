//! Compares knockd with Debian's knockd 0.8, each on its own wire in network namespaces.
//!
//! Called by `scripts/bench-daemon`. Both daemons get the same packets, and everything is measured from
//! outside: when a command starts, the kernel's statistics about the processes, the content of their logs.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may stop at its first error"
)]

mod daemon;
mod firewall;
mod first_syn;
mod flood;
mod garbage;
mod idle;
mod latency;
mod openings;
mod table;
mod wire;

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use knock_tests::require::{Need, require};

use crate::daemon::Program;
use crate::garbage::Kind;
use crate::table::Table;

const AFTER_HELP: &str = "\
Limits, all of which must be met:
  latency  from the last knock to the start of the command: at most a fifth of 0.8's median,
           and 1.3 times that of the shell alone
  flood    20000 first knocks a second from 100000 spoofed addresses: no packet is lost, and an
           honest knock after them has its command started within 20 ms; an attempt takes at most
           200 bytes, even with a million of them
  open     from the last knock to the first SYN that the server's firewall lets through, with Open: at
           most a fiftieth of 0.8's median with a command that calls iptables, and with one that calls
           nft; 5000 openings a second for five seconds, and none is lost
  garbage  as fast as the sender can, of each of eight kinds: no packet is lost, and every honest knock
           among them opens, with a sequence and signed; what no door wants wakes no process. 0.8, with
           a command that calls nft, is measured beside it, as far as it knows the packets
  idle     nothing wakes any of the processes; 20000 packets a second that no door wants take less
           than a millisecond of processor time in five seconds

Exit status: 0 if all limits are met, 1 if one is missed, 2 for a wrong command line.";

/// Compares knockd with Debian's knockd 0.8, each on its own wire in network namespaces.
///
/// Needs root. Nothing leaves the wires. Takes about four minutes on an otherwise idle machine.
#[derive(Debug, Parser)]
#[command(name = "bench-daemon", after_help = AFTER_HELP, max_term_width = 100)]
struct Args {
    /// Measure only this (repeatable)
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,

    /// How many knocks to each daemon for `latency` and `open`, and in each flood of `garbage`
    #[arg(long, value_name = "N", default_value = "200")]
    trials: std::num::NonZeroUsize,

    /// Measure `garbage` only with this kind (repeatable)
    #[arg(long, value_name = "KIND")]
    kind: Vec<Kind>,

    /// The daemon to measure [default: the release build]
    #[arg(long, value_name = "FILE")]
    ours: Option<PathBuf>,

    /// The knockd 0.8 to compare with
    #[arg(long, value_name = "FILE", default_value = "/usr/sbin/knockd")]
    theirs: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// From the last knock to the start of the command
    Latency,
    /// From the last knock to the first SYN that gets through, and openings a second
    Open,
    /// First knocks from many spoofed addresses
    Flood,
    /// Packets of many kinds that open nothing, as fast as possible, and honest knocks among them
    Garbage,
    /// The cost of waiting
    Idle,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let programs = ["ip", "iptables", "nft", "nsenter", "setpriv", "unshare"];
    if !require("bench-daemon", &programs, Need::Namespaces) {
        return ExitCode::FAILURE;
    }
    let target = PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or("target".into()));
    let ours = Program(args.ours.unwrap_or_else(|| target.join("release/knockd")));
    let theirs = Program(args.theirs);
    let wanted = |part| args.only.is_empty() || args.only.contains(&part);
    println!("{}", load());
    let mut table = Table::default();
    if wanted(Part::Latency) {
        latency::measure(&ours, &theirs, args.trials.get(), &mut table);
    }
    if wanted(Part::Open) {
        first_syn::measure(&ours, &theirs, args.trials.get(), &mut table);
        openings::measure(&ours, &mut table);
    }
    if wanted(Part::Idle) {
        idle::measure(&ours, &theirs, &mut table);
    }
    if wanted(Part::Flood) {
        flood::measure(&ours, &theirs, &mut table);
    }
    if wanted(Part::Garbage) {
        garbage::measure(&ours, &theirs, args.trials.get(), &args.kind, &mut table);
    }
    println!("\n{table}\n{}", load());
    if table.all_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the load of the machine, including this program.
fn load() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<&str> = load.split_whitespace().take(3).collect();
    format!("load {} on {processors} processors", averages.join(" "))
}

/// Prints what is being done.
fn progress(what: &str) {
    println!("{what}");
    let _ = io::stdout().flush();
}
