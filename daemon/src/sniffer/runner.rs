//! The runner as the sniffer sees it.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;

use super::end::End;
use crate::wire::{Order, OrderReader};

/// The other end of the socket.
pub(super) struct Runner {
    pub(super) socket: UnixStream,
    pub(super) orders: OrderReader,
}

impl Runner {
    /// Waits for an order.
    pub(super) fn wait(&mut self) -> Result<Order, End> {
        loop {
            if let Some(order) = self.orders.next().map_err(End::Order)? {
                return Ok(order);
            }
            self.read()?;
        }
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
            Err(error) => Err(End::System("cannot read from the runner", error)),
        }
    }
}

/// Returns whether it may go well the next time.
pub(super) fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
