//! The sniffer gives up all it does not need once its captures are open.
//!
//! What is left to it: to read its captures and the socket to the runner, to write to that socket, to
//! standard error and to the recording, but not to the captures, to wait, to take memory, and to change its kernel filter.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use caps::{CapSet, Capability};
use knock_setup::text::Cause;
use landlock::{ABI, Access as _, AccessFs, AccessNet, RulesetAttr as _, RulesetStatus, Scope};
use landlock::{Ruleset, RulesetCreated, RulesetError};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::user::User;

/// Why privileges could not be given up. The sniffer ends rather than go on with them.
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

/// What could not be given up on this machine; none of it keeps the sniffer from going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortfall {
    /// The user stays root, without its capabilities, because the daemon was started without those
    /// that are needed to become another user.
    User,
    /// The kernel has no Landlock, or an old one.
    Landlock,
    /// This processor has no system-call filter here.
    Seccomp,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::User => {
                "the process that reads packets stays root, but without capabilities: knockd was \
                 started without CAP_SETUID and CAP_SETGID (CapabilityBoundingSet= of its unit)"
            }
            Self::Landlock => "this kernel cannot shut the file system off by Landlock entirely",
            Self::Seccomp => "there is no filter of system calls for this processor",
        })
    }
}

/// Gives up all privileges, for ever, and becomes another user if `becomes` says which. Nothing can be
/// sent by the `captures`, though a packet socket could.
///
/// # Errors
/// [`SandboxError`] if this process could do more than it should.
pub(crate) fn enter(
    becomes: Option<User>,
    captures: &[BorrowedFd<'_>],
) -> Result<Vec<Shortfall>, SandboxError> {
    let mut shortfalls = Vec::new();
    // Needs a capability itself. Without it, nothing can be gained from the set either: no program
    // can be started.
    if has(Capability::CAP_SETPCAP) {
        caps::clear(None, CapSet::Bounding).map_err(SandboxError::Capabilities)?;
    }
    if let Some(user) = becomes {
        if has(Capability::CAP_SETUID) && has(Capability::CAP_SETGID) {
            let became = user.become_for_ever();
            became.map_err(|error| SandboxError::System("another user", error))?;
        } else {
            shortfalls.push(Shortfall::User);
        }
    }
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(SandboxError::Capabilities)?;
    }
    prctl::set_no_new_privs().map_err(|error| SandboxError::System("no_new_privs", error))?;
    prctl::set_dumpable(false).map_err(|error| SandboxError::System("dumpable", error))?;
    for resource in [Resource::RLIMIT_NPROC, Resource::RLIMIT_CORE] {
        setrlimit(resource, 0, 0).map_err(|error| SandboxError::System("setrlimit", error))?;
    }
    if !shut_file_system_off()? {
        shortfalls.push(Shortfall::Landlock);
    }
    if !filter_system_calls(captures)? {
        shortfalls.push(Shortfall::Seccomp);
    }
    Ok(shortfalls)
}

fn has(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false)
}

/// Denies every file, every port and every process by a ruleset without a rule. Returns whether the
/// kernel knows enough of Landlock to do so: the file system and the ports of TCP.
fn shut_file_system_off() -> Result<bool, SandboxError> {
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V7))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(ABI::V7)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V7)))
        .and_then(Ruleset::create)
        .and_then(RulesetCreated::restrict_self)
        .map_err(SandboxError::Landlock)?;
    Ok(status.ruleset == RulesetStatus::FullyEnforced)
}

/// The system calls of a sniffer at work: of its own loop, of libpcap and of memory.
const CALLS: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_getsockname,
    libc::SYS_ioctl,
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

/// System calls that libraries try and can do without: they are refused. Any other ends the process.
const REFUSED: &[i64] = &[
    libc::SYS_openat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    libc::SYS_newfstatat,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_lseek,
    libc::SYS_socket,
    libc::SYS_uname,
];

/// Returns whether there is a filter for this processor.
fn filter_system_calls(captures: &[BorrowedFd<'_>]) -> Result<bool, SandboxError> {
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(false) };
    let install = |rules: BTreeMap<i64, Vec<SeccompRule>>, otherwise, matched| {
        let filter = SeccompFilter::new(rules, otherwise, matched, arch);
        let program = filter.and_then(BpfProgram::try_from).map_err(seccompiler::Error::Backend);
        let installed = program.and_then(|program| seccompiler::apply_filter(&program));
        installed.map_err(SandboxError::Seccomp)
    };
    let refuse = SeccompAction::Errno(libc::EACCES.unsigned_abs());
    let mut refused = whatever_the_arguments(REFUSED);
    for (call, place, expected) in by_argument() {
        let rule = any_other(place, expected).map_err(seccompiler::Error::Backend);
        refused.insert(call, vec![rule.map_err(SandboxError::Seccomp)?]);
    }
    for call in [libc::SYS_write, libc::SYS_sendto] {
        let rules: Result<Vec<_>, _> = captures.iter().map(|&capture| by(capture)).collect();
        let rules =
            rules.map_err(|error| SandboxError::Seccomp(seccompiler::Error::Backend(error)));
        refused.insert(call, rules?);
    }
    // A call meets both filters, and the stricter answer counts.
    install(refused, SeccompAction::Allow, refuse)?;
    let known = whatever_the_arguments(&[CALLS, REFUSED].concat());
    install(known, SeccompAction::KillProcess, SeccompAction::Allow)?;
    Ok(true)
}

/// Returns rules that match calls with any arguments.
fn whatever_the_arguments(calls: &[i64]) -> BTreeMap<i64, Vec<SeccompRule>> {
    calls.iter().map(|&call| (call, Vec::new())).collect()
}

/// Returns which calls are refused unless the argument at a place, counted from 0, is one of these.
fn by_argument() -> [(i64, u8, Vec<u64>); 3] {
    let [get_close, get_flags, set_flags] =
        [libc::F_GETFD, libc::F_GETFL, libc::F_SETFL].map(|command| command.unsigned_abs().into());
    [
        // libpcap asks for the flags of an interface that went down, to know whether it is still there.
        (libc::SYS_ioctl, 1, vec![libc::SIOCGIFFLAGS]),
        // Other commands would have the kernel signal another process when something can be read.
        (libc::SYS_fcntl, 1, vec![get_close, get_flags, set_flags]),
        // To abort, and not to end others: as root (`Shortfall::User`) it may signal all of them.
        (libc::SYS_tgkill, 0, vec![std::process::id().into()]),
    ]
}

/// Returns a rule that matches a call by a descriptor.
fn by(descriptor: BorrowedFd<'_>) -> Result<SeccompRule, seccompiler::BackendError> {
    let number = u64::from(descriptor.as_raw_fd().unsigned_abs());
    let is_it = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, number);
    SeccompRule::new(vec![is_it?])
}

/// Returns a rule that matches a call whose argument is none of these.
fn any_other(place: u8, expected: Vec<u64>) -> Result<SeccompRule, seccompiler::BackendError> {
    let differs =
        |value| SeccompCondition::new(place, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value);
    SeccompRule::new(expected.into_iter().map(differs).collect::<Result<_, _>>()?)
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
        // It holds for the thread that asks for it, and for what that starts.
        let confined = thread::spawn(move || {
            if !shut_file_system_off().unwrap() {
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
        // Other threads are as free as before.
        assert!(File::open("/etc/passwd").is_ok());
    }
}
