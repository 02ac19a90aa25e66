//! What every process gives up that handles the input of strangers.

use std::collections::BTreeMap;
use std::fmt;

use caps::{CapSet, Capability};
use knock_config::text::Cause;
use landlock::RulesetError;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use crate::system_calls::SystemCall;
use crate::user::User;

/// Why privileges could not be given up. The process ends rather than keep them.
#[derive(Debug)]
pub(crate) enum SandboxError {
    /// A system call failed.
    System(&'static str, nix::Error),
    /// Capabilities could not be dropped.
    Capabilities(caps::errors::CapsError),
    /// The kernel has Landlock, but a call failed.
    Landlock(RulesetError),
    /// Seccomp failed.
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

/// Becomes the user `becomes`, if there is one, and gives up all capabilities for good. Returns `false`
/// if the process lacks the capabilities to become that user.
pub(crate) fn give_up_capabilities(becomes: Option<User>) -> Result<bool, SandboxError> {
    // Before anything else: no process of that user may trace this one while it still has capabilities.
    forbid_gains()?;
    // This takes a capability itself. Without that, the bounding set may stay: only starting a program
    // could gain something from it, and this process cannot start any.
    if has(Capability::CAP_SETPCAP) {
        caps::clear(None, CapSet::Bounding).map_err(SandboxError::Capabilities)?;
    }
    let can_become = has(Capability::CAP_SETUID) && has(Capability::CAP_SETGID);
    if let Some(user) = becomes.filter(|_| can_become) {
        let became = user.switch_to();
        became.map_err(|error| SandboxError::System("becoming another user", error))?;
        // The kernel may have allowed tracing again, as `fs.suid_dumpable` has it.
        forbid_gains()?;
    }
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(SandboxError::Capabilities)?;
    }
    Ok(becomes.is_none() || can_become)
}

/// Keeps these capabilities, as far as the process has them, and gives up all others for good. Programs that
/// it starts get them only if they are root's. For the calling thread and those that it starts.
pub(crate) fn keep_capabilities(kept: &[Capability]) -> Result<(), SandboxError> {
    let failed = SandboxError::Capabilities;
    forbid_gains()?;
    // Without this capability, the bounding set stays, from which only starting a program could gain.
    if has(Capability::CAP_SETPCAP) {
        for one in caps::read(None, CapSet::Bounding).map_err(failed)? {
            if !kept.contains(&one) {
                caps::drop(None, CapSet::Bounding, one).map_err(failed)?;
            }
        }
    }
    for set in [CapSet::Ambient, CapSet::Inheritable] {
        caps::clear(None, set).map_err(failed)?;
    }
    let mut permitted = caps::read(None, CapSet::Permitted).map_err(failed)?;
    permitted.retain(|one| kept.contains(one));
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &permitted).map_err(failed)?;
    }
    Ok(())
}

fn has(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false)
}

/// Forbids gaining privileges by starting a program, and tracing by processes of the same user.
fn forbid_gains() -> Result<(), SandboxError> {
    prctl::set_no_new_privs().map_err(|error| SandboxError::System("no_new_privs", error))?;
    forbid_looks()
}

/// Forbids core dumps of this process, and looks into it by processes of the same user. Programs that it starts are not
/// affected.
pub(crate) fn forbid_looks() -> Result<(), SandboxError> {
    prctl::set_dumpable(false).map_err(|error| SandboxError::System("dumpable", error))
}

/// Forbids new processes and threads, and core dumps.
pub(crate) fn forbid_processes() -> Result<(), SandboxError> {
    limit(Resource::RLIMIT_NPROC, 0)?;
    limit(Resource::RLIMIT_CORE, 0)
}

/// Limits a resource for good, unless the limit is lower already.
pub(crate) fn limit(resource: Resource, most: u64) -> Result<(), SandboxError> {
    let failed = |error| SandboxError::System("setrlimit", error);
    let (_, hard) = getrlimit(resource).map_err(failed)?;
    let most = most.min(hard);
    setrlimit(resource, most, most).map_err(failed)
}

/// Returns the processor type, if system calls can be filtered on it.
pub(crate) fn processor() -> Option<TargetArch> {
    TargetArch::try_from(std::env::consts::ARCH).ok()
}

