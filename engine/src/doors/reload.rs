//! New doors in place of those that are there.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::fmt;

use super::Doors;
use super::entry::Entry;
use crate::door::{Door, DoorSequence};
use crate::door_id::DoorId;

/// A list of indices that cannot be the ids of doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotIds;

impl fmt::Display for NotIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the list does not give every door its own id")
    }
}

impl core::error::Error for NotIds {}

impl Doors {
    /// Becomes `new`, whose doors have the ids with these indices, in the order of the file: for a
    /// driver with doors in two processes, where the process of the engine sent the ids that it gave to
    /// the doors of [`Event::Reloaded`](crate::Event::Reloaded).
    ///
    /// # Errors
    /// [`NotIds`] if there are not as many ids as doors, an id occurs twice, or the new ids are not
    /// consecutive. `self` does not change then.
    pub fn adopt(&mut self, new: Self, indices: &[usize]) -> Result<(), NotIds> {
        let ids: Option<Vec<DoorId>> =
            indices.iter().map(|&index| u16::try_from(index).ok().map(DoorId)).collect();
        let ids = ids.filter(|ids| ids.len() == new.entries.len()).ok_or(NotIds)?;
        let there = self.entries.len();
        let fresh: Vec<usize> = indices.iter().copied().filter(|&index| index >= there).collect();
        let distinct: BTreeSet<DoorId> = ids.iter().copied().collect();
        if !fresh.into_iter().zip(there..).all(|(index, next)| index == next)
            || distinct.len() < ids.len()
        {
            return Err(NotIds);
        }
        self.replace(new, ids);
        Ok(())
    }

    /// Returns the current door that is the same as each door of `new`, in the order of `new`. Among
    /// equal doors, the first matches the first, and so on.
    pub(crate) fn unchanged(&self, new: &Self) -> Vec<Option<DoorId>> {
        let mut by_name: BTreeMap<&[u8], VecDeque<DoorId>> = BTreeMap::new();
        for (id, door) in self.in_order() {
            by_name.entry(door.name.as_bytes()).or_default().push_back(id);
        }
        let find = |(_, door): (DoorId, &Door)| {
            let candidates = by_name.get_mut(door.name.as_bytes())?;
            let at = candidates.iter().position(|&id| self.door(id) == door)?;
            candidates.remove(at)
        };
        new.in_order().map(find).collect()
    }

    /// Returns an id for each door of `new`: that of the same door, else one that no current door has and
    /// that is not in `held`; `None` if there are not enough.
    pub(crate) fn ids_for(
        &self,
        unchanged: &[Option<DoorId>],
        mut held: BTreeSet<DoorId>,
    ) -> Option<Vec<DoorId>> {
        held.extend(&self.in_order);
        let mut free = (0..=u16::MAX).map(DoorId).filter(|id| !held.contains(id));
        unchanged.iter().map(|&same| same.or_else(|| free.next())).collect()
    }

    /// Becomes `new`, whose doors have these ids from now on.
    pub(crate) fn replace(&mut self, new: Self, ids: Vec<DoorId>) {
        for (entry, id) in new.entries.into_iter().zip(&ids) {
            // New ids are consecutive, because free ones are taken in order.
            match self.entries.get_mut(id.index()) {
                Some(there) => *there = entry,
                None => self.entries.push(entry),
            }
        }
        // A door that is only there for what it has left open keeps no part of a key.
        let current: BTreeSet<DoorId> = ids.iter().copied().collect();
        for (id, Entry { door, .. }) in (0..).map(DoorId).zip(&mut self.entries) {
            if !current.contains(&id) && matches!(door.sequence, DoorSequence::Derived(_)) {
                door.sequence = DoorSequence::None;
            }
        }
        self.in_order = ids;
        let earlier = core::mem::replace(&mut self.signing, new.signing);
        if let (Some(signing), Some(earlier)) = (&mut self.signing, earlier) {
            signing.inherit(earlier);
        }
        self.find_again();
    }
}
