//! The doors with derived sequences, and the sequences that count for them now.

use alloc::vec::Vec;
use core::net::IpAddr;

use knock_signed::SequenceId;

use crate::derived::{DerivedSequence, Period, PeriodMark};
use crate::door::{Door, DoorName, DoorSequence};
use crate::door_id::DoorId;
use crate::packet::Knock;
use crate::sequence::Sequence;
use crate::time::Timestamp;
use crate::used_periods::{PeriodOfDoor, PeriodUse, UsedPeriods};

/// All doors with derived sequences, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Periods {
    doors: Vec<DerivedDoor>,
    used: UsedPeriods,
}

#[derive(Clone, Debug)]
struct DerivedDoor {
    id: DoorId,
    name: DoorName,
    derived: DerivedSequence,
    /// What names its sequences, which no other door has.
    sequences: SequenceId,
    /// The period that it is; `None` before the first packet.
    now: Option<Period>,
    /// Sequences that were derived: at least those that count now.
    known: Vec<(Period, Sequence)>,
}

impl DerivedDoor {
    /// More than count at any time: a packet of one interface may come a little before an earlier one of
    /// another, and be of the period before.
    const KNOWN_MAX: usize = 6;

    fn look_at(&mut self, time_of_day: Timestamp) {
        let now = self.derived.period_at(time_of_day);
        if self.now == Some(now) {
            return;
        }
        self.now = Some(now);
        for period in now.valid() {
            if self.known.iter().any(|&(known, _)| known == period) {
                continue;
            }
            if self.known.len() >= Self::KNOWN_MAX {
                self.forget_farthest(now);
            }
            let sequence = self.derived.sequence(self.name.as_bytes(), period);
            self.known.extend(sequence.map(|sequence| (period, sequence)));
        }
    }

    fn forget_farthest(&mut self, now: Period) {
        let distances = self.known.iter().map(|(period, _)| period.distance(now));
        let farthest = distances.enumerate().max_by_key(|&(_, distance)| distance);
        if let Some((at, _)) = farthest {
            self.known.swap_remove(at);
        }
    }

    /// Forgets who used sequences that no longer count.
    fn forget_uses(&self, used: &mut UsedPeriods) {
        if let Some(first) = self.now.and_then(|now| now.valid().next()) {
            used.forget_before(self.sequences, first.number());
        }
    }

    /// Returns the sequences that count now, those of earlier periods first.
    fn valid(&self) -> impl Iterator<Item = (PeriodMark, &Sequence)> {
        self.now.into_iter().flat_map(Period::valid).filter_map(|period| {
            let (_, sequence) = self.known.iter().find(|&&(known, _)| known == period)?;
            Some((period.mark(), sequence))
        })
    }
}

impl Periods {
    /// How many more names of sequences are remembered than there are doors.
    const NAMES_MAX: usize = 1024;

    /// Takes the doors, and what was used of their sequences, and of those of other doors.
    pub(crate) fn new<'a>(
        all: impl Iterator<Item = (DoorId, &'a Door)>,
        mut used: UsedPeriods,
    ) -> Self {
        let mut doors: Vec<DerivedDoor> = Vec::new();
        for (id, door) in all {
            let DoorSequence::Derived(derived) = &door.sequence else { continue };
            let mut sequences = derived.id(door.name.as_bytes());
            while doors.iter().any(|other| other.sequences == sequences) {
                sequences = sequences.next();
            }
            let (name, derived) = (door.name.clone(), derived.clone());
            let (now, known) = (None, Vec::new());
            doors.push(DerivedDoor { id, name, derived, sequences, now, known });
        }
        let has_door = |one| doors.iter().any(|door| door.sequences == one);
        used.keep_only(has_door, Self::NAMES_MAX);
        Self { doors, used }
    }

    /// Returns what names the sequences of each door.
    pub(crate) fn names(&self) -> impl Iterator<Item = SequenceId> {
        self.doors.iter().map(|door| door.sequences)
    }

    /// Returns what was used, for doors that replace these.
    pub(crate) fn take_used(&mut self) -> UsedPeriods {
        core::mem::take(&mut self.used)
    }

    /// Takes what was used before the engine began.
    pub(crate) fn restore(&mut self, one: PeriodOfDoor, client: Option<IpAddr>) {
        self.used.restore(one, client);
    }

    /// A client has made the sequence of a door in a period.
    pub(crate) fn use_up(
        &mut self,
        (id, period): (DoorId, PeriodMark),
        client: IpAddr,
        limit: usize,
    ) -> Option<PeriodUse> {
        let Self { doors, used } = self;
        let door = doors.iter().find(|door| door.id == id)?;
        let mut valid = door.now?.valid();
        let period = valid.find(|valid| valid.mark() == period)?.number();
        door.forget_uses(used);
        if used.len() >= limit {
            for door in doors.iter() {
                door.forget_uses(used);
            }
        }
        Some(used.take(PeriodOfDoor { sequence: door.sequences, period }, client, limit))
    }

    /// Returns whether no door derives its sequences.
    pub(crate) const fn is_empty(&self) -> bool {
        self.doors.is_empty()
    }

    /// Returns how sequences are derived.
    pub(crate) fn all(&self) -> impl Iterator<Item = &DerivedSequence> {
        self.doors.iter().map(|door| &door.derived)
    }

    /// Makes the sequences count that do at a time of day.
    #[inline]
    pub(crate) fn look_at(&mut self, time_of_day: Timestamp) {
        for door in &mut self.doors {
            door.look_at(time_of_day);
        }
    }

    /// Returns the doors that may have a knock in a sequence.
    pub(crate) fn naming(&self, knock: Knock) -> impl Iterator<Item = DoorId> {
        self.doors.iter().filter(move |door| door.derived.names(knock)).map(|door| door.id)
    }

    /// Returns the doors that have a sequence that counts and begins with a knock.
    pub(crate) fn starting_with(&self, knock: Knock) -> impl Iterator<Item = (DoorId, PeriodMark)> {
        self.doors.iter().filter(move |door| door.derived.names(knock)).flat_map(move |door| {
            let begins = move |sequence: &Sequence| sequence.knocks().first() == Some(&knock);
            let marks = door.valid().filter(move |&(_, sequence)| begins(sequence));
            marks.map(|(mark, _)| (door.id, mark))
        })
    }

    /// Returns the sequence of a door in a period, if it counts.
    pub(crate) fn sequence(&self, id: DoorId, period: PeriodMark) -> Option<&Sequence> {
        let door = self.doors.iter().find(|door| door.id == id)?;
        door.valid().find(|&(mark, _)| mark == period).map(|(_, sequence)| sequence)
    }
}
