//! Passing over the packets of a capture that nobody wants.
//!
//! In a file that is mapped, a record says where the next one begins, so a reader that goes from one to the next waits for memory at
//! each of them. Here one thread walks many places of a file in turn, and their waits overlap. The places
//! are guessed: records in a row that look like records. A guess counts only once the walk from the place
//! before has ended exactly there; whatever is walked from a wrong one is forgotten.
//!
//! What cannot be walked, such as a damaged record, is left to the reader that goes from one to the next.

mod at_hand;
mod lane;

use std::collections::VecDeque;

use knock_engine::{LinkType, Timestamp};

use at_hand::AtHand;
use lane::{Lane, Outcome};

/// How much of a file is walked at a time, in bytes, at most. It bounds how many packets are held, because a
/// record has at least 16 bytes.
pub(super) const WINDOW: usize = 8 << 20;
/// The part of a window that is walked first, and again after a walk in vain.
const PROBE: usize = 32;
/// How many windows are read plainly after many walks in vain.
const PAUSE_MAX: usize = 64;
/// At how many places of a window.
const LANES: usize = 16;
/// How many records in a row make a place.
const IN_A_ROW: usize = 6;
/// Where more than one packet in so many is wanted, the file is read plainly for a while: walking has saved
/// nothing.
const WORTHWHILE: u64 = 4;

/// A packet in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) at: Timestamp,
    pub(super) link: LinkType,
    /// Where its bytes begin, from its record.
    pub(super) start: usize,
    /// How many bytes it has.
    pub(super) length: usize,
    /// How many bytes its record has, at least one.
    pub(super) total: usize,
}

/// A format whose records can be walked from any place.
pub(super) trait Walk {
    /// Returns the packet whose record begins at `at`; `None` if something else is there, or if it is cut.
    fn step(&self, bytes: &[u8], at: usize) -> Option<Step>;

    /// Returns the same for a place that may be no record, if it looks like one from about this time.
    fn guess(&self, bytes: &[u8], at: usize, near: Timestamp) -> Option<Step>;
}

/// How far from other packets a guessed one may be in time, in nanoseconds: a month.
const NEAR: u64 = 30 * 24 * 3600 * 1_000_000_000;

/// Returns whether two times may belong to the same capture.
pub(super) fn is_near(one: Timestamp, other: Timestamp) -> bool {
    one.as_nanos().abs_diff(other.as_nanos()) < NEAR
}

/// Packets that were passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// How many.
    pub packets: u64,
    /// How many have a time before that of an earlier packet of the capture.
    pub backwards: u64,
    /// The latest time of these and of all packets before them.
    pub latest: Option<Timestamp>,
    /// The time of the last one.
    last: Option<Timestamp>,
}

impl Passed {
    /// Returns the time of the last one.
    pub(super) const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// Adds what was passed over after these.
    pub(super) fn add(&mut self, after: Self) {
        self.packets = self.packets.saturating_add(after.packets);
        self.backwards = self.backwards.saturating_add(after.backwards);
        self.latest = self.latest.max(after.latest);
        self.last = after.last.or(self.last);
    }
}

/// A packet that is wanted, and what was passed over since the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    /// Where its record begins.
    at: usize,
    before: Passed,
}

/// Where reading goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reached {
    pub(super) at: usize,
    /// What is passed over before.
    pub(super) passed: Passed,
    /// Whether what is there is wanted, or must be read plainly; if not, there may be more to pass over.
    pub(super) is_to_be_read: bool,
}

/// What is known of the packets after a place in a file.
#[derive(Debug)]
pub(super) struct Skim {
    /// How much is walked at a time, in bytes, at most.
    window: usize,
    /// How much is walked next.
    span: usize,
    /// How much is read plainly after the next walk in vain.
    pause: usize,
    found: VecDeque<Found>,
    /// What was passed over after the last of them.
    rest: Passed,
    /// Up to where everything is known.
    known: usize,
    /// Up to where everything is read plainly.
    plain: usize,
    /// The latest time of all packets up to there.
    latest: Option<Timestamp>,
    at_hand: AtHand,
}

impl Skim {
    /// Knows nothing yet.
    pub(super) fn new() -> Self {
        Self::with_window(WINDOW)
    }

    /// Returns the same with a window of this size, at least one byte.
    pub(super) fn with_window(window: usize) -> Self {
        Self {
            window,
            span: (window / PROBE).max(1),
            pause: window,
            found: VecDeque::new(),
            rest: Passed::default(),
            known: 0,
            plain: 0,
            latest: None,
            at_hand: AtHand::default(),
        }
    }

    /// Returns the same as [`Skim::next`] for a stream, of which these bytes are at hand, from where reading goes on.
    pub(super) fn next_at_hand(
        &mut self,
        walk: &impl Walk,
        bytes: &[u8],
        is_unwanted: &(impl Fn(LinkType, &[u8]) -> bool + ?Sized),
    ) -> Reached {
        let (at, passed, latest) = self.at_hand.next(walk, bytes, self.latest, is_unwanted);
        self.latest = latest;
        Reached { at, passed, is_to_be_read: true }
    }

