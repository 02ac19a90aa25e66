//! The system calls that a runner makes which starts no program.
//!
//! It still has files, sockets and threads, so the list is long. What matters is not in it: starting
//! programs and processes, changing who it is, its privileges, its view of the machine or the kernel. A call that
//! is not in it fails as on a kernel that does not have it, which libraries are prepared for: killing this process
//! would shut everybody out.

use seccompiler::{SeccompAction, SeccompCmpOp, SeccompRule, TargetArch};

use crate::sandbox::{self, Calls, SandboxError};
use crate::system_calls::{self as call, SystemCall};

/// System calls whose arguments do not matter, besides the ordinary ones.
const CALLS: &[SystemCall] = &[
    // Files.
    call::PWRITE64,
    call::OPENAT,
    call::MKDIRAT,
    call::UNLINKAT,
    call::LINKAT,
    call::RENAMEAT,
    call::RENAMEAT2,
    call::FCHMOD,
    call::FCHMODAT,
    call::FCHOWN,
    call::FCHOWNAT,
    call::UMASK,
    call::FTRUNCATE,
    call::FALLOCATE,
    call::FADVISE64,
    call::FSYNC,
    call::FDATASYNC,
    call::FLOCK,
    call::FCNTL,
    call::DUP,
    call::DUP3,
    call::PIPE2,
    call::UTIMENSAT,
    call::OPEN,
    call::MKDIR,
    call::UNLINK,
    call::LINK,
    call::RENAME,
    call::CHMOD,
    call::CHOWN,
    call::DUP2,
    call::PIPE,
    // Making pairs of sockets, and being a server.
    call::SOCKETPAIR,
    call::LISTEN,
    call::ACCEPT4,
    // Waiting.
    call::TIMERFD_GETTIME,
    call::SIGNALFD4,
    call::WAIT4,
    call::WAITID,
    // Memory and threads.
    call::MEMBARRIER,
    call::RSEQ,
    call::SET_ROBUST_LIST,
    call::GET_ROBUST_LIST,
    call::SET_TID_ADDRESS,
    call::ARCH_PRCTL,
    // Time and signals.
    call::RT_SIGPENDING,
    // Identity of the process and the machine.
    call::GETGROUPS,
    call::CAPGET,
];

/// Filters the system calls of this process, which has one thread so far. Returns whether system calls can be
/// filtered on this processor type.
pub(super) fn filter_system_calls() -> Result<bool, SandboxError> {
    let Some(processor) = sandbox::processor() else { return Ok(false) };
    let refuse = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    sandbox::filter(processor, calls(processor)?, SeccompAction::Allow, refuse)?;
    Ok(true)
}

fn calls(processor: TargetArch) -> Result<Calls, SandboxError> {
    let number = |value: i32| u64::from(value.unsigned_abs());
    let is = |place, value: i32| (place, SeccompCmpOp::Eq, number(value));
    let mut calls = sandbox::any_arguments(processor, &[call::ORDINARY, CALLS].concat());
    let mut insert = |call: SystemCall, rules: Vec<SeccompRule>| {
        if let Some(number) = call.number(processor) {
            calls.insert(number, rules);
        }
    };
    // A thread, and no process. The newer call has its arguments in memory, where no filter sees them; without
    // it, the C library uses this one.
    let thread = number(libc::CLONE_THREAD);
    let is_thread = sandbox::rule([(0, SeccompCmpOp::MaskedEq(thread), thread)])?;
    insert(call::CLONE, vec![is_thread]);
    // The service manager, syslog and control; the interfaces and the firewall. No packet, and no host.
    let netlink = |protocol| sandbox::rule([is(0, libc::AF_NETLINK), is(2, protocol)]);
    let sockets = vec![
        sandbox::rule([is(0, libc::AF_UNIX)])?,
        netlink(libc::NETLINK_ROUTE)?,
        netlink(libc::NETLINK_NETFILTER)?,
    ];
    insert(call::SOCKET, sockets);
    let asked = [libc::FIONBIO, libc::FIONREAD, libc::FIOCLEX, libc::TCGETS, libc::TIOCGWINSZ];
    let asked = asked.iter().map(|&one| sandbox::rule([(1, SeccompCmpOp::Eq, one)]));
    insert(call::IOCTL, asked.collect::<Result<_, _>>()?);
    // Its own limits.
    insert(call::PRLIMIT64, vec![sandbox::rule([is(0, 0)])?]);
    // The name of a thread, and what it may do, but not changing that.
    let names = [libc::PR_SET_NAME, libc::PR_CAPBSET_READ, libc::PR_GET_DUMPABLE];
    let names = names.iter().map(|&one| sandbox::rule([is(0, one)]));
    insert(call::PRCTL, names.collect::<Result<_, _>>()?);
    // Whether the process of a pid file is there.
    insert(call::KILL, vec![sandbox::rule([is(1, 0)])?]);
    // Only to abort itself.
    let own = sandbox::rule([(0, SeccompCmpOp::Eq, std::process::id().into())])?;
    insert(call::TGKILL, vec![own]);
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{evaluate, program};
    use crate::system_calls::{LEADING_OUT, PROCESSORS};

    #[test]
    fn threads_and_sockets_to_the_kernel_are_allowed_and_processes_and_packets_are_not() {
        let refuse = || SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
        let number = |value: i32| u64::from(value.unsigned_abs());
        let thread = number(libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND);
        let vfork = number(libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD);
        let (netlink, raw) = (number(libc::AF_NETLINK), number(libc::SOCK_RAW));
        let cases = [
            (call::OPENAT, [0, 0, 0], true),
            (call::CLONE, [thread, 0, 0], true),
            (call::CLONE, [vfork, 0, 0], false),
            (call::CLONE, [number(libc::SIGCHLD), 0, 0], false),
            (call::SOCKET, [number(libc::AF_UNIX), raw, 0], true),
            (call::SOCKET, [netlink, raw, number(libc::NETLINK_NETFILTER)], true),
            (call::SOCKET, [netlink, raw, number(libc::NETLINK_ROUTE)], true),
            (call::SOCKET, [netlink, raw, number(libc::NETLINK_AUDIT)], false),
            (call::SOCKET, [number(libc::AF_PACKET), raw, 0], false),
            (call::SOCKET, [number(libc::AF_INET), raw, 0], false),
            (call::KILL, [1, 0, 0], true),
            (call::KILL, [1, 9, 0], false),
            (call::TGKILL, [1, 1, 9], false),
            (call::PRCTL, [number(libc::PR_SET_NAME), 0, 0], true),
            (call::PRCTL, [number(libc::PR_SET_DUMPABLE), 1, 0], false),
            (call::IOCTL, [0, libc::TIOCSTI, 0], false),
        ];
        for processor in PROCESSORS {
            let calls = calls(processor).unwrap();
            let program = program(processor, calls, SeccompAction::Allow, refuse()).unwrap();
            for (call, [a, b, c], is_allowed) in cases {
                let number = call.number(processor).unwrap();
                let outcome = evaluate(&program, processor, number, [a, b, c, 0, 0, 0]);
                let expected = if is_allowed { SeccompAction::Allow } else { refuse() };
                assert_eq!(outcome, expected, "{processor:?} {call:?} {a} {b} {c}");
            }
            for (name, x86_64, elsewhere) in LEADING_OUT {
                let number = if processor == TargetArch::x86_64 { x86_64 } else { elsewhere };
                let Some(number) = number else { continue };
                let outcome = evaluate(&program, processor, number, [0; 6]);
                assert_eq!(outcome, refuse(), "{processor:?} {name}");
            }
        }
    }
}
