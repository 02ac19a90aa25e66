//! The sniffer's end of the socket to the runner.

use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use super::end::End;
use crate::wire::{Order, OrderReader};

/// The socket, and the orders that come over it.
pub(super) struct RunnerSocket {
    socket: UnixStream,
    orders: OrderReader,
}

impl RunnerSocket {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self { socket, orders: OrderReader::default() }
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

    /// Reads what is there.
    pub(super) fn read(&mut self) -> Result<(), End> {
        let mut bytes = [0; 4096];
        match self.socket.read(&mut bytes) {
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
