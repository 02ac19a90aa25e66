//! What is remembered of a client at a door, within limits.

use knock_engine::{DoorId, Knock, Packet, Seconds, Sequence, Stage, Timestamp, Transport};
use smallvec::SmallVec;

use super::admission::Admission;
use super::explanation::{Attempt, Late, Seen};
use super::miss::{Cause, Miss, Tally};
use crate::output::time::nanos;
use crate::session::names::PacketId;

/// A client at a door. Hundreds of thousands are kept: what only few have is apart.
#[derive(Debug)]
pub(super) struct Track {
    /// Its number among all, in the order in which they began.
    pub(super) number: u32,
    /// The place of the client in the list.
    pub(super) client: u32,
    pub(super) door: DoorId,
    pub(super) live: Option<Live>,
    /// The attempt that timed out last, for knocks that come too late.
    pub(super) expired: Option<ExpiredAttempt>,
    /// The last attempt, live or not.
    pub(super) attempt: Option<Attempt>,
    /// The knocks that counted last, at most [`Track::COUNTED_MAX`], the latest last.
    pub(super) counted: SmallVec<[Counted; 1]>,
    /// The packets that the door heard last, at most [`Track::ARRIVALS_MAX`], the latest last.
    pub(super) arrivals: SmallVec<[Arrival; 1]>,
    /// Whether a packet to a port of no door came where the first knock is missing.
    pub(super) has_stray_first: bool,
    /// When a packet last had to do with the door.
    pub(super) last: Option<Timestamp>,
    /// What is open for the client now.
    pub(super) admission: Option<Box<Admission>>,
    pub(super) tally: Tally,
    /// How long the sequence was when it was last looked at, and its line if it is a one-time one.
    pub(super) sequence: (u8, Option<u32>),
}

/// A packet that a door heard, whatever became of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) at: Timestamp,
    pub(super) knock: Knock,
}

/// A live attempt.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) stage: Stage,
    /// The knock that is expected.
    pub(super) expected: Option<Knock>,
    /// What kept the next knock from counting, as far as is known.
    hindrance: Option<Box<Miss>>,
}

/// An attempt that timed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExpiredAttempt {
    /// How far it came.
    stage: Stage,
    /// How far it would have come with the knocks that came too late.
    reached: Stage,
    began: Timestamp,
    ended: Timestamp,
    /// What it failed of, as it was counted.
    cause: Cause,
}

/// A knock that counted, as far as needed to recognize its retransmission.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    id: PacketId,
    mark: (u16, Knock, Option<u32>),
}

impl Counted {
    pub(super) fn new(id: PacketId, packet: &Packet) -> Self {
        Self { id, mark: mark(packet) }
    }
}

fn mark(packet: &Packet) -> (u16, Knock, Option<u32>) {
    let number = match packet.transport {
        Transport::Tcp(header) => header.sequence_number,
        Transport::Udp => None,
    };
    (packet.source_port.0, packet.knock(), number)
}

impl Track {
    pub(super) const fn new(number: u32, client: u32, door: DoorId) -> Self {
        Self {
            number,
            client,
            door,
            live: None,
            expired: None,
            attempt: None,
            counted: SmallVec::new_const(),
            arrivals: SmallVec::new_const(),
            has_stray_first: false,
            last: None,
            admission: None,
            tally: Tally::new(),
            sequence: (0, None),
        }
    }

    /// As many as the longest sequence has.
    const COUNTED_MAX: usize = Sequence::MAX_KNOCKS;

    /// Remembers a knock that counted.
    pub(super) fn count(&mut self, knock: Counted) {
        if self.counted.len() >= Self::COUNTED_MAX {
            self.counted.remove(0);
        }
        self.counted.push(knock);
    }

    /// As many as the longest sequence has.
    const ARRIVALS_MAX: usize = Sequence::MAX_KNOCKS;

    /// Remembers a packet that the door heard.
    pub(super) fn arrive(&mut self, arrival: Arrival) {
        if self.arrivals.len() >= Self::ARRIVALS_MAX {
            self.arrivals.remove(0);
        }
        self.arrivals.push(arrival);
    }

