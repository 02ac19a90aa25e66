//! The rule set `knock`: what the manual of knockd promises, with its known bugs fixed.

mod admissions;
mod attempt;
mod attempts;
mod beginning;
mod continuing;
mod cooldowns;
mod due;
mod fingerprint;
mod heads;
mod leases;
mod listing;
mod marks;
mod moves;
mod opening;
mod peers;
mod recent;
mod remembered;
mod signed;
mod slot_table;
mod ungroup;
mod usage;
mod void_reports;
mod voids;

use alloc::vec::Vec;
use core::net::IpAddr;

use knock_signed::PACKET_BYTES;

use self::admissions::{Admissions, Admitted};
use self::attempt::Attempt;
use self::attempts::{Attempts, PLACE};
use self::cooldowns::Cooldowns;
use self::due::{Due, Slot};
pub use self::fingerprint::Fingerprint;
use self::fingerprint::{ClientHasher, ShortHash};
use self::leases::{Lease, Leases};
pub use self::listing::LiveAttempt;
use self::marks::Marks;
use self::moves::Move;
use self::recent::RecentOpenings;
use self::remembered::Remembered;
pub use self::usage::Usage;
pub use self::void_reports::VoidReports;
use self::voids::Voids;
use super::{ANTICIPATED, RuleSet, Site};
use crate::deadline::{Deadline, DeadlineReason};
use crate::door::DoorSequence;
use crate::doors::{Begun, DoorId, HeardBy};
use crate::effect::{Effect, Note, Obstacle};
use crate::groups::GroupId;
use crate::limits::Limits;
use crate::one_time::MarkId;
use crate::packet::{Knock, Packet};
use crate::run::{CommandStatus, RunId};
use crate::sequence::Stage;
use crate::time::{Seconds, Timestamp};

/// The rule set and its memory.
#[derive(Debug)]
pub struct KnockRules {
    attempts: Attempts,
    remembered: Remembered,
    leases: Leases,
    marks: Marks,
    admissions: Admissions,
    cooldowns: Cooldowns,
    recent: RecentOpenings,
    voids: Voids,
    /// The most attempts, the most remembered knocks, the most cooldowns, the most openings that count
    /// for limits, and the most commands that run, wait or are owed together with lines that are being marked.
    limit: usize,
    next_serial: u64,
    /// How many more attempts can time out before the next prefetch.
    anticipated: usize,
    /// Where a packet may begin, kept to reuse its memory.
    starting: Vec<Begun>,
    /// The doors at which the client of a packet has live attempts, sorted; kept likewise.
    busy: Vec<DoorId>,
    /// The groups of those doors, sorted; kept likewise.
    busy_groups: Vec<GroupId>,
    /// What a packet does at each door; kept likewise.
    moves: Vec<Move>,
    /// The number of the last run of attempts that came to a stage together.
    runs: u64,
}

/// An admitted packet, with what the rules need repeatedly.
#[derive(Clone, Copy)]
struct Heard<'a> {
    at: Timestamp,
    packet: &'a Packet,
    client: IpAddr,
    /// The hash of the client.
    hash: ShortHash,
    knock: Knock,
    by: HeardBy,
    fingerprint: Option<Fingerprint>,
}

/// What falls due next.
#[derive(Clone, Copy)]
enum Earliest {
    Attempt(Slot),
    Lease(Slot),
    Admission(Slot),
}

