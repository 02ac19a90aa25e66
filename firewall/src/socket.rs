//! A netlink socket to `nf_tables`.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockname,
    recvfrom, sendto, setsockopt, socket, sockopt,
};

use crate::error::Error;
use crate::message::attributes::{self, Attributes};
use crate::message::header::{self, Received};
use crate::message::numbers::{NFTA_GEN_ID, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, kind};
use crate::message::{Batch, question};
use crate::place::Place;
use crate::transaction::Transaction;

/// What a datagram of the kernel fits into: it makes none larger than 32 KiB.
const DATAGRAM: usize = 1 << 16;

/// How often a question is asked again whose answer changed while it was given.
const TRIES: usize = 20;

/// A transaction that the kernel refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// All of it.
    Whole(Errno),
    /// Because of one change, with its place among the changes.
    Change(usize, Errno),
    /// There was no answer.
    NoAnswer,
}

/// A message of an answer, without its headers.
pub(crate) type Answer = Vec<u8>;

pub(crate) struct Socket {
    descriptor: OwnedFd,
    /// The number of the next message.
    sequence: u32,
    port: u32,
    /// The size of the buffer for sending, as far as it was made larger.
    sendable: usize,
}

impl Socket {
    /// Opens one that gets the messages of these groups.
    pub(crate) fn open(groups: u32) -> Result<Self, Error> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let protocol = SockProtocol::NetlinkNetFilter;
        let descriptor = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol);
        let descriptor = descriptor.map_err(|errno| {
            if [Errno::EPROTONOSUPPORT, Errno::EAFNOSUPPORT].contains(&errno) {
                return Error::NoNftables;
            }
            Error::System { doing: "cannot open a socket to nftables", errno }
        })?;
        let failed = |errno| Error::System { doing: "cannot bind the socket to nftables", errno };
        bind(descriptor.as_raw_fd(), &NetlinkAddr::new(0, groups)).map_err(failed)?;
        let name: NetlinkAddr = getsockname(descriptor.as_raw_fd()).map_err(failed)?;
        Ok(Self { descriptor, sequence: 1, port: name.pid(), sendable: 100_000 })
    }

    /// Returns the number that the kernel knows it by.
    pub(crate) const fn port(&self) -> u32 {
        self.port
    }

    /// Makes the buffer for what is received as large as this.
    pub(crate) fn enlarge_input(&self, size: usize) {
        // Without the permission for it, more notices get lost, which is noticed.
        let _ = setsockopt(&self.descriptor, sockopt::RcvBufForce, &size);
    }

    /// Makes all changes, or none. With `generation`, only if the ruleset is still that one.
    pub(crate) fn commit(
        &mut self,
        transaction: &Transaction,
        generation: Option<u32>,
    ) -> Result<(), Refused> {
        let batch = Batch::new(transaction, self.sequence, generation);
        let last =
            self.sequence.wrapping_add(u32::try_from(batch.changes.len()).unwrap_or(u32::MAX));
        self.sequence = last.wrapping_add(2);
        if batch.bytes.len() > self.sendable {
            self.sendable = batch.bytes.len().saturating_mul(2);
            // Some containers may not do it. Then what is too large is not sent, which is an error.
            let _ = setsockopt(&self.descriptor, sockopt::SndBufForce, &self.sendable);
        }
        self.drain();
        self.send(&batch.bytes).map_err(Refused::Whole)?;
        self.outcome(&batch, last)
    }

    /// Reads the answers to a batch. The kernel has done all and answered when the batch is sent.
    fn outcome(&self, batch: &Batch, last: u32) -> Result<(), Refused> {
        let mut outcome = Err(Refused::NoAnswer);
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let length = match self.receive(&mut buffer) {
                Ok(length) => length,
                Err(Errno::EAGAIN) => return outcome,
                // There were so many errors, with the messages that they are about, that the last are lost.
                Err(Errno::ENOBUFS) => continue,
                Err(errno) => return Err(Refused::Whole(errno)),
            };
            for answer in header::parse(buffer.get(..length).unwrap_or(&[])) {
                match ending(&answer) {
                    Ending::Failure(errno) => {
                        // The first error is the cause of the others.
                        if matches!(outcome, Ok(()) | Err(Refused::NoAnswer)) {
                            outcome = Err(batch.refused(answer.sequence, errno));
                        }
                    }
                    Ending::Success if answer.sequence == last => {
                        outcome = outcome.or_else(|refused| match refused {
                            Refused::NoAnswer => Ok(()),
                            Refused::Whole(_) | Refused::Change(..) => Err(refused),
                        });
                    }
                    Ending::Success | Ending::None => {}
                }
            }
        }
    }

    /// Asks for all objects of a kind.
    pub(crate) fn dump(
        &mut self,
        kind: u16,
        place: &Place,
        attributes: &Attributes,
    ) -> Result<Vec<Answer>, Errno> {
        for _ in 0..TRIES {
            if let Some(answers) = self.ask(kind, true, place, attributes)? {
                return Ok(answers);
            }
        }
        Err(Errno::EINTR)
    }

    /// Asks for one object.
    pub(crate) fn get(
        &mut self,
        kind: u16,
        place: &Place,
        attributes: &Attributes,
    ) -> Result<Option<Answer>, Errno> {
        let answers = self.ask(kind, false, place, attributes)?;
        Ok(answers.and_then(|answers| answers.into_iter().next()))
    }

    /// Returns the number of the present ruleset, which every change of any table increases.
    pub(crate) fn generation(&mut self) -> Result<Option<u32>, Errno> {
        let answer = self.get(kind::GETGEN, &Place::own(), &Attributes::new())?;
        Ok(answer.and_then(|answer| attributes::number(&answer, NFTA_GEN_ID)))
    }

    /// Takes a datagram that has arrived, with messages that nobody asked for.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        loop {
            let (length, sender) = recvfrom::<NetlinkAddr>(self.descriptor.as_raw_fd(), buffer)?;
            // Other programs can send to this socket, too.
            if sender.is_some_and(|sender| sender.pid() == 0) {
                return Ok(length);
            }
        }
    }

    /// Asks, and returns the answers; `None` if they do not belong together.
    fn ask(
        &mut self,
        kind: u16,
        is_dump: bool,
        place: &Place,
        attributes: &Attributes,
    ) -> Result<Option<Vec<Answer>>, Errno> {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        self.drain();
        self.send(&question(kind, is_dump, sequence, place, attributes))?;
        let mut answers = Vec::new();
        let mut is_whole = true;
        let mut buffer = vec![0; DATAGRAM];
        loop {
            // The next part of a dump is there when the part before it has been received.
            let length = self.receive(&mut buffer)?;
            let messages = header::parse(buffer.get(..length).unwrap_or(&[]));
            for message in messages.filter(|message| message.sequence == sequence) {
                is_whole &= message.flags & NLM_F_DUMP_INTR == 0;
                match ending(&message) {
                    Ending::Failure(errno) => return Err(errno),
                    Ending::Success => return Ok(is_whole.then_some(answers)),
                    Ending::None => answers.push(message.attributes().to_vec()),
                }
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Errno> {
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.descriptor.as_raw_fd(), bytes, &kernel, MsgFlags::empty()).map(drop)
    }

    /// Forgets what is left of an answer that was not read to its end.
    fn drain(&self) {
        let mut buffer = [0; 64];
        while self.receive(&mut buffer).is_ok() {}
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// How an answer ends.
enum Ending {
    Success,
    Failure(Errno),
    /// It goes on.
    None,
}

fn ending(answer: &Received<'_>) -> Ending {
    if answer.kind != NLMSG_ERROR && answer.kind != NLMSG_DONE {
        return Ending::None;
    }
    match answer.content.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes)) {
        0 => Ending::Success,
        error => Ending::Failure(Errno::from_raw(error.saturating_neg())),
    }
}

impl Batch {
    /// Returns what an error means, by the number of the message that it is about.
    fn refused(&self, sequence: u32, errno: Errno) -> Refused {
        let place = usize::try_from(sequence.wrapping_sub(self.first)).unwrap_or(usize::MAX);
        match place.checked_sub(1).and_then(|place| self.changes.get(place)) {
            Some(change) => Refused::Change(*change, errno),
            None => Refused::Whole(errno),
        }
    }
}
