//! System calls that filters name, with their numbers for each type of processor.
//!
//! The numbers are written here, and not taken from the C library's headers for the processor that the
//! program is built for, so that a test on any machine can look at the filters of all of them.

use seccompiler::TargetArch;

/// A system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SystemCall {
    x86_64: i64,
    /// Its number in `asm-generic/unistd.h`, the table of newer types of processors; it lacks calls for which
    /// there are better ones.
    generic: Option<i64>,
}

impl SystemCall {
    /// Returns its number; `None` if there is no such call on this type of processor.
    pub(crate) const fn number(self, processor: TargetArch) -> Option<i64> {
        match processor {
            TargetArch::x86_64 => Some(self.x86_64),
            TargetArch::aarch64 | TargetArch::riscv64 => self.generic,
        }
    }
}

macro_rules! system_calls {
    ($($call:ident $x86_64:literal $generic:expr;)*) => {
        $(pub(crate) const $call: SystemCall = SystemCall { x86_64: $x86_64, generic: $generic };)*

        /// All of them, with their names.
        #[cfg(test)]
        const ALL: &[(&str, SystemCall)] = &[$((stringify!($call), $call)),*];
    };
}

system_calls! {
    ACCEPT4 288 Some(242);
    ACCESS 21 None;
    ARCH_PRCTL 158 None;
    BIND 49 Some(200);
    BRK 12 Some(214);
    CAPGET 125 Some(90);
    CHMOD 90 None;
    CHOWN 92 None;
    CLOCK_GETRES 229 Some(114);
    CLOCK_GETTIME 228 Some(113);
    CLOCK_NANOSLEEP 230 Some(115);
    CLONE 56 Some(220);
    CLOSE 3 Some(57);
    CONNECT 42 Some(203);
    DUP 32 Some(23);
    DUP2 33 None;
    DUP3 292 Some(24);
    EPOLL_CREATE1 291 Some(20);
    EPOLL_CTL 233 Some(21);
    EPOLL_PWAIT 281 Some(22);
    EPOLL_WAIT 232 None;
    EVENTFD2 290 Some(19);
    EXIT 60 Some(93);
    EXIT_GROUP 231 Some(94);
    FACCESSAT 269 Some(48);
    FACCESSAT2 439 Some(439);
    FADVISE64 221 Some(223);
    FALLOCATE 285 Some(47);
    FCHMOD 91 Some(52);
    FCHMODAT 268 Some(53);
    FCHOWN 93 Some(55);
    FCHOWNAT 260 Some(54);
    FCNTL 72 Some(25);
    FDATASYNC 75 Some(83);
    FLOCK 73 Some(32);
    FSTAT 5 Some(80);
    FSTATFS 138 Some(44);
    FSYNC 74 Some(82);
    FTRUNCATE 77 Some(46);
    FUTEX 202 Some(98);
    GET_ROBUST_LIST 274 Some(100);
    GETCWD 79 Some(17);
    GETDENTS64 217 Some(61);
    GETEGID 108 Some(177);
    GETEUID 107 Some(175);
    GETGID 104 Some(176);
    GETGROUPS 115 Some(158);
    GETPEERNAME 52 Some(205);
    GETPID 39 Some(172);
    GETPPID 110 Some(173);
    GETRANDOM 318 Some(278);
    GETSOCKNAME 51 Some(204);
    GETSOCKOPT 55 Some(209);
    GETTID 186 Some(178);
    GETTIMEOFDAY 96 Some(169);
    GETUID 102 Some(174);
    IOCTL 16 Some(29);
    KILL 62 Some(129);
    LINK 86 None;
    LINKAT 265 Some(37);
    LISTEN 50 Some(201);
    LSEEK 8 Some(62);
    LSTAT 6 None;
    MADVISE 28 Some(233);
    MEMBARRIER 324 Some(283);
    MKDIR 83 None;
    MKDIRAT 258 Some(34);
    MMAP 9 Some(222);
    MPROTECT 10 Some(226);
    MREMAP 25 Some(216);
    MUNMAP 11 Some(215);
    NANOSLEEP 35 Some(101);
    NEWFSTATAT 262 Some(79);
    OPEN 2 None;
    OPENAT 257 Some(56);
    PIPE 22 None;
    PIPE2 293 Some(59);
    POLL 7 None;
    PPOLL 271 Some(73);
    PRCTL 157 Some(167);
    PREAD64 17 Some(67);
    PRLIMIT64 302 Some(261);
    PSELECT6 270 Some(72);
    PWRITE64 18 Some(68);
    READ 0 Some(63);
    READLINK 89 None;
    READLINKAT 267 Some(78);
    READV 19 Some(65);
    RECVFROM 45 Some(207);
    RECVMMSG 299 Some(243);
    RECVMSG 47 Some(212);
    RENAME 82 None;
    RENAMEAT 264 Some(38);
    RENAMEAT2 316 Some(276);
    RESTART_SYSCALL 219 Some(128);
    RSEQ 334 Some(293);
    RT_SIGACTION 13 Some(134);
    RT_SIGPENDING 127 Some(136);
    RT_SIGPROCMASK 14 Some(135);
    RT_SIGRETURN 15 Some(139);
    SCHED_GETAFFINITY 204 Some(123);
    SCHED_YIELD 24 Some(124);
    SELECT 23 None;
    SENDMMSG 307 Some(269);
    SENDMSG 46 Some(211);
    SENDTO 44 Some(206);
    SET_ROBUST_LIST 273 Some(99);
    SET_TID_ADDRESS 218 Some(96);
    SETSOCKOPT 54 Some(208);
    SHUTDOWN 48 Some(210);
    SIGALTSTACK 131 Some(132);
    SIGNALFD4 289 Some(74);
    SOCKET 41 Some(198);
    SOCKETPAIR 53 Some(199);
    STAT 4 None;
    STATFS 137 Some(43);
    STATX 332 Some(291);
    SYSINFO 99 Some(179);
    TGKILL 234 Some(131);
    TIME 201 None;
    TIMERFD_CREATE 283 Some(85);
    TIMERFD_GETTIME 287 Some(87);
    TIMERFD_SETTIME 286 Some(86);
    UMASK 95 Some(166);
    UNAME 63 Some(160);
    UNLINK 87 None;
    UNLINKAT 263 Some(35);
    UTIMENSAT 280 Some(88);
    WAIT4 61 Some(260);
    WAITID 247 Some(95);
    WRITE 1 Some(64);
    WRITEV 20 Some(66);
}

