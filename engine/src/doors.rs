//! All doors of a configuration, and which of them a packet concerns.

mod entry;
mod heard;
mod knock_index;
mod reload;
mod sequences;
mod signed;
mod starting;

use alloc::vec::Vec;
use core::fmt;

use knock_signed::Digest;

use self::entry::{Entry, label_of};
pub(crate) use self::heard::HeardBy;
use self::knock_index::KnockIndex;
pub use self::reload::NotIds;
pub use self::starting::Begun;
use crate::door::{Door, DoorName, DoorSequence};
pub use crate::door_id::DoorId;
use crate::groups::Groups;
use crate::periods::Periods;
use crate::signing::Signing;

/// There are more doors than [`Doors::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyDoors;

impl fmt::Display for TooManyDoors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are more than {} doors", Doors::MAX)
    }
}

impl core::error::Error for TooManyDoors {}

/// The doors of a configuration, in the order of the file.
#[derive(Clone, Debug)]
pub struct Doors {
    /// By [`DoorId`]. A door that a reload removed stays as long as a lease refers to it.
    entries: Vec<Entry>,
    /// The doors of the configuration, in the order of the file.
    in_order: Vec<DoorId>,
    index: KnockIndex,
    groups: Groups,
    periods: Periods,
    signing: Option<Signing>,
}

impl Doors {
    /// The most doors a configuration may have: after a reload, the new configuration must fit beside the
    /// old one.
    pub const MAX: usize = 32_767;

    /// The most doors with derived sequences that a configuration may have: each packet to one of their ports
    /// is compared with all of them.
    pub const DERIVED_MAX: usize = 256;

    /// Takes the doors in the order of the file.
    ///
    /// # Errors
    /// [`TooManyDoors`] if there are more than [`Doors::MAX`].
    pub fn new(doors: Vec<Door>) -> Result<Self, TooManyDoors> {
        if doors.len() > Self::MAX {
            return Err(TooManyDoors);
        }
        let entries: Vec<Entry> =
            doors.into_iter().enumerate().map(|(place, door)| Entry::new(door, place)).collect();
        let in_order: Vec<DoorId> = (0..).map(DoorId).take(entries.len()).collect();
        let (index, groups) = (KnockIndex::default(), Groups::default());
        let mut doors =
            Self { entries, in_order, index, groups, periods: Periods::default(), signing: None };
        doors.find_again();
        Ok(doors)
    }

    /// Returns the same doors, with names cut to this many bytes.
    #[must_use]
    pub fn with_names_cut(mut self, bytes: usize) -> Self {
        for Entry { door, label, digest, .. } in &mut self.entries {
            if let Some(name) = door.name.as_bytes().get(..bytes) {
                door.name = DoorName::new(name);
                *label = label_of(&door.name);
                *digest = Digest::of_door(door.name.as_bytes());
            }
        }
        self
    }

    /// Returns the same doors, of which those with derived sequences have none: for rules that do not know
    /// them.
    #[must_use]
    pub fn without_derived(mut self) -> Self {
        for Entry { door, .. } in &mut self.entries {
            if let DoorSequence::Derived(_) = door.sequence {
                door.sequence = DoorSequence::None;
            }
        }
        self.find_again();
        self
    }

    #[cfg(test)]
    pub(crate) fn id_for_tests() -> DoorId {
        DoorId(0)
    }

    #[cfg(test)]
    pub(crate) fn ids_for_tests() -> impl Iterator<Item = DoorId> {
        (0..=u16::MAX).map(DoorId)
    }

    /// Returns whether no packet can change them: no door has one-time or derived sequences, and there are no keys of
    /// signed packets.
    #[must_use]
    pub fn stay_the_same(&self) -> bool {
        let is_fixed = |(_, door): (DoorId, &Door)| match door.sequence {
            DoorSequence::Fixed(_) | DoorSequence::None => true,
            DoorSequence::OneTime(_) | DoorSequence::Derived(_) => false,
        };
        self.signing.is_none() && self.in_order().all(is_fixed)
    }

    /// Returns the number of doors in the configuration.
    #[must_use]
    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    /// Returns whether there is no door in the configuration.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }

    /// Returns the doors of the configuration, in the order of the file.
    #[must_use]
    pub fn in_order(&self) -> impl DoubleEndedIterator<Item = (DoorId, &Door)> {
        self.in_order.iter().map(|&id| (id, self.door(id)))
    }

    /// Returns the door that has this [`DoorId::index`]; `None` if there never was one.
    #[must_use]
    pub fn with_index(&self, index: usize) -> Option<DoorId> {
        let id = DoorId(u16::try_from(index).ok()?);
        (index < self.entries.len()).then_some(id)
    }

    /// Returns a door.
    ///
    /// # Panics
    /// If `id` came from other doors.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        reason = "only this type makes ids, and never removes an entry"
    )]
    pub fn door(&self, id: DoorId) -> &Door {
        &self.entries[id.index()].door
    }

    /// Returns `: NAME: `, which follows the address in lines about a client at this door.
    pub(crate) fn label(&self, id: DoorId) -> &[u8] {
        self.entries.get(id.index()).map(|entry| &*entry.label).unwrap_or_default()
    }

    /// Returns all doors with the name of one, also those of earlier configurations that are still known.
    pub(crate) fn namesakes(&self, id: DoorId) -> impl Iterator<Item = DoorId> {
        let name = self.entries.get(id.index()).map(|entry| &entry.door.name);
        let all = (0..=u16::MAX).map(DoorId).zip(&self.entries);
        all.filter(move |(_, entry)| Some(&entry.door.name) == name).map(|(id, _)| id)
    }

    /// Makes everything that is found out about the entries.
    fn find_again(&mut self) {
        let used = self.periods.take_used();
        self.periods = Periods::new(self.in_order(), used);
        self.index = KnockIndex::new(&self.entries, &self.in_order, &self.periods);
        self.group();
    }

    /// Finds the groups of doors.
    fn group(&mut self) {
        let (groups, roots) = Groups::new(self.in_order());
        self.groups = groups;
        for entry in &mut self.entries {
            entry.group = None;
        }
        for (id, root) in roots {
            if let Some(entry) = self.entries.get_mut(id.index()) {
                entry.group = Some(root);
            }
        }
    }

    /// Returns the place of a door in the order of the file.
    pub(crate) fn place(&self, id: DoorId) -> u64 {
        let place = self.entries.get(id.index()).map_or(0, |entry| entry.place);
        u64::try_from(place).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