    /// Returns the attempt that is live, or that a knock may be too late for.
    pub(super) fn pending(&self) -> Option<Attempt> {
        self.attempt.filter(|_| self.live.is_some() || self.expired.is_some())
    }

    /// Takes note of the sequence that the door has now.
    pub(super) fn look_at(&mut self, sequence: (u8, Option<u32>)) {
        if self.sequence.1 != sequence.1 {
            // Nothing can be too late for a one-time sequence that is used up.
            self.expired = None;
        }
        self.sequence = sequence;
    }

    /// Ends the live attempt, which failed at `stage` of what `miss` makes of it.
    pub(super) fn fail(&mut self, stage: Stage, miss: impl FnOnce(&Live) -> Miss) -> Option<Live> {
        let live = self.live.take()?;
        self.tally.miss(stage, miss(&live));
        Some(live)
    }

    /// Counts a packet that failed to be a first knock, if no attempt is under way or was just now.
    pub(super) fn fail_to_begin(&mut self, miss: Miss) {
        if self.live.is_none() && self.expired.is_none() {
            self.tally.miss(Stage::NONE, miss);
        }
    }
}

impl Counted {
    /// Returns whether a packet has all that tells a retransmission of this one.
    pub(super) fn is_like(&self, packet: &Packet) -> bool {
        self.mark == mark(packet)
    }

    /// Returns which packet it was.
    pub(super) const fn id(&self) -> PacketId {
        self.id
    }

    /// Returns what was knocked at.
    pub(super) const fn knock(&self) -> Knock {
        self.mark.1
    }
}

impl Live {
    pub(super) const fn new(stage: Stage, expected: Option<Knock>) -> Self {
        Self { stage, expected, hindrance: None }
    }

    /// Takes note of a packet that came instead of the next knock; that nearest to a knock is kept.
    pub(super) fn hinder(&mut self, miss: Miss) {
        if self.hindrance.as_ref().is_none_or(|there| miss.cause < there.cause) {
            self.hindrance = Some(Box::new(miss));
        }
    }

    /// Returns what kept the next knock from counting, as far as is known.
    pub(super) fn hindrance(&self) -> Option<Miss> {
        self.hindrance.as_deref().copied()
    }

    /// Returns what the attempt failed of when it timed out.
    pub(super) fn silence(&self) -> Miss {
        self.hindrance().unwrap_or(Miss::once(Cause::Silence, None, self.expected))
    }
}

impl ExpiredAttempt {
    /// How long a knock may be late and still belong to the attempt that it is too late for.
    const MEMORY: Seconds = Seconds::new(86_400).unwrap();

    pub(super) const fn new(
        stage: Stage,
        began: Timestamp,
        ended: Timestamp,
        cause: Cause,
    ) -> Self {
        Self { stage, reached: stage, began, ended, cause }
    }

    /// Returns how far the attempt would have come.
    pub(super) const fn reached(&self) -> Stage {
        self.reached
    }

    /// Returns how late a knock is that is the next one.
    pub(super) fn late(&self, at: Timestamp) -> Option<Late> {
        if at > self.ended.saturating_add(Self::MEMORY) {
            return None;
        }
        let after_nanos = nanos(self.began, at);
        // `seq_timeout` is exclusive.
        let needed_seconds = (after_nanos / 1_000_000_000).saturating_add(1);
        let by_nanos = nanos(self.ended, at);
        Some(Late { stage: self.reached, after_nanos, by_nanos, needed_seconds })
    }

    /// Takes a late knock. Returns whether there can be more.
    pub(super) fn follow(&mut self, packet: Seen, late: Late, of: u8, tally: &mut Tally) -> bool {
        if self.reached == self.stage {
            tally.was_late(self.stage, self.cause, packet, late);
        } else {
            tally.was_later_still(self.stage, late);
        }
        match Stage::new(self.reached.get().saturating_add(1)) {
            Some(reached) if reached.get() < of => {
                self.reached = reached;
                true
            }
            Some(_) | None => false,
        }
    }
}
