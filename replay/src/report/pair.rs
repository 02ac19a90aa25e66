//! A client at a door: what happened there, its attempts, and for how long the door was open.

use std::collections::VecDeque;
use std::net::IpAddr;

use knock_engine::{Door, DoorId, Phase, Stage, Timestamp};

use super::collect::PageContent;
use crate::explain::{Explanation, PacketId, Verdict};

/// Something that happened. Numbers are places in the tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageEvent {
    pub(super) at: Timestamp,
    pub(super) verdict: &'static str,
    /// How many knocks are made, if it is a stage; else 0.
    pub(super) stage: u8,
    pub(super) text: u32,
    pub(super) attempt: u64,
    pub(super) packet: Option<(PacketId, u32)>,
    pub(super) lines: u32,
    /// How many of the same came after it and are not kept.
    pub(super) more: u64,
    /// The line of the one-time sequence that it is about, if it is about one.
    pub(super) one_time: Option<u32>,
}

/// An attempt, or the time for which a door was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Timestamp,
    pub(super) to: Option<Timestamp>,
    /// How it ended.
    pub(super) end: &'static str,
}

/// A client at a door.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    pub(super) events: Vec<PageEvent>,
    pub(super) attempts: Vec<Span>,
    pub(super) leases: Vec<Span>,
    /// When the first packet came.
    pub(super) first: Timestamp,
    /// How many events are not kept.
    pub(super) left_out: u64,
    /// When the first and the last of those happened.
    pub(super) left_out_times: Option<(Timestamp, Timestamp)>,
    /// Whether there is anything but packets that counted at other doors.
    pub(super) is_here: bool,
    /// How many events of openings are kept.
    pub(super) openings: usize,
    /// Whether the last attempt is one of those that are kept, and goes on.
    is_attempt_kept: bool,
    /// Which leases end with the next stop commands, in their order; `None` if one is not kept.
    to_close: VecDeque<Option<usize>>,
    /// The lease that is an admission by the firewall and goes on.
    admission: Option<usize>,
}

impl Pair {
    pub(super) fn new(one: &Explanation) -> Self {
        Self {
            client: one.client,
            door: one.door,
            events: Vec::new(),
            attempts: Vec::new(),
            leases: Vec::new(),
            first: one.at,
            left_out: 0,
            left_out_times: None,
            is_here: false,
            openings: 0,
            is_attempt_kept: false,
            to_close: VecDeque::new(),
            admission: None,
        }
    }

    /// Returns how much there is to draw.
    pub(super) fn marks(&self) -> usize {
        let Self { events, attempts, leases, .. } = self;
        events.len().saturating_add(attempts.len()).saturating_add(leases.len())
    }

    pub(super) fn is_more_of_the_same(&self, one: &Explanation) -> bool {
        if !one.verdict.is_dull() || self.left_out > 0 {
            return false;
        }
        let attempt = one.attempt.map_or(0, |attempt| attempt.number);
        let same =
            |event: &&PageEvent| event.verdict == one.verdict.name() && event.attempt == attempt;
        self.events.iter().rev().take_while(same).count() >= PageContent::SAME
    }

    /// Follows attempts and openings, those that are kept, to their ends.
    pub(super) fn follow(&mut self, one: &Explanation, is_kept: bool) {
        let at = one.at;
        if matches!(one.verdict, Verdict::Stage { stage: Stage::FIRST, .. }) {
            self.is_attempt_kept = is_kept;
            if is_kept {
                self.attempts.push(Span { from: at, to: None, end: "" });
            }
        }
        if ends_attempt(&one.verdict)
            && std::mem::take(&mut self.is_attempt_kept)
            && let Some(last) = self.attempts.last_mut()
        {
            *last = Span { to: Some(at), end: one.verdict.name(), ..*last };
        }
    }

    /// Follows for how long the door is open, as far as there is room.
    pub(super) fn open_and_close(&mut self, one: &Explanation, door: &Door, has_room: bool) {
        let mut begin = || {
            has_room.then(|| {
                self.leases.push(Span { from: one.at, to: None, end: "" });
                self.leases.len().saturating_sub(1)
            })
        };
        if matches!(one.verdict, Verdict::Opened) {
            if door.commands.of(Phase::Stop, one.client).is_some() {
                let place = begin();
                self.to_close.push_back(place);
            } else if door.admission.is_none() {
                begin();
            }
        } else if matches!(one.verdict, Verdict::Admitted { .. }) && self.admission.is_none() {
            // Another opening renews it.
            self.admission = begin();
        }
        let ended: Vec<usize> = if matches!(one.verdict, Verdict::CommandTimedOut) {
            // What opened first closes first.
            self.to_close.pop_front().flatten().into_iter().collect()
        } else if matches!(one.verdict, Verdict::Closing) {
            self.to_close.drain(..).flatten().collect()
        } else if matches!(one.verdict, Verdict::AdmissionEnded) {
            self.admission.take().into_iter().collect()
        } else {
            Vec::new()
        };
        for place in ended {
            if let Some(lease) = self.leases.get_mut(place) {
                *lease = Span { to: Some(one.at), end: one.verdict.name(), ..*lease };
            }
        }
    }

    pub(super) fn leave_out(&mut self, at: Timestamp) {
        self.left_out = self.left_out.saturating_add(1);
        let (first, _) = self.left_out_times.unwrap_or((at, at));
        self.left_out_times = Some((first, at));
    }
}

const fn ends_attempt(verdict: &Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Opened
            | Verdict::Refused
            | Verdict::Skipped(_)
            | Verdict::SequenceTimedOut { .. }
            | Verdict::Evicted { .. }
            | Verdict::SequenceChanged { .. }
            | Verdict::DoorChanged { .. }
            | Verdict::Void { .. }
    )
}
