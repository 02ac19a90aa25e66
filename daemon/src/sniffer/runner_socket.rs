//! The sniffer's end of the socket to the runner.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::MsgFlags;
use zeroize::Zeroizing;

use super::end::End;
use crate::descriptors::{self, is_momentary};
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
        // There may be keys among them.
        let mut bytes = Zeroizing::new([0; 4096]);
        match self.receive(&mut *bytes) {
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
        let (length, descriptors) =
            descriptors::receive(self.socket.as_fd(), bytes, MsgFlags::empty())?;
        self.descriptors.extend(descriptors);
        Ok(length)
    }
}

impl AsFd for RunnerSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
