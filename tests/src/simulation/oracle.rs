//! Checks the invariants after every step, by the world's own record.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use knock_engine::{Deadline, DeadlineReason, DoorId, Note, Obstacle, Phase, Skip};
use knock_engine::{Effect, Engine, Stage};

use super::admission::Admissions;
use super::broken::{Broken, Invariant, ensure};
use super::honest_run::{HonestRuns, Promise};
use super::lease::{Leases, Lessee};
use super::limits::RecentOpenings;
use super::marks::Marks;
use super::place::Addresses;
use super::queue::Sent;
use super::record::{DoorNumber, Record};
use super::tally::Tally;
use crate::boundary;
use crate::model::{Door, Sequences};

/// The judge of an engine.
pub(super) struct Oracle {
    limit: usize,
    pub(super) record: Record,
    pub(super) leases: Leases,
    pub(super) admissions: Admissions,
    pub(super) marks: Marks,
    pub(super) visits: HonestRuns,
    /// The engine's id of each door.
    ids: BTreeMap<DoorId, DoorNumber>,
    now_ns: i64,
    /// The time of the last effect.
    last_ns: i64,
    /// The client of this step's packet.
    client: Option<IpAddr>,
    promise: Promise,
    /// How many commands ended in this step, while its effects were polled.
    ended: usize,
    /// Whether any cooldown was forgotten at the limit.
    forgets_cooldowns: bool,
    /// Whether any opening no longer counted before its time at the limit.
    forgets_openings: bool,
    recent: RecentOpenings,
    ledger: Ledger,
}

/// Attempts that began and ended, and losses that were reported.
#[derive(Clone, Debug, Default)]
struct Ledger {
    /// The attempts that must be live.
    live: BTreeSet<(IpAddr, DoorNumber)>,
    begun: u64,
    /// Of those that began, the ones that started over.
    restarted: u64,
    ended: u64,
    evicted: u64,
    refused: u64,
    skipped: u64,
    not_marked: u64,
    /// Sequences that were completed and whose line is not marked yet.
    marking: u64,
    opened: u64,
    timed_out: u64,
    voided: u64,
    retransmissions: u64,
    failed: u64,
    failures_told: u64,
}

impl Oracle {
    pub(super) fn new(doors: &[Door], limit: usize, presumes_marks: bool) -> Self {
        let mut record = Record::default();
        record.configure(doors);
        let ids = BTreeMap::new();
        Self {
            limit,
            record,
            leases: Leases::default(),
            admissions: Admissions::default(),
            marks: Marks::new(presumes_marks),
            visits: HonestRuns::default(),
            ids,
            now_ns: i64::MIN,
            last_ns: i64::MIN,
            client: None,
            promise: Promise::default(),
            ended: 0,
            forgets_cooldowns: false,
            forgets_openings: false,
            recent: RecentOpenings::default(),
            ledger: Ledger::default(),
        }
    }

    /// Begins a step with an event at `at_ns` or, if that is past, now. Returns the time at which it is
    /// handled.
    pub(super) fn begin(&mut self, at_ns: i64) -> i64 {
        self.now_ns = self.now_ns.max(at_ns);
        self.client = None;
        self.promise = Promise::default();
        self.ended = 0;
        self.record.expire(self.now_ns);
        self.now_ns
    }

    /// The step is about a packet.
    pub(super) fn packet(&mut self, sent: &Sent, addresses: &Addresses, engine: &Engine) {
        let client = sent.packet.src;
        self.client = Some(client);
        let heard = self.record.deliver(self.now_ns, &sent.packet, sent.knock, addresses);
        if let Some(heard) = heard {
            self.promise = self.visits.heard(client, &heard, &self.record, engine.counts());
        }
    }

    /// The step is about a reload.
    pub(super) fn reload(&mut self, doors: &[Door], tally: &mut Tally) {
        let before = self.record.listed.clone();
        self.record.configure(doors);
        for door in before {
            let stays = self.record.doors[door].listed;
            tally.doors_kept += u64::from(stays);
            tally.doors_ended += u64::from(!stays);
            tally.leases_orphaned += u64::from(!stays && self.holds(door));
        }
    }

