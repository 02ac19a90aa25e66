//! What a process that strangers have a say in gives up, whatever it does otherwise.

use std::collections::BTreeMap;
use std::fmt;

use caps::{CapSet, Capability};
use knock_setup::text::Cause;
use landlock::RulesetError;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use crate::user::User;

/// Why privileges could not be given up. The process ends rather than go on with them.
#[derive(Debug)]
pub(crate) enum SandboxError {
    /// A system call was refused.
    System(&'static str, nix::Error),
    /// Capabilities could not be dropped.
    Capabilities(caps::errors::CapsError),
    /// Landlock is there and refused.
    Landlock(RulesetError),
    /// Seccomp refused.
    Seccomp(seccompiler::Error),
}

impl std::error::Error for SandboxError {}

impl fmt::Display for SandboxError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("cannot give up privileges: ")?;
        match self {
            Self::System(what, error) => write!(out, "{what}: {}", Cause(&(*error).into())),
            Self::Capabilities(error) => write!(out, "capabilities: {error}"),
            Self::Landlock(error) => write!(out, "Landlock: {error}"),
            Self::Seccomp(error) => write!(out, "seccomp: {error}"),
        }
    }
}

/// System calls by their numbers, each with the rules any of which its arguments must match; without a
/// rule, any arguments.
pub(crate) type Calls = BTreeMap<i64, Vec<SeccompRule>>;

/// Becomes another user, if `becomes` says which, and gives up all capabilities, for ever. Returns
/// whether the user is that one: it takes capabilities to become another.
pub(crate) fn give_up_capabilities(becomes: Option<User>) -> Result<bool, SandboxError> {
    // Needs a capability itself. Without it, nothing can be gained from the set either: no program
    // can be started.
    if has(Capability::CAP_SETPCAP) {
        caps::clear(None, CapSet::Bounding).map_err(SandboxError::Capabilities)?;
    }
    let can_become = has(Capability::CAP_SETUID) && has(Capability::CAP_SETGID);
    if let Some(user) = becomes.filter(|_| can_become) {
        let became = user.switch_to();
        became.map_err(|error| SandboxError::System("another user", error))?;
    }
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(SandboxError::Capabilities)?;
    }
    Ok(becomes.is_none() || can_become)
}

fn has(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false)
}

/// Gains nothing by a program that is started, and cannot be traced by others of the same user.
pub(crate) fn forbid_gains() -> Result<(), SandboxError> {
    prctl::set_no_new_privs().map_err(|error| SandboxError::System("no_new_privs", error))?;
    prctl::set_dumpable(false).map_err(|error| SandboxError::System("dumpable", error))
}

/// Starts no more processes or threads, and leaves no core.
pub(crate) fn forbid_processes() -> Result<(), SandboxError> {
    for resource in [Resource::RLIMIT_NPROC, Resource::RLIMIT_CORE] {
        setrlimit(resource, 0, 0).map_err(|error| SandboxError::System("setrlimit", error))?;
    }
    Ok(())
}

/// Returns the processor, if there are filters of system calls for it.
pub(crate) fn processor() -> Option<TargetArch> {
    TargetArch::try_from(std::env::consts::ARCH).ok()
}

/// Filters the system calls of all threads: what matches gets one answer, and all else another one.
pub(crate) fn filter(
    processor: TargetArch,
    calls: Calls,
    matched: SeccompAction,
    otherwise: SeccompAction,
) -> Result<(), SandboxError> {
    let filter = SeccompFilter::new(calls, otherwise, matched, processor);
    let program = filter.and_then(BpfProgram::try_from).map_err(seccompiler::Error::Backend);
    let installed = program.and_then(|program| seccompiler::apply_filter_all_threads(&program));
    installed.map_err(SandboxError::Seccomp)
}

/// Returns what a call that is refused answers.
pub(crate) fn refuse() -> SeccompAction {
    SeccompAction::Errno(libc::EACCES.unsigned_abs())
}

/// Returns calls with any arguments.
pub(crate) fn any_arguments(calls: &[i64]) -> Calls {
    calls.iter().map(|&call| (call, Vec::new())).collect()
}

/// Returns a rule that all of these conditions make: the place of an argument, counted from 0, how it is
/// compared, and with what.
pub(crate) fn rule(
    conditions: impl IntoIterator<Item = (u8, SeccompCmpOp, u64)>,
) -> Result<SeccompRule, SandboxError> {
    let condition =
        |(place, how, value)| SeccompCondition::new(place, SeccompCmpArgLen::Dword, how, value);
    let conditions: Result<Vec<_>, BackendError> = conditions.into_iter().map(condition).collect();
    let rule = conditions.and_then(SeccompRule::new);
    rule.map_err(|error| SandboxError::Seccomp(seccompiler::Error::Backend(error)))
}
