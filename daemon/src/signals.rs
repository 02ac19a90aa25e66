//! Signals: the runner handles them, the other processes ignore them.

use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask,
};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals by which an administrator ends the daemon.
pub(crate) const TO_END: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT];

/// Signals that would end a process, and mean nothing to the daemon or something else. Its doors would
/// stay open.
const OTHERS: [Signal; 11] = [
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
    Signal::SIGPWR,
    Signal::SIGSTKFLT,
    Signal::SIGXCPU,
    Signal::SIGCHLD,
];

/// Signals about a write that fails: the write itself says so.
const ABOUT_WRITES: [Signal; 2] = [Signal::SIGPIPE, Signal::SIGXFSZ];

/// Holds back all signals that would end the process, but for those that are to end it: this is for a
/// start, which has opened no door. They wait for [`take`], also in processes that this one starts.
pub(crate) fn hold() -> nix::Result<()> {
    for signal in ABOUT_WRITES {
        set_action(signal, SigHandler::SigIgn)?;
    }
    // Where the parent process ignored SIGCHLD, the system would not keep the exit status of commands.
    set_action(Signal::SIGCHLD, SigHandler::SigDfl)?;
    ignore_real_time();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&OTHERS.into_iter().collect()), None)
}

/// Holds back the signals to end, too: from now on all signals wait until they are read.
pub(crate) fn take() -> nix::Result<SignalFd> {
    let taken: SigSet = TO_END.into_iter().chain(OTHERS).collect();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&taken), None)?;
    SignalFd::with_flags(&taken, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// Ignores signals that a terminal or a service manager sends to all processes. The parent handles them,
/// and this process ends when the parent does.
pub(crate) fn leave_to_parent() -> nix::Result<()> {
    hold()?;
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&TO_END.into_iter().collect()), None)
}

/// Ignores the signals that have numbers instead of names.
fn ignore_real_time() {
    for number in libc::SIGRTMIN()..=libc::SIGRTMAX() {
        #[expect(unsafe_code, reason = "installing a handler can be unsafe")]
        // SAFETY: this is no handler.
        unsafe {
            libc::signal(number, libc::SIG_IGN);
        }
    }
}

fn set_action(signal: Signal, handler: SigHandler) -> nix::Result<()> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    #[expect(unsafe_code, reason = "installing a handler can be unsafe")]
    // SAFETY: this is no handler, but the default action or none.
    unsafe { sigaction(signal, &action) }.map(drop)
}