    /// A command ended at that time.
    pub(super) fn command_ended(&mut self, at_ns: i64, number: u64, status: u8, tally: &mut Tally) {
        if let Some((_, door)) = self.leases.lessee(number) {
            let door = &self.record.doors[door].door;
            self.leases.ended(at_ns, number, door, tally);
            self.ledger.failed += u64::from(status != 0);
            self.ended += 1;
        }
    }

    /// A line is marked, or cannot be. Returns whether the client for which its door opens has begun the next
    /// sequence meanwhile.
    pub(super) fn marked(&mut self, number: u64, is_marked: bool) -> bool {
        let lessee = self.marks.answer(number, is_marked);
        self.ledger.live.contains(&lessee)
    }

    /// Checks an effect. Returns the number of the command that it runs, or of the line that is to be marked.
    pub(super) fn effect(
        &mut self,
        at_ns: i64,
        effect: &Effect,
        engine: &Engine,
        tally: &mut Tally,
    ) -> Result<Option<u64>, Broken> {
        let is_in_order = self.last_ns <= at_ns && at_ns <= self.now_ns;
        ensure(is_in_order, Invariant::TimeRunsForwards, || {
            format!("{effect:?} at {at_ns}, after {}, now {}", self.last_ns, self.now_ns)
        })?;
        self.last_ns = at_ns;
        self.forgets_cooldowns |= engine.counts().forgotten_cooldowns > 0;
        self.forgets_openings |= engine.counts().forgotten_openings > 0;
        let door = effect.door().map(|id| self.resolve(id, engine)).transpose()?;
        let door = door.unwrap_or(DoorNumber::MAX);
        let waits = self.waits_for_mark(door);
        if let Some(client) = effect.client()
            && ends_attempt(effect, waits)
        {
            self.ledger.live.remove(&(client, door));
        }
        match *effect {
            Effect::StageReached { client, stage, .. } => self.reached((client, door), stage),
            Effect::SequenceTimedOut { client, .. } => {
                self.ledger.timed_out += 1;
                ensure(self.record.can_time_out(client, door, at_ns), LATE, || {
                    format!("{effect:?} at {at_ns} for no first knock of the client")
                })?;
            }
            Effect::Opened { client, .. } => self.opened(at_ns, client, door, tally)?,
            Effect::Admit { client, lasts, .. } => {
                let known = &self.record.doors[door].door;
                self.admissions.admit(at_ns, (client, door), lasts.get(), known, tally)?;
            }
            Effect::AdmissionEnded { client, .. } => {
                self.admissions.ended(at_ns, (client, door), tally)?;
            }
            Effect::RunCommand { client, phase, .. } => {
                tally.leases += u64::from(phase == Phase::Stop);
                let known = &self.record.doors[door].door;
                return self.leases.run(at_ns, (client, door), phase, known).map(Some);
            }
            Effect::CommandTimedOut { client, .. } => {
                let known = &self.record.doors[door].door;
                self.leases.timed_out(at_ns, (client, door), known, tally)?;
            }
            Effect::CommandFailed { .. } => self.ledger.failures_told += 1,
            Effect::MarkOneTime { client, .. } => {
                tally.sequences_used += 1;
                if !self.marks.are_presumed() {
                    self.ledger.marking += 1;
                    self.keep_promise(at_ns, (client, door), tally)?;
                    self.record.open(client, door);
                    return Ok(Some(self.marks.ask((client, door))));
                }
            }
            Effect::DoorDisabled { .. } => tally.doors_disabled += 1,
            Effect::OpeningRefused { client, why, .. } => self.refused((client, door), why)?,
            Effect::OpeningSkipped { client, why, again, .. } => {
                self.skipped(at_ns, (client, door), (why, again), tally)?;
            }
            Effect::VoidedOften { client, packets, .. } => {
                tally.voided_often += 1;
                let is_true =
                    self.client == Some(client) && u64::from(packets) <= self.ledger.voided;
                ensure(is_true, LATE, || format!("{effect:?} by a packet of {:?}", self.client))?;
            }
            Effect::Note(note) => self.note(note)?,
            Effect::ReloadRefused
            | Effect::Closing { .. }
            | Effect::MarkPeriod { .. }
            | Effect::MarkMoment { .. }
            | Effect::NotSigned { .. } => return Err(impossible(effect)),
            Effect::Own(never) => match never {},
        }
        Ok(None)
    }

