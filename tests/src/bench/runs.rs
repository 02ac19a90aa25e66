//! How long whole processes take.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs a program whose output goes nowhere, and returns how long it took.
///
/// # Panics
/// If it cannot be run, or ends with another status than one of these.
pub fn timed(command: &mut Command, statuses: &[i32]) -> Duration {
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

/// Returns the middle one of some numbers.
///
/// # Panics
/// If there are none.
#[must_use]
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
