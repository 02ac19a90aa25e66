//! The resolver gives up everything it does not need before it gets the first question.
//!
//! What it needs depends on the C library and on the modules with which this machine looks up names:
//! they read files, load code, and talk to name servers and local services. Other system calls are
//! refused, which does not end the process: a module may try one and do without it.

use std::fs;
use std::path::PathBuf;

use landlock::{ABI, Access as _, AccessFs, AccessNet, NetPort, RulesetAttr as _, Scope};
use landlock::{Ruleset, RulesetCreatedAttr as _, RulesetError, path_beneath_rules};
use seccompiler::{SeccompAction, SeccompCmpOp, SeccompRule, TargetArch};

use crate::sandbox::{self, Calls, SandboxError};
use crate::system_calls::{self as call, SystemCall};
use crate::user::User;

/// Where the files of name lookup can be: configuration, code, and sockets of services.
const FOLDERS: [&str; 11] = [
    "/etc",
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/run",
    "/var/run",
    "/var/db",
    "/var/lib/sss",
    "/nix/store",
    "/gnu/store",
];

/// Files that may be symbolic links to any place.
const FILES: [&str; 4] = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf"];

/// The port of name servers.
const DNS: u16 = 53;

/// Gives up the user, all capabilities and most of the file system, for this thread and those that it
/// starts. On an old kernel more stays accessible; the sniffer warns about that.
pub(super) fn enter(becomes: Option<User>) -> Result<(), SandboxError> {
    // The sniffer warns if the user cannot be changed.
    sandbox::give_up_capabilities(becomes)?;
    restrict_file_system().map_err(SandboxError::Landlock)
}

/// Gives up what was needed to start threads, for all threads.
pub(super) fn seal() -> Result<(), SandboxError> {
    sandbox::forbid_processes()?;
    // The sniffer warns if there are no filters.
    let Some(processor) = sandbox::processor() else { return Ok(()) };
    sandbox::filter(processor, calls(processor)?, SeccompAction::Allow, sandbox::refuse())
}

/// Denies all of the file system but reading the files of name lookup, and all TCP but connections to
/// name servers.
fn restrict_file_system() -> Result<(), RulesetError> {
    let links = FILES.iter().filter_map(|file| fs::canonicalize(file).ok());
    let readable = FOLDERS.iter().map(PathBuf::from).chain(links);
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V7))?
        .handle_access(AccessNet::from_all(ABI::V7))?
        .scope(Scope::from_all(ABI::V7))?
        .create()?
        .add_rules(path_beneath_rules(readable, read))?
        .add_rule(NetPort::new(DNS, AccessNet::ConnectTcp))?;
    ruleset.restrict_self().map(drop)
}

/// System calls whose arguments do not matter, besides the ordinary ones.
const CALLS: &[SystemCall] =
    &[call::EPOLL_CREATE1, call::EPOLL_CTL, call::EPOLL_PWAIT, call::EPOLL_WAIT];

/// Returns the system calls of looking up names.
fn calls(processor: TargetArch) -> Result<Calls, SandboxError> {
    let is = |place, value: i32| (place, SeccompCmpOp::Eq, u64::from(value.unsigned_abs()));
    let one_of = |place, values: &[u64]| -> Result<Vec<_>, SandboxError> {
        let each = values.iter().map(|&value| (place, SeccompCmpOp::Eq, value));
        each.map(|condition| sandbox::rule([condition])).collect()
    };
    let numbers = |values: &[i32]| -> Vec<u64> {
        values.iter().map(|value| u64::from(value.unsigned_abs())).collect()
    };
    let mut calls = sandbox::any_arguments(processor, &[call::ORDINARY, CALLS].concat());
    let mut insert = |call: SystemCall, rules: Vec<SeccompRule>| {
        if let Some(number) = call.number(processor) {
            calls.insert(number, rules);
        }
    };
    // Even where Landlock is missing, no file can be opened for writing.
    let writing = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC;
    let writing = u64::from(writing.unsigned_abs());
    let reads = |place| sandbox::rule([(place, SeccompCmpOp::MaskedEq(writing), 0)]);
    insert(call::OPENAT, vec![reads(2)?]);
    insert(call::OPEN, vec![reads(1)?]);
    // Of netlink sockets, only those that list addresses.
    let mut sockets = one_of(0, &numbers(&[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6]))?;
    sockets.push(sandbox::rule([is(0, libc::AF_NETLINK), is(2, libc::NETLINK_ROUTE)])?);
    insert(call::SOCKET, sockets);
    let asked = [libc::FIONREAD, libc::SIOCGIFNAME, libc::SIOCGIFINDEX];
    insert(call::IOCTL, one_of(1, &asked)?);
    let flags = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL];
    insert(call::FCNTL, one_of(1, &numbers(&flags))?);
    // Only to abort itself, not to signal other processes.
    insert(call::TGKILL, one_of(0, &[std::process::id().into()])?);
    Ok(calls)
}
