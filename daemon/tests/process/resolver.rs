//! A resolver that an answer has taken over can still look up names, and do nothing else.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::thread;

use crate::common::inject::{Answer, Call, TEXT, inject};
use crate::common::{Daemon, Machine, Need, PROGRAMS, Process, require};

/// An address of IPv4 as the kernel takes it: 127.0.0.1, port 80.
const WEB: &str = "\u{2}\0\0\u{50}\u{7f}\0\0\u{1}\0\0\0\0\0\0\0\0";

/// The same, port 53.
const DNS: &str = "\u{2}\0\0\u{35}\u{7f}\0\0\u{1}\0\0\0\0\0\0\0\0";

#[test]
fn a_resolver_can_do_what_looking_up_names_takes() {
    let Some(machine) = machine("a_resolver_can_do_what_looking_up_names_takes") else { return };
    let daemon = Daemon::start(&machine, "-v --lookup");
    let resolver = machine.resolver();
    for call in [
        Call(libc::SYS_openat, [cwd(), TEXT, 0, 0, 0, 0], "/etc/hosts"),
        Call(libc::SYS_openat, [cwd(), TEXT, 0, 0, 0, 0], "/usr/lib"),
        socket(libc::AF_INET, libc::SOCK_DGRAM, 0),
        socket(libc::AF_INET6, libc::SOCK_DGRAM, 0),
        socket(libc::AF_UNIX, libc::SOCK_STREAM, 0),
        socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE),
    ] {
        let answer = inject(&resolver, &call);
        assert!(matches!(answer, Answer::Returned(0..)), "{call:?}: {answer:?}");
    }
    let Answer::Returned(tcp) = inject(&resolver, &socket(libc::AF_INET, libc::SOCK_STREAM, 0))
    else {
        panic!("no socket of TCP");
    };
    let tcp = tcp.cast_unsigned();
    // No server listens there, but the resolver may try.
    let call = Call(libc::SYS_connect, [tcp, TEXT, 16, 0, 0, 0], DNS);
    assert_eq!(inject(&resolver, &call), Answer::Refused(libc::ECONNREFUSED));
    for call in [libc::SYS_connect, libc::SYS_bind] {
        let call = Call(call, [tcp, TEXT, 16, 0, 0, 0], WEB);
        assert_eq!(inject(&resolver, &call), Answer::Refused(libc::EACCES), "{call:?}");
    }
    // The process still works.
    assert_answers(&machine, &daemon);
}

#[test]
fn all_other_calls_of_a_resolver_are_refused() {
    let Some(machine) = machine("all_other_calls_of_a_resolver_are_refused") else { return };
    let daemon = Daemon::start(&machine, "-v --lookup");
    let resolver = machine.resolver();
    let runner = u64::from(daemon.runner.inner().unwrap());
    let (writing, making) = (0o1, 0o102);
    for call in [
        Call(libc::SYS_execve, [TEXT, 0, 0, 0, 0, 0], "/bin/true"),
        Call(libc::SYS_execveat, [cwd(), TEXT, 0, 0, 0, 0], "/bin/true"),
        Call(libc::SYS_fork, [0; 6], ""),
        Call(libc::SYS_vfork, [0; 6], ""),
        Call(libc::SYS_clone, [17, 0, 0, 0, 0, 0], ""),
        Call(libc::SYS_clone3, [TEXT, 88, 0, 0, 0, 0], ""),
        Call(libc::SYS_openat, [cwd(), TEXT, writing, 0, 0, 0], "/dev/null"),
        Call(libc::SYS_openat, [cwd(), TEXT, making, 0o600, 0, 0], "/tmp/written-by-the-resolver"),
        Call(libc::SYS_open, [TEXT, making, 0o600, 0, 0, 0], "/tmp/written-by-the-resolver"),
        Call(libc::SYS_openat2, [cwd(), TEXT, TEXT, 24, 0, 0], "/etc/hosts"),
        Call(libc::SYS_creat, [TEXT, 0o600, 0, 0, 0, 0], "/tmp/written-by-the-resolver"),
        Call(libc::SYS_unlink, [TEXT, 0, 0, 0, 0, 0], "/nothing"),
        Call(libc::SYS_ptrace, [16, runner, 0, 0, 0, 0], ""),
        Call(libc::SYS_process_vm_readv, [runner, TEXT, 1, TEXT, 1, 0], ""),
        Call(libc::SYS_pidfd_open, [runner, 0, 0, 0, 0, 0], ""),
        Call(libc::SYS_kill, [runner, 0, 0, 0, 0, 0], ""),
        Call(libc::SYS_tkill, [runner, 0, 0, 0, 0, 0], ""),
        Call(libc::SYS_tgkill, [runner, runner, 0, 0, 0, 0], ""),
        Call(libc::SYS_prlimit64, [runner, 7, 0, TEXT, 0, 0], ""),
        Call(libc::SYS_setuid, [0; 6], ""),
        Call(libc::SYS_unshare, [0x1000_0000, 0, 0, 0, 0, 0], ""),
        Call(libc::SYS_bpf, [0, TEXT, 8, 0, 0, 0], ""),
        Call(libc::SYS_io_uring_setup, [1, TEXT, 0, 0, 0, 0], ""),
        Call(libc::SYS_userfaultfd, [0; 6], ""),
        Call(libc::SYS_listen, [0; 6], ""),
        socket(libc::AF_PACKET, libc::SOCK_DGRAM, 0),
        socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
        socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER),
        Call(libc::SYS_ioctl, [0, libc::TIOCSTI, TEXT, 0, 0, 0], "x"),
        // Having the kernel signal another when something can be read.
        Call(libc::SYS_fcntl, [0, 8, runner, 0, 0, 0], ""),
        // Files that all users may read.
        Call(libc::SYS_openat, [cwd(), TEXT, 0, 0, 0, 0], "/tmp"),
        Call(libc::SYS_openat, [cwd(), TEXT, 0, 0, 0, 0], "/proc/version"),
    ] {
        assert_eq!(inject(&resolver, &call), Answer::Refused(libc::EACCES), "{call:?}");
    }
    for thread in std::fs::read_dir(resolver.path("task")).unwrap() {
        let number = thread.unwrap().file_name().into_string().unwrap().parse().unwrap();
        let thread = Process { id: nix::unistd::Pid::from_raw(number), ..resolver.clone() };
        assert_eq!(thread.status("Seccomp"), "2");
    }
    assert_answers(&machine, &daemon);
}