    fn reached(&mut self, lessee: Lessee, stage: Stage) {
        if stage.get() == 1 {
            self.ledger.begun += 1;
            let is_new = self.ledger.live.insert(lessee);
            self.ledger.restarted += u64::from(!is_new);
        }
    }

    fn opened(
        &mut self,
        at_ns: i64,
        client: IpAddr,
        door: DoorNumber,
        tally: &mut Tally,
    ) -> Result<(), Broken> {
        self.ledger.opened += 1;
        self.completed(at_ns, (client, door), tally)?;
        let known = &self.record.doors[door].door;
        let is_too_soon =
            self.leases.is_cooling_down(at_ns, (client, door), known) && !self.forgets_cooldowns;
        ensure(!is_too_soon, Invariant::CommandsInTurn, || {
            format!("{known:?} opened for {client} in its cooldown")
        })?;
        self.recent.opened(at_ns, (client, door), known, self.forgets_openings)?;
        let is_admitted = self.admissions.has((client, door));
        self.leases.opened(at_ns, ((client, door), is_admitted), known, tally)?;
        self.admissions.opened(at_ns, (client, door), known)
    }

    /// Returns whether anything of a door is open.
    fn holds(&self, door: DoorNumber) -> bool {
        self.leases.hold(door) || self.admissions.hold(door)
    }

    /// A sequence was completed: a fixed one now, a one-time sequence some time before its line was
    /// marked.
    fn completed(
        &mut self,
        at_ns: i64,
        (client, door): Lessee,
        tally: &mut Tally,
    ) -> Result<(), Broken> {
        if self.waits_for_mark(door) {
            self.ledger.marking -= 1;
            return self.marks.follow((client, door), true);
        }
        self.keep_promise(at_ns, (client, door), tally)?;
        self.record.open(client, door);
        Ok(())
    }

    /// A client must have knocked, and need not get in any more.
    fn keep_promise(
        &mut self,
        at_ns: i64,
        (client, door): Lessee,
        tally: &mut Tally,
    ) -> Result<(), Broken> {
        self.check_knocked(at_ns, client, door)?;
        if self.promise.opens == Some((client, door)) {
            self.promise.opens = None;
            tally.honest += 1;
        }
        Ok(())
    }

    /// Returns whether a door opens only after a line is marked.
    fn waits_for_mark(&self, door: DoorNumber) -> bool {
        let known = self.record.doors.get(door).filter(|_| !self.marks.are_presumed());
        known.is_some_and(|known| matches!(known.door.sequences, Sequences::OneTime(_)))
    }

    fn refused(&mut self, lessee: Lessee, why: Obstacle) -> Result<(), Broken> {
        if why == Obstacle::NotMarked {
            self.ledger.not_marked += 1;
            self.ledger.marking -= 1;
            return self.marks.follow(lessee, false);
        }
        self.ledger.refused += 1;
        // The engine had all its effects ready before the first of them was polled.
        let pending = self.leases.pending() + self.ended + self.marks.waiting();
        // A command and an admission need two places.
        let both = usize::from(self.record.doors[lessee.1].door.admission.is_some());
        let pending = pending + self.admissions.len() + both;
        ensure(pending >= self.limit, Invariant::MemoryIsBounded, || {
            format!("refused with {pending} commands and leases of {}", self.limit)
        })
    }

