//! The requirements of tests on the machine.

use std::io::{self, Write as _};
use std::process::Command;

/// What a test needs besides programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Programs only.
    Programs,
    /// Root.
    Root,
    /// Root on Linux, with permission to make namespaces of networks and processes.
    Namespaces,
}

/// Returns whether the machine has what the test `name` needs. If not, prints a notice; with `CI=true`
/// it is a failure.
///
/// # Panics
/// With `CI=true`, if anything is missing.
#[must_use]
pub fn require(name: &str, programs: &[&str], need: Need) -> bool {
    missing(programs, need).is_none_or(|reason| skip(name, &reason))
}

/// Returns whether Python has the package `cryptography`, as [`require`] does.
///
/// # Panics
/// With `CI=true`, if it is missing.
#[must_use]
pub fn require_cryptography(name: &str) -> bool {
    let import = Command::new("python3").args(["-c", "import cryptography"]).output();
    let is_there = import.is_ok_and(|output| output.status.success());
    is_there || skip(name, "python3 has no package cryptography")
}

/// Prints that a test is skipped, and returns `false`.
fn skip(name: &str, reason: &str) -> bool {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{name} cannot be skipped: {reason}");
    // Not eprintln, because the harness hides it for a test that passes.
    let _ = writeln!(io::stderr(), "SKIPPED: {name}, because {reason}");
    false
}

fn missing(programs: &[&str], need: Need) -> Option<String> {
    let there = |program: &str| {
        let found = Command::new("sh").arg("-c").arg(format!("command -v {program}")).output();
        found.is_ok_and(|output| output.status.success())
    };
    if let Some(program) = programs.iter().find(|program| !there(program)) {
        return Some(format!("there is no program {program}"));
    }
    let is_root = || {
        let id = Command::new("id").arg("-u").output();
        id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
    };
    if need != Need::Programs && !is_root() {
        return Some("it must be run by root".to_owned());
    }
    let has_namespaces = || {
        let apart = ["--net", "--pid", "--fork", "--mount-proc", "true"];
        Command::new("unshare").args(apart).status().is_ok_and(|status| status.success())
    };
    if need == Need::Namespaces && !has_namespaces() {
        return Some("namespaces of networks and processes cannot be made".to_owned());
    }
    None
}