/// Calls, with any arguments, of a program that has files, sockets, memory and threads. What they reach is decided
/// where a file or a socket is opened, which is not among them.
pub(crate) const ORDINARY: &[SystemCall] = &[
    // Files: what is open, and which there are.
    READ,
    READV,
    PREAD64,
    WRITE,
    WRITEV,
    CLOSE,
    LSEEK,
    FSTAT,
    NEWFSTATAT,
    STATX,
    STATFS,
    FSTATFS,
    FACCESSAT,
    FACCESSAT2,
    READLINKAT,
    GETDENTS64,
    GETCWD,
    STAT,
    LSTAT,
    ACCESS,
    READLINK,
    // Sockets that are there, and waiting.
    CONNECT,
    BIND,
    GETSOCKNAME,
    GETPEERNAME,
    GETSOCKOPT,
    SETSOCKOPT,
    SENDTO,
    SENDMSG,
    SENDMMSG,
    RECVFROM,
    RECVMSG,
    RECVMMSG,
    SHUTDOWN,
    PPOLL,
    PSELECT6,
    POLL,
    SELECT,
    EVENTFD2,
    TIMERFD_CREATE,
    TIMERFD_SETTIME,
    // Memory.
    BRK,
    MMAP,
    MUNMAP,
    MREMAP,
    MPROTECT,
    MADVISE,
    // Existing threads, time and signals.
    FUTEX,
    SCHED_YIELD,
    SCHED_GETAFFINITY,
    CLOCK_GETTIME,
    CLOCK_GETRES,
    CLOCK_NANOSLEEP,
    NANOSLEEP,
    GETTIMEOFDAY,
    TIME,
    RT_SIGACTION,
    RT_SIGPROCMASK,
    RT_SIGRETURN,
    RESTART_SYSCALL,
    SIGALTSTACK,
    EXIT,
    EXIT_GROUP,
    // Identity of the process and the machine.
    GETPID,
    GETPPID,
    GETTID,
    GETUID,
    GETEUID,
    GETGID,
    GETEGID,
    UNAME,
    SYSINFO,
    GETRANDOM,
];

