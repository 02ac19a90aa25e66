//! System calls that are made in another process, as if it had been taken over.

use std::fs::{self, File, OpenOptions};
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt as _;

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::processes::Process;

/// As an argument: the address of the call's text.
pub(crate) const TEXT: u64 = u64::MAX - 7;

/// A system call: its number, its arguments, and a text that is written to the memory of the process.
#[derive(Debug)]
pub(crate) struct Call(pub(crate) i64, pub(crate) [u64; 6], pub(crate) &'static str);

/// The result of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Returned(i64),
    /// An error number.
    Refused(i32),
    /// The process was killed.
    Killed(Signal),
}

/// How far below the stack pointer the text is written: where the process does not use the memory.
const BELOW: u64 = 4096;

/// Makes a system call in a process, which then continues where it was, if it can.
pub(crate) fn inject(process: &Process, call: &Call) -> Answer {
    let id = process.id;
    ptrace::attach(id).unwrap();
    let stopped = waitpid(id, None).unwrap();
    assert_eq!(stopped, WaitStatus::Stopped(id, Signal::SIGSTOP));
    let before = ptrace::getregs(id).unwrap();
    let memory = OpenOptions::new().read(true).write(true).open(process.path("mem")).unwrap();
    let address = before.rsp - BELOW;
    memory.write_all_at(&[call.2.as_bytes(), &[0; 128]].concat(), address).unwrap();
    let [rdi, rsi, rdx, r10, r8, r9] =
        call.1.map(|argument| if argument == TEXT { address } else { argument });
    let mut registers = before;
    (registers.rdi, registers.rsi, registers.rdx) = (rdi, rsi, rdx);
    (registers.r10, registers.r8, registers.r9) = (r10, r8, r9);
    registers.rax = call.0.cast_unsigned();
    registers.rip = syscall_instruction(process, &memory);
    // Otherwise the kernel would restart the call that it was in.
    registers.orig_rax = u64::MAX;
    ptrace::setregs(id, registers).unwrap();
    ptrace::step(id, None).unwrap();
    match waitpid(id, None).unwrap() {
        WaitStatus::Stopped(_, Signal::SIGTRAP) => {
            let answer = ptrace::getregs(id).unwrap().rax.cast_signed();
            let_go(id, before);
            match i32::try_from(answer) {
                Ok(negative @ -4095..0) => Answer::Refused(-negative),
                _ => Answer::Returned(answer),
            }
        }
        WaitStatus::Signaled(_, signal, _) => Answer::Killed(signal),
        other @ (WaitStatus::Exited(..)
        | WaitStatus::Stopped(..)
        | WaitStatus::PtraceEvent(..)
        | WaitStatus::PtraceSyscall(_)
        | WaitStatus::Continued(_)
        | WaitStatus::StillAlive) => panic!("{call:?}: {other:?}"),
    }
}

/// The results of a call that a signal has interrupted, by which the kernel knows how to restart it.
/// Processes never see them: `ERESTARTSYS` to `ERESTART_RESTARTBLOCK` of the kernel's `linux/errno.h`.
const INTERRUPTED: RangeInclusive<i64> = -516..=-512;

/// Lets a process continue where it was. A call in which it waited ends as by a signal. A process that
/// was not in a call, or whose call had ended, keeps its registers.
fn let_go(id: Pid, mut registers: libc::user_regs_struct) {
    registers.orig_rax = u64::MAX;
    if INTERRUPTED.contains(&registers.rax.cast_signed()) {
        registers.rax = i64::from(-libc::EINTR).cast_unsigned();
    }
    ptrace::setregs(id, registers).unwrap();
    ptrace::detach(id, None).unwrap();
}

/// Returns the address of a system-call instruction in the vDSO, which every process has.
fn syscall_instruction(process: &Process, memory: &File) -> u64 {
    let maps = fs::read_to_string(process.path("maps")).unwrap();
    let vdso = maps.lines().find(|line| line.ends_with("[vdso]")).unwrap();
    let (range, _) = vdso.split_once(' ').unwrap();
    let (from, to) = range.split_once('-').unwrap();
    let [from, to] = [from, to].map(|number| u64::from_str_radix(number, 16).unwrap());
    let mut code = vec![0; usize::try_from(to - from).unwrap()];
    memory.read_exact_at(&mut code, from).unwrap();
    let place = code.windows(2).position(|window| window == [0x0f, 0x05]).unwrap();
    from + u64::try_from(place).unwrap()
}
