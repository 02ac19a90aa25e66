//! A sniffer that a packet has taken over can do nothing.
//!
//! The tests use ptrace to make system calls in the running process. How to do that depends on the
//! processor type: on others, a test in `privileges` says that these are skipped.

use nix::sys::signal::Signal;

use crate::common::inject::{Answer, Call, TEXT, inject};
use crate::common::{Daemon, Machine, Need, PROGRAMS, require, wait_until};

/// No such descriptor.
const NONE: u64 = 99;

#[test]
fn calls_that_the_sniffer_needs_are_answered() {
    let Some(machine) = machine("calls_that_the_sniffer_needs_are_answered") else { return };
    let daemon = Daemon::start(&machine, "-v");
    let inner = daemon.sniffer.inner().unwrap();
    assert_eq!(
        inject(&daemon.sniffer, &Call(libc::SYS_getpid, [0; 6], "")),
        Answer::Returned(i64::from(inner))
    );
    let read = Call(libc::SYS_read, [NONE, TEXT, 8, 0, 0, 0], "");
    assert_eq!(inject(&daemon.sniffer, &read), Answer::Refused(libc::EBADF));
    // The process still works.
    machine.knock(&[7000]);
    assert_eq!(daemon.live.line(), "127.0.0.1: door: Stage 1");
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn calls_that_libraries_may_try_are_refused_and_the_sniffer_keeps_running() {
    let Some(machine) =
        machine("calls_that_libraries_may_try_are_refused_and_the_sniffer_keeps_running")
    else {
        return;
    };
    let at = cwd();
    for call in [
        Call(libc::SYS_openat, [at, TEXT, 0, 0, 0, 0], "/etc/passwd"),
        Call(libc::SYS_open, [TEXT, 0, 0, 0, 0, 0], "/etc/passwd"),
        Call(libc::SYS_open, [TEXT, 0o102, 0o600, 0, 0, 0], "/tmp/written-by-the-sniffer"),
        Call(libc::SYS_newfstatat, [at, TEXT, TEXT, 0, 0, 0], "/etc/passwd"),
        socket(libc::AF_INET, libc::SOCK_STREAM),
        socket(libc::AF_INET6, libc::SOCK_DGRAM),
        socket(libc::AF_PACKET, libc::SOCK_RAW),
        socket(libc::AF_NETLINK, libc::SOCK_RAW),
        socket(libc::AF_UNIX, libc::SOCK_STREAM),
        // Pushing input into a terminal.
        Call(libc::SYS_ioctl, [0, libc::TIOCSTI, TEXT, 0, 0, 0], "x"),
    ] {
        let daemon = Daemon::start(&machine, "-v");
        assert_eq!(inject(&daemon.sniffer, &call), Answer::Refused(libc::EACCES), "{call:?}");
        machine.knock(&[7000]);
        assert_eq!(daemon.live.line(), "127.0.0.1: door: Stage 1", "{call:?}");
        assert_eq!(daemon.end().status, Some(0), "{call:?}");
    }
}

#[test]
fn no_packet_can_be_sent_by_a_capture() {
    let Some(machine) = machine("no_packet_can_be_sent_by_a_capture") else { return };
    machine
        .set_up("ip link add name w0 type veth peer name w1; ip link set w0 up; ip link set w1 up");
    let live = machine.start("exec $KNOCKD -v -i lo,w0 -c knockd.conf");
    assert_eq!(live.line(), "listening on lo, w0...");
    let (runner, sniffer) = (machine.process("knockd"), machine.process("knockd: sniffer"));
    let packets = machine.run("cat /proc/net/packet").stdout;
    let descriptors = sniffer.descriptors();
    let captures = descriptors.iter().filter(|(_, what)| {
        let inode = what.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        inode.is_some_and(|inode| {
            packets.lines().any(|line| line.split_whitespace().last() == Some(inode))
        })
    });
    let captures: Vec<u64> = captures.map(|(number, _)| u64::from(*number)).collect();
    assert_eq!(captures.len(), 2, "{descriptors:?} {packets}");
    let [packet, membership] = [libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP]
        .map(|number| u64::from(number.unsigned_abs()));
    for capture in captures {
        for call in [
            Call(libc::SYS_write, [capture, TEXT, 60, 0, 0, 0], "a frame"),
            Call(libc::SYS_sendto, [capture, TEXT, 60, 0, 0, 0], "a frame"),
            // Nor can it be made to receive the packets of other machines, or descriptors.
            Call(libc::SYS_setsockopt, [capture, packet, membership, TEXT, 16, 0], ""),
            Call(libc::SYS_recvmsg, [capture, TEXT, 0, 0, 0, 0], ""),
        ] {
            assert_eq!(inject(&sniffer, &call), Answer::Refused(libc::EACCES), "{call:?}");
        }
    }
    // Nor through a duplicate of it.
    let duplicate = Call(libc::SYS_fcntl, [5, 0, 9, 0, 0, 0], "");
    assert_eq!(inject(&sniffer, &duplicate), Answer::Refused(libc::EACCES));
    runner.signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, Some(0));
}

#[test]
fn a_sniffer_that_tries_to_start_a_process_is_killed() {
    let Some(machine) = machine("a_sniffer_that_tries_to_start_a_process_is_killed") else {
        return;
    };
    let thread = u64::from((libc::CLONE_VM | libc::CLONE_THREAD).unsigned_abs());
    assert_killed(
        &machine,
        &[
            Call(libc::SYS_fork, [0; 6], ""),
            Call(libc::SYS_vfork, [0; 6], ""),
            Call(libc::SYS_clone, [17, 0, 0, 0, 0, 0], ""),
            Call(libc::SYS_clone, [thread, 0, 0, 0, 0, 0], ""),
            Call(libc::SYS_clone3, [TEXT, 88, 0, 0, 0, 0], ""),
            Call(libc::SYS_execve, [TEXT, 0, 0, 0, 0, 0], "/bin/true"),
            Call(libc::SYS_execveat, [cwd(), TEXT, 0, 0, 0, 0], "/bin/true"),
        ],
    );
}

