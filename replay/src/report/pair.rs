//! A client at a door: what happened there, its attempts, and for how long the door was open.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU64;

use knock_engine::{Door, DoorId, Phase, Stage, Timestamp};

use super::chains::{Chain, Chains};
use super::collect::PageContent;
use crate::explain::{Explanation, Verdict};

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageEvent {
    pub(super) at: Timestamp,
    /// The attempt that it belongs to, or 0.
    pub(super) attempt: u32,
    /// How many of the same came after it and are not kept.
    pub(super) more: u32,
    pub(super) packet: Option<PagePacket>,
    /// What happened, as a place in the table.
    pub(super) what: u32,
}

/// The packet that made something happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct PagePacket {
    /// Its number in the capture.
    pub(super) number: NonZeroU64,
    pub(super) capture: u32,
    /// What is shown of it besides, as a place in the table.
    pub(super) shape: u32,
}

/// An attempt, or the time for which a door was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Timestamp,
    pub(super) to: Option<Timestamp>,
    /// How it ended.
    pub(super) end: &'static str,
}

/// A client at a door. Hundreds of thousands are kept: what only few have is apart.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    /// Whether there is anything but packets that counted at other doors.
    pub(super) is_here: bool,
    /// Whether the last attempt is one of those that are kept, and goes on.
    is_attempt_kept: bool,
    /// When the first packet came.
    pub(super) first: Timestamp,
    pub(super) events: Chain,
    pub(super) attempts: Chain,
    /// For how long the door was open, if it ever was.
    opened: Option<Box<Opened>>,
    /// What is not kept, if anything is not.
    pub(super) left_out: Option<Box<LeftOut>>,
}

/// For how long a door was open for a client.
#[derive(Debug, Default)]
struct Opened {
    leases: Vec<Span>,
    /// How many events of openings are kept.
    events: usize,
    /// Which leases end with the next stop commands, in their order; `None` if one is not kept.
    to_close: VecDeque<Option<usize>>,
    /// The lease that is an admission by the firewall and goes on.
    admission: Option<usize>,
}

/// Events that are not kept.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub(super) count: u64,
    /// When the first and the last of those happened.
    pub(super) times: (Timestamp, Timestamp),
}

impl Pair {
    pub(super) fn new(one: &Explanation) -> Self {
        Self {
            client: one.client,
            door: one.door,
            is_here: false,
            is_attempt_kept: false,
            first: one.at,
            events: Chain::new(),
            attempts: Chain::new(),
            opened: None,
            left_out: None,
        }
    }

    /// Keeps an event, which is of an opening or not.
    pub(super) fn push(
        &mut self,
        event: PageEvent,
        is_of_opening: bool,
        all: &mut Chains<PageEvent>,
    ) {
        all.push(&mut self.events, event);
        if is_of_opening {
            let events = &mut self.opened.get_or_insert_default().events;
            *events = events.saturating_add(1);
        }
    }

    /// Returns how many events of openings are kept.
    pub(super) fn opening_events(&self) -> usize {
        self.opened.as_ref().map_or(0, |opened| opened.events)
    }

    /// Returns for how long the door was open.
    pub(super) fn leases(&self) -> &[Span] {
        self.opened.as_ref().map_or(&[], |opened| &opened.leases)
    }

    /// Returns how much there is to draw.
    pub(super) fn marks(&self) -> usize {
        let Self { events, attempts, .. } = self;
        events.len().saturating_add(attempts.len()).saturating_add(self.leases().len())
    }

    /// Returns whether as many of the same are kept as there is use for. `verdict` says of what happened what
    /// it is.
    pub(super) fn is_more_of_the_same(
        &self,
        one: &Explanation,
        all: &Chains<PageEvent>,
        verdict: impl Fn(u32) -> &'static str,
    ) -> bool {
        if !one.verdict.is_dull() || self.left_out.is_some() {
            return false;
        }
        let attempt = attempt_of(one);
        let same = |event: &&PageEvent| {
            event.attempt == attempt && verdict(event.what) == one.verdict.name()
        };
        all.backwards(self.events).take_while(same).take(PageContent::SAME).count()
            >= PageContent::SAME
    }

    /// Follows attempts and openings, those that are kept, to their ends.
    pub(super) fn follow(&mut self, one: &Explanation, is_kept: bool, all: &mut Chains<Span>) {
        let at = one.at;
        if matches!(one.verdict, Verdict::Stage { stage: Stage::FIRST, .. }) {
            self.is_attempt_kept = is_kept;
            if is_kept {
                all.push(&mut self.attempts, Span { from: at, to: None, end: "" });
            }
        }
        if ends_attempt(&one.verdict)
            && std::mem::take(&mut self.is_attempt_kept)
            && let Some(last) = all.last_mut(self.attempts)
        {
            *last = Span { to: Some(at), end: one.verdict.name(), ..*last };
        }
    }

    /// Follows for how long the door is open, as far as there is room.
    pub(super) fn open_and_close(&mut self, one: &Explanation, door: &Door, has_room: bool) {
        if matches!(one.verdict, Verdict::Opened | Verdict::Admitted { .. }) {
            self.opened.get_or_insert_default().open(one, door, has_room);
        } else if let Some(opened) = &mut self.opened {
            opened.close(one);
        }
    }

    pub(super) fn leave_out(&mut self, at: Timestamp) {
        let new = || Box::new(LeftOut { count: 0, times: (at, at) });
        let left_out = self.left_out.get_or_insert_with(new);
        left_out.count = left_out.count.saturating_add(1);
        left_out.times.1 = at;
    }
}

impl Opened {
    fn open(&mut self, one: &Explanation, door: &Door, has_room: bool) {
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
        } else if self.admission.is_none() {
            // Another opening renews it.
            self.admission = begin();
        }
    }

    fn close(&mut self, one: &Explanation) {
        let ended: Vec<usize> = if matches!(one.verdict, Verdict::CommandTimedOut) {
            // What opened first closes first.
            self.to_close.pop_front().flatten().into_iter().collect()
        } else if matches!(one.verdict, Verdict::Closing) {
            self.to_close.drain(..).flatten().collect()
        } else if matches!(one.verdict, Verdict::AdmissionEnded(_)) {
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
}

/// Returns the number of the attempt that something belongs to, or 0. From 2^32 on, attempts have the same one: a client
/// needs as many packets to begin them.
pub(super) fn attempt_of(one: &Explanation) -> u32 {
    one.attempt.map_or(0, |attempt| u32::try_from(attempt.number).unwrap_or(u32::MAX))
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
