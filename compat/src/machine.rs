//! The one machine: knockd 0.8 with the first differences fixed.
//!
//! With none fixed, it behaves like Debian's knockd 0.8, bugs included; with all fixed, like the rule
//! set of knock, except for the limit on memory ([`Difference::Unbounded`]). Tests check both ends.
//! Two neighbours on the way differ only by the one difference between them: that is how a replay
//! finds the reason for a line that differs. As all of them together lead from one end to the other,
//! the list of differences is complete.
//!
//! The code is simple and in the order of the daemon's actions, so that it can be compared with the
//! cases of `testdata/knockd-0.8`, whose names are in brackets. It differs from the real program only
//! where that crashes, reads invalid memory, or would use memory without limit;
//! `docs/differences.md` lists these places.

mod opening;
mod parting;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use knock_engine::{
    Begun, CommandStatus, Deadline, DeadlineReason, Door, DoorId, Doors, Effect, Fingerprint,
    Limits, Listening, Note, Obstacle, OnReknock, Packet, PeriodUse, RuleSet, RunId, Skip, Stage,
    Step, Timestamp,
};

use crate::Site;
use crate::admissions::Admissions;
use crate::attempts::{Attempt, Attempts, Serial};
use crate::children::Children;
use crate::difference::{Difference, FixedUpTo};
use crate::effect::Knockd08Effect;
use crate::filter::{Filter, refusal};
use crate::hearing::Hearing;
use crate::remembered::Remembered;
use crate::span::Span;

/// The longest door name that knockd 0.8 keeps whole, in bytes (`f-name-127`).
pub(crate) const NAME_BYTES: usize = 127;

/// The machine and its memory.
#[derive(Clone, Debug)]
pub struct Knockd08Rules {
    fixed: Span,
    attempts: Attempts,
    remembered: Remembered,
    filter: Filter,
    children: Children,
    admissions: Admissions,
    /// Until when further openings of a client at a door are ignored.
    cooldowns: BTreeMap<(IpAddr, DoorId), Timestamp>,
    /// The openings of the last minute at doors that limit them, in order.
    recent: VecDeque<(Timestamp, IpAddr, DoorId)>,
    limit: usize,
    is_dead: bool,
    /// Whether all doors listen on the local addresses and hear all clients.
    are_doors_plain: bool,
    /// Where a packet may begin, kept to reuse its memory.
    starting: Vec<Begun>,
}

/// A packet and the time that counts for attempts.
#[derive(Clone, Copy)]
struct Heard<'a> {
    at: Timestamp,
    /// The time for the rules: not always `at`.
    now: Timestamp,
    packet: &'a Packet,
}

/// What falls due next.
#[derive(Clone, Copy)]
enum Next {
    Timeout,
    Child,
    Admission,
}

impl Knockd08Rules {
    pub(crate) fn new(fixed: Span, limits: &Limits, doors: &Doors, listening: &Listening) -> Self {
        let is_refused =
            refusal(doors, listening).is_some_and(|refusal| !fixed.has(refusal.difference()));
        Self {
            fixed,
            attempts: Attempts::default(),
            remembered: Remembered::default(),
            filter: Filter::default(),
            children: Children::default(),
            admissions: Admissions::default(),
            cooldowns: BTreeMap::new(),
            recent: VecDeque::new(),
            limit: usize::try_from(limits.attempts.get()).unwrap_or(usize::MAX),
            is_dead: is_refused,
            are_doors_plain: parting::are_plain(doors),
            starting: Vec::new(),
        }
    }

    /// Returns which differences are fixed.
    pub(crate) const fn fixed(&self) -> FixedUpTo {
        self.fixed.last()
    }

    fn hearing<'a>(&'a self, site: &'a Site) -> Hearing<'a> {
        Hearing { fixed: self.fixed.last(), filter: &self.filter, site }
    }

    /// Removes attempts that are over, and expired ones unless they end by themselves.
    fn sweep(&mut self, at: Timestamp, now: Timestamp, site: &mut Site) {
        let comes_by_itself = self.fixed.all_have(Difference::LateTimeout);
        let latest = if comes_by_itself { Timestamp::MIN } else { now };
        if !self.attempts.are_any_suspects(latest) {
            return;
        }
        let oldest = self.attempts.oldest();
        let mut is_oldest_gone = false;
        for serial in self.attempts.suspects(latest) {
            if self.end_if_over(at, serial, latest, site) {
                is_oldest_gone |= oldest == Some(serial);
            }
        }
        if is_oldest_gone && !self.fixed.has(Difference::Forgetting) {
            self.attempts.forget_all();
        }
    }

