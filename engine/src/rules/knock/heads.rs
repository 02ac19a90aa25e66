//! Which of many chains has the entry that is due first.

use alloc::vec::Vec;

use crate::doors::DoorId;
use crate::time::Timestamp;

/// When an entry is due; the serial number, given at its creation, breaks ties.
pub(super) type Due = (Timestamp, u64);

/// The due time of the first entry of each chain: a binary heap that knows where each door is in it,
/// so that a change takes time in the logarithm of the number of doors that have entries.
#[derive(Debug)]
pub(super) struct Heads {
    /// No entry is due before its parent, at half its place.
    heap: Vec<(Due, DoorId)>,
    /// By door: its place in the heap.
    places: Vec<u32>,
}

impl Heads {
    const NOWHERE: u32 = u32::MAX;

    pub(super) const fn new() -> Self {
        Self { heap: Vec::new(), places: Vec::new() }
    }

    /// Returns when the first entry of all is due, and at which door.
    pub(super) fn first(&self) -> Option<(Due, DoorId)> {
        self.heap.first().copied()
    }

    /// Returns the doors that have entries.
    pub(super) fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.heap.iter().map(|&(_, door)| door)
    }

    /// Sets when the first entry of a door is due; `None` if it has none any more.
    #[inline]
    pub(super) fn set(&mut self, door: DoorId, due: Option<Due>) {
        match (self.place(door), due) {
            (None, None) => {}
            (None, Some(due)) => self.add(door, due),
            (Some(place), Some(due)) => {
                if let Some(entry) = self.heap.get_mut(place) {
                    entry.0 = due;
                }
                // Most are the only one.
                if self.heap.len() > 1 {
                    self.settle(place);
                }
            }
            (Some(place), None) => self.remove(door, place),
        }
    }

    fn add(&mut self, door: DoorId, due: Due) {
        let last = self.heap.len();
        self.heap.push((due, door));
        self.note(last);
        self.rise(last);
    }

    fn remove(&mut self, door: DoorId, place: usize) {
        self.heap.swap_remove(place);
        if let Some(gone) = self.places.get_mut(door.index()) {
            *gone = Self::NOWHERE;
        }
        if place < self.heap.len() {
            self.note(place);
            self.settle(place);
        }
    }

    fn place(&self, door: DoorId) -> Option<usize> {
        let place = *self.places.get(door.index())?;
        if place == Self::NOWHERE { None } else { usize::try_from(place).ok() }
    }

    /// Notes the place of the door that is there.
    fn note(&mut self, place: usize) {
        let Some(&(_, door)) = self.heap.get(place) else { return };
        if self.places.len() <= door.index() {
            self.places.resize(door.index().saturating_add(1), Self::NOWHERE);
        }
        if let Some(noted) = self.places.get_mut(door.index()) {
            *noted = u32::try_from(place).unwrap_or(Self::NOWHERE);
        }
    }

    /// Moves an entry to where it belongs.
    fn settle(&mut self, place: usize) {
        let place = self.rise(place);
        self.sink(place);
    }

    /// Moves an entry up while its parent is due after it. Returns where it ends.
    fn rise(&mut self, mut place: usize) -> usize {
        while let Some(above) = place.checked_sub(1).map(|before| before / 2)
            && self.heap.get(place) < self.heap.get(above)
        {
            self.swap(place, above);
            place = above;
        }
        place
    }

    /// Moves an entry down while one below it is due before it.
    fn sink(&mut self, mut place: usize) {
        loop {
            let below = place.saturating_mul(2).saturating_add(1);
            let least = [below, below.saturating_add(1)]
                .into_iter()
                .filter(|&at| at < self.heap.len())
                .min_by_key(|&at| self.heap.get(at));
            let Some(least) = least.filter(|&at| self.heap.get(at) < self.heap.get(place)) else {
                return;
            };
            self.swap(place, least);
            place = least;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.note(one);
        self.note(other);
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::doors::Doors;

    proptest! {
        #[test]
        fn the_first_is_that_of_a_plain_list(
            steps in vec((0..12_usize, prop::option::of(0..40_i64)), 0..200),
        ) {
            let mut heads = Heads::new();
            let mut list = BTreeMap::new();
            for (door, nanos) in steps {
                let door = Doors::ids_for_tests().nth(door).unwrap();
                // No two are due at the same time and number.
                let due = nanos.map(|nanos| {
                    (Timestamp::from_nanos(nanos), u64::try_from(door.index()).unwrap())
                });
                heads.set(door, due);
                match due {
                    Some(due) => drop(list.insert(door, due)),
                    None => drop(list.remove(&door)),
                }
                let first = list.iter().map(|(door, due)| (*due, *door)).min();
                prop_assert_eq!(heads.first(), first);
                prop_assert_eq!(heads.doors().count(), list.len());
            }
        }
    }
}
