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

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use knock_engine::{
    Begun, CommandStatus, Deadline, DeadlineReason, Door, DoorId, Doors, Effect, Fingerprint,
    FlagRule, Limits, Listening, MarkId, Note, Obstacle, OnReknock, OpeningLimits, Packet,
    PerMinute, PeriodUse, Phase, RuleSet, RunId, Seconds, Skip, Stage, Step, TcpFlags, TcpHeader,
    Timestamp, Transport,
};

use crate::Site;
use crate::admissions::Admissions;
use crate::attempts::{Attempt, Attempts, Serial};
use crate::children::{Child, Children, too_long};
use crate::difference::{Difference, FixedUpTo};
use crate::effect::Knockd08Effect;
use crate::filter::{Family, Filter, Refusal, is_filtered, refusal};
use crate::remembered::Remembered;

/// The longest door name that knockd 0.8 keeps whole, in bytes (`f-name-127`).
const NAME_BYTES: usize = 127;

const MINUTE: Seconds = Seconds::new(60).unwrap();

/// The machine and its memory.
#[derive(Debug)]
pub struct Knockd08Rules {
    fixed: FixedUpTo,
    attempts: Attempts,
    /// The last counted knock of each attempt.
    counted: BTreeMap<Serial, Fingerprint>,
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
    pub(crate) fn new(
        fixed: FixedUpTo,
        limits: &Limits,
        doors: &Doors,
        listening: &Listening,
    ) -> Self {
        let is_refused = refusal(doors, listening).is_some_and(|refusal| {
            !fixed.has(match refusal {
                Refusal::RejectsAllPackets => Difference::TargetFamily,
                Refusal::NoSequenceLeft(_) => Difference::OneTimeNoneLeft,
            })
        });
        Self {
            fixed,
            attempts: Attempts::default(),
            counted: BTreeMap::new(),
            remembered: Remembered::default(),
            filter: Filter::default(),
            children: Children::default(),
            admissions: Admissions::default(),
            cooldowns: BTreeMap::new(),
            recent: VecDeque::new(),
            limit: usize::try_from(limits.attempts.get()).unwrap_or(usize::MAX),
            is_dead: is_refused,
        }
    }

    /// Returns which differences are fixed.
    pub(crate) const fn fixed(&self) -> FixedUpTo {
        self.fixed
    }

    fn admits(&self, packet: &Packet, site: &Site) -> bool {
        if !self.fixed.has(Difference::TargetFamily) {
            return self.filter.passes(packet, site);
        }
        if !self.fixed.has(Difference::NoAddress) && !is_filtered(&site.listening) {
            return true;
        }
        let family = Family::of(packet.destination);
        site.doors.in_order().any(|(id, door)| {
            let has_flags = match packet.transport {
                Transport::Udp => true,
                Transport::Tcp(_) => {
                    door.flags == FlagRule::default()
                        || door.flags.is_satisfied_by(packet.transport)
                }
            };
            let first = self.filter.sequence(id, door, family);
            let is_named = match first {
                Some(sequence) => sequence.knocks().contains(&packet.knock()),
                None => door.names(packet.knock()),
            };
            self.hears(door, packet.source)
                && is_named
                && self.is_for(door, packet.destination, site)
                && has_flags
        })
    }

    /// Returns whether the capture filter lets a destination through for a door.
    fn is_for(&self, door: &Door, destination: IpAddr, site: &Site) -> bool {
        if self.fixed.has(Difference::Ipv4Only) {
            return site.listening.belongs(destination, door.target);
        }
        match door.target {
            Some(target) => target.address == destination,
            None => site.listening.belongs(destination, None),
        }
    }

    /// Returns whether a door listens on a destination.
    fn listens(&self, door: &Door, destination: IpAddr, site: &Site) -> bool {
        let is_spelled_well = door.target.is_none_or(|target| target.is_as_printed);
        (is_spelled_well || self.fixed.has(Difference::TargetText))
            && self.is_for(door, destination, site)
    }