impl KnockRules {
    /// Makes a rule set with an empty memory.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let hasher = ClientHasher::new(limits.hash_seed);
        let limit = usize::try_from(limits.attempts.get()).unwrap_or(usize::MAX);
        Self {
            attempts: Attempts::new(limit, hasher.clone()),
            remembered: Remembered::new(hasher.clone()),
            leases: Leases::new(hasher.clone(), limits),
            marks: Marks::default(),
            admissions: Admissions::new(hasher.clone()),
            cooldowns: Cooldowns::new(hasher.clone()),
            recent: RecentOpenings::default(),
            voids: Voids::new(hasher, VoidReports::new(limits.void_reports)),
            limit,
            next_serial: 0,
            anticipated: 0,
            starting: Vec::new(),
            busy: Vec::new(),
            busy_groups: Vec::new(),
            moves: Vec::new(),
            runs: 0,
        }
    }

    /// Rule 1: the packet repeats a knock that was counted: the last one of a live attempt, or one
    /// that is remembered.
    #[inline]
    fn is_retransmission(&self, heard: &Heard<'_>, oldest: Option<Slot>) -> bool {
        let Some(fingerprint) = heard.fingerprint else { return false };
        self.remembered.contain(heard.client, fingerprint)
            || self
                .attempts
                .from(oldest)
                .any(|slot| self.attempts.get(slot).counted == Some(fingerprint))
    }

    /// The last knock: the door opens, unless something is in the way. With a one-time or a derived sequence it opens
    /// when the sequence is marked as used.
    fn complete<X>(&mut self, heard: &Heard<'_>, begun: Begun, stage: Stage, site: &mut Site<X>) {
        let (&Heard { at, client, .. }, id) = (heard, begun.door);
        site.emit(at, Effect::StageReached { client, door: id, stage });
        self.remember_knock(at, client, id, heard.fingerprint, site);
        match site.doors.door(id).sequence {
            DoorSequence::Fixed(_) => self.open(at, client, id, site),
            DoorSequence::OneTime(_) | DoorSequence::Derived(_) if self.is_full(id) => {
                Self::refuse(at, client, id, site);
            }
            DoorSequence::Derived(_) => self.open_in_period(at, client, begun, site),
            DoorSequence::OneTime(_) => self.use_up_sequence(at, client, id, site),
            // No knock is the last one.
            DoorSequence::None => {}
        }
    }

    /// Remembers a knock of an attempt that has moved on or ended, for as long again as the door's
    /// `seq_timeout`: Linux repeats an unanswered SYN after 1, 3 and 7 seconds, when the client may
    /// be two knocks further.
    fn remember<X>(
        &mut self,
        at: Timestamp,
        attempt: &Attempt,
        knock: Option<Fingerprint>,
        site: &mut Site<X>,
    ) {
        self.remember_knock(at, attempt.client, attempt.door, knock, site);
    }

    fn remember_knock<X>(
        &mut self,
        at: Timestamp,
        client: IpAddr,
        door: DoorId,
        knock: Option<Fingerprint>,
        site: &mut Site<X>,
    ) {
        let Some(knock) = knock else { return };
        self.remembered.forget_due(at);
        let due = self.due_after(at, site.doors.door(door).seq_timeout);
        if self.remembered.remember(client, knock, door, due, self.limit) {
            site.counts.forgotten_knocks = site.counts.forgotten_knocks.saturating_add(1);
        }
    }

    /// Asks to mark the one-time sequence that a client has completed, and ends every attempt at its door.
    /// Whoever listened knows the sequence now, so it never opens the door again, whether it can be
    /// marked or not.
    fn use_up_sequence<X>(
        &mut self,
        at: Timestamp,
        client: IpAddr,
        id: DoorId,
        site: &mut Site<X>,
    ) {
        let Some(used) = site.doors.use_up_sequence(id) else { return };
        let (mark, line, offset) = (self.marks.ask(), used.number, used.offset);
        if site.presumes_marks {
            self.open(at, client, id, site);
        } else {
            self.marks.wait(mark, (client, id, None));
        }
        site.emit(at, Effect::MarkOneTime { mark, client, door: id, line, offset });
        while let Some(slot) = self.attempts.any_at(id) {
            let ended = self.attempts.end_first(slot, &site.doors);
            let (Attempt { client, counted, .. }, stage) = (ended, ended.stage());
            self.remember(at, &ended, counted, site);
            site.emit(at, Effect::Note(Note::SequenceChanged { client, door: id, stage }));
        }
        if site.doors.door(id).sequence().is_none() {
            site.emit(at, Effect::DoorDisabled { door: id });
        }
    }

    /// When a flood times out, the ending attempts are scattered all over the hash table. Fetching several
    /// at once takes little longer than fetching one.
    #[inline]
    fn anticipate_ends(&mut self, slot: Slot) {
        if self.attempts.all_end() {
            return;
        }
        if self.anticipated == 0 {
            self.attempts.anticipate_ends(slot);
            self.anticipated = ANTICIPATED;
        }
        self.anticipated = self.anticipated.saturating_sub(1);
    }

    fn due_after(&mut self, now: Timestamp, wait: Seconds) -> Due {
        let serial = self.next_serial;
        self.next_serial = self.next_serial.wrapping_add(PLACE).wrapping_add(1);
        (now.saturating_add(wait), serial)
    }

    /// Returns when an admission ends that begins or is renewed now. What else is due at that moment comes first,
    /// whatever the packet that made all of it due did in which order.
    fn end_of_admission(&mut self, now: Timestamp, lasts: Seconds) -> Due {
        const AFTER_ALL_OTHERS: u64 = 1 << 63;
        let (at, serial) = self.due_after(now, lasts);
        (at, serial | AFTER_ALL_OTHERS)
    }

    /// Returns when what is due next is due, and what it is.
    #[inline]
    fn earliest(&self) -> Option<(Timestamp, Earliest)> {
        let (lease, admission) = (self.leases.earliest(), self.admissions.earliest());
        // No two are due at the same time: each has its own number.
        let mut first = self.attempts.earliest().map(|(due, slot)| (due, Earliest::Attempt(slot)));
        if let Some((due, slot)) = lease
            && first.is_none_or(|(first, _)| due < first)
        {
            first = Some((due, Earliest::Lease(slot)));
        }
        if let Some((due, slot)) = admission
            && first.is_none_or(|(first, _)| due < first)
        {
            first = Some((due, Earliest::Admission(slot)));
        }
        first.map(|((at, _), what)| (at, what))
    }

    /// An attempt has taken too long.
    fn time_out<X>(&mut self, at: Timestamp, slot: Slot, site: &mut Site<X>) {
        self.anticipate_ends(slot);
        let ended = self.attempts.end_first(slot, &site.doors);
        let (Attempt { client, door, counted, .. }, stage) = (ended, ended.stage());
        // The first knock has been remembered for `seq_timeout` by now.
        if stage > Stage::FIRST {
            self.remember(at, &ended, counted, site);
        }
        site.counts.timed_out = site.counts.timed_out.saturating_add(1);
        site.emit(at, Effect::SequenceTimedOut { client, door, stage });
    }
}

