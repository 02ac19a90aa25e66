//! How a packet continues the attempts of its client.

use super::attempt::{Attempt, Counted, Progress, Split};
use super::attempts::due_of;
use super::due::Slot;
use super::moves::{Move, What};
use super::voids::Voids;
use super::{Heard, KnockRules, Site};
use crate::doors::{Begun, DoorId};
use crate::effect::{Effect, Note};
use crate::sequence::Stage;

impl KnockRules {
    /// Rule 2: the packet advances, restarts or voids the client's attempts, or is a second try of
    /// the knock just made. Returns whether any advanced.
    pub(super) fn continue_attempts<X>(
        &mut self,
        heard: &Heard<'_>,
        oldest: Slot,
        site: &mut Site<X>,
    ) -> bool {
        let attempt = *self.attempts.get(oldest);
        if attempt.younger.some().is_none() && attempt.group().is_none() {
            return self.continue_one(heard, oldest, &attempt, site);
        }
        let mut moves = core::mem::take(&mut self.moves);
        moves.clear();
        let mut next = Some(oldest);
        // The last attempt that did not end.
        let mut older = None;
        // Attempts that began together, and the serial number with which they restart.
        let (mut batch, mut with_older, mut restart) = (0_usize, false, None);
        while let Some(slot) = next {
            let attempt = *self.attempts.get(slot);
            next = attempt.younger.some();
            if !with_older {
                (batch, restart) = (batch.saturating_add(1), None);
                self.runs = self.runs.wrapping_add(1);
            }
            // Read before this one may end.
            with_older =
                next.is_some_and(|slot| self.attempts.get(slot).has(Progress::BEGAN_WITH_OLDER));
            let note = |one| moves.push(one);
            match Self::look(heard, &attempt, batch, site, note) {
                Some(split) => {
                    let last = self.follow(heard, (older, slot), split, &mut restart, site);
                    older = last.or(older);
                }
                None => older = Some(slot),
            }
        }
        moves.sort_by_key(|one| one.order);
        let advanced = self.make_moves(heard, &moves, site);
        self.moves = moves;
        advanced
    }

    /// The same for the only attempt of a client, at one door, as most are.
    fn continue_one<X>(
        &mut self,
        heard: &Heard<'_>,
        slot: Slot,
        attempt: &Attempt,
        site: &mut Site<X>,
    ) -> bool {
        let mut only = None;
        let note = |one| only = Some(one);
        if let Some(split) = Self::look(heard, attempt, 0, site, note) {
            self.runs = self.runs.wrapping_add(1);
            self.follow(heard, (None, slot), split, &mut None, site);
        }
        self.make_moves(heard, only.as_slice(), site)
    }

    /// Changes an attempt, after the next older one of its client, as a packet does. `restart` is the serial
    /// number with which those restart that began together. Returns the youngest of what is left.
    fn follow<X>(
        &mut self,
        heard: &Heard<'_>,
        (older, slot): (Option<Slot>, Slot),
        split: Split,
        restart: &mut Option<u64>,
        site: &Site<X>,
    ) -> Option<Slot> {
        let counted = self.now_counted(heard);
        let restarts = split.stay > 0 && self.attempts.get(slot).stage() == Stage::FIRST;
        let last = self.attempts.split(older, slot, split, counted, &site.doors);
        if restarts {
            let door = self.attempts.get(slot).door;
            let (at, serial) = self.due_after(heard.at, site.doors.door(door).seq_timeout);
            let due = due_of((at, *restart.get_or_insert(serial)), door, &site.doors);
            self.attempts.restart(slot, due, counted, &site.doors);
        }
        last
    }

    /// Returns the knock that a packet is.
    pub(super) fn now_counted(&self, heard: &Heard<'_>) -> Counted {
        Counted { knock: heard.knock, fingerprint: heard.fingerprint, run: self.runs }
    }

    /// Notes what a packet does at each door of an attempt. Returns what becomes of the attempt; `None` if
    /// it does not change.
    fn look<X>(
        heard: &Heard<'_>,
        attempt: &Attempt,
        batch: usize,
        site: &Site<X>,
        mut note: impl FnMut(Move),
    ) -> Option<Split> {
        let (stage, period, counted) = (attempt.stage(), attempt.period(), attempt.counted);
        let first = site.doors.door(attempt.door);
        if !site.listening.belongs(heard.packet.destination, first.target) {
            return None;
        }
        let has_flags = first.flags.is_satisfied_by(heard.packet.transport);
        let mut split = Split::default();
        let mut look_at = |door| {
            let sequence = site.doors.sequence(door, period);
            let what = What::of(heard.knock, sequence, stage, has_flags);
            split.count(door, what);
            let order = (batch, site.doors.place(door));
            note(Move { order, door, period, stage, counted, what });
        };
        if attempt.group().is_some() {
            attempt.doors(&site.doors).for_each(look_at);
        } else {
            look_at(attempt.door);
        }
        has_flags.then_some(split)
    }

    /// Emits what a packet does. Returns whether any attempt advanced.
    fn make_moves<X>(&mut self, heard: &Heard<'_>, moves: &[Move], site: &mut Site<X>) -> bool {
        let &Heard { at, client, knock, .. } = heard;
        let mut advanced = false;
        let mut voided = None;
        for &Move { door, period, stage, counted, what, order: _ } in moves {
            match what {
                What::Advances | What::Completes => {
                    advanced = true;
                    self.remember_knock(at, client, door, counted, site);
                    let stage = stage.next();
                    if let What::Completes = what {
                        self.complete(heard, Begun { door, period }, stage, site);
                    } else {
                        site.emit(at, Effect::StageReached { client, door, stage });
                    }
                }
                What::Restarts => {
                    site.counts.restarted = site.counts.restarted.saturating_add(1);
                    self.remember_knock(at, client, door, counted, site);
                    site.emit(at, Effect::StageReached { client, door, stage });
                }
                What::TriedAgain => {
                    site.emit(at, Effect::Note(Note::SecondTry { client, door, stage, knock }));
                }
                What::OtherFlags => {
                    site.emit(at, Effect::Note(Note::OtherFlags { client, door, stage }));
                }
                What::Voided => {
                    self.remember_knock(at, client, door, counted, site);
                    site.counts.voided = site.counts.voided.saturating_add(1);
                    site.emit(at, Effect::Note(Note::Voided { client, door, stage, knock }));
                    voided = Some(door);
                }
            }
        }
        if let Some(door) = voided {
            self.count_void(heard, door, site);
        }
        advanced
    }

    /// Counts a packet that voided attempts, the last one at this door, and reports if there were many.
    fn count_void<X>(&mut self, heard: &Heard<'_>, door: DoorId, site: &mut Site<X>) {
        let &Heard { at, client, knock, .. } = heard;
        let due = self.due_after(at, Voids::WINDOW);
        if let Some((packets, time)) = self.voids.count(client, door, (at, due), self.limit) {
            let millis = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
            site.emit(at, Effect::VoidedOften { client, door, knock, packets, millis });
        }
    }
}