    fn hears(&self, door: &Door, client: IpAddr) -> bool {
        !self.fixed.has(Difference::Limits) || door.sources.hear(client)
    }

    fn has_flags(&self, door: &Door, packet: &Packet) -> bool {
        if self.fixed.has(Difference::CutFlags) {
            door.flags.is_satisfied_by(packet.transport)
        } else {
            has_flags(door, packet)
        }
    }

    /// Removes attempts that are over, and expired ones unless they end by themselves.
    fn sweep(&mut self, at: Timestamp, now: Timestamp, site: &mut Site) {
        let oldest = self.attempts.oldest();
        let comes_by_itself = self.fixed.has(Difference::LateTimeout);
        let latest = if comes_by_itself { Timestamp::MIN } else { now };
        let mut is_oldest_gone = false;
        for serial in self.attempts.suspects(latest) {
            if self.end_if_over(at, serial, latest, site) {
                is_oldest_gone |= oldest == Some(serial);
            }
        }
        if is_oldest_gone && !self.fixed.has(Difference::Forgetting) {
            self.forget_all();
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
        self.remove(serial);
        true
    }

    fn remove(&mut self, serial: Serial) {
        self.attempts.remove(serial);
        self.counted.remove(&serial);
    }

    fn forget_all(&mut self) {
        self.attempts.forget_all();
        self.counted.clear();
    }

    /// Returns the mark of a knock's retransmissions, if the rules recognize retransmissions.
    fn fingerprint(&self, packet: &Packet) -> Option<Fingerprint> {
        if self.fixed.has(Difference::Retransmission) { Fingerprint::of(packet) } else { None }
    }

    fn is_retransmission(&mut self, heard: Heard<'_>) -> bool {
        self.remembered.forget_due(heard.at);
        let Some(fingerprint) = self.fingerprint(heard.packet) else { return false };
        let client = heard.packet.source;
        let is_counted = |(serial, attempt): (Serial, &Attempt)| {
            attempt.stage.is_some() && self.counted.get(&serial) == Some(&fingerprint)
        };
        self.attempts.of(client).any(is_counted) || self.remembered.contain(client, fingerprint)
    }

    /// Advances the client's attempts. Returns whether the packet may begin others.
    fn continue_attempts(&mut self, heard: Heard<'_>, site: &mut Site) -> bool {
        let destination = heard.packet.destination;
        let mine: Vec<Serial> = self
            .attempts
            .of(heard.packet.source)
            .filter(|(_, one)| self.listens(site.doors.door(one.door), destination, site))
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
            if !self.has_flags(door, heard.packet) {
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
        self.counted.extend(self.fingerprint(heard.packet).map(|counted| (serial, counted)));
        site.emit(heard.at, Effect::StageReached { client, door, stage });
    }

    /// Takes the knock that an attempt counted last, and remembers it.
    fn remember_counted(&mut self, at: Timestamp, serial: Serial, site: &mut Site) {
        let counted = self.counted.remove(&serial);
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

    fn begin_attempts(&mut self, heard: Heard<'_>, site: &mut Site) {
        let (client, destination) = (heard.packet.source, heard.packet.destination);
        let mut starting = Vec::new();
        site.doors.starting_with(heard.packet.knock(), &mut starting);
        for Begun { door: id, period } in starting {
            let door = site.doors.door(id);
            let is_there = |(_, attempt): (Serial, &Attempt)| {
                (attempt.door, attempt.period) == (id, period) && attempt.stage.is_some()
            };
            if !self.has_flags(door, heard.packet)
                || !self.listens(door, destination, site)
                || !self.hears(door, client)
                || self.attempts.of(client).any(is_there)
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
            let serial = Serial(self.children.serial());
            let stage = Some(Stage::NONE);
            let attempt = Attempt { client, door: id, period, stage, expires, timer: serial.0 };
            self.attempts.add(serial, attempt);
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
        self.counted.extend(fingerprint.map(|fingerprint| (serial, fingerprint)));
        let door = site.doors.door(id);
        if door.knock_count().is_some_and(|count| usize::from(stage.get()) < count) {
            return;
        }
        self.remember(at, client, id, fingerprint, site);
        if self.fixed.has(Difference::OneTimeOpener) {
            self.remove(serial);
        } else {
            self.counted.remove(&serial);
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

    /// Returns why an opening changes nothing, if it does not. Otherwise its cooldown begins.
    fn skips(&mut self, at: Timestamp, client: IpAddr, id: DoorId, site: &Site) -> Option<Skip> {
        if !self.fixed.has(Difference::Reknock) {
            return None;
        }
        let door = site.doors.door(id);
        self.cooldowns.retain(|_, until| *until > at);
        if self.cooldowns.contains_key(&(client, id)) {
            return Some(Skip::Cooldown);
        }
        let is_open = self.children.are_there(client, id) || self.admissions.has(client, id);
        if door.on_reknock == OnReknock::Ignore && is_open {
            return Some(Skip::AlreadyOpen);
        }
        if let Some(admission) = &door.admission
            && self.admissions.lasts(at, (client, id), admission).is_none()
        {
            return Some(Skip::AtMax);
        }
        if let Some(limited) = self.limits(at, client, id, door) {
            return Some(limited);
        }
        let until = door.seq_cooldown.map(|seconds| at.saturating_add(seconds));
        self.cooldowns.extend(until.map(|until| ((client, id), until)));
        None
    }

    /// Returns which limit of openings is reached, if one is. Otherwise the opening counts.
    fn limits(&mut self, at: Timestamp, client: IpAddr, id: DoorId, door: &Door) -> Option<Skip> {
        let OpeningLimits { door: of_door, client: of_client } = door.opening_limits;
        let is_limited = of_door.is_some() || of_client.is_some();
        if !is_limited || !self.fixed.has(Difference::Limits) {
            return None;
        }
        self.recent.retain(|&(until, ..)| until > at);
        let here = || self.recent.iter().filter(|&&(_, _, other)| other == id);
        let is_reached = |limit: Option<PerMinute>, openings: usize| {
            limit.is_some_and(|limit| openings >= usize::from(limit.get()))
        };
        if is_reached(of_client, here().filter(|&&(_, other, _)| other == client).count()) {
            return Some(Skip::ClientLimit);
        }
        if is_reached(of_door, here().count()) {
            return Some(Skip::DoorLimit);
        }
        if self.recent.len() >= self.limit {
            self.recent.pop_front();
        }
        self.recent.push_back((at.saturating_add(MINUTE), client, id));
        None
    }

    fn admit(&mut self, at: Timestamp, client: IpAddr, id: DoorId, site: &mut Site) {
        let admission = site.doors.door(id).admission.as_ref();
        let Some(admission) = admission.filter(|_| self.fixed.has(Difference::Open)) else {
            return;
        };
        let lasts = self.admissions.lasts(at, (client, id), admission);
        let serial = self.children.serial();
        if let Some(lasts) = lasts {
            self.admissions.admit(at, (client, id), lasts, serial, site);
        }
    }

    fn fork(&mut self, at: Timestamp, client: IpAddr, id: DoorId, site: &mut Site) {
        let door = site.doors.door(id);
        if door.commands.start_for(client).is_none() {
            return;
        }
        if !self.fixed.has(Difference::LongCommand)
            && let Some(phase) = too_long(door, client)
        {
            site.emit(at, Effect::Own(Knockd08Effect::CommandTooLong { client, door: id, phase }));
            return;
        }
        if self.children.len().saturating_add(self.admissions.len()) >= self.limit {
            site.counts.refused = site.counts.refused.saturating_add(1);
            site.emit(at, Effect::OpeningRefused { client, door: id, why: Obstacle::Limit });
            return;
        }
        let child = Child { client, door: id, phase: Phase::Start, openings: 1 };
        self.children.run(at, child, site);
    }

    /// The door is open already, so nothing waits for the answer.
    fn use_up_sequence(&mut self, at: Timestamp, client: IpAddr, id: DoorId, site: &mut Site) {
        let Some(before) = site.doors.door(id).sequence().cloned() else { return };
        let Some(used) = site.doors.use_up_sequence(id) else { return };
        if !self.fixed.has(Difference::OneTimeFilter) {
            self.filter.keep_first_sequence(id, before);
        }
        if self.fixed.has(Difference::OneTimeOthers) {
            for serial in self.attempts.at_by_expiry(id) {
                self.remember_counted(at, serial, site);
                self.remove(serial);
            }
        } else {
            self.attempts.suspect_all_at(id);
        }
        let (mark, line, offset) = (MarkId::from_bits(0), used.number, used.offset);
        site.emit(at, Effect::MarkOneTime { mark, client, door: id, line, offset });
        if site.doors.door(id).sequence().is_none() {
            if self.fixed.has(Difference::OneTimeCrash) {
                site.emit(at, Effect::DoorDisabled { door: id });
            } else {
                self.is_dead = true;
                self.forget_all();
                site.emit(at, Effect::Own(Knockd08Effect::Crashed { door: id }));
            }
        } else if !self.fixed.has(Difference::TargetFamily)
            && self.filter.rejects_all(&site.doors, &site.listening)
        {
            self.is_dead = true;
            self.forget_all();
            site.emit(at, Effect::Own(Knockd08Effect::FilterRefused { door: id }));
        }
    }

    /// Returns the attempt that expires first, if attempts end by themselves.
    fn next_timeout(&self) -> Option<(Timestamp, u64, Serial)> {
        let next = self.attempts.earliest()?;
        self.fixed.has(Difference::LateTimeout).then_some(next)
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

    fn anticipate(&self, _: &Packet) {}

    fn packet(&mut self, at: Timestamp, stamp: Timestamp, packet: &Packet, site: &mut Site) {
        if self.is_dead || !self.admits(packet, site) {
            return;
        }
        site.counts.admitted = site.counts.admitted.saturating_add(1);
        site.look_at_periods(stamp);
        let now = if self.fixed.has(Difference::ClockBack) { at } else { stamp };
        self.sweep(at, now, site);
        let heard = Heard { at, now, packet };
        if self.is_retransmission(heard) {
            site.counts.retransmissions = site.counts.retransmissions.saturating_add(1);
        } else if self.continue_attempts(heard, site) {
            self.begin_attempts(heard, site);
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

    fn due(&self) -> Option<Timestamp> {
        self.deadline().map(|deadline| deadline.at)
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

    fn fire(&mut self, site: &mut Site) {
        match self.next() {
            None => {}
            Some(Next::Child) => self.children.fire(self.fixed.has(Difference::Reknock), site),
            Some(Next::Admission) => self.admissions.fire(site),
            Some(Next::Timeout) => {
                if let Some((at, _, serial)) = self.next_timeout() {
                    self.end_if_over(at, serial, Timestamp::MAX, site);
                }
            }
        }
    }

    fn doors_leave(&mut self, at: Timestamp, leaving: &[DoorId], site: &mut Site) {
        if !self.fixed.has(Difference::Reload) {
            self.forget_all();
        }
        for &door in leaving {
            for serial in self.attempts.at_by_expiry(door) {
                self.remember_counted(at, serial, site);
                self.remove(serial);
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

/// Reads flags that were not captured as not set; the real program reads whatever is in memory there.
fn has_flags(door: &Door, packet: &Packet) -> bool {
    let transport = match packet.transport {
        Transport::Tcp(TcpHeader { flags: None, sequence_number }) => {
            Transport::Tcp(TcpHeader { flags: Some(TcpFlags::default()), sequence_number })
        }
        as_captured @ (Transport::Tcp(_) | Transport::Udp) => as_captured,
    };
    door.flags.is_satisfied_by(transport)
}
