//! Where rule sets that are next to one another begin to differ.
//!
//! One machine stands for all of its [`Span`] until something comes that they would
//! handle in different ways; then it is split. So before each event, the machine is asked for such a
//! difference. It may name one that turns out to make none, as that only costs time, but must never
//! miss one.
//!
//! Until then the machine keeps what tells the state of each: exact times (knockd 0.8 has the
//! beginning of the same second), the marks of counted knocks (knockd 0.8 has none), and attempts
//! that have opened their door until the next packet (later rule sets have removed them).

use std::net::IpAddr;

use knock_engine::{
    Begun, Door, DoorId, DoorSequence, Doors, Fingerprint, FlagRule, Packet, Sources, Step,
    TcpHeader, Timestamp, Transport,
};

use super::{Knockd08Rules, unfinished};
use crate::Site;
use crate::attempts::Attempt;
use crate::children::{has_empty_stop, too_long};
use crate::difference::{Difference, FixedUpTo};
use crate::filter::is_filtered;
use crate::hearing::Hearing;
use crate::remembered::Remembered;
use crate::span::Span;

/// The differences in what the capture filter lets through.
const ADMISSION: [Difference; 4] =
    [Difference::TargetFamily, Difference::NoAddress, Difference::Ipv4Only, Difference::Limits];

impl Knockd08Rules {
    /// Returns for which rule sets the machine stands.
    pub(crate) const fn span(&self) -> Span {
        self.fixed
    }

    /// Makes the machine stand for a part of its span.
    pub(crate) fn narrow(&mut self, part: Span, site: &Site) {
        let before = self.fixed;
        let is_lost = |difference| before.has(difference) && !part.has(difference);
        if is_lost(Difference::Retransmission) {
            self.attempts.forget_counted();
            self.remembered = Remembered::default();
        }
        if is_lost(Difference::WholeSeconds) {
            self.attempts.expire_at_whole_seconds();
        }
        let opener = Difference::OneTimeOpener;
        if part.all_have(opener) && !before.all_have(opener) {
            // Failed ones stay until the next packet in all rule sets.
            let is_there = |one: &Attempt| {
                one.stage.is_none() || unfinished(one, site.doors.door(one.door)).is_some()
            };
            self.attempts.retain(is_there);
        }
        self.fixed = part;
    }

    /// Returns when some of the rule sets have something to do by themselves, and others do not.
    pub(crate) fn undecided_due(&self, site: &Site) -> Option<Timestamp> {
        if !self.fixed.differ_in(Difference::LateTimeout) {
            return None;
        }
        self.attempts.by_expiry().find(|one| is_unfinished(one, site)).map(|one| one.expires)
    }

    /// Returns a difference between the rule sets in what they do by themselves up to `at`.
    pub(crate) fn parts_in_time(&self, at: Timestamp, site: &Site) -> Option<Difference> {
        self.undecided_due(site).filter(|&due| due <= at).map(|_| Difference::LateTimeout)
    }

    /// Returns a difference between the rule sets in what they make of a packet. All that is due before
    /// has happened.
    pub(crate) fn parts_at_packet(
        &self,
        at: Timestamp,
        stamp: Timestamp,
        packet: &Packet,
        site: &Site,
    ) -> Option<Difference> {
        if self.is_dead || self.fixed.is_one() {
            return None;
        }
        let parts = self.parts_in_admission(packet, site);
        if parts.is_some() || !self.hearing(site).admits(packet) {
            return parts;
        }
        if at != stamp && self.fixed.differ_in(Difference::ClockBack) {
            return Some(Difference::ClockBack);
        }
        let now = if self.fixed.has(Difference::ClockBack) { at } else { stamp };
        self.parts_in_sweep(now, site)
            .or_else(|| self.parts_in_repeats(packet))
            .or_else(|| self.parts_at_attempts(now, packet, site))
            .or_else(|| self.parts_at_first_knocks(now, packet, site))
    }

    /// Returns whether some door may hear a packet, under any of the rule sets.
    pub(crate) fn may_hear(&self, packet: &Packet, site: &Site) -> bool {
        let knock = packet.knock();
        let names = |(id, door): (DoorId, &Door)| {
            let first = self.filter.first_sequence(id);
            door.names(knock) || first.is_some_and(|first| first.knocks().contains(&knock))
        };
        !is_filtered(&site.listening) || site.doors.in_order().any(names)
    }

