//! Signals: the runner handles them, the other processes ignore them.

use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask,
};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals that the runner handles.
const HANDLED: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD];

/// Blocks the signals: from now on they wait until they are read.
pub(crate) fn block() -> nix::Result<SignalFd> {
    let blocked: SigSet = HANDLED.into_iter().collect();
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // Where the parent process ignored SIGCHLD, the system would not keep the exit status of commands.
    #[expect(unsafe_code, reason = "installing a handler can be unsafe")]
    // SAFETY: the default action is no handler.
    unsafe { sigaction(Signal::SIGCHLD, &default) }?;
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&blocked), None)?;
    SignalFd::with_flags(&blocked, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// Blocks signals that a terminal or a service manager sends to all processes. The parent handles them,
/// and this process ends when the parent does.
pub(crate) fn leave_to_parent() -> nix::Result<()> {
    let left: SigSet =
        [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&left), None)
}
