//! The socket between the runner and the starter.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, sendmsg, shutdown,
    socketpair,
};

use super::order::Words;
use crate::descriptors;

/// One end. Each message is one of [`Words`], with the descriptors that belong to it.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// A message, which is `None` at the end of the socket, and its descriptors.
type Received = (Option<Words>, Vec<OwnedFd>);

impl Channel {
    /// Returns both ends.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (kind, flags) = (SockType::SeqPacket, SockFlag::SOCK_CLOEXEC);
        let (one, other) = socketpair(AddressFamily::Unix, kind, None, flags)?;
        Ok((Self(one), other))
    }

    pub(crate) fn send(&self, words: Words, descriptors: &[OwnedFd]) -> io::Result<()> {
        let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        let numbers: Vec<RawFd> = descriptors.iter().map(OwnedFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&numbers)];
        let rights = if numbers.is_empty() { &[][..] } else { &rights };
        let (bytes, flags) = ([IoSlice::new(&bytes)], MsgFlags::MSG_NOSIGNAL);
        sendmsg::<()>(self.0.as_raw_fd(), &bytes, rights, flags, None)?;
        Ok(())
    }

    /// Has both ends read that there is no more.
    pub(crate) fn close(&self) {
        // This fails if the other end is closed.
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Both);
    }

    /// Returns the next message; `None` if none is there.
    pub(crate) fn receive(&self) -> io::Result<Option<Received>> {
        let mut bytes = [0; size_of::<Words>()];
        match descriptors::receive(self.0.as_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
            Ok((0, descriptors)) => Ok(Some((None, descriptors))),
            Ok((length, descriptors)) if length == bytes.len() => {
                let mut words = Words::default();
                for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
                    *word = u32::from_le_bytes(*bytes);
                }
                Ok(Some((Some(words), descriptors)))
            }
            Ok(_) => Err(io::ErrorKind::InvalidData.into()),
            Err(error) if descriptors::is_momentary(&error) => Ok(None),
            // The other end was closed with messages unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                Ok(Some((None, Vec::new())))
            }
            Err(error) => Err(error),
        }
    }
}

impl From<OwnedFd> for Channel {
    fn from(socket: OwnedFd) -> Self {
        Self(socket)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