    fn skipped(
        &mut self,
        at_ns: i64,
        (client, door): Lessee,
        said: (Skip, bool),
        tally: &mut Tally,
    ) -> Result<(), Broken> {
        self.ledger.skipped += 1;
        tally.client_limits += u64::from(said.0 == Skip::ClientLimit);
        tally.door_limits += u64::from(said.0 == Skip::DoorLimit);
        self.completed(at_ns, (client, door), tally)?;
        let known = &self.record.doors[door].door;
        let lessee = (client, door);
        let is_at_max = self.admissions.is_at_max(at_ns, lessee, known);
        let is_at_limit = match said.0 {
            Skip::ClientLimit | Skip::DoorLimit => self.recent.is_true(at_ns, lessee, known, said),
            Skip::Merged | Skip::AlreadyOpen | Skip::Cooldown | Skip::AtMax | Skip::PeriodUsed => {
                false
            }
        };
        let admitted = (self.admissions.has(lessee), is_at_max, is_at_limit);
        self.leases.skipped(at_ns, lessee, known, said, admitted)
    }

    fn check_knocked(&self, at_ns: i64, client: IpAddr, door: DoorNumber) -> Result<(), Broken> {
        let is_for = self.client == Some(client) && self.record.doors[door].listed;
        let has_knocked = is_for && self.record.has_knocked(client, door, at_ns);
        ensure(has_knocked, Invariant::OnlyKnocksOpen, || {
            let history = self.record.of(client);
            let latest = &history[history.len().saturating_sub(8)..];
            format!("{:?} opened for {client}: {latest:#?}", self.record.doors[door])
        })
    }

    fn note(&mut self, note: Note) -> Result<(), Broken> {
        match note {
            Note::Retransmission { .. } => self.ledger.retransmissions += 1,
            Note::SecondTry { .. } | Note::OtherFlags { .. } => {}
            Note::Voided { client, .. } => {
                self.ledger.voided += 1;
                ensure(self.client == Some(client), Invariant::NothingOutlivesItsReason, || {
                    format!("{note:?} by a packet of {:?}", self.client)
                })?;
            }
            Note::Evicted { .. } => {
                self.ledger.evicted += 1;
                let live = self.ledger.live_count() + 1;
                ensure(live >= wide(self.limit), Invariant::MemoryIsBounded, || {
                    format!("{note:?} with {live} attempts of {}", self.limit)
                })?;
            }
            Note::SequenceChanged { .. } | Note::DoorChanged { .. } => self.ledger.ended += 1,
        }
        Ok(())
    }

    /// Ends a step.
    pub(super) fn end(&mut self, engine: &Engine, is_time_told: bool) -> Result<(), Broken> {
        let (promise, counts) = (self.promise, engine.counts());
        let is_kept = promise.opens.is_none() || promise.is_excused(counts);
        ensure(is_kept, Invariant::HonestGetIn, || {
            let (client, door) = promise.opens.expect("it is not kept");
            format!("{:?} stays shut for {client}", self.record.doors[door])
        })?;
        self.marks.check()?;
        self.leases.check(self.now_ns, is_time_told)?;
        self.admissions.check(self.now_ns, is_time_told)?;
        let reported = (self.ledger.failed, self.ledger.failures_told);
        ensure(reported.0 == reported.1, Invariant::MemoryIsBounded, || {
            format!("{} commands failed and {} failures were reported", reported.0, reported.1)
        })?;
        self.check_attempts(engine)?;
        self.check_deadline(engine, is_time_told)
    }

