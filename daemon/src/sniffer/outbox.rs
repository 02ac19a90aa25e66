//! Messages that wait to be sent to the runner.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use knock_engine::{DoorId, Effect, KeyNumber, Obstacle};
use knock_signed::Refusal;
use nix::poll::{PollFd, PollFlags, ppoll};

use super::end::End;
use crate::descriptors::is_momentary;
use crate::wire::{Level, Loss, Message, is_authentic_refusal, is_progress};

/// How many bytes may wait before lines are dropped. Requests for commands are never dropped; the engine
/// limits their number.
const LINES_MAX: usize = 4 << 20;

/// How many bytes may wait before no more packets are read.
const BYTES_MAX: usize = 16 << 20;

/// How often a line says that a door is busy.
const BUSY_EVERY: Duration = Duration::from_mins(1);

/// How often a line says for the same reason that packets of a key open nothing.
const REFUSED_EVERY: Duration = Duration::from_mins(1);

/// Messages on their way to the runner.
pub(super) struct Outbox {
    socket: UnixStream,
    bytes: VecDeque<u8>,
    /// Whether every line of the transcript is wanted, and not only openings.
    every_line: bool,
    /// Whether notes are wanted.
    debug: bool,
    /// How many lines were dropped.
    dropped: u64,
    /// How many one-time sequences were to be marked as used.
    marks: u64,
    /// When it was last said of a door that it is busy.
    said_busy: BTreeMap<DoorId, Instant>,
    /// When it was last said why packets of a key open nothing.
    said_refused: BTreeMap<(Option<KeyNumber>, &'static str), Instant>,
    /// The losses that were sent.
    sent_losses: BTreeMap<Loss, u64>,
    refused: BTreeMap<&'static str, RefusedCount>,
}

/// How many signed packets were refused for a reason.
#[derive(Clone, Copy, Debug)]
struct RefusedCount {
    why: Refusal,
    count: u64,
    sent: u64,
}

impl Outbox {
    /// Takes the socket to the runner. No lines are wanted yet.
    pub(super) const fn new(socket: UnixStream) -> Self {
        Self {
            socket,
            bytes: VecDeque::new(),
            every_line: false,
            debug: false,
            dropped: 0,
            marks: 0,
            said_busy: BTreeMap::new(),
            said_refused: BTreeMap::new(),
            sent_losses: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    /// Sets which lines are wanted.
    pub(super) const fn want(&mut self, every_line: bool, debug: bool) {
        (self.every_line, self.debug) = (every_line, debug);
    }

    /// Sends all lines of the transcript from now on, or only openings.
    pub(super) const fn want_every_line(&mut self, every_line: bool) {
        self.every_line = every_line;
    }

    /// Returns whether notes and packets are wanted.
    pub(super) const fn wants_notes(&self) -> bool {
        self.debug
    }

    /// Returns how many one-time sequences were to be marked as used since the start.
    pub(super) const fn marks(&self) -> u64 {
        self.marks
    }

    /// Returns whether so much waits that packets must wait, too.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds an effect if it is wanted. One that is only a line is dropped if there is no room.
    pub(super) fn effect(&mut self, effect: Effect) {
        if let Effect::NotSigned { why, .. } = effect {
            let new = RefusedCount { why, count: 0, sent: 0 };
            let of_reason = self.refused.entry(why.name()).or_insert(new);
            of_reason.count = of_reason.count.saturating_add(1);
        }
        let is_progress = is_progress(&effect);
        let is_note =
            matches!(effect, Effect::Note(_) | Effect::OpeningSkipped { again: true, .. });
        let is_wanted = (!is_progress || self.every_line) && (!is_note || self.debug);
        if !is_wanted {
            return;
        }
        if let Effect::NotSigned { why, key, .. } = effect
            && !(self.debug || is_authentic_refusal(&effect) && self.must_say_refused(key, why))
        {
            return;
        }
        if let Effect::OpeningRefused { door, why: Obstacle::Limit, .. } = effect
            && !self.must_say_busy(door)
        {
            return;
        }
        if matches!(effect, Effect::MarkOneTime { .. }) {
            self.marks = self.marks.saturating_add(1);
        }
        let is_line = is_progress
            || is_note
            || matches!(effect, Effect::VoidedOften { .. } | Effect::NotSigned { .. });
        if is_line && self.bytes.len() >= LINES_MAX {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.push(&Message::Effect(effect));
    }

    /// Returns whether it is to be said that a door is busy. Further refusals are only counted.
    fn must_say_busy(&mut self, door: DoorId) -> bool {
        let is_recent = |said: &Instant| said.elapsed() < BUSY_EVERY;
        if self.debug {
            return true;
        }
        self.said_busy.retain(|_, said| is_recent(said));
        let is_new = !self.said_busy.contains_key(&door);
        self.said_busy.entry(door).or_insert_with(Instant::now);
        is_new
    }

    /// Returns whether it is to be said why packets of a key open nothing. Who repeats them could fill the log.
    fn must_say_refused(&mut self, key: Option<KeyNumber>, why: Refusal) -> bool {
        self.said_refused.retain(|_, said| said.elapsed() < REFUSED_EVERY);
        match self.said_refused.entry((key, why.name())) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(Instant::now());
                true
            }
        }
    }

    /// Adds a message.
    pub(super) fn push(&mut self, message: &Message) {
        message.write(&mut self.bytes);
    }

    /// Adds a text about something that failed.
    pub(super) fn text(&mut self, level: Level, why: &dyn fmt::Display) {
        self.push(&Message::Text(level, why.to_string().into_bytes()));
    }

    /// Adds how many were lost since the start, if that has changed.
    pub(super) fn lost(&mut self, loss: Loss, count: u64) {
        let sent = self.sent_losses.entry(loss).or_default();
        if count > *sent {
            *sent = count;
            self.push(&Message::Lost(loss, count));
        }
    }

    /// Adds how many signed packets were refused since the start, as far as that has changed.
    pub(super) fn refused(&mut self) {
        let changed = self.refused.values_mut().filter(|one| one.count > one.sent);
        let changed: Vec<Message> = changed
            .map(|one| {
                one.sent = one.count;
                Message::Refused(one.why, one.count)
            })
            .collect();
        for message in &changed {
            self.push(message);
        }
    }

    /// Returns whether more signed packets were refused than was sent.
    pub(super) fn has_refused(&self) -> bool {
        self.refused.values().any(|one| one.count > one.sent)
    }

    /// Sends as much as the socket takes.
    ///
    /// # Errors
    /// [`End::Orphaned`] if the runner has died.
    pub(super) fn send(&mut self) -> Result<(), End> {
        if self.dropped > 0 && self.bytes.len() < LINES_MAX {
            self.lost(Loss::Lines, self.dropped);
        }
        while !self.bytes.is_empty() {
            let (front, _) = self.bytes.as_slices();
            match self.socket.write(front) {
                Ok(length) => drop(self.bytes.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if is_momentary(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Err(End::Orphaned);
                }
                Err(error) => {
                    return Err(End::System(
                        "cannot write to the process that runs commands",
                        error,
                    ));
                }
            }
        }
        Ok(())
    }

    /// Sends everything, and waits for the runner as long as it takes.
    ///
    /// # Errors
    /// As [`Outbox::send`].
    pub(super) fn send_all(&mut self) -> Result<(), End> {
        while !self.is_empty() {
            let mut room = [PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT)];
            // An error here comes up again when sending.
            let _ = ppoll(&mut room, None, None);
            self.send()?;
        }
        Ok(())
    }
}

impl AsFd for Outbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_packets_are_counted_until_that_is_sent() {
        let (socket, _other) = UnixStream::pair().unwrap();
        let mut outbox = Outbox::new(socket);
        assert!(!outbox.has_refused());
        let client = [192, 0, 2, 1].into();
        for why in [Refusal::HintUnknown, Refusal::HintUnknown, Refusal::MomentUsed] {
            outbox.effect(Effect::NotSigned { client, why, key: None });
        }
        // Nobody wants to read of each.
        assert!(outbox.is_empty() && outbox.has_refused());
        outbox.refused();
        assert!(!outbox.is_empty() && !outbox.has_refused());
        let sent = outbox.bytes.len();
        outbox.refused();
        assert_eq!(outbox.bytes.len(), sent);
    }
}
