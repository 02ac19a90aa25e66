//! An attempt: how far a client has come in the sequence of a door, or of several doors of a group.

use core::net::IpAddr;

use super::due::{Due, Entry, Links, Slot};
use super::fingerprint::{Fingerprint, ShortHash};
use crate::derived::PeriodMark;
use crate::doors::{DoorId, Doors};
use crate::groups::GroupId;
use crate::packet::Knock;
use crate::sequence::{Sequence, Stage};

/// A client part-way through the sequence of a door, or of several doors of a group.
///
/// Doors of one group hear the same packets as long as the next knock is the same, so one record is
/// enough for all of them. They still count, time out and are evicted one by one, in the order of the
/// file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) client: IpAddr,
    /// The door, or the first one in the order of the file.
    pub(super) door: DoorId,
    /// The door in whose chain of due times the attempt is: one with the same timeout.
    pub(super) chain: DoorId,
    /// The group, if there are several doors. The attempts at those before `door` have ended.
    pub(super) group_or_period: GroupOrPeriod,
    pub(super) progress: Progress,
    /// The last knock that counted, if its retransmissions can be recognized.
    pub(super) counted: Option<Fingerprint>,
    /// The client's next younger attempt.
    pub(super) younger: Slot,
    /// The neighbours among the attempts at the same stage.
    pub(super) peers: Links,
}

/// The group of an attempt or, at one door, the mark of the period whose sequence it is: doors with derived
/// sequences are in no group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupOrPeriod(u16);

impl GroupOrPeriod {
    const IS_GROUP: u16 = 0x8000;

    pub(super) fn of(group: Option<GroupId>, period: PeriodMark) -> Self {
        Self(group.map_or(period.to_bits(), |group| group.to_bits() | Self::IS_GROUP))
    }

    fn group(self) -> Option<GroupId> {
        (self.0 & Self::IS_GROUP != 0).then(|| GroupId::from_bits(self.0))
    }

    fn period(self) -> PeriodMark {
        match self.group() {
            Some(_) => PeriodMark::NONE,
            None => PeriodMark::from_bits(self.0),
        }
    }
}

/// The stage of an attempt and what else is either so or not, in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress(u8);

impl Progress {
    /// The first stage, and nothing else.
    pub(super) const FIRST: Self = Self(Stage::FIRST.get());

    /// The attempts have ended or moved on at those doors of the group whose next knock is the one made
    /// last.
    pub(super) const WITHOUT_REPEAT: Self = Self(0x20);
    /// The attempt began with the same packet as the client's next older one.
    pub(super) const BEGAN_WITH_OLDER: Self = Self(0x40);
    /// It came to its stage with the same packet as the neighbour before it, and began with it.
    pub(super) const CAME_WITH_NEIGHBOUR: Self = Self(0x80);

    /// A live attempt is at stage 1 to 31.
    const STAGE: u8 = 0x1f;

    pub(super) const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    pub(super) const fn with(self, flag: Self, is_set: bool) -> Self {
        Self(if is_set { self.0 | flag.0 } else { self.0 & !flag.0 })
    }

    fn further(self) -> Self {
        Self(self.stage().next().get() & Self::STAGE | self.0 & !Self::STAGE)
    }

    pub(super) fn stage(self) -> Stage {
        Stage::new(self.0 & Self::STAGE).unwrap_or(Stage::FIRST)
    }
}

impl Attempt {
    pub(super) fn stage(&self) -> Stage {
        self.progress.stage()
    }

    /// Returns the group, if there are several doors.
    pub(super) fn group(&self) -> Option<GroupId> {
        self.group_or_period.group()
    }

    /// Returns the period whose sequence it is, if the door derives them: it is in no group then.
    pub(super) fn period(&self) -> PeriodMark {
        self.group_or_period.period()
    }

    pub(super) fn has(&self, flag: Progress) -> bool {
        self.progress.has(flag)
    }

    pub(super) fn set(&mut self, flag: Progress, is_set: bool) {
        self.progress = self.progress.with(flag, is_set);
    }

    /// Moves the attempt one stage further, at one door or at those of another group.
    pub(super) fn advance(&mut self, on: Advance, counted: Counted) {
        (self.door, self.group_or_period) = (on.door, on.group_or_period);
        self.progress = self.progress.further().with(Progress::WITHOUT_REPEAT, false);
        self.counted = counted.fingerprint;
    }

    /// Returns the doors, in the order of the file.
    pub(super) fn doors<'a>(&self, doors: &'a Doors) -> impl Iterator<Item = DoorId> + use<'a> {
        let (one, left) = match self.group() {
            Some(group) => (None, doors.of_group_from(group, self.door)),
            None => (Some(self.door), &[][..]),
        };
        let (stage, without_repeat) = (self.stage(), self.has(Progress::WITHOUT_REPEAT));
        let stays = move |door: &DoorId| !without_repeat || !repeats(doors, *door, stage);
        one.into_iter().chain(left.iter().copied().filter(stays))
    }

    /// Returns the next door after the first, if there are several.
    pub(super) fn next_door(&self, doors: &Doors) -> Option<DoorId> {
        self.group()?;
        self.doors(doors).nth(1)
    }

    /// Returns the attempt at one of the doors.
    pub(super) fn at_one(self, door: DoorId) -> Self {
        let progress = self.progress.with(Progress::WITHOUT_REPEAT, false);
        let group_or_period = GroupOrPeriod::of(None, self.period());
        Self { door, group_or_period, progress, ..self }
    }
}

impl Entry for Attempt {
    #[expect(clippy::misnamed_getters, reason = "the chain is that of another door of the group")]
    fn door(&self) -> DoorId {
        self.chain
    }
}

/// Returns whether the knock made last is also the next one of a door.
fn repeats(doors: &Doors, door: DoorId, stage: Stage) -> bool {
    let knocks = doors.door(door).sequence().map_or(&[][..], Sequence::knocks);
    let next = usize::from(stage.get());
    next.checked_sub(1).and_then(|last| knocks.get(last)) == knocks.get(next)
}

/// How an attempt begins.
#[derive(Clone, Copy)]
pub(super) struct Beginning {
    pub(super) client: IpAddr,
    /// The hash of the client.
    pub(super) hash: ShortHash,
    /// The first door.
    pub(super) door: DoorId,
    /// The period whose sequence it is, if the door derives them.
    pub(super) period: PeriodMark,
    /// Its group, if the attempt is at all doors of it.
    pub(super) group: Option<GroupId>,
    pub(super) due: Due,
    pub(super) counted: Counted,
}

/// A knock that counts.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    pub(super) knock: Knock,
    pub(super) fingerprint: Option<Fingerprint>,
    /// The run of attempts that come to their stage together: those of one client that began with one
    /// packet, with another packet.
    pub(super) run: u64,
}

/// Where an attempt goes on.
#[derive(Clone, Copy)]
pub(super) struct Advance {
    pub(super) door: DoorId,
    pub(super) group_or_period: GroupOrPeriod,
}

/// What a packet does to the doors of an attempt.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Split {
    /// How many doors come one stage further and are not complete.
    pub(super) on: usize,
    /// The first of them.
    pub(super) first_on: Option<DoorId>,
    /// How many doors stay at the stage.
    pub(super) stay: usize,
    /// The first of them.
    pub(super) first_stay: Option<DoorId>,
    /// At how many doors the attempt ends.
    pub(super) end: usize,
}
