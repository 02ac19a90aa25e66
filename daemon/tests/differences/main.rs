//! Comparison of knockd 0.8 with this daemon, where `docs/differences.md` claims a difference: each test
//! runs both, and shows what each does.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod command_line;
mod commands;
#[path = "../process/common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "other tests need more of it")]
mod common;
mod interfaces;
mod life;
mod lines;

use common::{Live, Machine, Need, Outcome, PROGRAMS, Process, require, wait_until};
use nix::sys::signal::Signal;

/// The two programs in a shell command.
const THEIRS: &str = "knockd";
const OURS: &str = "$KNOCKD";

/// Returns whether the real machine has what a test of both programs needs.
fn can_run(name: &str, programs: &[&str]) -> bool {
    require(name, &[PROGRAMS, &["knockd"], programs].concat(), Need::Namespaces)
}

/// Does the same with knockd 0.8 and with this daemon, each on its own machine.
fn both<T>(config: &str, run: impl Fn(&Machine, &str) -> T) -> [T; 2] {
    [THEIRS, OURS].map(|program| run(&Machine::with(config), program))
}

/// Starts one of them on the loopback interface with `-v`, and waits until it is idle.
fn listen(machine: &Machine, program: &str, options: &str) -> (Live, Process) {
    let live = machine.start(&format!("exec {program} -v -i lo -c DIR/knockd.conf {options}"));
    while live.line() != "listening on lo..." {}
    let process = rest(machine);
    (live, process)
}

/// Has a daemon end whose first process this is, and waits for that.
///
/// The signal comes while it is idle: the handler of 0.8 does things that would wait for ever for what it has
/// interrupted.
fn end(live: Live, process: &Process) -> Outcome {
    wait_until("it waits", || process.status("State").starts_with('S'));
    process.signal(Signal::SIGTERM);
    live.finish()
}

/// Waits until the daemon's first process is idle, and returns it.
fn rest(machine: &Machine) -> Process {
    let process = machine.process("knockd");
    wait_until("it waits", || process.status("State").starts_with('S'));
    process
}
