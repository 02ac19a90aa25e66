//! Descriptors that the daemon has inherited, besides the standard streams.

use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Keeps them from child processes. A command does not need them, and the process that reads packets
/// might be taken over through a flaw.
pub(crate) fn keep_from_children() -> io::Result<()> {
    for number in inherited()? {
        #[expect(unsafe_code, reason = "no part of this program owns inherited descriptors")]
        // SAFETY: the borrow ends here. If it is closed by now, as that of the listing is, the call fails.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let _ = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
    Ok(())
}

/// Closes them: a caller that waits for the end of a pipe or for a lock must not wait for the daemon.
///
/// This program must not have opened any itself.
pub(crate) fn close() -> io::Result<()> {
    for number in inherited()? {
        // The descriptor of the listing is closed already.
        let _ = nix::unistd::close(number);
    }
    Ok(())
}

fn inherited() -> io::Result<Vec<RawFd>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        numbers.extend(number.filter(|&number: &RawFd| number > 2));
    }
    Ok(numbers)
}