    fn check_attempts(&self, engine: &Engine) -> Result<(), Broken> {
        let (live, counts, ledger) = (engine.live_attempts(), engine.counts(), &self.ledger);
        let justified = self.record.attempts();
        ensure(live <= justified, Invariant::NothingOutlivesItsReason, || {
            format!("{live} attempts are live, but only {justified} can be")
        })?;
        ensure(live <= self.limit, Invariant::MemoryIsBounded, || {
            format!("{live} attempts are live, more than {}", self.limit)
        })?;
        ensure(ledger.live_count() == wide(live), Invariant::MemoryIsBounded, || {
            format!("{live} attempts are live, but {ledger:?} was reported")
        })?;
        ensure(ledger.live.len() == live, Invariant::MemoryIsBounded, || {
            format!("{live} attempts are live, but {:?} began", ledger.live)
        })?;
        let counted = [
            (counts.evicted, ledger.evicted),
            (counts.refused, ledger.refused),
            (counts.not_marked, ledger.not_marked),
            (counts.merged + counts.ignored, ledger.skipped),
            (counts.opened, ledger.opened),
            (counts.timed_out, ledger.timed_out),
            (counts.voided, ledger.voided),
            (counts.retransmissions, ledger.retransmissions),
            (counts.restarted, ledger.restarted),
            (counts.attempts, ledger.begun - ledger.restarted),
        ];
        ensure(counted.iter().all(|(one, other)| one == other), Invariant::MemoryIsBounded, || {
            format!("{counts:?}, but {ledger:?} was reported")
        })
    }

    fn check_deadline(&self, engine: &Engine, is_time_told: bool) -> Result<(), Broken> {
        let Some(Deadline { at, client, door, why }) = engine.poll_deadline() else {
            let due_ns = self.leases.due_ns().or(self.admissions.due_ns());
            return ensure(due_ns.is_none(), Invariant::LeasesClose, || {
                format!("nothing is due, but a lease is at {due_ns:?}")
            });
        };
        let at_ns = at.as_nanos();
        let is_to_come = at_ns > self.now_ns || !is_time_told && at_ns == self.now_ns;
        ensure(is_to_come, Invariant::TimeRunsForwards, || {
            format!("the next deadline is {at_ns}, but it is {}", self.now_ns)
        })?;
        let door = self.resolve(door, engine)?;
        let lease_ns = self.leases.due_ns();
        let admission_ns = self.admissions.due_ns();
        let (is_justified, invariant) = match why {
            _ if admission_ns.is_some_and(|due_ns| due_ns < at_ns) => {
                (false, Invariant::AdmissionsEnd)
            }
            DeadlineReason::AdmissionEnd => (admission_ns == Some(at_ns), Invariant::AdmissionsEnd),
            _ if lease_ns.is_some_and(|due_ns| due_ns < at_ns) => (false, Invariant::LeasesClose),
            DeadlineReason::CommandTimeout => (lease_ns == Some(at_ns), Invariant::LeasesClose),
            DeadlineReason::SequenceTimeout => {
                let is_listed = self.record.doors[door].listed;
                (is_listed && self.record.can_time_out(client, door, at_ns), LATE)
            }
        };
        ensure(is_justified, invariant, || {
            format!("{why:?} of {client} at {door} is due at {at_ns}, and a lease at {lease_ns:?}")
        })
    }

    /// Checks that nothing is left in the end.
    pub(super) fn finish(&self, engine: &Engine) -> Result<(), Broken> {
        let (live, pending) = (engine.live_attempts(), self.leases.pending());
        let marks = self.marks.waiting();
        let pending = pending + self.admissions.len();
        let is_over = live + pending + marks == 0 && engine.poll_deadline().is_none();
        ensure(is_over, Invariant::NothingOutlivesItsReason, || {
            format!(
                "at the end {live} attempts, {pending} commands and leases, {marks} lines are left"
            )
        })
    }

    /// Learns the engine's ids of the doors in the configuration. A door that stays keeps its id, and a
    /// removed door keeps it as long as there is a lease.
    pub(super) fn learn_ids(&mut self, engine: &Engine) -> Result<(), Broken> {
        let listed = self.record.listed.clone();
        let is_whole = engine.doors().len() == listed.len();
        for ((id, door), &number) in engine.doors().in_order().zip(&listed) {
            let is_door = boundary::door(&self.record.doors[number].door) == *door;
            let mut others = self.ids.iter().filter(|&(&other, &at)| other != id && at == number);
            let before = self.ids.get(&id).copied().filter(|&before| before != number);
            let is_free = before.is_none_or(|before| {
                let is_held = self.holds(before) || self.marks.hold(before);
                !self.record.doors[before].listed && !is_held
            });
            let is_good = is_whole && is_door && others.next().is_none() && is_free;
            ensure(is_good, LATE, || {
                let was = before.map(|before| &self.record.doors[before]);
                format!("{id:?} was {was:?} and is now {door:#?}, whose place has another id")
            })?;
            self.ids.insert(id, number);
        }
        Ok(())
    }

