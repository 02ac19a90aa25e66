//! Programs that have more rights than who starts them, by file capabilities or set-user-ID.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use nix::unistd::{geteuid, getuid};

const ALL_EXECUTE: u32 = 0o001;

/// Returns the file of this program if it gives its rights to every user of the machine.
#[must_use]
pub fn granted_to_all() -> Option<PathBuf> {
    if getuid().is_root() || !is_secure() || !(geteuid() != getuid() || has_capabilities()) {
        return None;
    }
    // The file that runs, whatever is at its path now.
    let mode = fs::metadata("/proc/self/exe").map_or(ALL_EXECUTE, |file| file.permissions().mode());
    let is_for_all = mode & ALL_EXECUTE != 0;
    is_for_all.then(|| std::env::current_exe().unwrap_or_default())
}

/// Returns the commands that leave a program's capability to one group only. Another group removes it, so
/// it is set last.
#[must_use]
pub fn remedy_for_granted(program: &std::path::Path, group: &str) -> String {
    let program = crate::quoted(program);
    format!("chgrp {group} {program} && chmod 750 {program} && setcap cap_net_raw=ep {program}")
}

/// Returns whether the kernel says that this program has gained rights when it was started.
#[expect(
    unsafe_code,
    reason = "only the C library knows it: /proc/self/auxv cannot be opened then"
)]
fn is_secure() -> bool {
    // SAFETY: it takes a number, and reads memory that every process has.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Returns whether this process may use capabilities. A change of the security context alone gives none.
fn has_capabilities() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let permitted = status.lines().find_map(|line| line.strip_prefix("CapPrm:"));
    permitted.is_none_or(|set| set.trim().bytes().any(|digit| digit != b'0'))
}
