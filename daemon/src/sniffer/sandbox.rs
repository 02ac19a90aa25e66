//! The sniffer gives up everything it does not need before it reads a packet.
//!
//! It can still receive descriptors of packet sockets, and read what the kernel puts into their rings;
//! read and write the socket to the runner; write to standard error and to the recording, but not to a
//! packet socket; wait; allocate memory; and set filters for the kernel.

use std::fmt;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use landlock::{ABI, Access as _, AccessFs, AccessNet, RulesetAttr as _, RulesetStatus, Scope};
use landlock::{Ruleset, RulesetCreated};
use seccompiler::{SeccompAction, SeccompCmpOp};

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
/// can be sent but to the runner, by these descriptors of the socket to it. A recording can be written.
///
/// # Errors
/// [`SandboxError`] if privileges could not be given up.
pub(crate) fn enter(
    becomes: Option<User>,
    runner: [BorrowedFd<'_>; 2],
    recording: Option<BorrowedFd<'_>>,
) -> Result<Vec<Shortfall>, SandboxError> {
    let mut shortfalls = Vec::new();
    if !sandbox::give_up_capabilities(becomes)? {
        shortfalls.push(Shortfall::User);
    }
    sandbox::forbid_gains()?;
    sandbox::forbid_processes()?;
    if !deny_file_system()? {
        shortfalls.push(Shortfall::Landlock);
    }
    if !filter_system_calls(runner, recording)? {
        shortfalls.push(Shortfall::Seccomp);
    }
    Ok(shortfalls)
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
    libc::SYS_recvmsg,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_fcntl,
    libc::SYS_close,
    libc::SYS_clock_gettime,
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
    recording: Option<BorrowedFd<'_>>,
) -> Result<bool, SandboxError> {
    let Some(processor) = sandbox::processor() else { return Ok(false) };
    let mut refused = sandbox::any_arguments(REFUSED);
    for (call, conditions) in by_argument(runner, recording) {
        let rules = conditions.into_iter().map(|(place, expected)| {
            let any_other = expected.into_iter().map(|value| (place, SeccompCmpOp::Ne, value));
            sandbox::rule(any_other)
        });
        refused.insert(call, rules.collect::<Result<_, _>>()?);
    }
    // A call passes through both filters, and the stricter action wins.
    sandbox::filter(processor, refused, sandbox::refuse(), SeccompAction::Allow)?;
    let known = sandbox::any_arguments(&[CALLS, REFUSED].concat());
    sandbox::filter(processor, known, SeccompAction::Allow, SeccompAction::KillProcess)?;
    Ok(true)
}

/// A call that is refused unless each of these arguments, by its place from 0, has one of some values.
type ByArgument = (i64, Vec<(u8, Vec<u64>)>);

/// Returns calls that are refused unless their arguments have certain values.
fn by_argument(runner: [BorrowedFd<'_>; 2], recording: Option<BorrowedFd<'_>>) -> Vec<ByArgument> {
    let number = |number: i32| u64::from(number.unsigned_abs());
    let sockets = runner.map(|socket| number(socket.as_raw_fd()));
    let recording = recording.map(|file| number(file.as_raw_fd()));
    let outputs: Vec<u64> = recording.into_iter().chain([number(libc::STDERR_FILENO)]).collect();
    let flags = [libc::F_GETFD, libc::F_GETFL, libc::F_SETFL].map(number);
    let levels = [libc::SOL_SOCKET, libc::SOL_PACKET].map(number);
    let [error, statistics] = [libc::SO_ERROR, libc::PACKET_STATISTICS].map(number);
    vec![
        // Packets could be sent through packet sockets.
        (libc::SYS_write, vec![(0, [&sockets[..], &outputs].concat())]),
        (libc::SYS_sendto, vec![(0, sockets.to_vec())]),
        (libc::SYS_recvmsg, vec![(0, sockets.to_vec())]),
        // A new filter, and nothing else, such as receiving the packets of other machines.
        (
            libc::SYS_setsockopt,
            vec![(1, vec![number(libc::SOL_SOCKET)]), (2, vec![number(libc::SO_ATTACH_FILTER)])],
        ),
        (libc::SYS_getsockopt, vec![(1, levels.to_vec()), (2, vec![error, statistics])]),
        // With other commands, the kernel would signal another process when something can be read.
        (libc::SYS_fcntl, vec![(1, flags.to_vec())]),
        // Only to abort itself: a process that stays root (`Shortfall::User`) could signal any other.
        (libc::SYS_tgkill, vec![(0, vec![std::process::id().into()])]),
    ]
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
