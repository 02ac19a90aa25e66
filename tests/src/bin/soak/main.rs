//! Runs knockd for a long time under everything that happens to a server, and reports what it did.
//!
//! Called by `scripts/soak`. All of it happens in network namespaces: a flood of first knocks from forged
//! addresses, honest clients that knock every second and then use the port, and disturbances, one after the
//! other: reloads, a link that goes down, addresses that change, logs that are rotated, processes that are
//! killed. Everything is judged from outside: by connections, the firewall, the kernel's figures about the
//! processes, and the log.
//!
//! In the first and the last part of a run, processes are killed and restarted. Between them the same
//! processes run through, so that their memory and descriptors can be compared.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a long test prints, and may stop where it cannot go on"
)]

mod clients;
mod daemon;
mod disturbances;
mod doors;
mod failures;
mod figures;
mod flood;
mod growth;
mod history;
mod logs;
mod memory;
mod outages;
mod plan;
mod recorder;
mod report;
mod visits;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Parser;
use knock_tests::require::{Need, require};

use crate::clients::Clients;
use crate::daemon::Daemon;
use crate::disturbances::Disturber;
use crate::doors::Doors;
use crate::figures::Watcher;
use crate::flood::Flood;
use crate::plan::Plan;
use crate::report::Report;
use crate::world::World;

const AFTER_HELP: &str = "\
What must be so:
  - every honest knock opens its door, if no process and no link was down meanwhile; if one was, the client
    knocks again as soon as that is over, and then the door must open. Of one that fails, all is printed that is
    known: its packets at both ends of the cable, what was done to the daemon, and what that says
  - at the end no door is open, and none was open for much longer than it should have been
  - the log has every opening, and no line was lost
  - the same processes have stopped growing before the second half, and have as many descriptors at the end as
    after five minutes
  - no process is left, and no zombie

Exit status: 0 if all of it is so, 1 if not, 2 for a wrong command line.";

/// Runs knockd for a long time under a flood, reloads, outages and kills.
///
/// Needs root. Nothing leaves the namespaces that it makes.
#[derive(Debug, Parser)]
#[command(name = "soak", after_help = AFTER_HELP, max_term_width = 100)]
struct Args {
    /// How long, in minutes, at least 2
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u64).range(2..))]
    minutes: u64,

    /// How many packets come from forged addresses in a second
    #[arg(long, value_name = "N", default_value = "5000")]
    flood: u32,

    /// How many honest clients come in a second
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=8))]
    clients: u32,

    /// The daemon to try, beside which is its knockctl [default: the release build]
    #[arg(long, value_name = "FILE")]
    knockd: Option<PathBuf>,
}

/// The programs that are needed.
const PROGRAMS: [&str; 6] = ["ip", "unshare", "nsenter", "iptables", "nft", "pgrep"];

/// The pause after a disturbance.
const PAUSE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let args = Args::parse();
    if !require("soak", &PROGRAMS, Need::Namespaces) {
        return ExitCode::FAILURE;
    }
    let target = PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or("target".into()));
    let program = args.knockd.clone().unwrap_or_else(|| target.join("release/knockd"));
    let program = std::path::absolute(&program).unwrap();
    let report = soak(program, &args);
    println!("{report}");
    if report.is_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn soak(program: PathBuf, args: &Args) -> Report {
    let world = Arc::new(World::new());
    let daemon = Arc::new(Daemon::start(Arc::clone(&world), program));
    let plan = Plan::new(Duration::from_mins(args.minutes));
    let flood = Flood::start(&world, args.flood);
    let doors = Doors::watch(&world);
    let clients = Clients::start(&world, &daemon, plan, args.clients);
    let mut looks = Watcher::new(plan);
    let mut disturber = Disturber::new(&world, &daemon);
    while !plan.is_over() {
        disturber.disturb(plan.may_kill());
        thread::sleep(PAUSE);
        looks.look(&world, &daemon);
    }
    let visits = clients.finish();
    let forged = flood.finish();
    let ended = daemon.end();
    Report {
        length: plan.now(),
        forged,
        visits,
        new_addresses: disturber.new_addresses,
        disturbances: disturber.done,
        looks,
        left: figures::left(&world),
        doors: doors.finish(),
        logged: disturber.logs.finish(),
        ended,
        outages: daemon.outages.all(),
    }
}