    fn end_if_over(
        &mut self,
        at: Timestamp,
        serial: Serial,
        latest: Timestamp,
        site: &mut Site,
    ) -> bool {
        let Some(&attempt) = self.attempts.get(serial) else { return false };
        let Attempt { client, door, .. } = attempt;
        if let Some(stage) = unfinished(&attempt, site.doors.door(door)) {
            if attempt.expires > latest {
                return false;
            }
            // The first knock has been remembered for `seq_timeout` by now.
            if stage > Stage::FIRST {
                self.remember_counted(at, serial, site);
            }
            site.counts.timed_out = site.counts.timed_out.saturating_add(1);
            site.emit(at, Effect::SequenceTimedOut { client, door, stage });
        }
        self.attempts.remove(serial);
        true
    }

    /// Returns the mark of a knock's retransmissions, if the rules recognize retransmissions.
    fn fingerprint(&self, packet: &Packet) -> Option<Fingerprint> {
        if self.fixed.has(Difference::Retransmission) { Fingerprint::of(packet) } else { None }
    }

    fn is_retransmission(&mut self, heard: Heard<'_>) -> bool {
        self.remembered.forget_due(heard.at);
        if self.fixed.differ_in(Difference::Retransmission) {
            // Otherwise the rule sets would have been parted.
            return false;
        }
        let Some(fingerprint) = self.fingerprint(heard.packet) else { return false };
        self.has_counted(heard.packet.source, fingerprint)
    }

    /// Returns whether a client has made this very knock.
    fn has_counted(&self, client: IpAddr, fingerprint: Fingerprint) -> bool {
        let is_counted = |(_, attempt): (Serial, &Attempt)| {
            attempt.stage.is_some() && attempt.counted == Some(fingerprint)
        };
        self.attempts.of(client).any(is_counted) || self.remembered.contain(client, fingerprint)
    }

    /// Advances the client's attempts. Returns whether the packet may begin others.
    fn continue_attempts(&mut self, heard: Heard<'_>, site: &mut Site) -> bool {
        let destination = heard.packet.destination;
        let mine: Vec<Serial> = self
            .attempts
            .of(heard.packet.source)
            .filter(|(_, one)| self.hearing(site).listens(site.doors.door(one.door), destination))
            .map(|(serial, _)| serial)
            .collect();
        let (mut advanced, mut waiting) = (false, false);
        for &serial in &mine {
            let Some(&Attempt { client, door: id, period, stage: Some(stage), .. }) =
                self.attempts.get(serial)
            else {
                continue;
            };
            let door = site.doors.door(id);
            if !self.hearing(site).has_flags(door, heard.packet) {
                waiting = true;
                site.emit(heard.at, Effect::Note(Note::OtherFlags { client, door: id, stage }));
                continue;
            }
            let sequence = site.doors.sequence(id, period);
            let step = sequence.map(|sequence| sequence.step(stage, heard.packet.knock()));
            if step == Some(Step::Next) {
                advanced = true;
                self.advance(heard, serial, site);
            } else if step == Some(Step::Again) && self.fixed.has(Difference::SecondTry) {
                self.try_again(heard, serial, site);
            } else {
                self.remember_counted(heard.at, serial, site);
                self.attempts.fail(serial);
                site.counts.voided = site.counts.voided.saturating_add(1);
                let knock = heard.packet.knock();
                let note = Note::Voided { client, door: id, stage, knock };
                site.emit(heard.at, Effect::Note(note));
            }
            if self.is_dead {
                return false;
            }
        }
        let obstacle = if waiting { Difference::BusyClient } else { Difference::WrongKnock };
        mine.is_empty() || !advanced && self.fixed.has(obstacle)
    }

    /// A second try of the knock that was made last: the attempt starts over at stage 1, and waits on
    /// at any other.
    fn try_again(&mut self, heard: Heard<'_>, serial: Serial, site: &mut Site) {
        let Some(&Attempt { client, door, stage: Some(stage), .. }) = self.attempts.get(serial)
        else {
            return;
        };
        if stage > Stage::FIRST {
            let note = Note::SecondTry { client, door, stage, knock: heard.packet.knock() };
            site.emit(heard.at, Effect::Note(note));
            return;
        }
        let expires = heard.now.saturating_add(site.doors.door(door).seq_timeout);
        let timer = self.children.serial();
        self.attempts.restart(serial, expires, timer);
        site.counts.restarted = site.counts.restarted.saturating_add(1);
        self.remember_counted(heard.at, serial, site);
        self.attempts.count(serial, self.fingerprint(heard.packet));
        site.emit(heard.at, Effect::StageReached { client, door, stage });
    }

    /// Takes the knock that an attempt counted last, and remembers it.
    fn remember_counted(&mut self, at: Timestamp, serial: Serial, site: &mut Site) {
        let counted = self.attempts.count(serial, None);
        let Some(&Attempt { client, door, .. }) = self.attempts.get(serial) else { return };
        self.remember(at, client, door, counted, site);
    }

