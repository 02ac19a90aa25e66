//! The sniffer as the runner sees it.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::Duration;

use knock_engine::Doors;
use nix::poll::PollFlags;

use crate::wire::{InvalidMessage, Message, MessageReader, Order};

/// How much is read of it before anything else is looked at, in bytes.
const READ_MAX: usize = 1 << 20;

/// While so many bytes wait for it to read them, nothing is read of it. The longest order, a
/// configuration with all its files, is a third of this; an honest sniffer always reads.
const ORDERS_MAX: usize = 16 << 20;

/// How often it is looked whether the process has ended, and how long apart: a second in all.
const STATUS_TRIES: u32 = 200;
const STATUS_PAUSE: Duration = Duration::from_millis(5);

/// The process that reads packets, and the socket to it.
pub(super) struct SnifferProcess {
    child: Child,
    /// `None` once it will say nothing more.
    socket: Option<UnixStream>,
    messages: MessageReader,
    orders: VecDeque<u8>,
    /// Whether it was told to end, behind which nothing can be told.
    dismissed: bool,
}

impl SnifferProcess {
    pub(super) fn new(child: Child, socket: UnixStream) -> Self {
        Self {
            child,
            socket: Some(socket),
            messages: MessageReader::default(),
            orders: VecDeque::new(),
            dismissed: false,
        }
    }

    /// Returns what to wait for; `None` if it has ended. It is only read if `heeded`.
    pub(super) fn wanted(&self, is_read: bool) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let mut events = PollFlags::empty();
        events.set(PollFlags::POLLIN, is_read && self.takes_orders());
        events.set(PollFlags::POLLOUT, !self.orders.is_empty());
        self.socket.as_ref().map(|socket| (socket.as_fd(), events))
    }

    /// Returns whether it will say nothing more.
    pub(super) const fn has_ended(&self) -> bool {
        self.socket.is_none()
    }

    /// Returns whether it reads what it is told, as far as one can see.
    fn takes_orders(&self) -> bool {
        self.orders.len() < ORDERS_MAX
    }

    /// Tells it something as soon as it listens, unless it was told to end.
    pub(super) fn queue(&mut self, order: &Order) {
        if !self.dismissed {
            self.orders.extend(order.bytes());
        }
    }

    /// Sends what it takes.
    pub(super) fn send(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        while !self.orders.is_empty() {
            let (front, _) = self.orders.as_slices();
            match socket.write(front) {
                Ok(length) => drop(self.orders.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // It does not read any more. If it has ended, reading says so.
                Err(_) => self.orders.clear(),
            }
        }
    }

    /// Tells it to end, behind what it was told before as far as that can be sent at once. What it has
    /// to say still comes.
    pub(super) fn dismiss(&mut self) {
        self.send();
        self.dismissed = true;
        self.orders.clear();
        if let Some(socket) = &self.socket {
            // If it has ended, reading says so.
            let _ = socket.shutdown(Shutdown::Write);
        }
    }

    /// Ends it, whatever it does. What it has said and nobody has looked at is forgotten.
    pub(super) fn kill(&mut self) {
        self.socket = None;
        self.messages = MessageReader::default();
        // It may have ended by itself.
        let _ = self.child.kill();
    }

    /// Waits until the process is gone, and returns how it ended. One that says nothing more and
    /// stays all the same is killed, which takes a capability if it has become another user.
    pub(super) fn status(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status_soon()? {
            return Ok(status);
        }
        self.kill();
        self.status_soon()?
            .ok_or_else(|| io::Error::other("it hangs, and to kill it knockd would need CAP_KILL"))
    }

    /// Waits a second for the end of the process.
    fn status_soon(&mut self) -> io::Result<Option<ExitStatus>> {
        for _ in 0..STATUS_TRIES {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(STATUS_PAUSE);
        }
        Ok(None)
    }

    /// Reads what is there.
    pub(super) fn read(&mut self) {
        let mut bytes = [0; 16 * 1024];
        let mut read = 0_usize;
        while read < READ_MAX
            && self.takes_orders()
            && let Some(socket) = &mut self.socket
        {
            match socket.read(&mut bytes) {
                Ok(0) => self.socket = None,
                Ok(length) => {
                    read = read.saturating_add(length);
                    self.messages.push(bytes.get(..length).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.socket = None,
            }
        }
    }

    /// Returns the next thing it said.
    ///
    /// # Errors
    /// [`InvalidMessage`] if no honest sniffer says that.
    pub(super) fn next(&mut self, doors: &Doors) -> Result<Option<Message>, InvalidMessage> {
        self.messages.next(doors)
    }
}
