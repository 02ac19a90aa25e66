//! Child processes that have ended.

use std::io;

use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// Returns a child process that has ended and was not collected yet. It may be any: also one that a
/// command has started, and that became a child of this process because its parent ended before it. That
/// happens in a container, where this is the first process.
pub(super) fn ended() -> Option<Pid> {
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // Not by way of nix, for which the end by a real-time signal is an error.
    #[expect(unsafe_code, reason = "there is no safe way to learn about children of any kind")]
    // SAFETY: zeros are a valid value, and after a success the field was written, or is still 0.
    let id = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        if libc::waitid(libc::P_ALL, 0, &raw mut info, flags) != 0 {
            // There are no children.
            return None;
        }
        info.si_pid()
    };
    (id != 0).then(|| Pid::from_raw(id))
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
