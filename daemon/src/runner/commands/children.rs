//! Child processes that have ended.

use std::io;

use knock_engine::CommandStatus;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// A child process that has ended.
pub(super) struct Ended {
    pub(super) child: Pid,
    /// How it ended, as a shell would report it.
    pub(super) status: CommandStatus,
}

/// Returns a child process that has ended and was not collected yet. It may be any: also one that a
/// command has started, and that became a child of this process because its parent ended before it. That
/// happens in a container, where this is the first process.
pub(super) fn ended() -> Option<Ended> {
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // Not by way of nix, for which the end by a real-time signal is an error.
    #[expect(unsafe_code, reason = "there is no safe way to learn about children of any kind")]
    // SAFETY: zeros are a valid value, and after a success the fields were written, or are still 0.
    let (id, how, number) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        if libc::waitid(libc::P_ALL, 0, &raw mut info, flags) != 0 {
            // There are no children.
            return None;
        }
        (info.si_pid(), info.si_code, info.si_status())
    };
    let number = if how == libc::CLD_EXITED { number } else { number.saturating_add(128) };
    // A status that cannot be read does not count as success.
    let status = CommandStatus(u8::try_from(number).unwrap_or(u8::MAX));
    (id != 0).then(|| Ended { child: Pid::from_raw(id), status })
}

/// Collects a child process that has ended, so that its place in the system's table becomes free.
pub(super) fn collect(child: Pid) -> io::Result<()> {
    // It has ended, so this does not wait.
    match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
        // After the end by a real-time signal, which nix does not know.
        Ok(_) | Err(nix::Error::EINVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