#[test]
fn a_sniffer_that_attacks_other_processes_is_killed() {
    let Some(machine) = machine("a_sniffer_that_attacks_other_processes_is_killed") else {
        return;
    };
    assert_killed(
        &machine,
        &[
            // Attaching to the first process.
            Call(libc::SYS_ptrace, [16, 1, 0, 0, 0, 0], ""),
            Call(libc::SYS_process_vm_readv, [1, TEXT, 1, TEXT, 1, 0], ""),
            Call(libc::SYS_process_vm_writev, [1, TEXT, 1, TEXT, 1, 0], ""),
            Call(libc::SYS_kill, [u64::MAX, 15, 0, 0, 0, 0], ""),
            Call(libc::SYS_tkill, [1, 15, 0, 0, 0, 0], ""),
            Call(libc::SYS_pidfd_open, [1, 0, 0, 0, 0, 0], ""),
            Call(libc::SYS_prlimit64, [1, 7, 0, TEXT, 0, 0], ""),
        ],
    );
}

#[test]
fn a_sniffer_that_tries_other_ways_out_is_killed() {
    let Some(machine) = machine("a_sniffer_that_tries_other_ways_out_is_killed") else { return };
    assert_killed(
        &machine,
        &[
            Call(libc::SYS_openat2, [cwd(), TEXT, TEXT, 24, 0, 0], "/etc/passwd"),
            Call(libc::SYS_creat, [TEXT, 0o600, 0, 0, 0, 0], "/tmp/written-by-the-sniffer"),
            Call(libc::SYS_unlink, [TEXT, 0, 0, 0, 0, 0], "/nothing"),
            Call(libc::SYS_socketpair, [1, 1, 0, TEXT, 0, 0], ""),
            Call(libc::SYS_connect, [0, TEXT, 16, 0, 0, 0], "\u{2}"),
            Call(libc::SYS_bind, [0, TEXT, 16, 0, 0, 0], "\u{2}"),
            Call(libc::SYS_setuid, [0; 6], ""),
            Call(libc::SYS_setresuid, [0; 6], ""),
            Call(libc::SYS_capset, [TEXT, TEXT, 0, 0, 0, 0], ""),
            Call(libc::SYS_unshare, [0x1000_0000, 0, 0, 0, 0, 0], ""),
            Call(libc::SYS_setns, [0, 0, 0, 0, 0, 0], ""),
            Call(libc::SYS_chroot, [TEXT, 0, 0, 0, 0, 0], "/"),
            Call(libc::SYS_mount, [TEXT, TEXT, TEXT, 0, 0, 0], "/"),
            Call(libc::SYS_mprotect, [0, 4096, 7, 0, 0, 0], ""),
            Call(libc::SYS_bpf, [0, TEXT, 8, 0, 0, 0], ""),
            Call(libc::SYS_io_uring_setup, [1, TEXT, 0, 0, 0, 0], ""),
            Call(libc::SYS_userfaultfd, [0; 6], ""),
            Call(libc::SYS_prctl, [4, 1, 0, 0, 0, 0], ""),
        ],
    );
}

#[test]
fn a_signal_for_another_process_is_refused() {
    let Some(machine) = machine("a_signal_for_another_process_is_refused") else { return };
    let daemon = Daemon::start(&machine, "-v");
    let runner = u64::from(daemon.runner.inner().unwrap());
    // The call with which a process aborts itself could signal any other.
    let call = Call(libc::SYS_tgkill, [runner, runner, 15, 0, 0, 0], "");
    assert_eq!(inject(&daemon.sniffer, &call), Answer::Refused(libc::EACCES));
    // Having the kernel signal another when something can be read.
    let (own, own_otherwise, which) = (8, 15, 10);
    for (command, argument) in [(own, runner), (own_otherwise, TEXT), (which, 9)] {
        let call = Call(libc::SYS_fcntl, [0, command, argument, 0, 0, 0], "");
        assert_eq!(inject(&daemon.sniffer, &call), Answer::Refused(libc::EACCES), "{call:?}");
    }
    assert_eq!(daemon.end().status, Some(0));
}

fn machine(name: &str) -> Option<Machine> {
    require(name, PROGRAMS, Need::Namespaces).then(Machine::new)
}

/// Fails unless each of these calls kills the sniffer, and the daemon reports that and starts another.
fn assert_killed(machine: &Machine, calls: &[Call]) {
    for call in calls {
        let daemon = Daemon::start(machine, "");
        let answer = inject(&daemon.sniffer, call);
        assert_eq!(answer, Answer::Killed(Signal::SIGSYS), "{call:?}");
        daemon.wait_for_error(
            "knockd: error: the process that reads packets has died (killed by SIGSYS: it made a system \
             call that its sandbox forbids); starting another: attempts under way are lost, open doors \
             stay as they are",
        );
        // An attack must not shut anyone out: another one listens.
        daemon.wait_for_error_beginning("starting up, listening on lo");
        assert_eq!(daemon.end().status, Some(0), "{call:?}");
        wait_until("nothing is left", || machine.processes().is_empty());
    }
}

fn socket(family: i32, kind: i32) -> Call {
    let [family, kind] = [family, kind].map(|number| u64::from(number.unsigned_abs()));
    Call(libc::SYS_socket, [family, kind, 0, 0, 0, 0], "")
}

/// Returns the descriptor that means the working directory.
fn cwd() -> u64 {
    i64::from(libc::AT_FDCWD).cast_unsigned()
}
