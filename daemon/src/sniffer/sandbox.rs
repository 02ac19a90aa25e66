//! The sniffer gives up everything it does not need before it reads a packet.
//!
//! It can still receive descriptors of packet sockets, and read what the kernel puts into their rings;
//! read and write the socket to the runner; write to the recording, but to nothing else; wait; allocate
//! memory up to a limit, in which no code can be run; and set filters for the kernel.

use std::fmt;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use landlock::{ABI, Access as _, AccessFs, AccessNet, RulesetAttr as _, RulesetStatus, Scope};
use landlock::{Ruleset, RulesetCreated};
use nix::sys::resource::Resource;
use seccompiler::{BpfProgram, SeccompAction, SeccompCmpOp, TargetArch};

use crate::sandbox::{self, SandboxError};
use crate::system_calls::{self as call, SystemCall};
use crate::user::User;

/// What could not be given up on this machine. The sniffer runs all the same, and warns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortfall {
    /// The user stays root, without capabilities, because the daemon was started without those that it
    /// takes to become another user.
    User,
    /// The kernel has no Landlock, or an old version of it.
    Landlock,
    /// System calls cannot be filtered on this processor type.
    Seccomp,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::User => {
                "the process that reads packets stays root, but without capabilities, because knockd \
                 was started without CAP_SETUID and CAP_SETGID: add both to CapabilityBoundingSet= in \
                 the systemd unit"
            }
            Self::Landlock => {
                "the process that reads packets is not fully confined: this kernel has no Landlock, or \
                 an old version of it"
            }
            Self::Seccomp => {
                "the process that reads packets is not fully confined: knockd cannot filter system \
                 calls on this type of processor"
            }
        })
    }
}

/// Gives up all privileges for good, and becomes the user `becomes`, if there is one. Afterwards nothing
/// can be sent but to the runner, by these descriptors of the socket to it. Recordings can be written.
///
/// # Errors
/// [`SandboxError`] if privileges could not be given up.
pub(crate) fn enter(
    becomes: Option<User>,
    runner: [BorrowedFd<'_>; 2],
    alarm: BorrowedFd<'_>,
    recordings: &[BorrowedFd<'_>],
    max_attempts: u32,
) -> Result<Vec<Shortfall>, SandboxError> {
    let mut shortfalls = Vec::new();
    if !sandbox::give_up_capabilities(becomes)? {
        shortfalls.push(Shortfall::User);
    }
    sandbox::forbid_processes()?;
    limit_memory_and_descriptors(max_attempts)?;
    if !deny_file_system()? {
        shortfalls.push(Shortfall::Landlock);
    }
    if !filter_system_calls(runner, alarm, recordings)? {
        shortfalls.push(Shortfall::Seccomp);
    }
    Ok(shortfalls)
}

/// How much memory the process may use for itself, in bytes: for the doors, for what waits to be sent,
/// and, for each attempt, several times what that takes.
const MEMORY: u64 = 512 << 20;
const MEMORY_OF_ATTEMPT: u64 = 512;

/// How much more it may map: its program, and the rings of as many interfaces as there may be.
const MAPPED: u64 = (4 << 30) + (256 << 20);

/// How many descriptors it may have: a capture for each interface, and a few more.
const DESCRIPTORS: u64 = 512;

fn limit_memory_and_descriptors(max_attempts: u32) -> Result<(), SandboxError> {
    let of_attempts = u64::from(max_attempts).saturating_mul(MEMORY_OF_ATTEMPT);
    let memory = MEMORY.saturating_add(of_attempts);
    sandbox::limit(Resource::RLIMIT_DATA, memory)?;
    sandbox::limit(Resource::RLIMIT_AS, memory.saturating_add(MAPPED))?;
    sandbox::limit(Resource::RLIMIT_NOFILE, DESCRIPTORS)
}

/// Denies access to every file, TCP port and other process, by a ruleset without rules. Returns whether
/// the kernel's Landlock can do all of this.
fn deny_file_system() -> Result<bool, SandboxError> {
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V7))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(ABI::V7)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V7)))
        .and_then(Ruleset::create)
        .and_then(RulesetCreated::restrict_self)
        .map_err(SandboxError::Landlock)?;
    Ok(status.ruleset == RulesetStatus::FullyEnforced)
}

/// The system calls that the sniffer needs: for its loop and for memory.
const CALLS: &[SystemCall] = &[
    call::READ,
    call::WRITE,
    call::SENDTO,
    call::FTRUNCATE,
    call::RECVMSG,
    call::PPOLL,
    call::POLL,
    call::GETSOCKOPT,
    call::SETSOCKOPT,
    call::FCNTL,
    call::CLOSE,
    call::CLOCK_GETTIME,
    call::TIMERFD_SETTIME,
    call::BRK,
    call::MMAP,
    call::MUNMAP,
    call::MREMAP,
    call::MADVISE,
    call::FUTEX,
    call::GETRANDOM,
    call::RT_SIGACTION,
    call::RT_SIGPROCMASK,
    call::RT_SIGRETURN,
    call::RESTART_SYSCALL,
    call::SIGALTSTACK,
    // To abort.
    call::GETPID,
    call::GETTID,
    call::TGKILL,
    call::EXIT,
    call::EXIT_GROUP,
];