    /// Notes the time of a packet that was read.
    #[inline]
    pub(super) fn read(&mut self, at: Timestamp) {
        self.latest = self.latest.max(Some(at));
    }

    /// Returns up to where everything is known: bytes before are in the cache of the processor, mostly.
    pub(super) const fn known(&self) -> usize {
        self.known
    }

    /// Returns whether what is at a position in a file is to be read, and nothing is passed over before, as in a
    /// flood of packets that are wanted.
    #[inline]
    pub(super) fn is_plain(&self, position: usize) -> bool {
        self.found.is_empty()
            && self.rest.packets == 0
            && (self.known..self.plain).contains(&position)
    }

    /// Returns where reading goes on, from a position in the file, and what is passed over before. Walks at most
    /// one window.
    pub(super) fn next(
        &mut self,
        walk: &impl Walk,
        bytes: &[u8],
        position: usize,
        is_unwanted: &(impl Fn(LinkType, &[u8]) -> bool + ?Sized),
    ) -> Reached {
        let (mut at, mut passed) = (position, Passed::default());
        for may_walk in [true, false] {
            if let Some(Found { at, before }) = self.found.pop_front() {
                passed.add(before);
                return Reached { at, passed, is_to_be_read: true };
            }
            passed.add(std::mem::take(&mut self.rest));
            at = at.max(self.known);
            if at < self.plain || at >= bytes.len() {
                return Reached { at, passed, is_to_be_read: true };
            }
            if may_walk {
                self.walk(walk, bytes, at, is_unwanted);
            }
        }
        Reached { at, passed, is_to_be_read: self.known == position }
    }

    /// Walks the next window, which begins at a record.
    fn walk(
        &mut self,
        walk: &impl Walk,
        bytes: &[u8],
        begin: usize,
        is_unwanted: &(impl Fn(LinkType, &[u8]) -> bool + ?Sized),
    ) {
        let end = begin.saturating_add(self.span).min(bytes.len());
        self.known = begin;
        let Some(first) = walk.step(bytes, begin) else {
            self.plain = end;
            return;
        };
        let near = self.latest.unwrap_or(first.at);
        let mut lanes = lanes(walk, bytes, begin..end, near);
        lane::walk_in_turn(&mut lanes, walk, bytes, is_unwanted);
        let mut packets = 0_u64;
        for mut lane in lanes {
            // The walk before has not ended here: this is no record.
            if lane.begin() != self.known {
                self.plain = end;
                break;
            }
            if lane.began_before(self.latest) {
                // Its times go back, if not in themselves: only now it is known how many.
                lane = lane.again(self.latest);
                lane.walk(walk, bytes, is_unwanted);
            }
            packets = packets.saturating_add(lane.packets());
            let Outcome { found, rest, latest, end: reached, is_whole } = lane.finish();
            for mut one in found {
                one.before = self.with_rest(one.before);
                self.found.push_back(one);
            }
            self.rest = self.with_rest(rest);
            self.latest = self.latest.max(latest);
            self.known = reached;
            if !is_whole {
                self.plain = end;
                break;
            }
        }
        let wanted = u64::try_from(self.found.len()).unwrap_or(u64::MAX);
        self.judge(wanted.saturating_mul(WORTHWHILE) <= packets);
    }

    /// Decides by the last walk how much is walked next, and how much is read plainly before.
    fn judge(&mut self, is_worthwhile: bool) {
        let Self { window, span, pause, known, plain, .. } = self;
        if is_worthwhile {
            *span = span.saturating_mul(2).min(*window);
            *pause = *window;
        } else {
            *plain = known.saturating_add(*pause).max(*plain);
            *span = (*window / PROBE).max(1);
            *pause = pause.saturating_mul(2).min(window.saturating_mul(PAUSE_MAX));
        }
    }

    /// Returns what was passed over with the rest before it, which is then taken.
    fn with_rest(&mut self, after: Passed) -> Passed {
        let mut all = std::mem::take(&mut self.rest);
        all.add(after);
        all
    }
}

/// Returns the places to walk from, the first of which is the window's beginning.
fn lanes(
    walk: &impl Walk,
    bytes: &[u8],
    window: std::ops::Range<usize>,
    near: Timestamp,
) -> Vec<Lane> {
    let span = window.len().div_ceil(LANES);
    let mut begins = vec![window.start];
    for number in 1..LANES {
        let from = window.start.saturating_add(span.saturating_mul(number));
        let until = from.saturating_add(span).min(window.end);
        begins.extend((from..until).find(|&at| is_a_place(walk, bytes, at, near)));
    }
    let ends = begins.iter().skip(1).copied().chain([window.end]).collect::<Vec<_>>();
    begins.into_iter().zip(ends).map(|(begin, end)| Lane::new(begin, end)).collect()
}

/// Returns whether records in a row seem to begin here.
fn is_a_place(walk: &impl Walk, bytes: &[u8], at: usize, near: Timestamp) -> bool {
    let mut next = at;
    (0..IN_A_ROW).all(|_| {
        let step = walk.guess(bytes, next, near);
        next = next.saturating_add(step.map_or(0, |step| step.total));
        step.is_some() || (next == bytes.len() && next > at)
    })
}
