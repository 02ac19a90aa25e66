//! What waits to be said to the runner.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use knock_engine::Effect;
use nix::poll::{PollFd, PollFlags, ppoll};

use super::end::End;
use super::runner::is_momentary;
use crate::wire::{Gravity, Loss, Report};

/// Lines wait in at most so many bytes; commands always do, and the engine bounds their number.
const LINES_MAX: usize = 4 << 20;

/// Reports on their way to the runner.
pub(super) struct Outbox {
    socket: UnixStream,
    bytes: VecDeque<u8>,
    /// Whether every line of the transcript is wanted, and not only openings.
    every_line: bool,
    /// Whether notes are wanted.
    debug: bool,
    /// How many lines did not find room.
    dropped: u64,
    /// How many marks of one-time sequences were asked for.
    marks: u64,
    /// What losses were told of.
    told: BTreeMap<Loss, u64>,
}

impl Outbox {
    /// Takes the socket to the runner. Lines are not wanted yet.
    pub(super) const fn new(socket: UnixStream) -> Self {
        Self {
            socket,
            bytes: VecDeque::new(),
            every_line: false,
            debug: false,
            dropped: 0,
            marks: 0,
            told: BTreeMap::new(),
        }
    }

    /// Says which lines are wanted.
    pub(super) const fn want(&mut self, every_line: bool, debug: bool) {
        (self.every_line, self.debug) = (every_line, debug);
    }

    /// Returns how many marks of one-time sequences were asked for since the start.
    pub(super) const fn marks(&self) -> u64 {
        self.marks
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Puts an effect in if it is wanted. One that is only a line is dropped if there is no room.
    pub(super) fn effect(&mut self, effect: Effect) {
        let (is_wanted, is_line) = match effect {
            Effect::StageReached { .. } | Effect::SequenceTimedOut { .. } => {
                (self.every_line, true)
            }
            Effect::Note(_) | Effect::OpeningSkipped { again: true, .. } => (self.debug, true),
            Effect::Opened { .. }
            | Effect::RunCommand { .. }
            | Effect::CommandTimedOut { .. }
            | Effect::CommandFailed { .. }
            | Effect::MarkOneTime { .. }
            | Effect::DoorDisabled { .. }
            | Effect::OpeningRefused { .. }
            | Effect::OpeningSkipped { again: false, .. }
            | Effect::ReloadRefused => (true, false),
            Effect::Own(never) => match never {},
        };
        if !is_wanted {
            return;
        }
        if matches!(effect, Effect::MarkOneTime { .. }) {
            self.marks = self.marks.saturating_add(1);
        }
        if is_line && self.bytes.len() >= LINES_MAX {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.put(&Report::Effect(effect));
    }

    /// Puts a report in.
    pub(super) fn put(&mut self, report: &Report) {
        report.write(&mut self.bytes);
    }

    /// Puts in why something is not as it should be.
    pub(super) fn words(&mut self, gravity: Gravity, why: &dyn fmt::Display) {
        self.put(&Report::Words(gravity, why.to_string().into_bytes()));
    }

    /// Tells how many were lost since the start, if that is news.
    pub(super) fn lost(&mut self, loss: Loss, count: u64) {
        let told = self.told.entry(loss).or_default();
        if count > *told {
            *told = count;
            self.put(&Report::Lost(loss, count));
        }
    }

    /// Sends what the runner takes.
    ///
    /// # Errors
    /// [`End::Orphaned`] if it is gone.
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
                Err(error) => return Err(End::System("cannot write to the runner", error)),
            }
        }
        Ok(())
    }

    /// Sends everything, however long the runner takes.
    ///
    /// # Errors
    /// As [`Outbox::send`].
    pub(super) fn send_all(&mut self) -> Result<(), End> {
        while !self.is_empty() {
            let mut room = [PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT)];
            // What goes wrong here does so at the next attempt to send.
            let _ = ppoll(&mut room, None, None);
            self.send()?;
        }
        Ok(())
    }
}