    /// Returns somebody who is let in at a door of the configuration, for longer than now.
    pub(super) fn losable(&self, number: usize, at_ns: i64) -> Option<Lessee> {
        let (lessee, until_ns) = self.admissions.nth(number)?;
        let is_listed = self.record.listed.contains(&lessee.1);
        (is_listed && until_ns > self.now_ns.max(at_ns)).then_some(lessee)
    }

    /// Returns where in the configuration a door is.
    pub(super) fn place_of(&self, door: DoorNumber) -> usize {
        let place = self.record.listed.iter().position(|&listed| listed == door);
        place.expect("it is in the configuration")
    }

    /// Returns the engine's id of a door.
    pub(super) fn id_of(&self, door: DoorNumber) -> DoorId {
        let id = self.ids.iter().find(|&(_, &number)| number == door).map(|(&id, _)| id);
        id.expect("every door in the configuration has one")
    }

    /// Returns which door the engine means.
    fn resolve(&self, id: DoorId, engine: &Engine) -> Result<DoorNumber, Broken> {
        let number = self.ids.get(&id).copied();
        number.ok_or_else(|| {
            let seen =
                format!("{id:?} means {:#?}, which was never configured", engine.doors().door(id));
            Broken { invariant: LATE, seen }
        })
    }
}

/// The invariant that a late or unjustified effect breaks.
const LATE: Invariant = Invariant::NothingOutlivesItsReason;

/// Returns whether an effect is the end of an attempt: where the door waits for a mark, that its line is
/// to be marked.
fn ends_attempt(effect: &Effect, waits_for_mark: bool) -> bool {
    match effect {
        Effect::Opened { .. }
        | Effect::OpeningSkipped { .. }
        | Effect::OpeningRefused { why: Obstacle::NotMarked, .. } => !waits_for_mark,
        Effect::MarkOneTime { .. } | Effect::MarkPeriod { .. } | Effect::MarkMoment { .. } => {
            waits_for_mark
        }
        Effect::SequenceTimedOut { .. } | Effect::OpeningRefused { why: Obstacle::Limit, .. } => {
            true
        }
        Effect::Note(note) => matches!(
            note,
            Note::Voided { .. }
                | Note::Evicted { .. }
                | Note::SequenceChanged { .. }
                | Note::DoorChanged { .. }
        ),
        Effect::StageReached { .. }
        | Effect::Admit { .. }
        | Effect::Closing { .. }
        | Effect::AdmissionEnded { .. }
        | Effect::RunCommand { .. }
        | Effect::CommandTimedOut { .. }
        | Effect::CommandFailed { .. }
        | Effect::DoorDisabled { .. }
        | Effect::VoidedOften { .. }
        | Effect::NotSigned { .. }
        | Effect::ReloadRefused => false,
        Effect::Own(never) => match *never {},
    }
}

impl Ledger {
    /// Returns how many attempts must be live, according to the counts of effects.
    fn live_count(&self) -> u64 {
        let completed = self.opened + self.refused + self.skipped + self.not_marked + self.marking;
        let ended = completed + self.timed_out + self.voided + self.evicted;
        self.begun.wrapping_sub(ended + self.ended + self.restarted)
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).expect("64 bits are enough")
}

/// An effect that these rules or these few doors do not have.
fn impossible(effect: &Effect) -> Broken {
    let seen = format!("{effect:?}, which is not of this rule set or these few doors");
    Broken { invariant: Invariant::MemoryIsBounded, seen }
}