/// Calls that no process makes that could be taken over, because they give another process, a file, another
/// user, or more of the kernel: with their numbers on `x86_64` and elsewhere.
#[cfg(test)]
pub(crate) const LEADING_OUT: [(&str, Option<i64>, Option<i64>); 23] = [
    ("fork", Some(57), None),
    ("vfork", Some(58), None),
    ("clone3", Some(435), Some(435)),
    ("execve", Some(59), Some(221)),
    ("execveat", Some(322), Some(281)),
    ("ptrace", Some(101), Some(117)),
    ("process_vm_writev", Some(311), Some(271)),
    ("openat2", Some(437), Some(437)),
    ("open_by_handle_at", Some(304), Some(265)),
    ("memfd_create", Some(319), Some(279)),
    ("accept", Some(43), Some(202)),
    ("setuid", Some(105), Some(146)),
    ("capset", Some(126), Some(91)),
    ("setns", Some(308), Some(268)),
    ("unshare", Some(272), Some(97)),
    ("mount", Some(165), Some(40)),
    ("init_module", Some(175), Some(105)),
    ("bpf", Some(321), Some(280)),
    ("io_uring_setup", Some(425), Some(425)),
    ("pkey_mprotect", Some(329), Some(288)),
    ("perf_event_open", Some(298), Some(241)),
    ("keyctl", Some(250), Some(219)),
    ("userfaultfd", Some(323), Some(282)),
];

/// Every type of processor on which there are filters.
#[cfg(test)]
pub(crate) const PROCESSORS: [TargetArch; 3] =
    [TargetArch::x86_64, TargetArch::aarch64, TargetArch::riscv64];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::io::Write as _;

    use super::*;

    /// The kernel's numbers, from a header; `None` if this machine does not have it.
    fn header(path: &str) -> Option<BTreeMap<String, i64>> {
        let text = fs::read_to_string(path).ok()?;
        let numbers = text.lines().filter_map(|line| {
            let (name, number) = line.strip_prefix("#define __NR")?.split_once([' ', '\t'])?;
            // Calls with other names on processors of 32 bits.
            let name = name.strip_prefix('_').or_else(|| name.strip_prefix("3264_"))?;
            let name = if name == "fstatat" { "newfstatat" } else { name };
            Some((name.to_owned(), number.trim().parse().ok()?))
        });
        Some(numbers.collect())
    }

    #[test]
    fn numbers_are_those_of_the_kernel() {
        let mut compared = 0;
        for (processor, path) in [
            (TargetArch::x86_64, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
            (TargetArch::aarch64, "/usr/include/asm-generic/unistd.h"),
            (TargetArch::riscv64, "/usr/include/asm-generic/unistd.h"),
        ] {
            let Some(numbers) = header(path) else { continue };
            assert!(numbers.len() > 250, "{path} has only {} calls", numbers.len());
            for (name, call) in ALL {
                let expected = numbers.get(&name.to_lowercase()).copied();
                assert_eq!(call.number(processor), expected, "{name} in {path}");
            }
            for (name, x86_64, elsewhere) in LEADING_OUT {
                let number = if processor == TargetArch::x86_64 { x86_64 } else { elsewhere };
                assert_eq!(number, numbers.get(name).copied(), "{name} in {path}");
            }
            compared += 1;
        }
        if compared < 3 {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no headers of the kernel");
            let _ = writeln!(std::io::stderr(), "SKIPPED: not all headers of the kernel are here");
        }
    }

    #[test]
    fn no_two_calls_have_one_number() {
        for processor in [TargetArch::x86_64, TargetArch::aarch64] {
            let mut numbers: Vec<_> =
                ALL.iter().filter_map(|(_, call)| call.number(processor)).collect();
            let all = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), all);
        }
    }
}
