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
const CALLS: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_sendto,
    libc::SYS_ftruncate,
    libc::SYS_recvmsg,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_fcntl,
    libc::SYS_close,
    libc::SYS_clock_gettime,
    libc::SYS_timerfd_settime,
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_sigaltstack,
    // To abort.
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// System calls that libraries try, but can do without: they are refused. All others kill the process.
const REFUSED: &[i64] = &[
    libc::SYS_openat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    libc::SYS_newfstatat,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_lseek,
    libc::SYS_socket,
    libc::SYS_ioctl,
    libc::SYS_uname,
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
    let mut refused = sandbox::any_arguments(REFUSED);
    for (call, arguments) in by_argument(own) {
        let rules = arguments.into_iter().map(|(place, allowed)| match allowed {
            Allowed::OneOf(values) => {
                // No descriptor has the number: nothing is allowed.
                let values = if values.is_empty() { vec![u64::MAX] } else { values };
                sandbox::rule(values.into_iter().map(|value| (place, SeccompCmpOp::Ne, value)))
            }
            Allowed::Without(bit) => sandbox::rule([(place, SeccompCmpOp::MaskedEq(bit), bit)]),
        });
        refused.insert(call, rules.collect::<Result<_, _>>()?);
    }
    let known = sandbox::any_arguments(&[CALLS, REFUSED].concat());
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
type ByArgument = (i64, Vec<(u8, Allowed)>);

/// Returns calls that are refused unless their arguments have certain values.
fn by_argument(own: &Own) -> Vec<ByArgument> {
    let one_of = |place, numbers: &[i32]| {
        (place, Allowed::OneOf(numbers.iter().map(|&one| number(one)).collect()))
    };
    let sockets = || (0, Allowed::OneOf(own.sockets.to_vec()));
    let outputs = own.sockets.iter().chain(&own.recordings).copied().collect();
    vec![
        // Packets could be sent through packet sockets, and what others write read from descriptors.
        (libc::SYS_read, vec![sockets()]),
        (libc::SYS_write, vec![(0, Allowed::OneOf(outputs))]),
        (libc::SYS_sendto, vec![sockets()]),
        (libc::SYS_recvmsg, vec![sockets()]),
        // A recording that goes on in the other file empties that first.
        (
            libc::SYS_ftruncate,
            vec![(0, Allowed::OneOf(own.recordings.clone())), (1, Allowed::OneOf(vec![0]))],
        ),
        // A new filter, and nothing else, such as receiving the packets of other machines. Much in the
        // kernel can be reached by other options of packet sockets.
        (
            libc::SYS_setsockopt,
            vec![one_of(1, &[libc::SOL_SOCKET]), one_of(2, &[libc::SO_ATTACH_FILTER])],
        ),
        (
            libc::SYS_getsockopt,
            vec![
                one_of(1, &[libc::SOL_SOCKET, libc::SOL_PACKET]),
                one_of(2, &[libc::SO_ERROR, libc::PACKET_STATISTICS]),
            ],
        ),
        // With other commands, the kernel would signal another process when something can be read, or a
        // file would no longer be appended to.
        (libc::SYS_fcntl, vec![one_of(1, &[libc::F_GETFD, libc::F_GETFL])]),
        (libc::SYS_mmap, vec![(2, Allowed::Without(number(libc::PROT_EXEC)))]),
        (libc::SYS_timerfd_settime, vec![(0, Allowed::OneOf(vec![own.alarm]))]),
        // Only to abort itself: a process that stays root (`Shortfall::User`) could signal any other.
        (libc::SYS_tgkill, vec![(0, Allowed::OneOf(vec![own.process]))]),
    ]
}

fn number(number: i32) -> u64 {
    u64::from(number.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::{ErrorKind, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::process::Command;
    use std::thread;

    use tempfile::TempDir;

    use super::*;
    use crate::sandbox::evaluate;

    fn own() -> Own {
        Own { process: 77, sockets: [3, 4], alarm: 6, recordings: vec![1, 5] }
    }

    /// Returns what becomes of a call: the stricter of what both filters say.
    fn outcome(call: i64, arguments: [u64; 6]) -> SeccompAction {
        let processor = sandbox::processor().unwrap();
        let outcomes = programs(processor, &own()).unwrap();
        let [first, second] = outcomes.map(|one| evaluate(&one, processor, call, arguments));
        match (&first, &second) {
            (SeccompAction::KillProcess, _) | (_, SeccompAction::Allow) => first,
            _ => second,
        }
    }

    #[test]
    fn calls_are_allowed_refused_and_forbidden_by_their_arguments() {
        let (file, packet, level) = (9, number(libc::SOL_PACKET), number(libc::SOL_SOCKET));
        let filter = number(libc::SO_ATTACH_FILTER);
        let [memory, code] = [libc::PROT_WRITE, libc::PROT_EXEC | libc::PROT_READ].map(number);
        for (call, arguments, expected) in [
            (libc::SYS_read, [3, 0, 0], SeccompAction::Allow),
            (libc::SYS_read, [file, 0, 0], sandbox::refuse()),
            (libc::SYS_read, [2, 0, 0], sandbox::refuse()),
            (libc::SYS_write, [4, 0, 0], SeccompAction::Allow),
            (libc::SYS_write, [1, 0, 0], SeccompAction::Allow),
            (libc::SYS_write, [2, 0, 0], sandbox::refuse()),
            (libc::SYS_write, [5, 0, 0], SeccompAction::Allow),
            (libc::SYS_ftruncate, [5, 0, 0], SeccompAction::Allow),
            (libc::SYS_ftruncate, [5, 1, 0], sandbox::refuse()),
            (libc::SYS_ftruncate, [4, 0, 0], sandbox::refuse()),
            (libc::SYS_sendto, [1, 0, 0], sandbox::refuse()),
            (libc::SYS_setsockopt, [file, level, filter], SeccompAction::Allow),
            (libc::SYS_setsockopt, [file, packet, filter], sandbox::refuse()),
            (libc::SYS_setsockopt, [file, packet, number(libc::PACKET_FANOUT)], sandbox::refuse()),
            (libc::SYS_mmap, [0, 1 << 20, memory], SeccompAction::Allow),
            (libc::SYS_mmap, [0, 1 << 20, code], sandbox::refuse()),
            (libc::SYS_fcntl, [2, number(libc::F_GETFL), 0], SeccompAction::Allow),
            (libc::SYS_fcntl, [2, number(libc::F_SETFL), 0], sandbox::refuse()),
            (libc::SYS_timerfd_settime, [6, 1, 0], SeccompAction::Allow),
            (libc::SYS_timerfd_settime, [3, 1, 0], sandbox::refuse()),
            (libc::SYS_timerfd_create, [7, 0, 0], SeccompAction::KillProcess),
            (libc::SYS_tgkill, [77, 77, 6], SeccompAction::Allow),
            (libc::SYS_tgkill, [1, 1, 9], sandbox::refuse()),
            (libc::SYS_openat, [0, 0, 0], sandbox::refuse()),
            (libc::SYS_mprotect, [0, 4096, code], SeccompAction::KillProcess),
            (libc::SYS_execve, [0, 0, 0], SeccompAction::KillProcess),
            (libc::SYS_clone, [0, 0, 0], SeccompAction::KillProcess),
            (libc::SYS_ptrace, [0, 0, 0], SeccompAction::KillProcess),
            (libc::SYS_bind, [3, 0, 0], SeccompAction::KillProcess),
            (-1, [0, 0, 0], SeccompAction::KillProcess),
        ] {
            let [a, b, c] = arguments;
            assert_eq!(outcome(call, [a, b, c, 0, 0, 0]), expected, "{call} {arguments:?}");
        }
    }

    /// So that a new call is added on purpose, and the documents are changed.
    #[test]
    fn as_many_calls_are_allowed_as_the_documents_say() {
        let by_argument = by_argument(&own()).len();
        let poll = usize::from(cfg!(target_arch = "x86_64"));
        assert_eq!((CALLS.len(), by_argument), (29 + poll, 11));
    }

    #[test]
    fn calls_of_another_processor_type_are_forbidden() {
        let own = sandbox::processor().unwrap();
        let is_x86 = own == TargetArch::x86_64;
        let other = if is_x86 { TargetArch::aarch64 } else { TargetArch::x86_64 };
        for program in programs(own, &self::own()).unwrap() {
            let outcome = evaluate(&program, other, libc::SYS_read, [3, 0, 0, 0, 0, 0]);
            assert_eq!(outcome, SeccompAction::KillProcess);
        }
    }

    #[test]
    fn landlock_alone_denies_files_programs_and_ports() {
        let folder = TempDir::new().unwrap();
        let there = folder.path().join("there");
        fs::write(&there, "").unwrap();
        let new = folder.path().join("new");
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap();
        // The rules apply to the thread that sets them, and to what it starts.
        let confined = thread::spawn(move || {
            if !deny_file_system().unwrap() {
                return None;
            }
            let results = [
                ("read a file", File::open("/etc/passwd").map(drop)),
                ("read a folder", fs::read_dir("/etc").map(drop)),
                ("write a file", File::create(&there).map(drop)),
                ("make a file", File::create(&new).map(drop)),
                ("remove a file", fs::remove_file(&there)),
                ("start a program", Command::new("/bin/true").spawn().map(drop)),
                ("connect", TcpStream::connect(address).map(drop)),
                ("listen", TcpListener::bind("127.0.0.1:0").map(drop)),
            ];
            Some(results.map(|(what, result)| (what, result.err().map(|error| error.kind()))))
        });
        let Some(results) = confined.join().unwrap() else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "this kernel has no Landlock");
            let _ =
                writeln!(std::io::stderr(), "SKIPPED: this kernel has no Landlock, or an old one");
            return;
        };
        for (what, error) in results {
            assert_eq!(error, Some(ErrorKind::PermissionDenied), "{what}");
        }
        // Other threads are not restricted.
        assert!(File::open("/etc/passwd").is_ok());
    }
}
