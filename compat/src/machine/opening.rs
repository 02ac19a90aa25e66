//! What happens when all knocks are made: the door opens, and a one-time sequence is used up.

use std::net::IpAddr;

use knock_engine::{
    Door, DoorId, Effect, MarkId, Obstacle, OnReknock, OpeningLimits, PerMinute, Phase, Seconds,
    Skip, Timestamp,
};

use super::Knockd08Rules;
use crate::Site;
use crate::children::{Child, too_long};
use crate::difference::Difference;
use crate::effect::Knockd08Effect;

const MINUTE: Seconds = Seconds::new(60).unwrap();

impl Knockd08Rules {
    /// Returns why an opening changes nothing, if it does not. Otherwise its cooldown begins.
    pub(super) fn skips(
        &mut self,
        at: Timestamp,
        client: IpAddr,
        id: DoorId,
        site: &Site,
    ) -> Option<Skip> {
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

    pub(super) fn admit(&mut self, at: Timestamp, client: IpAddr, id: DoorId, site: &mut Site) {
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

    pub(super) fn fork(&mut self, at: Timestamp, client: IpAddr, id: DoorId, site: &mut Site) {
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
    pub(super) fn use_up_sequence(
        &mut self,
        at: Timestamp,
        client: IpAddr,
        id: DoorId,
        site: &mut Site,
    ) {
        let Some(before) = site.doors.door(id).sequence().cloned() else { return };
        let Some(used) = site.doors.use_up_sequence(id) else { return };
        if !self.fixed.has(Difference::OneTimeFilter) {
            self.filter.keep_first_sequence(id, before);
        }
        if self.fixed.has(Difference::OneTimeOthers) {
            for serial in self.attempts.at_by_expiry(id) {
                self.remember_counted(at, serial, site);
                self.attempts.remove(serial);
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
                self.attempts.forget_all();
                site.emit(at, Effect::Own(Knockd08Effect::Crashed { door: id }));
            }
        } else if !self.fixed.has(Difference::TargetFamily)
            && self.filter.rejects_all(&site.doors, &site.listening)
        {
            self.is_dead = true;
            self.attempts.forget_all();
            site.emit(at, Effect::Own(Knockd08Effect::FilterRefused { door: id }));
        }
    }
}