/// System calls that libraries try, but can do without: they are refused. All others kill the process.
const REFUSED: &[SystemCall] = &[
    call::OPENAT,
    call::OPEN,
    call::NEWFSTATAT,
    call::FSTAT,
    call::STATX,
    call::LSEEK,
    call::SOCKET,
    call::IOCTL,
    call::UNAME,
];

/// Returns whether system calls can be filtered on this processor type.
fn filter_system_calls(
    runner: [BorrowedFd<'_>; 2],
    alarm: BorrowedFd<'_>,
    recordings: &[BorrowedFd<'_>],
) -> Result<bool, SandboxError> {
    let Some(processor) = sandbox::processor() else { return Ok(false) };
    let own = Own {
        process: std::process::id().into(),
        sockets: runner.map(|socket| number(socket.as_raw_fd())),
        alarm: number(alarm.as_raw_fd()),
        recordings: recordings.iter().map(|file| number(file.as_raw_fd())).collect(),
    };
    for program in programs(processor, &own)? {
        sandbox::apply(&program)?;
    }
    Ok(true)
}

/// What belongs to the process, as arguments of its system calls.
#[derive(Clone, Debug)]
struct Own {
    process: u64,
    sockets: [u64; 2],
    alarm: u64,
    recordings: Vec<u64>,
}

/// Returns two filters. A call passes through both, and the stricter action counts.
fn programs(processor: TargetArch, own: &Own) -> Result<[BpfProgram; 2], SandboxError> {
    let mut refused = sandbox::any_arguments(processor, REFUSED);
    for (call, arguments) in by_argument(own) {
        let Some(number) = call.number(processor) else { continue };
        let rules = arguments.into_iter().map(|(place, allowed)| match allowed {
            Allowed::OneOf(values) => {
                // No descriptor has the number: nothing is allowed.
                let values = if values.is_empty() { vec![u64::MAX] } else { values };
                sandbox::rule(values.into_iter().map(|value| (place, SeccompCmpOp::Ne, value)))
            }
            Allowed::Without(bit) => sandbox::rule([(place, SeccompCmpOp::MaskedEq(bit), bit)]),
        });
        refused.insert(number, rules.collect::<Result<_, _>>()?);
    }
    let known = sandbox::any_arguments(processor, &[CALLS, REFUSED].concat());
    Ok([
        sandbox::program(processor, refused, sandbox::refuse(), SeccompAction::Allow)?,
        sandbox::program(processor, known, SeccompAction::Allow, SeccompAction::KillProcess)?,
    ])
}

/// What an argument may be.
enum Allowed {
    OneOf(Vec<u64>),
    /// Any number in which this bit is not set.
    Without(u64),
}

/// A call that is refused unless each of these arguments, by its place from 0, is allowed.
type ByArgument = (SystemCall, Vec<(u8, Allowed)>);

/// Returns calls that are refused unless their arguments have certain values.
fn by_argument(own: &Own) -> Vec<ByArgument> {
    let one_of = |place, numbers: &[i32]| {
        (place, Allowed::OneOf(numbers.iter().map(|&one| number(one)).collect()))
    };
    let sockets = || (0, Allowed::OneOf(own.sockets.to_vec()));
    let outputs = own.sockets.iter().chain(&own.recordings).copied().collect();
    vec![
        // Packets could be sent through packet sockets, and what others write read from descriptors.
        (call::READ, vec![sockets()]),
        (call::WRITE, vec![(0, Allowed::OneOf(outputs))]),
        (call::SENDTO, vec![sockets()]),
        (call::RECVMSG, vec![sockets()]),
        // A recording that goes on in the other file empties that first.
        (
            call::FTRUNCATE,
            vec![(0, Allowed::OneOf(own.recordings.clone())), (1, Allowed::OneOf(vec![0]))],
        ),
        // A new filter, and nothing else, such as receiving the packets of other machines. Much in the
        // kernel can be reached by other options of packet sockets.
        (
            call::SETSOCKOPT,
            vec![one_of(1, &[libc::SOL_SOCKET]), one_of(2, &[libc::SO_ATTACH_FILTER])],
        ),
        (
            call::GETSOCKOPT,
            vec![
                one_of(1, &[libc::SOL_SOCKET, libc::SOL_PACKET]),
                one_of(2, &[libc::SO_ERROR, libc::PACKET_STATISTICS]),
            ],
        ),
        // With other commands, the kernel would signal another process when something can be read, or a
        // file would no longer be appended to.
        (call::FCNTL, vec![one_of(1, &[libc::F_GETFD, libc::F_GETFL])]),
        (call::MMAP, vec![(2, Allowed::Without(number(libc::PROT_EXEC)))]),
        (call::TIMERFD_SETTIME, vec![(0, Allowed::OneOf(vec![own.alarm]))]),
        // Only to abort itself: a process that stays root (`Shortfall::User`) could signal any other.
        (call::TGKILL, vec![(0, Allowed::OneOf(vec![own.process]))]),
    ]
}

fn number(number: i32) -> u64 {
    u64::from(number.unsigned_abs())
}

#[cfg(test)]
mod tests;
