//! What all tests of the daemon share.

mod daemon;
mod desk;
#[cfg(target_arch = "x86_64")]
pub(crate) mod inject;
mod processes;

use std::thread;
use std::time::{Duration, Instant};

pub(crate) use daemon::Daemon;
pub(crate) use desk::{Desk, Folder};
pub(crate) use knock_tests::process::{Live, Outcome, finish};
pub(crate) use knock_tests::require::{Need, require};
pub(crate) use processes::Process;

/// What a test with a network of its own needs.
pub(crate) const PROGRAMS: &[&str] = &["ip", "nsenter", "unshare"];

/// A door that leaves a trace, and one that closes itself.
pub(crate) const CONFIG: &str = "\
[door]
    sequence = 7000:udp,8000:udp
    seq_timeout = 20
    command = echo %IP% >> DIR/opened

[timed]
    sequence = 7001:udp,8001:udp
    seq_timeout = 20
    start_command = echo %IP% >> DIR/started
    cmd_timeout = 1
    stop_command = echo %IP% >> DIR/stopped
";

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_mins(1), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
