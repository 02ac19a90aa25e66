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
    let flags =
        Call(libc::SYS_fcntl, [NONE, u64::from(libc::F_GETFL.unsigned_abs()), 0, 0, 0, 0], "");
    assert_eq!(inject(&daemon.sniffer, &flags), Answer::Refused(libc::EBADF));
    let memory = inject(&daemon.sniffer, &map(1 << 20, libc::PROT_READ | libc::PROT_WRITE));
    assert!(matches!(memory, Answer::Returned(_)), "{memory:?}");
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
        // Without a recording, no file can be emptied.
        Call(libc::SYS_ftruncate, [2, 0, 0, 0, 0, 0], ""),
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
    let packet = u64::from(libc::SOL_PACKET.unsigned_abs());
    let option = |option: i32| u64::from(option.unsigned_abs());
    for capture in captures {
        for call in [
            Call(libc::SYS_read, [capture, TEXT, 60, 0, 0, 0], ""),
            Call(libc::SYS_write, [capture, TEXT, 60, 0, 0, 0], "a frame"),
            Call(libc::SYS_sendto, [capture, TEXT, 60, 0, 0, 0], "a frame"),
            // Nor can it be made to receive the packets of other machines, or descriptors.
            set(capture, packet, option(libc::PACKET_ADD_MEMBERSHIP)),
            // Parts of the kernel that have had flaws.
            set(capture, packet, option(libc::PACKET_FANOUT)),
            set(capture, packet, option(libc::PACKET_TX_RING)),
            set(capture, packet, option(libc::PACKET_RX_RING)),
            set(capture, packet, option(libc::PACKET_VERSION)),
            set(capture, option(libc::SOL_SOCKET), option(libc::SO_ATTACH_BPF)),
            set(capture, option(libc::SOL_SOCKET), option(libc::SO_RCVBUF)),
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
fn standard_error_of_the_sniffer_leads_nowhere() {
    let Some(machine) = machine("standard_error_of_the_sniffer_leads_nowhere") else { return };
    machine.folder.write("log", "what was there before\n");
    for line in [
        "exec $KNOCKD -v -i lo -c knockd.conf",
        // The line ends when the daemon listens.
        "$KNOCKD -d -i lo -c knockd.conf -p DIR/pid -g DIR/log",
    ] {
        let live = machine.start(line);
        if line.contains(" -d ") {
            wait_until("the caller has ended", || machine.folder.path("pid").exists());
        }
        let runner = machine.process("knockd");
        let sniffer = machine.process("knockd: sniffer");
        let is_confined = || sniffer.status("Seccomp_filters") == "2";
        wait_until("the sniffer is confined", is_confined);
        let (_, error) = sniffer.descriptors().swap_remove(2);
        assert_eq!(error, "/dev/null", "{line}");
        let [append, flags] =
            [libc::O_APPEND, libc::F_SETFL].map(|one| u64::from(one.unsigned_abs()));
        for call in [
            Call(libc::SYS_write, [2, TEXT, 7, 0, 0, 0], "forged\n"),
            Call(libc::SYS_write, [1, TEXT, 7, 0, 0, 0], "forged\n"),
            Call(libc::SYS_read, [2, TEXT, 7, 0, 0, 0], ""),
            Call(libc::SYS_read, [1, TEXT, 7, 0, 0, 0], ""),
            Call(libc::SYS_fcntl, [2, flags, 0, 0, 0, 0], ""),
            Call(libc::SYS_fcntl, [0, flags, append, 0, 0, 0], ""),
        ] {
            assert_eq!(inject(&sniffer, &call), Answer::Refused(libc::EACCES), "{call:?}");
        }
        assert!(machine.folder.read("log").starts_with("what was there before\n"));
        assert!(!machine.folder.read("log").contains("forged"));
        runner.signal(Signal::SIGTERM);
        machine.wait_for_no_process();
        drop(live);
    }
}

#[test]
fn a_sniffer_gets_no_memory_with_code_and_only_so_much_without() {
    let Some(machine) = machine("a_sniffer_gets_no_memory_with_code_and_only_so_much_without")
    else {
        return;
    };
    let daemon = Daemon::start(&machine, "-v");
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    for (length, rights, expected) in [
        (4096, writable | libc::PROT_EXEC, libc::EACCES),
        (4096, libc::PROT_EXEC, libc::EACCES),
        (2 << 30, writable, libc::ENOMEM),
        (8 << 30, writable, libc::ENOMEM),
        (8 << 30, libc::PROT_READ, libc::ENOMEM),
    ] {
        let answer = inject(&daemon.sniffer, &map(length, rights));
        assert_eq!(answer, Answer::Refused(expected), "{length} {rights}");
    }
    let limits = std::fs::read_to_string(daemon.sniffer.path("limits")).unwrap();
    for limit in [
        ["Max open files", "512", "512"],
        ["Max processes", "0", "0"],
        ["Max core file size", "0", "0"],
        // 512 MiB, and 512 bytes for each of a million attempts.
        ["Max data size", "1048870912", "1048870912"],
    ] {
        let words = limit.join(" ");
        let is_this =
            |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ").starts_with(&words);
        assert!(limits.lines().any(is_this), "{words}: {limits}");
    }
    machine.knock(&[7000]);
    assert_eq!(daemon.live.line(), "127.0.0.1: door: Stage 1");
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn no_process_maps_more_than_the_program_and_the_c_library() {
    let Some(machine) = machine("no_process_maps_more_than_the_program_and_the_c_library") else {
        return;
    };
    let daemon = Daemon::start(&machine, "-v");
    for process in [&daemon.runner, &daemon.sniffer] {
        let maps = std::fs::read_to_string(process.path("maps")).unwrap();
        let files = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
        let names = files.map(|path| path.rsplit('/').next().unwrap());
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names.dedup();
        // `gcc_s` unwinds the stack.
        let known = ["knockd", "ld-linux", "ld-musl", "libc.so", "libgcc_s.so", "libm.so"];
        for name in &names {
            assert!(known.iter().any(|known| name.starts_with(known)), "{name} of {names:?}");
        }
        assert!(names.contains(&"knockd"), "{names:?}");
    }
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn no_process_of_the_same_user_can_trace_the_sniffer() {
    let Some(machine) = machine("no_process_of_the_same_user_can_trace_the_sniffer") else {
        return;
    };
    let daemon = Daemon::start(&machine, "");
    let user = daemon.sniffer.status("Uid").split(' ').next().unwrap().parse().unwrap();
    let group = daemon.sniffer.status("Gid").split(' ').next().unwrap().parse().unwrap();
    let live = machine
        .start(&format!("exec setpriv --reuid {user} --regid {group} --clear-groups sleep 1000"));
    let sleeper = machine.process("sleep");
    wait_until("it is that user", || sleeper.status("Uid").starts_with(&format!("{user} ")));
    let (sniffer, other) = (daemon.sniffer.id, sleeper.id);
    let answers = as_user(user, group, move || {
        [sniffer, other].map(|id| {
            let answer = nix::sys::ptrace::attach(id);
            if answer.is_ok() {
                nix::sys::wait::waitpid(id, None).unwrap();
                nix::sys::ptrace::detach(id, None).unwrap();
            }
            answer
        })
    });
    // The other process shows that this user may trace what is not protected.
    assert_eq!(answers, [Err(nix::Error::EPERM), Ok(())]);
    sleeper.signal(Signal::SIGKILL);
    drop(live);
    assert_eq!(daemon.end().status, Some(0));
}

/// Runs a function in a thread that is another user; the other threads stay who they are.
#[expect(unsafe_code, reason = "what the standard library has is for all threads")]
fn as_user<T: Send + 'static>(
    user: u32,
    group: u32,
    run: impl FnOnce() -> T + Send + 'static,
) -> T {
    let thread = std::thread::spawn(move || {
        for (call, id) in [(libc::SYS_setresgid, group), (libc::SYS_setresuid, user)] {
            // SAFETY: the call changes the IDs of this thread only, and touches no memory.
            let done = unsafe { libc::syscall(call, id, id, id) };
            assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
        }
        run()
    });
    thread.join().unwrap()
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

fn set(socket: u64, level: u64, option: u64) -> Call {
    Call(libc::SYS_setsockopt, [socket, level, option, TEXT, 16, 0], "")
}

fn map(length: u64, rights: i32) -> Call {
    let [rights, kind] =
        [rights, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS].map(|one| u64::from(one.unsigned_abs()));
    Call(libc::SYS_mmap, [0, length, rights, kind, u64::MAX, 0], "")
}

fn socket(family: i32, kind: i32) -> Call {
    let [family, kind] = [family, kind].map(|number| u64::from(number.unsigned_abs()));
    Call(libc::SYS_socket, [family, kind, 0, 0, 0, 0], "")
}

/// Returns the descriptor that means the working directory.
fn cwd() -> u64 {
    i64::from(libc::AT_FDCWD).cast_unsigned()
}
