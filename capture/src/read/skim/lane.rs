//! One of the places at which a file is walked.

use std::mem::take;

use knock_engine::{LinkType, Timestamp};

use super::{Found, Passed, Step, Walk};
use crate::read::mapped::prefetch;

/// A walk from record to record.
#[derive(Debug)]
pub(super) struct Lane {
    begin: usize,
    /// Where the next lane begins, or for the last one the window ends.
    end: usize,
    /// Where the next record begins.
    at: usize,
    /// Whether it has met something that is no record.
    is_stuck: bool,
    /// The time of the first packet.
    first: Option<Timestamp>,
    /// The latest time up to here.
    latest: Option<Timestamp>,
    packets: u64,
    found: Vec<Found>,
    rest: Passed,
}

/// What a walk has found.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) found: Vec<Found>,
    /// What was passed over after the last of them.
    pub(super) rest: Passed,
    pub(super) latest: Option<Timestamp>,
    /// Where it has ended.
    pub(super) end: usize,
    /// Whether it has met nothing that is no record.
    pub(super) is_whole: bool,
}

/// Walks lanes, one step of each after the other.
pub(super) fn walk_in_turn(
    lanes: &mut [Lane],
    walk: &impl Walk,
    bytes: &[u8],
    is_unwanted: &(impl Fn(LinkType, &[u8]) -> bool + ?Sized),
) {
    let mut is_going = true;
    while is_going {
        is_going = false;
        for lane in &mut *lanes {
            is_going |= lane.step(walk, bytes, is_unwanted);
        }
    }
}

impl Lane {
    /// Returns a walk that begins at `begin` and ends with the first record at or after `end`.
    pub(super) fn new(begin: usize, end: usize) -> Self {
        Self {
            begin,
            end,
            at: begin,
            is_stuck: false,
            first: None,
            latest: None,
            packets: 0,
            found: Vec::new(),
            rest: Passed::default(),
        }
    }

    /// Returns the same walk from its beginning, after packets up to this time.
    pub(super) fn again(&self, latest: Option<Timestamp>) -> Self {
        Self { latest, ..Self::new(self.begin, self.end) }
    }

    pub(super) const fn begin(&self) -> usize {
        self.begin
    }

    /// Returns how many packets it has met.
    pub(super) const fn packets(&self) -> u64 {
        self.packets
    }

    /// Returns whether its first packet has a time before this.
    pub(super) fn began_before(&self, latest: Option<Timestamp>) -> bool {
        self.first.is_some() && self.first < latest
    }

    /// Walks to the end.
    pub(super) fn walk(
        &mut self,
        walk: &impl Walk,
        bytes: &[u8],
        is_unwanted: &(impl Fn(LinkType, &[u8]) -> bool + ?Sized),
    ) {
        while self.step(walk, bytes, is_unwanted) {}
    }

    /// Returns whether no packet was wanted so far.
    pub(super) const fn has_found_none(&self) -> bool {
        self.found.is_empty()
    }

    /// Passes a record. Returns whether there may be more.
    #[inline]
    pub(super) fn step(
        &mut self,
        walk: &impl Walk,
        bytes: &[u8],
        is_unwanted: &(impl Fn(LinkType, &[u8]) -> bool + ?Sized),
    ) -> bool {
        if self.at >= self.end || self.is_stuck {
            return false;
        }
        let Some(Step { at, link, start, length, total }) = walk.step(bytes, self.at) else {
            self.is_stuck = true;
            return false;
        };
        let next = self.at.saturating_add(total);
        prefetch(bytes, next);
        let start = self.at.saturating_add(start);
        let frame = bytes.get(start..start.saturating_add(length)).unwrap_or_default();
        self.packets = self.packets.saturating_add(1);
        self.first = self.first.or(Some(at));
        let is_backwards = Some(at) < self.latest;
        self.latest = self.latest.max(Some(at));
        if is_unwanted(link, frame) {
            self.rest.packets = self.rest.packets.saturating_add(1);
            self.rest.backwards = self.rest.backwards.saturating_add(is_backwards.into());
            self.rest.latest = self.latest;
            self.rest.last = Some(at);
        } else {
            self.found.push(Found { at: self.at, before: take(&mut self.rest) });
        }
        self.at = next;
        true
    }

    pub(super) fn finish(self) -> Outcome {
        let Self { found, rest, latest, at, is_stuck, .. } = self;
        Outcome { found, rest, latest, end: at, is_whole: !is_stuck }
    }
}
