//! The system calls that a runner makes which starts no program.
//!
//! It still has files, sockets and threads, so the list is long. What matters is not in it: starting
//! programs and processes, changing who it is, its privileges, its view of the machine or the kernel. A call that
//! is not in it fails as on a kernel that does not have it, which libraries are prepared for: killing this process
//! would shut everybody out.

use seccompiler::{SeccompAction, SeccompCmpOp};

use crate::sandbox::{self, Calls, SandboxError};

/// System calls whose arguments do not matter.
const CALLS: &[i64] = &[
    // Files.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_openat,
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
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_linkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_umask,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_eventfd2,
    libc::SYS_utimensat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_link,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_dup2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_pipe,
    // Sockets that are there.
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept4,
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
    // Waiting.
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_signalfd4,
    libc::SYS_wait4,
    libc::SYS_waitid,
    // Memory and threads.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_membarrier,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_arch_prctl,
    // Time and signals.
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
    libc::SYS_rt_sigpending,
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
    libc::SYS_getgroups,
    libc::SYS_capget,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrandom,
];

/// Filters the system calls of this process, which has one thread so far. Returns whether system calls can be
/// filtered on this processor type.
pub(super) fn filter_system_calls() -> Result<bool, SandboxError> {
    let Some(processor) = sandbox::processor() else { return Ok(false) };
    let refuse = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    sandbox::filter(processor, calls()?, SeccompAction::Allow, refuse)?;
    Ok(true)
}

fn calls() -> Result<Calls, SandboxError> {
    let number = |value: i32| u64::from(value.unsigned_abs());
    let is = |place, value: i32| (place, SeccompCmpOp::Eq, number(value));
    let mut calls = sandbox::any_arguments(CALLS);
    // A thread, and no process. The newer call has its arguments in memory, where no filter sees them; without
    // it, the C library uses this one.
    let thread = number(libc::CLONE_THREAD);
    let is_thread = sandbox::rule([(0, SeccompCmpOp::MaskedEq(thread), thread)])?;
    calls.insert(libc::SYS_clone, vec![is_thread]);
    // The service manager, syslog and control; the interfaces and the firewall. No packet, and no host.
    let netlink = |protocol| sandbox::rule([is(0, libc::AF_NETLINK), is(2, protocol)]);
    let sockets = vec![
        sandbox::rule([is(0, libc::AF_UNIX)])?,
        netlink(libc::NETLINK_ROUTE)?,
        netlink(libc::NETLINK_NETFILTER)?,
    ];
    calls.insert(libc::SYS_socket, sockets);
    let asked = [libc::FIONBIO, libc::FIONREAD, libc::FIOCLEX, libc::TCGETS, libc::TIOCGWINSZ];
    let asked = asked.iter().map(|&one| sandbox::rule([(1, SeccompCmpOp::Eq, one)]));
    calls.insert(libc::SYS_ioctl, asked.collect::<Result<_, _>>()?);
    // Its own limits.
    calls.insert(libc::SYS_prlimit64, vec![sandbox::rule([is(0, 0)])?]);
    // The name of a thread, and what it may do, but not changing that.
    let names = [libc::PR_SET_NAME, libc::PR_CAPBSET_READ, libc::PR_GET_DUMPABLE];
    let names = names.iter().map(|&one| sandbox::rule([is(0, one)]));
    calls.insert(libc::SYS_prctl, names.collect::<Result<_, _>>()?);
    // Whether the process of a pid file is there.
    calls.insert(libc::SYS_kill, vec![sandbox::rule([is(1, 0)])?]);
    // Only to abort itself.
    let own = sandbox::rule([(0, SeccompCmpOp::Eq, std::process::id().into())])?;
    calls.insert(libc::SYS_tgkill, vec![own]);
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{evaluate, program};

    #[test]
    fn threads_and_sockets_to_the_kernel_are_allowed_and_processes_and_packets_are_not() {
        let processor = sandbox::processor().unwrap();
        let refuse = || SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
        let program = program(processor, calls().unwrap(), SeccompAction::Allow, refuse()).unwrap();
        let number = |value: i32| u64::from(value.unsigned_abs());
        let thread = number(libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND);
        let vfork = number(libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD);
        let (netlink, raw) = (number(libc::AF_NETLINK), number(libc::SOCK_RAW));
        for (call, [a, b, c], is_allowed) in [
            (libc::SYS_openat, [0, 0, 0], true),
            (libc::SYS_clone, [thread, 0, 0], true),
            (libc::SYS_clone, [vfork, 0, 0], false),
            (libc::SYS_clone, [number(libc::SIGCHLD), 0, 0], false),
            (libc::SYS_clone3, [0, 88, 0], false),
            (libc::SYS_execve, [0, 0, 0], false),
            (libc::SYS_execveat, [0, 0, 0], false),
            (libc::SYS_socket, [number(libc::AF_UNIX), raw, 0], true),
            (libc::SYS_socket, [netlink, raw, number(libc::NETLINK_NETFILTER)], true),
            (libc::SYS_socket, [netlink, raw, number(libc::NETLINK_ROUTE)], true),
            (libc::SYS_socket, [netlink, raw, number(libc::NETLINK_AUDIT)], false),
            (libc::SYS_socket, [number(libc::AF_PACKET), raw, 0], false),
            (libc::SYS_socket, [number(libc::AF_INET), raw, 0], false),
            (libc::SYS_kill, [1, 0, 0], true),
            (libc::SYS_kill, [1, 9, 0], false),
            (libc::SYS_tgkill, [1, 1, 9], false),
            (libc::SYS_prctl, [number(libc::PR_SET_NAME), 0, 0], true),
            (libc::SYS_prctl, [number(libc::PR_SET_DUMPABLE), 1, 0], false),
            (libc::SYS_ioctl, [0, libc::TIOCSTI, 0], false),
            (libc::SYS_setuid, [0, 0, 0], false),
            (libc::SYS_capset, [0, 0, 0], false),
            (libc::SYS_setns, [0, 0, 0], false),
            (libc::SYS_unshare, [0, 0, 0], false),
            (libc::SYS_mount, [0, 0, 0], false),
            (libc::SYS_ptrace, [0, 0, 0], false),
            (libc::SYS_bpf, [0, 0, 0], false),
            (libc::SYS_init_module, [0, 0, 0], false),
        ] {
            let outcome = evaluate(&program, processor, call, [a, b, c, 0, 0, 0]);
            let expected = if is_allowed { SeccompAction::Allow } else { refuse() };
            assert_eq!(outcome, expected, "{call} {a} {b} {c}");
        }
    }
}
