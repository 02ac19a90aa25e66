//! Descriptors that whoever started the daemon has left open, besides the standard streams.

use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Keeps them to this process: neither a command nor the process that reads packets, which a flaw could
/// put into the hands of a stranger, has any business with them.
pub(crate) fn keep_from_children() -> io::Result<()> {
    for number in inherited()? {
        #[expect(unsafe_code, reason = "nothing in this program owns what it was started with")]
        // SAFETY: it is not kept. One that is not open any more, as that of the listing, is refused.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let _ = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
    Ok(())
}

/// Closes them: a caller that waits for the end of a pipe or for a lock must not wait for a daemon.
///
/// Nothing that this program has opened may be open.
pub(crate) fn close() -> io::Result<()> {
    for number in inherited()? {
        // That of the listing is closed by now.
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