    fn parts_in_admission(&self, packet: &Packet, site: &Site) -> Option<Difference> {
        if self.are_doors_plain && is_filtered(&site.listening) {
            return None;
        }
        let Hearing { filter, .. } = self.hearing(site);
        let admits = |fixed| Hearing { fixed, filter, site }.admits(packet);
        ADMISSION.into_iter().find(|&one| {
            self.fixed.differ_in(one)
                && admits(FixedUpTo::before(one)) != admits(FixedUpTo(Some(one)))
        })
    }

    /// Returns a difference in which attempts a packet at `now` finds over.
    fn parts_in_sweep(&self, now: Timestamp, site: &Site) -> Option<Difference> {
        if self.fixed.differ_in(Difference::WholeSeconds) {
            let mut over = self.attempts.by_expiry().take_while(|one| is_late(one, now));
            if over.any(|one| is_unfinished(one, site)) {
                return Some(Difference::WholeSeconds);
            }
        }
        if self.fixed.differ_in(Difference::Forgetting) && self.attempts.len() > 1 {
            let oldest = self.attempts.oldest().and_then(|serial| self.attempts.get(serial));
            if oldest.is_some_and(|one| is_late(one, now) || !is_unfinished(one, site)) {
                return Some(Difference::Forgetting);
            }
        }
        None
    }

    fn parts_in_repeats(&self, packet: &Packet) -> Option<Difference> {
        if !self.fixed.differ_in(Difference::Retransmission) {
            return None;
        }
        let fingerprint = Fingerprint::of(packet)?;
        self.has_counted(packet.source, fingerprint).then_some(Difference::Retransmission)
    }

    /// Returns a difference in what the attempts of a packet's client do.
    fn parts_at_attempts(
        &self,
        now: Timestamp,
        packet: &Packet,
        site: &Site,
    ) -> Option<Difference> {
        let (client, knock) = (packet.source, packet.knock());
        let hearing = self.hearing(site);
        let (mut hears, mut goes_on) = (false, false);
        for (_, attempt) in self.attempts.of(client) {
            let &Attempt { door: id, period, expires, .. } = attempt;
            let door = site.doors.door(id);
            // Others are gone before the packet counts.
            let Some(stage) = unfinished(attempt, door) else { continue };
            if let Some(parts) = self.parts_in_hearing(door, packet, site) {
                return Some(parts);
            }
            if !hearing.listens(door, packet.destination) {
                continue;
            }
            hears = true;
            if !hearing.has_flags(door, packet) {
                continue;
            }
            match site.doors.sequence(id, period).map(|sequence| sequence.step(stage, knock)) {
                Some(Step::Next) => {
                    goes_on |= expires.whole_second() > now;
                    if door.knock_count() == Some(stage.next().get().into())
                        && let Some(parts) = self.parts_in_opening(client, id, site)
                    {
                        return Some(parts);
                    }
                }
                Some(Step::Again) if self.fixed.differ_in(Difference::SecondTry) => {
                    return Some(Difference::SecondTry);
                }
                Some(Step::Again | Step::Wrong) | None => {}
            }
        }
        // Whether a packet that advances no attempt may begin one.
        let obstacles = [Difference::WrongKnock, Difference::BusyClient];
        let mut obstacles = obstacles.into_iter().filter(|&one| self.fixed.differ_in(one));
        let obstacle = obstacles.next().filter(|_| hears && !goes_on)?;
        (!starting(packet, site).is_empty()).then_some(obstacle)
    }