impl<X> RuleSet<X> for KnockRules {
    fn anticipate(&self, clients: impl Iterator<Item = IpAddr>) {
        self.attempts.anticipate(clients);
    }

    fn packet(&mut self, at: Timestamp, stamp: Timestamp, packet: &Packet, site: &mut Site<X>) {
        let Some(by) = site.doors.heard_by(&site.listening, packet) else { return };
        site.counts.admitted = site.counts.admitted.saturating_add(1);
        self.remembered.forget_due(at);
        site.look_at_periods(stamp);
        let heard = Heard {
            at,
            packet,
            client: packet.source,
            hash: self.attempts.hash(packet.source),
            knock: packet.knock(),
            by,
            fingerprint: Fingerprint::of(packet),
        };
        let mut oldest = self.attempts.oldest_of(heard.client, heard.hash);
        if self.is_retransmission(&heard, oldest) {
            site.counts.retransmissions = site.counts.retransmissions.saturating_add(1);
            let note = Note::Retransmission { client: heard.client, knock: heard.knock };
            site.emit(at, Effect::Note(note));
            return;
        }
        if let Some(first) = oldest {
            if self.continue_attempts(&heard, first, site) {
                return;
            }
            // It may have ended.
            oldest = self.attempts.oldest_of(heard.client, heard.hash);
        }
        self.begin_attempts(&heard, oldest, site);
    }

    fn signed_packet(
        &mut self,
        times: (Timestamp, Timestamp),
        packet: &Packet,
        payload: &[u8; PACKET_BYTES],
        site: &mut Site<X>,
    ) {
        self.hear_signed(times, packet, payload, site);
    }

    fn command_ended(
        &mut self,
        at: Timestamp,
        run: RunId,
        status: CommandStatus,
        site: &mut Site<X>,
    ) {
        self.end_command(at, run, status, site);
    }

    fn marked(&mut self, at: Timestamp, mark: MarkId, is_marked: bool, site: &mut Site<X>) {
        let Some(waiting) = self.marks.answered(mark) else { return };
        let (client, door, _) = waiting;
        if is_marked {
            self.open_for(at, waiting, site);
        } else {
            site.counts.not_marked = site.counts.not_marked.saturating_add(1);
            let why = Obstacle::NotMarked;
            site.emit(at, Effect::OpeningRefused { client, door, why });
        }
    }

    fn admission_lost(&mut self, client: IpAddr, door: DoorId) {
        if let Some(slot) = self.admissions.find(client, door) {
            self.admissions.end(slot);
            self.leases.settle(door);
        }
    }

    fn due(&self) -> Option<Timestamp> {
        self.earliest().map(|(at, _)| at)
    }

    fn deadline(&self) -> Option<Deadline> {
        let (at, what) = self.earliest()?;
        Some(match what {
            Earliest::Attempt(slot) => {
                let &Attempt { client, door, .. } = self.attempts.get(slot);
                Deadline { at, client, door, why: DeadlineReason::SequenceTimeout }
            }
            Earliest::Lease(slot) => {
                let &Lease { client, door, .. } = self.leases.of_deadline(slot)?;
                Deadline { at, client, door, why: DeadlineReason::CommandTimeout }
            }
            Earliest::Admission(slot) => {
                let &Admitted { client, door, .. } = self.admissions.get(slot);
                Deadline { at, client, door, why: DeadlineReason::AdmissionEnd }
            }
        })
    }

    fn fire(&mut self, until: Timestamp, site: &mut Site<X>) -> Option<Timestamp> {
        let (at, what) = self.earliest().filter(|&(at, _)| at <= until)?;
        match what {
            Earliest::Attempt(slot) => {
                self.attempts.end_by(until);
                self.time_out(at, slot, site);
            }
            Earliest::Lease(slot) => self.close(slot, site),
            Earliest::Admission(slot) => self.end_admission(slot, site),
        }
        Some(at)
    }

    fn doors_leave(&mut self, at: Timestamp, leaving: &[DoorId], site: &mut Site<X>) {
        self.attempts.ungroup(&site.doors);
        for slot in self.attempts.at(leaving) {
            let ended = self.attempts.end_first(slot, &site.doors);
            let (Attempt { client, door, counted, .. }, stage) = (ended, ended.stage());
            self.remember(at, &ended, counted, site);
            site.emit(at, Effect::Note(Note::DoorChanged { client, door, stage }));
        }
    }

    fn held(&self, hold: &mut dyn FnMut(DoorId)) {
        let doors = self.remembered.doors().chain(self.leases.doors());
        let doors = doors
            .chain(self.admissions.doors())
            .chain(self.cooldowns.doors())
            .chain(self.recent.doors())
            .chain(self.marks.doors());
        doors.chain(self.attempts.chains()).for_each(hold);
    }

    fn live_attempts(&self) -> usize {
        self.attempts.len()
    }
}
