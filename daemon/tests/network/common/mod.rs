//! What the tests of the daemon on a network share.

mod daemon;
mod frames;
mod scene;

use std::thread;
use std::time::{Duration, Instant};

pub(crate) use daemon::Daemon;
pub(crate) use frames::{Injector, Tunnel};
pub(crate) use scene::Scene;

/// Waits until a condition is true.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    assert!(comes_true(&mut is_so), "waited in vain until {what}");
}

/// Waits until a condition is true. Returns whether it became true.
pub(crate) fn comes_true(mut is_so: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while !is_so() {
        if begin.elapsed() > Duration::from_mins(1) {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}
