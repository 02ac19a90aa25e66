//! The sniffer's process, as the runner sees it.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read as _};
use std::net::Shutdown;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use knock_engine::Doors;
use nix::poll::PollFlags;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::Pid;

use super::starter::Started;
use crate::wire::{InvalidMessage, Message, MessageReader, Order, SecretBytes};

/// How much is read before other things have their turn, in bytes.
const READ_MAX: usize = 1 << 20;

/// While this many bytes of orders wait, the sniffer's messages are not read. The longest order, a
/// configuration with all its files, is a third of this, and a sniffer that works as it should reads its
/// orders.
const ORDERS_MAX: usize = 16 << 20;

/// How often to check whether the process has ended, and how long to wait between: a second in all.
const STATUS_TRIES: u32 = 200;
const STATUS_PAUSE: Duration = Duration::from_millis(5);

/// The process that reads packets, and the socket to it.
pub(super) struct SnifferProcess {
    process: Started,
    /// `None` after the last message.
    socket: Option<UnixStream>,
    messages: MessageReader,
    orders: SecretBytes,
    /// Descriptors that go with orders, each with the place among the bytes where its order begins.
    descriptors: VecDeque<(usize, OwnedFd)>,
    /// Whether it got an order that gives it something to do.
    has_work: bool,
    /// Whether it was asked to end, after which no orders can be sent.
    dismissed: bool,
}

impl SnifferProcess {
    pub(super) fn new(process: Started, socket: UnixStream) -> Self {
        Self {
            process,
            socket: Some(socket),
            messages: MessageReader::default(),
            orders: SecretBytes::default(),
            descriptors: VecDeque::new(),
            has_work: false,
            dismissed: false,
        }
    }

    /// Returns what to wait for; `None` if it has ended.
    pub(super) fn wanted(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let mut events = PollFlags::empty();
        events.set(PollFlags::POLLIN, self.takes_orders());
        events.set(PollFlags::POLLOUT, !self.orders.is_empty());
        self.socket.as_ref().map(|socket| (socket.as_fd(), events))
    }

    /// Returns whether there will be no more messages.
    pub(super) const fn has_ended(&self) -> bool {
        self.socket.is_none()
    }

    /// Returns whether it seems to read its orders.
    fn takes_orders(&self) -> bool {
        self.orders.as_slice().len() < ORDERS_MAX
    }

    /// Queues an order, unless it was asked to end.
    pub(super) fn queue(&mut self, order: &Order) {
        if !self.dismissed {
            self.has_work |= !matches!(order, Order::AreYouThere);
            self.orders.extend(order.bytes().as_slice());
        }
    }

    /// Returns whether it got something to do since the last call, other than to answer whether it is there.
    pub(super) const fn takes_work(&mut self) -> bool {
        std::mem::replace(&mut self.has_work, false)
    }

    /// Queues an order that a descriptor goes with.
    pub(super) fn queue_with(&mut self, order: &Order, descriptor: OwnedFd) {
        if !self.dismissed {
            self.descriptors.push_back((self.orders.as_slice().len(), descriptor));
            self.queue(order);
        }
    }

    /// Sends as many orders as the socket takes.
    pub(super) fn send(&mut self) {
        while self.socket.is_some() && !self.orders.is_empty() {
            match self.send_some() {
                Ok(length) => {
                    self.descriptors.pop_front_if(|(begin, _)| *begin == 0);
                    for (begin, _) in &mut self.descriptors {
                        *begin = begin.saturating_sub(length);
                    }
                    self.orders.erase_first(length);
                }
                Err(nix::Error::EINTR) => {}
                Err(nix::Error::EAGAIN) => return,
                // It reads no more. If it has ended, the next read finds out.
                Err(_) => self.clear_orders(),
            }
        }
    }

    /// Sends some bytes, and the descriptor that goes with them. They end where the next descriptor
    /// begins.
    fn send_some(&self) -> nix::Result<usize> {
        let Some(socket) = &self.socket else { return Ok(0) };
        let orders = self.orders.as_slice();
        let mut descriptors = self.descriptors.iter();
        let now: Vec<RawFd> = match self.descriptors.front() {
            Some((0, descriptor)) => {
                descriptors.next();
                vec![descriptor.as_raw_fd()]
            }
            Some(_) | None => vec![],
        };
        let end = descriptors.next().map_or(orders.len(), |(begin, _)| *begin);
        let bytes = [IoSlice::new(orders.get(..end).unwrap_or(orders))];
        let rights = [ControlMessage::ScmRights(&now)];
        let rights = if now.is_empty() { &[][..] } else { &rights };
        sendmsg::<()>(socket.as_raw_fd(), &bytes, rights, MsgFlags::MSG_NOSIGNAL, None)
    }

    fn clear_orders(&mut self) {
        self.orders.clear();
        self.descriptors.clear();
    }

    /// Asks it to end, after the orders that can be sent at once. Its last messages still come.
    pub(super) fn dismiss(&mut self) {
        self.send();
        self.dismissed = true;
        self.clear_orders();
        if let Some(socket) = &self.socket {
            // This fails if it has ended, which the next read finds out.
            let _ = socket.shutdown(Shutdown::Write);
        }
    }

    /// Kills it, and discards messages that were not handled.
    pub(super) fn kill(&mut self) {
        self.socket = None;
        self.messages = MessageReader::default();
        self.process.kill();
    }

    /// Waits until the process has ended, and returns how. If it takes too long, it is killed, which
    /// takes a capability if it has become another user.
    pub(super) fn status(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status_soon()? {
            return Ok(status);
        }
        self.kill();
        self.status_soon()?
            .ok_or_else(|| io::Error::other("it hangs, and knockd cannot kill it without CAP_KILL"))
    }

    /// Collects the process if it is the one with this id, which has ended.
    pub(super) fn collect(&mut self, id: Pid) -> bool {
        // Its status is kept for `status`.
        self.process.collect(id)
    }

    /// Waits up to a second for the end of the process.
    fn status_soon(&mut self) -> io::Result<Option<ExitStatus>> {
        for _ in 0..STATUS_TRIES {
            if let Some(status) = self.process.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(STATUS_PAUSE);
        }
        Ok(None)
    }

    /// Reads what is there, and returns whether that was anything.
    pub(super) fn read(&mut self) -> bool {
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
        read > 0
    }

    /// Returns its next message.
    ///
    /// # Errors
    /// [`InvalidMessage`] if it is not a valid one.
    pub(super) fn next(&mut self, doors: &Doors) -> Result<Option<Message>, InvalidMessage> {
        self.messages.next(doors)
    }
}