/// Filters the system calls of all threads: one action for calls that match, another for all others.
pub(crate) fn filter(
    processor: TargetArch,
    calls: Calls,
    matched: SeccompAction,
    otherwise: SeccompAction,
) -> Result<(), SandboxError> {
    apply(&program(processor, calls, matched, otherwise)?)
}

/// Returns such a filter.
pub(crate) fn program(
    processor: TargetArch,
    calls: Calls,
    matched: SeccompAction,
    otherwise: SeccompAction,
) -> Result<BpfProgram, SandboxError> {
    let filter = SeccompFilter::new(calls, otherwise, matched, processor);
    let program = filter.and_then(BpfProgram::try_from).map_err(seccompiler::Error::Backend);
    program.map_err(SandboxError::Seccomp)
}

/// Filters the system calls of all threads.
pub(crate) fn apply(program: &BpfProgram) -> Result<(), SandboxError> {
    seccompiler::apply_filter_all_threads(program).map_err(SandboxError::Seccomp)
}

/// Returns the action that refuses a call.
pub(crate) fn refuse() -> SeccompAction {
    SeccompAction::Errno(libc::EACCES.unsigned_abs())
}

/// Returns rules that match these calls with any arguments, where the processor has them.
pub(crate) fn any_arguments(processor: TargetArch, calls: &[SystemCall]) -> Calls {
    let numbers = calls.iter().filter_map(|call| call.number(processor));
    numbers.map(|number| (number, Vec::new())).collect()
}

/// Returns a rule that matches if all conditions do. Each is the place of an argument, counted from 0,
/// how to compare it, and with what.
pub(crate) fn rule(
    conditions: impl IntoIterator<Item = (u8, SeccompCmpOp, u64)>,
) -> Result<SeccompRule, SandboxError> {
    let condition =
        |(place, how, value)| SeccompCondition::new(place, SeccompCmpArgLen::Dword, how, value);
    let conditions: Result<Vec<_>, BackendError> = conditions.into_iter().map(condition).collect();
    let rule = conditions.and_then(SeccompRule::new);
    rule.map_err(|error| SandboxError::Seccomp(seccompiler::Error::Backend(error)))
}

/// Returns what a filter makes of a system call, as the kernel's machine for filters works.
#[cfg(test)]
pub(crate) fn evaluate(
    program: &BpfProgram,
    processor: TargetArch,
    call: i64,
    arguments: [u64; 6],
) -> SeccompAction {
    // `AUDIT_ARCH_` of `linux/audit.h`.
    let processor: u32 = match processor {
        TargetArch::x86_64 => 0xc000_003e,
        TargetArch::aarch64 => 0xc000_00b7,
        TargetArch::riscv64 => 0xc000_00f3,
    };
    // `struct seccomp_data`: two numbers of four bytes, the instruction pointer, and the arguments.
    let mut data = Vec::new();
    data.extend(i32::try_from(call).unwrap().to_ne_bytes());
    data.extend(processor.to_ne_bytes());
    data.extend(0_u64.to_ne_bytes());
    data.extend(arguments.iter().flat_map(|one| one.to_ne_bytes()));
    let (mut loaded, mut at) = (0_u32, 0_usize);
    loop {
        let one = &program[at];
        at = at.checked_add(1).unwrap();
        let mut jump = |is_true| {
            at = at.checked_add(if is_true { one.jt } else { one.jf }.into()).unwrap();
        };
        match one.code {
            0x20 => {
                let place = usize::try_from(one.k).unwrap();
                loaded = u32::from_ne_bytes(*data[place..].first_chunk().unwrap());
            }
            0x54 => loaded &= one.k,
            0x05 => at = at.checked_add(one.k.try_into().unwrap()).unwrap(),
            0x15 => jump(loaded == one.k),
            0x25 => jump(loaded > one.k),
            0x35 => jump(loaded >= one.k),
            0x06 => {
                return match one.k & 0xffff_0000 {
                    libc::SECCOMP_RET_ALLOW => SeccompAction::Allow,
                    libc::SECCOMP_RET_ERRNO => SeccompAction::Errno(one.k & 0xffff),
                    libc::SECCOMP_RET_KILL_PROCESS => SeccompAction::KillProcess,
                    other => panic!("an action that filters do not have: {other:#x}"),
                };
            }
            other => panic!("an instruction that filters do not have: {other:#x}"),
        }
    }
}