#[test]
fn a_name_can_come_over_udp_or_tcp() {
    let Some(machine) = machine("a_name_can_come_over_udp_or_tcp") else { return };
    machine.folder.write("hosts", "");
    machine.folder.write("resolv.conf", "nameserver 127.0.0.53\n");
    machine.set_up("mount --bind hosts /etc/hosts && mount --bind resolv.conf /etc/resolv.conf");
    let server = (Ipv4Addr::new(127, 0, 0, 53), 53);
    let udp = machine.on_network(move || UdpSocket::bind(server).unwrap());
    let tcp = machine.on_network(move || TcpListener::bind(server).unwrap());
    let daemon = Daemon::start(&machine, "-v --lookup");
    let serving = thread::spawn(move || {
        // The first answer is complete. The second one is truncated, so the question comes again over TCP.
        for (host, is_cut) in [("udp", false), ("tcp", true)] {
            let mut query = [0; 512];
            let (length, from) = udp.recv_from(&mut query).unwrap();
            udp.send_to(&answer(&query[..length], host, is_cut), from).unwrap();
        }
        let (mut stream, _) = tcp.accept().unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut query = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut query).unwrap();
        let answer = answer(&query, "tcp", false);
        let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], &answer].concat()).unwrap();
    });
    machine.knocker([127, 0, 0, 5]).knock(&[7000]);
    assert_eq!(daemon.live.line(), "127.0.0.5 (udp.example): door: Stage 1");
    machine.knocker([127, 0, 0, 6]).knock(&[7000]);
    assert_eq!(daemon.live.line(), "127.0.0.6 (tcp.example): door: Stage 1");
    serving.join().unwrap();
    assert_eq!(daemon.end().status, Some(0));
}

fn machine(name: &str) -> Option<Machine> {
    require(name, PROGRAMS, Need::Namespaces).then(Machine::new)
}

/// Fails unless the line about the next client has a name.
fn assert_answers(machine: &Machine, daemon: &Daemon) {
    machine.folder.write("hosts", "127.0.0.7 named.example\n");
    machine.set_up("mount --bind hosts /etc/hosts");
    machine.knocker([127, 0, 0, 7]).knock(&[7000]);
    assert_eq!(daemon.live.line(), "127.0.0.7 (named.example): door: Stage 1");
}

fn socket(family: i32, kind: i32, protocol: i32) -> Call {
    let arguments = [family, kind, protocol].map(|number| u64::from(number.unsigned_abs()));
    let [family, kind, protocol] = arguments;
    Call(libc::SYS_socket, [family, kind, protocol, 0, 0, 0], "")
}

/// Returns the descriptor that means the working directory.
fn cwd() -> u64 {
    i64::from(libc::AT_FDCWD).cast_unsigned()
}

/// Returns the answer to a question for the name of an address: a host of `example`.
pub(crate) fn answer(query: &[u8], host: &str, is_cut: bool) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|&byte| byte == 0).unwrap() + 5;
    let flags = if is_cut { [0x83, 0x80] } else { [0x81, 0x80] };
    let answers = u8::from(!is_cut);
    let mut bytes =
        [&query[..2], &flags, &[0, 1, 0, answers, 0, 0, 0, 0], &query[12..end]].concat();
    if !is_cut {
        let length = u8::try_from(host.len()).unwrap();
        let name = [&[length], host.as_bytes(), &[7], b"example", &[0]].concat();
        // The name of the question, type PTR, class IN, time to live, and the length of the data.
        bytes.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 60, 0, u8::try_from(name.len()).unwrap()]);
        bytes.extend(name);
    }
    bytes
}
