//! Signals: one process answers them, the others leave them to it.

use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask,
};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals that mean something.
const MEANINGFUL: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD];

/// Has the signals wait until they are read.
pub(crate) fn block() -> nix::Result<SignalFd> {
    let blocked: SigSet = MEANINGFUL.into_iter().collect();
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // Whoever started this may have left it ignored, and then the system keeps no status of a command.
    #[expect(unsafe_code, reason = "installing a handler can be unsafe")]
    // SAFETY: the default action is no handler.
    unsafe { sigaction(Signal::SIGCHLD, &default) }?;
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&blocked), None)?;
    SignalFd::with_flags(&blocked, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// Has this process not notice signals that go to all processes of a terminal or a service: what they
/// mean is for the parent to say, and when it ends, so does this.
pub(crate) fn leave_to_parent() -> nix::Result<()> {
    let left: SigSet =
        [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&left), None)
}
