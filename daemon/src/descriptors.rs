//! Descriptors that this process gets from others: those that it has inherited, besides the standard
//! streams, and those that come over sockets.

use std::fs;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

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

/// Reads from a socket. Returns how many bytes there were, and the descriptors that came with them.
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
    flags: MsgFlags,
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = nix::cmsg_space!([RawFd; 2]);
    let mut into = [IoSliceMut::new(bytes)];
    let flags = flags | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut into, Some(&mut control), flags)?;
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            for number in numbers {
                #[expect(unsafe_code, reason = "the kernel has just made this descriptor")]
                // SAFETY: no other part of this program has it.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
    }
    Ok((message.bytes, descriptors))
}

/// Returns whether reading again may succeed.
pub(crate) fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
