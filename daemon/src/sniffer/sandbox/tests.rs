//! The filters of the sniffer, for every type of processor, and Landlock.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use tempfile::TempDir;

use super::*;
use crate::sandbox::evaluate;
use crate::system_calls::{LEADING_OUT, PROCESSORS};

fn own() -> Own {
    Own { process: 77, sockets: [3, 4], alarm: 6, recordings: vec![1, 5] }
}

/// Returns what becomes of a call: the stricter of what both filters say.
fn outcome(processor: TargetArch, call: i64, arguments: [u64; 6]) -> SeccompAction {
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
    for processor in PROCESSORS {
        for (call, arguments, expected) in [
            (call::READ, [3, 0, 0], SeccompAction::Allow),
            (call::READ, [file, 0, 0], sandbox::refuse()),
            (call::READ, [2, 0, 0], sandbox::refuse()),
            (call::WRITE, [4, 0, 0], SeccompAction::Allow),
            (call::WRITE, [1, 0, 0], SeccompAction::Allow),
            (call::WRITE, [2, 0, 0], sandbox::refuse()),
            (call::WRITE, [5, 0, 0], SeccompAction::Allow),
            (call::FTRUNCATE, [5, 0, 0], SeccompAction::Allow),
            (call::FTRUNCATE, [5, 1, 0], sandbox::refuse()),
            (call::FTRUNCATE, [4, 0, 0], sandbox::refuse()),
            (call::SENDTO, [1, 0, 0], sandbox::refuse()),
            (call::SETSOCKOPT, [file, level, filter], SeccompAction::Allow),
            (call::SETSOCKOPT, [file, packet, filter], sandbox::refuse()),
            (call::SETSOCKOPT, [file, packet, number(libc::PACKET_FANOUT)], sandbox::refuse()),
            (call::MMAP, [0, 1 << 20, memory], SeccompAction::Allow),
            (call::MMAP, [0, 1 << 20, code], sandbox::refuse()),
            (call::FCNTL, [2, number(libc::F_GETFL), 0], SeccompAction::Allow),
            (call::FCNTL, [2, number(libc::F_SETFL), 0], sandbox::refuse()),
            (call::TIMERFD_SETTIME, [6, 1, 0], SeccompAction::Allow),
            (call::TIMERFD_SETTIME, [3, 1, 0], sandbox::refuse()),
            (call::TIMERFD_CREATE, [7, 0, 0], SeccompAction::KillProcess),
            (call::TGKILL, [77, 77, 6], SeccompAction::Allow),
            (call::TGKILL, [1, 1, 9], sandbox::refuse()),
            (call::OPENAT, [0, 0, 0], sandbox::refuse()),
            (call::MPROTECT, [0, 4096, code], SeccompAction::KillProcess),
            (call::BIND, [3, 0, 0], SeccompAction::KillProcess),
        ] {
            let [a, b, c] = arguments;
            let arguments = [a, b, c, 0, 0, 0];
            let outcome = outcome(processor, call.number(processor).unwrap(), arguments);
            assert_eq!(outcome, expected, "{processor:?} {call:?} {arguments:?}");
        }
    }
}

/// What the runner may call, and this process may not.
const FORBIDDEN: [(&str, Option<i64>, Option<i64>); 9] = [
    ("clone", Some(56), Some(220)),
    ("kill", Some(62), Some(129)),
    ("prctl", Some(157), Some(167)),
    ("unlinkat", Some(263), Some(35)),
    ("renameat2", Some(316), Some(276)),
    ("socketpair", Some(53), Some(199)),
    ("sendmsg", Some(46), Some(211)),
    ("connect", Some(42), Some(203)),
    ("signalfd4", Some(289), Some(74)),
];

#[test]
fn calls_that_lead_out_are_forbidden_on_every_processor_type() {
    for processor in PROCESSORS {
        for (name, x86_64, elsewhere) in FORBIDDEN.iter().chain(&LEADING_OUT) {
            let number = if processor == TargetArch::x86_64 { x86_64 } else { elsewhere };
            let Some(number) = number else { continue };
            let outcome = outcome(processor, *number, [3, 0, 0, 0, 0, 0]);
            assert_eq!(outcome, SeccompAction::KillProcess, "{processor:?} {name}");
        }
    }
}

#[test]
fn no_number_is_left_over_on_any_processor_type() {
    for processor in PROCESSORS {
        let [_, known] = programs(processor, &own()).unwrap();
        let is_known =
            |number| evaluate(&known, processor, number, [0; 6]) != SeccompAction::KillProcess;
        let found: Vec<i64> = (-1..1000).filter(|number| is_known(*number)).collect();
        let mut expected: Vec<i64> =
            [CALLS, REFUSED].concat().iter().filter_map(|call| call.number(processor)).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{processor:?}");
        // The calls of x32 are those of `x86_64` with this bit.
        assert!(found.iter().all(|number| !is_known(number | 0x4000_0000)), "{processor:?}");
    }
}

/// So that a new call is added on purpose, and the documents are changed.
#[test]
fn as_many_calls_are_allowed_as_the_documents_say() {
    let there = |processor| CALLS.iter().filter(|call| call.number(processor).is_some()).count();
    assert_eq!(PROCESSORS.map(there), [30, 29, 29]);
    let refused =
        |processor| REFUSED.iter().filter(|call| call.number(processor).is_some()).count();
    assert_eq!(PROCESSORS.map(refused), [9, 8, 8]);
    assert_eq!(by_argument(&own()).len(), 11);
}

#[test]
fn calls_of_another_processor_type_are_forbidden() {
    for own in PROCESSORS {
        for other in PROCESSORS.into_iter().filter(|other| *other != own) {
            for program in programs(own, &self::own()).unwrap() {
                let read = call::READ.number(other).unwrap();
                let outcome = evaluate(&program, other, read, [3, 0, 0, 0, 0, 0]);
                assert_eq!(outcome, SeccompAction::KillProcess, "{own:?} {other:?}");
            }
        }
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
        let _ = writeln!(std::io::stderr(), "SKIPPED: this kernel has no Landlock, or an old one");
        return;
    };
    for (what, error) in results {
        assert_eq!(error, Some(ErrorKind::PermissionDenied), "{what}");
    }
    // Other threads are not restricted.
    assert!(File::open("/etc/passwd").is_ok());
}
