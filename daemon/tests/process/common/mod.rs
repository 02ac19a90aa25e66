//! What the tests of the daemon share.

mod daemon;
#[cfg(target_arch = "x86_64")]
pub(crate) mod inject;
mod machine;
mod processes;

pub(crate) use daemon::Daemon;
pub(crate) use knock_tests::process::{Live, Outcome, finish, wait_until};
pub(crate) use knock_tests::require::{Need, require};
pub(crate) use machine::{Folder, Knocker, Machine};
pub(crate) use processes::Process;

/// The programs that a test with its own network needs.
pub(crate) const PROGRAMS: &[&str] = &["ip", "nsenter", "unshare"];

/// A door whose command writes a file, and one that is closed after a second.
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