    /// Returns a difference in which attempts a packet begins, if it may begin any.
    fn parts_at_first_knocks(
        &self,
        now: Timestamp,
        packet: &Packet,
        site: &Site,
    ) -> Option<Difference> {
        let starting = starting(packet, site);
        let opener = Difference::OneTimeOpener;
        // An attempt that opens its door at once may still be there for the next one.
        let may_be_full = self.attempts.len().saturating_add(starting.len()) > self.limit;
        if starting.len() > 1 && may_be_full && self.fixed.differ_in(opener) {
            return Some(opener);
        }
        starting.into_iter().find_map(|Begun { door: id, .. }| {
            let door = site.doors.door(id);
            if let Some(parts) = self.parts_in_hearing(door, packet, site) {
                return Some(parts);
            }
            if self.fixed.differ_in(Difference::Limits) && !door.sources.hear(packet.source) {
                return Some(Difference::Limits);
            }
            // At the end of time, the whole second of the end does not tell that of the beginning.
            let whole = now.whole_second().saturating_add(door.seq_timeout);
            let is_told = whole == now.saturating_add(door.seq_timeout).whole_second();
            if !is_told && self.fixed.differ_in(Difference::WholeSeconds) {
                return Some(Difference::WholeSeconds);
            }
            let opens = door.knock_count() == Some(1);
            opens.then(|| self.parts_in_opening(packet.source, id, site)).flatten()
        })
    }

    /// Returns a difference in whether a door hears a packet.
    fn parts_in_hearing(&self, door: &Door, packet: &Packet, site: &Site) -> Option<Difference> {
        let filter = &self.filter;
        let is_for = |fixed| Hearing { fixed, filter, site }.is_for(door, packet.destination);
        let is_cut = matches!(packet.transport, Transport::Tcp(TcpHeader { flags: None, .. }));
        let is_misspelled = door.target.is_some_and(|target| !target.is_as_printed);
        let v4_only = Difference::Ipv4Only;
        let of_family = is_for(FixedUpTo::before(v4_only)) != is_for(FixedUpTo(Some(v4_only)));
        [
            (Difference::CutFlags, is_cut && door.flags != FlagRule::default()),
            (Difference::TargetText, is_misspelled),
            (v4_only, of_family),
        ]
        .into_iter()
        .find_map(|(one, matters)| (matters && self.fixed.differ_in(one)).then_some(one))
    }

    /// Returns a difference in what the opening of a door does.
    fn parts_in_opening(&self, client: IpAddr, id: DoorId, site: &Site) -> Option<Difference> {
        let door = site.doors.door(id);
        let is_one_time = matches!(door.sequence, DoorSequence::OneTime(_));
        let starts = door.commands.start_for(client).is_some();
        let is_limited = door.opening_limits.door.is_some() || door.opening_limits.client.is_some();
        let is_open = self.children.are_there(client, id) || self.admissions.has(client, id);
        let admits = door.admission.is_some();
        let is_special = is_open || is_limited || admits || door.seq_cooldown.is_some();
        [
            (Difference::TargetFamily, is_one_time),
            (Difference::OneTimeCrash, is_one_time),
            (Difference::OneTimeOpener, is_one_time),
            (Difference::OneTimeOthers, is_one_time),
            (Difference::OneTimeFilter, is_one_time),
            (Difference::EmptyStopCommand, starts && has_empty_stop(door, client)),
            (Difference::LongCommand, starts && too_long(door, client).is_some()),
            (Difference::Reknock, is_special),
            (Difference::Open, admits),
            (Difference::Limits, is_limited),
        ]
        .into_iter()
        .find_map(|(one, matters)| (matters && self.fixed.differ_in(one)).then_some(one))
    }
}

/// Returns whether all doors listen on the local addresses and hear all clients: then all rule sets let
/// the same packets through, unless there is no filter at all.
pub(super) fn are_plain(doors: &Doors) -> bool {
    doors.in_order().all(|(_, door)| {
        door.target.is_none()
            && door.sources == Sources::default()
            && !matches!(door.sequence, DoorSequence::Derived(_))
    })
}

fn starting(packet: &Packet, site: &Site) -> Vec<Begun> {
    let mut starting = Vec::new();
    site.doors.starting_with(packet.knock(), &mut starting);
    starting
}

fn is_unfinished(attempt: &Attempt, site: &Site) -> bool {
    unfinished(attempt, site.doors.door(attempt.door)).is_some()
}

/// Returns whether an attempt is too late at `now`, at least where only whole seconds count.
fn is_late(attempt: &Attempt, now: Timestamp) -> bool {
    attempt.expires.whole_second() <= now
}
