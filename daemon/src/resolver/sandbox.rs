//! The resolver gives up everything it does not need before it gets the first question.
//!
//! What it needs depends on the C library and on the modules with which this machine looks up names:
//! they read files, load code, and talk to name servers and local services. Other system calls are
//! refused, which does not end the process: a module may try one and do without it.

use std::fs;
use std::path::PathBuf;

use landlock::{ABI, Access as _, AccessFs, AccessNet, NetPort, RulesetAttr as _, Scope};
use landlock::{Ruleset, RulesetCreatedAttr as _, RulesetError, path_beneath_rules};
use seccompiler::{SeccompAction, SeccompCmpOp};

use crate::sandbox::{self, Calls, SandboxError};
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
    sandbox::filter(processor, calls()?, SeccompAction::Allow, sandbox::refuse())
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

/// System calls whose arguments do not matter.
const CALLS: &[i64] = &[
    // Files and the code of modules.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    // Name servers and local services.
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_shutdown,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    // Existing threads, time and signals.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Identity of the process and the machine.
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrandom,
];

/// Returns the system calls of looking up names.
fn calls() -> Result<Calls, SandboxError> {
    let is = |place, value: i32| (place, SeccompCmpOp::Eq, u64::from(value.unsigned_abs()));
    let one_of = |place, values: &[u64]| -> Result<Vec<_>, SandboxError> {
        let each = values.iter().map(|&value| (place, SeccompCmpOp::Eq, value));
        each.map(|condition| sandbox::rule([condition])).collect()
    };
    let numbers = |values: &[i32]| -> Vec<u64> {
        values.iter().map(|value| u64::from(value.unsigned_abs())).collect()
    };
    let mut calls = sandbox::any_arguments(CALLS);
    // Even where Landlock is missing, no file can be opened for writing.
    let writing = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC;
    let writing = u64::from(writing.unsigned_abs());
    let reads = |place| sandbox::rule([(place, SeccompCmpOp::MaskedEq(writing), 0)]);
    calls.insert(libc::SYS_openat, vec![reads(2)?]);
    #[cfg(target_arch = "x86_64")]
    calls.insert(libc::SYS_open, vec![reads(1)?]);
    // Of netlink sockets, only those that list addresses.
    let mut sockets = one_of(0, &numbers(&[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6]))?;
    sockets.push(sandbox::rule([is(0, libc::AF_NETLINK), is(2, libc::NETLINK_ROUTE)])?);
    calls.insert(libc::SYS_socket, sockets);
    let asked = [libc::FIONREAD, libc::SIOCGIFNAME, libc::SIOCGIFINDEX];
    calls.insert(libc::SYS_ioctl, one_of(1, &asked)?);
    let flags = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL];
    calls.insert(libc::SYS_fcntl, one_of(1, &numbers(&flags))?);
    // Only to abort itself, not to signal other processes.
    calls.insert(libc::SYS_tgkill, one_of(0, &[std::process::id().into()])?);
    Ok(calls)
}