    fn remember(
        &mut self,
        at: Timestamp,
        client: IpAddr,
        door: DoorId,
        knock: Option<Fingerprint>,
        site: &mut Site,
    ) {
        let Some(knock) = knock else { return };
        self.remembered.forget_due(at);
        let until = at.saturating_add(site.doors.door(door).seq_timeout);
        if self.remembered.remember(client, knock, until, self.limit) {
            site.counts.forgotten_knocks = site.counts.forgotten_knocks.saturating_add(1);
        }
    }

    /// Begins the attempts that a packet may begin. `is_known` says whether its client has attempts.
    fn begin_attempts(&mut self, heard: Heard<'_>, mut is_known: bool, site: &mut Site) {
        let &Packet { source: client, destination, .. } = heard.packet;
        self.starting.clear();
        site.doors.starting_with(heard.packet.knock(), &mut self.starting);
        for place in 0..self.starting.len() {
            let Some(&Begun { door: id, period }) = self.starting.get(place) else { return };
            let door = site.doors.door(id);
            let is_there = |(_, attempt): (Serial, &Attempt)| {
                (attempt.door, attempt.period) == (id, period) && attempt.stage.is_some()
            };
            let hearing = self.hearing(site);
            if !hearing.has_flags(door, heard.packet)
                || !hearing.listens(door, destination)
                || !hearing.hears(door, client)
                || is_known && self.attempts.of(client).any(is_there)
            {
                continue;
            }
            if self.attempts.len() >= self.limit {
                site.counts.not_begun = site.counts.not_begun.saturating_add(1);
                continue;
            }
            let expires = if self.fixed.has(Difference::WholeSeconds) {
                heard.now.saturating_add(door.seq_timeout)
            } else {
                heard.now.whole_second().saturating_add(door.seq_timeout)
            };
            let number = self.children.serial();
            let stage = Some(Stage::NONE);
            let attempt =
                Attempt { client, door: id, period, stage, expires, timer: number, counted: None };
            let serial = self.attempts.add(number, attempt);
            is_known = true;
            site.counts.attempts = site.counts.attempts.saturating_add(1);
            self.advance(heard, serial, site);
            if self.is_dead {
                return;
            }
        }
    }

    fn advance(&mut self, heard: Heard<'_>, serial: Serial, site: &mut Site) {
        let at = heard.at;
        let Some(attempt) = self.attempts.advance(serial) else { return };
        let Attempt { client, door: id, period, stage: Some(stage), .. } = attempt else { return };
        site.emit(at, Effect::StageReached { client, door: id, stage });
        let fingerprint = self.fingerprint(heard.packet);
        self.remember_counted(at, serial, site);
        self.attempts.count(serial, fingerprint);
        let door = site.doors.door(id);
        if door.knock_count().is_some_and(|count| usize::from(stage.get()) < count) {
            return;
        }
        self.remember(at, client, id, fingerprint, site);
        if self.fixed.all_have(Difference::OneTimeOpener) {
            self.attempts.remove(serial);
        } else {
            self.attempts.count(serial, None);
            self.attempts.suspect(serial);
        }
        let used = site.doors.use_up_period(Begun { door: id, period }, client, self.limit);
        if let Some(PeriodUse::Repeated { .. }) = used {
            let why = Skip::PeriodUsed;
            site.counts.repeated = site.counts.repeated.saturating_add(1);
            site.emit(at, Effect::OpeningSkipped { client, door: id, why, again: false });
        } else if used == Some(PeriodUse::Full) {
            site.counts.refused = site.counts.refused.saturating_add(1);
            let why = Obstacle::Limit;
            site.emit(at, Effect::OpeningRefused { client, door: id, why });
        } else if let Some(why) = self.skips(at, client, id, site) {
            site.counts.ignored = site.counts.ignored.saturating_add(1);
            site.emit(at, Effect::OpeningSkipped { client, door: id, why, again: false });
        } else {
            site.counts.opened = site.counts.opened.saturating_add(1);
            site.emit(at, Effect::Opened { client, door: id });
            self.admit(at, client, id, site);
            self.fork(at, client, id, site);
        }
        self.use_up_sequence(at, client, id, site);
    }

    /// Returns the attempt that expires first, if attempts end by themselves.
    fn next_timeout(&self) -> Option<(Timestamp, u64, Serial)> {
        if !self.fixed.all_have(Difference::LateTimeout) {
            return None;
        }
        self.attempts.earliest()
    }

