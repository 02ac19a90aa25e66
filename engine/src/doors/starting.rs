//! At which doors a knock begins attempts.

use alloc::vec::Vec;

use super::Doors;
use super::knock_index::KnockPlace;
use crate::derived::PeriodMark;
use crate::door_id::DoorId;
use crate::groups::{GroupId, Groups};
use crate::packet::Knock;

/// Where an attempt begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The door.
    pub door: DoorId,
    /// The period whose sequence it is, if the door derives them.
    pub period: PeriodMark,
}

impl Begun {
    const fn without_period(door: DoorId) -> Self {
        Self { door, period: PeriodMark::NONE }
    }
}

impl Doors {
    /// Appends the doors whose first knock this is to a list, in the order of the file. A door with
    /// derived sequences may be there with several.
    pub fn starting_with(&self, knock: Knock, begun: &mut Vec<Begun>) {
        if let Some(place) = self.index.place(knock) {
            self.starting_at(knock, place, begun);
        }
    }

    /// Returns the only one of them, if there is one and no other, for a knock that had this place in the index.
    pub(crate) fn only_starting_at(&self, knock: Knock, place: KnockPlace) -> Option<Begun> {
        match *self.index.starting_with(knock, place) {
            [door] if self.periods.is_empty() => Some(Begun::without_period(door)),
            _ => None,
        }
    }

    /// Appends all of them to a list.
    pub(crate) fn starting_at(&self, knock: Knock, place: KnockPlace, begun: &mut Vec<Begun>) {
        let before = begun.len();
        let doors = self.index.starting_with(knock, place);
        begun.extend(doors.iter().copied().map(Begun::without_period));
        if self.periods.is_empty() {
            return;
        }
        let there = begun.len();
        let derived = self.periods.starting_with(knock);
        begun.extend(derived.map(|(door, period)| Begun { door, period }));
        if begun.len() > there
            && let Some(new) = begun.get_mut(before..)
        {
            new.sort_by_key(|begun| self.place(begun.door));
        }
    }

    /// Returns the group at whose doors attempts begin together with those at this door.
    pub(crate) fn group_of(&self, id: DoorId) -> Option<GroupId> {
        self.entries.get(id.index())?.group
    }

    /// Returns the doors of a group from one of them on, in the order of the file.
    pub(crate) fn of_group_from(&self, group: GroupId, first: DoorId) -> &[DoorId] {
        let doors = self.groups.doors(group);
        if doors.first() == Some(&first) {
            return doors;
        }
        let place = self.place(first);
        let at = doors.partition_point(|&door| self.place(door) < place);
        doors.get(at..).unwrap_or_default()
    }

    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }
}
