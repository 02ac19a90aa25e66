//! How a packet begins attempts of its client.

use super::attempt::{Attempt, Beginning};
use super::attempts::due_of;
use super::due::Slot;
use super::{Heard, KnockRules, Site};
use crate::door::DoorSequence;
use crate::doors::Begun;
use crate::effect::{Effect, Note};
use crate::hearing::{self, Hearing};
use crate::sequence::Stage;
use crate::time::Seconds;

/// The attempts that begin with one packet.
struct Batch {
    /// The serial number of their due times.
    serial: u64,
    /// The latest attempt of the client.
    youngest: Option<Slot>,
    /// Whether no attempt has to be evicted for all of them. Otherwise they begin door by door.
    has_room: bool,
}

impl KnockRules {
    /// Rule 3: the packet begins an attempt at every door whose first knock it is and that has no
    /// live attempt of the client.
    pub(super) fn begin_attempts<X>(
        &mut self,
        heard: &Heard<'_>,
        oldest: Option<Slot>,
        site: &mut Site<X>,
    ) {
        self.runs = self.runs.wrapping_add(1);
        let (_, serial) = self.due_after(heard.at, Seconds::MAX);
        let youngest = self.look_at_attempts(oldest, site);
        let mut batch = Batch { serial, youngest, has_room: true };
        // Nearly always. A door that starts alone is in no group, so it does not matter whether there is room for one.
        if let Some(only) = site.doors.only_starting_at(heard.knock, heard.by.place) {
            self.begin_at(heard, only, &mut batch, site);
            return;
        }
        // A copy, because opening a door with a one-time sequence changes the doors.
        let mut starting = core::mem::take(&mut self.starting);
        starting.clear();
        site.doors.starting_at(heard.knock, heard.by.place, &mut starting);
        batch.has_room = self.attempts.len().saturating_add(starting.len()) <= self.limit;
        for &begun in &starting {
            self.begin_at(heard, begun, &mut batch, site);
        }
        self.starting = starting;
    }

    /// Begins an attempt at a door, if it hears the packet and the client has none there.
    #[inline]
    fn begin_at<X>(
        &mut self,
        heard: &Heard<'_>,
        begun: Begun,
        batch: &mut Batch,
        site: &mut Site<X>,
    ) {
        let (&Heard { at, client, hash, .. }, Begun { door: id, period }) = (heard, begun);
        let door = site.doors.door(id);
        let is_heard = id == heard.by.door
            || hearing::of(door, &site.listening, heard.packet) == Hearing::Heard;
        if !is_heard || self.is_busy(begun, heard, site) {
            return;
        }
        site.counts.attempts = site.counts.attempts.saturating_add(1);
        let sequence = site.doors.sequence(id, period);
        if sequence.is_none_or(|sequence| sequence.is_complete_at(Stage::FIRST)) {
            self.complete(heard, begun, Stage::FIRST, site);
            return;
        }
        let due = due_of((at.saturating_add(door.seq_timeout), batch.serial), id, &site.doors);
        let group = site.doors.group_of(id).filter(|_| batch.has_room);
        let group = group.filter(|group| self.busy_groups.binary_search(group).is_err());
        // The whole group begins with its first door.
        let of_group = group.map(|group| site.doors.groups().doors(group));
        if of_group.is_none_or(|doors| doors.first() == Some(&id)) {
            let youngest = self.make_room_beside(heard, batch.youngest, site);
            let counted = self.now_counted(heard);
            let beginning = Beginning { client, hash, door: id, period, group, due, counted };
            batch.youngest = Some(self.attempts.begin(beginning, youngest, &site.doors));
        }
        site.emit(at, Effect::StageReached { client, door: id, stage: Stage::FIRST });
    }

    /// Returns whether the client has an attempt that it cannot begin again. At a door with derived sequences
    /// there may be one for each.
    fn is_busy<X>(&self, begun: Begun, heard: &Heard<'_>, site: &Site<X>) -> bool {
        match site.doors.door(begun.door).sequence {
            DoorSequence::Fixed(_) | DoorSequence::OneTime(_) | DoorSequence::None => {
                self.busy.binary_search(&begun.door).is_ok()
            }
            DoorSequence::Derived(_) => {
                let oldest = self.attempts.oldest_of(heard.client, heard.hash);
                let mut all = self.attempts.from(oldest).map(|slot| self.attempts.get(slot));
                all.any(|one| one.door == begun.door && one.period() == begun.period)
            }
        }
    }

    /// Notes at which doors a client has live attempts, starting with its oldest, and the groups of these
    /// doors. Returns the youngest.
    fn look_at_attempts<X>(&mut self, oldest: Option<Slot>, site: &Site<X>) -> Option<Slot> {
        let Self { attempts, busy, busy_groups, .. } = self;
        busy.clear();
        busy_groups.clear();
        // In a flood of first knocks no client has any.
        oldest?;
        busy.extend(attempts.from(oldest).flat_map(|slot| attempts.get(slot).doors(&site.doors)));
        busy.sort_unstable();
        busy_groups.extend(busy.iter().filter_map(|&id| site.doors.group_of(id)));
        busy_groups.sort_unstable();
        busy_groups.dedup();
        attempts.from(oldest).last()
    }

    /// At the limit, evicts the attempt with the least progress. It may be one of the client whose
    /// attempt is to begin. Returns this client's youngest.
    fn make_room_beside<X>(
        &mut self,
        heard: &Heard<'_>,
        youngest: Option<Slot>,
        site: &mut Site<X>,
    ) -> Option<Slot> {
        if self.attempts.len() < self.limit {
            return youngest;
        }
        let Some(slot) = self.attempts.least() else { return youngest };
        let ended = self.attempts.end_first(slot, &site.doors);
        let (Attempt { client, door, .. }, stage) = (ended, ended.stage());
        site.counts.evicted = site.counts.evicted.saturating_add(1);
        site.emit(heard.at, Effect::Note(Note::Evicted { client, door, stage }));
        if client != heard.client {
            return youngest;
        }
        if let Ok(at) = self.busy.binary_search(&door) {
            self.busy.remove(at);
        }
        if youngest != Some(slot) {
            return youngest;
        }
        self.attempts.from(self.attempts.oldest_of(client, heard.hash)).last()
    }
}