    /// Returns what is due next.
    fn next(&self) -> Option<Next> {
        let timeout = self.next_timeout().map(|(at, timer, _)| ((at, timer), Next::Timeout));
        let child = self.children.next().map(|due| (due, Next::Child));
        let admission = self.admissions.next().map(|due| (due, Next::Admission));
        let all = [timeout, child, admission].into_iter().flatten();
        all.min_by_key(|&(due, _)| due).map(|(_, next)| next)
    }
}

impl RuleSet<Knockd08Effect> for Knockd08Rules {
    fn adapt(&self, doors: Doors) -> Doors {
        let is_known = self.fixed.has(Difference::DerivedSequences);
        let doors = if is_known { doors } else { doors.without_derived() };
        if self.fixed.has(Difference::LongName) { doors } else { doors.with_names_cut(NAME_BYTES) }
    }

    fn anticipate(&self, clients: impl Iterator<Item = IpAddr>) {
        clients.for_each(|client| self.attempts.anticipate(client));
    }

    fn packet(&mut self, at: Timestamp, stamp: Timestamp, packet: &Packet, site: &mut Site) {
        if self.is_dead || !self.hearing(site).admits(packet) {
            return;
        }
        site.counts.admitted = site.counts.admitted.saturating_add(1);
        site.look_at_periods(stamp);
        let now = if self.fixed.has(Difference::ClockBack) { at } else { stamp };
        self.sweep(at, now, site);
        let heard = Heard { at, now, packet };
        if self.is_retransmission(heard) {
            site.counts.retransmissions = site.counts.retransmissions.saturating_add(1);
            return;
        }
        // In a flood, hardly any has.
        let is_known = self.attempts.are_there(packet.source);
        if !is_known || self.continue_attempts(heard, site) {
            self.begin_attempts(heard, is_known, site);
        }
    }

    fn command_ended(&mut self, at: Timestamp, run: RunId, status: CommandStatus, site: &mut Site) {
        let runs_empty = !self.fixed.has(Difference::EmptyStopCommand);
        let extends = self.children.door(run).is_some_and(|door| {
            self.fixed.has(Difference::Reknock)
                && site.doors.door(door).on_reknock != OnReknock::Separate
        });
        self.children.ended(at, run, status, (runs_empty, extends), site);
    }

    fn admission_lost(&mut self, client: IpAddr, door: DoorId) {
        self.admissions.lose(client, door);
    }

    #[inline]
    fn due(&self) -> Option<Timestamp> {
        if self.children.is_nothing_due() && self.admissions.len() == 0 {
            // Most often.
            return self.next_timeout().map(|(at, ..)| at);
        }
        let timeout = self.next_timeout().map(|(at, ..)| at);
        let others = [self.children.next(), self.admissions.next()];
        others.into_iter().flatten().map(|(at, _)| at).chain(timeout).min()
    }

    fn deadline(&self) -> Option<Deadline> {
        match self.next()? {
            Next::Child => return self.children.deadline(),
            Next::Admission => return self.admissions.deadline(),
            Next::Timeout => {}
        }
        let (at, _, serial) = self.next_timeout()?;
        let &Attempt { client, door, .. } = self.attempts.get(serial)?;
        Some(Deadline { at, client, door, why: DeadlineReason::SequenceTimeout })
    }

    fn fire(&mut self, until: Timestamp, site: &mut Site) -> Option<Timestamp> {
        let due = self.due().filter(|&due| due <= until)?;
        match self.next()? {
            Next::Child => self.children.fire(self.fixed.has(Difference::Reknock), site),
            Next::Admission => self.admissions.fire(site),
            Next::Timeout => {
                let (at, _, serial) = self.next_timeout()?;
                self.end_if_over(at, serial, Timestamp::MAX, site);
            }
        }
        Some(due)
    }

    fn doors_leave(&mut self, at: Timestamp, leaving: &[DoorId], site: &mut Site) {
        if !self.fixed.has(Difference::Reload) {
            self.attempts.forget_all();
        }
        for &door in leaving {
            for serial in self.attempts.at_by_expiry(door) {
                self.remember_counted(at, serial, site);
                self.attempts.remove(serial);
            }
        }
        self.filter = Filter::default();
    }

    fn held(&self, hold: &mut dyn FnMut(DoorId)) {
        let cooldowns = self.cooldowns.keys().map(|&(_, door)| door);
        let doors = self.children.doors().chain(self.admissions.doors());
        let recent = self.recent.iter().map(|&(_, _, door)| door);
        doors.chain(cooldowns).chain(recent).for_each(hold);
    }

    fn live_attempts(&self) -> usize {
        self.attempts.len()
    }
}

/// Returns the stage of an attempt that has neither failed nor made all knocks of its door.
fn unfinished(attempt: &Attempt, door: &Door) -> Option<Stage> {
    let stage = attempt.stage?;
    door.knock_count().is_some_and(|count| usize::from(stage.get()) < count).then_some(stage)
}
