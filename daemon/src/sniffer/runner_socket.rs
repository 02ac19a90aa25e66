//! The sniffer's end of the socket to the runner.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use super::end::End;
use crate::wire::{InvalidOrder, Order, OrderReader};

/// The socket, and the orders that come over it.
pub(super) struct RunnerSocket {
    socket: UnixStream,
    orders: OrderReader,
    /// The descriptors that came with orders, in the order of these.
    descriptors: VecDeque<OwnedFd>,
}

impl RunnerSocket {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self { socket, orders: OrderReader::default(), descriptors: VecDeque::new() }
    }

    /// Makes reads return at once when nothing is there.
    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        self.socket.set_nonblocking(true)
    }

    /// Waits for an order.
    pub(super) fn wait(&mut self) -> Result<Order, End> {
        loop {
            if let Some(order) = self.next()? {
                return Ok(order);
            }
            self.read()?;
        }
    }

    /// Returns the next order of those that were read.
    pub(super) fn next(&mut self) -> Result<Option<Order>, End> {
        self.orders.next().map_err(End::Order)
    }

    /// Returns the descriptor that came with an order.
    pub(super) fn descriptor(&mut self) -> Result<OwnedFd, End> {
        self.descriptors.pop_front().ok_or(End::Order(InvalidOrder))
    }

    /// Reads what is there.
    pub(super) fn read(&mut self) -> Result<(), End> {
        let mut bytes = [0; 4096];
        match self.receive(&mut bytes) {
            Ok(0) => Err(End::Dismissed),
            Ok(length) => {
                self.orders.push(bytes.get(..length).unwrap_or_default());
                Ok(())
            }
            Err(error) if is_momentary(&error) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(End::Orphaned),
            Err(error) => {
                Err(End::System("cannot read from the process that runs commands", error))
            }
        }
    }

    fn receive(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut control = nix::cmsg_space!([RawFd; 1]);
        let mut into = [IoSliceMut::new(bytes)];
        let (socket, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_CMSG_CLOEXEC);
        let message = recvmsg::<()>(socket, &mut into, Some(&mut control), flags)?;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(numbers) = control {
                for number in numbers {
                    #[expect(unsafe_code, reason = "the kernel has just made this descriptor")]
                    // SAFETY: no other part of this program has it.
                    self.descriptors.push_back(unsafe { OwnedFd::from_raw_fd(number) });
                }
            }
        }
        Ok(message.bytes)
    }
}

impl AsFd for RunnerSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Returns whether trying again may succeed.
pub(super) fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
