//! How long whole processes take.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// Runs a program whose output goes nowhere, and returns how long it took.
///
/// # Panics
/// If it cannot be run, or ends with another status than one of these.
fn timed(command: &mut Command, statuses: &[i32]) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let took = start.elapsed();
    assert!(status.code().is_some_and(|code| statuses.contains(&code)), "{command:?}: {status}");
    took
}

/// Does the same for a program that must succeed.
///
/// # Panics
/// If it cannot be run, or fails.
pub fn time(command: &mut Command) -> Duration {
    timed(command, &[0])
}

/// Returns what a program costs: how long it takes, and for how long it uses processors, in seconds. The second
/// depends little on what else runs.
///
/// # Panics
/// If it ends with another status, or measuring fails.
pub fn cost(command: &mut Command, statuses: &[i32]) -> (f64, f64) {
    let processors = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        let times = [usage.user_time(), usage.system_time()];
        times.map(|time| f64::from(u32::try_from(time.num_milliseconds()).unwrap())).iter().sum()
    };
    let before: f64 = processors();
    let took = timed(command, statuses).as_secs_f64();
    (took, (processors() - before) / 1000.0)
}

/// Returns the middle one of some numbers.
///
/// # Panics
/// If there are none.
#[must_use]
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
