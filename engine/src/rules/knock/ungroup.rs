//! Before a reload: each door has an attempt of its own, because groups and the order of doors change.

use alloc::vec::Vec;

use super::attempt::{Attempt, Progress};
use super::attempts::{Attempts, due_of};
use super::due::Slot;
use crate::doors::Doors;

impl Attempts {
    /// Makes an attempt of its own for each door of every group. The number of doors at which there are attempts is limited, and so are the attempts then.
    pub(super) fn ungroup(&mut self, doors: &Doors) {
        let all = self.all();
        for &slot in &all {
            if self.get(slot).group().is_some() {
                self.ungroup_one(slot, doors);
            }
        }
        let is_oldest = |&slot: &Slot| {
            let client = self.get(slot).client;
            self.oldest_of(client, self.hash(client)) == Some(slot)
        };
        let oldest: Vec<Slot> = all.into_iter().filter(is_oldest).collect();
        for slot in oldest {
            self.order_client(slot, doors);
        }
    }

    fn ungroup_one(&mut self, slot: Slot, doors: &Doors) {
        let before = *self.get(slot);
        let Attempt { younger, peers, .. } = before;
        *self.table.get_mut(slot) = Attempt { younger, peers, ..before.at_one(before.door) };
        let mut last = slot;
        for door in before.doors(doors).skip(1) {
            let due = due_of(self.due(slot), door, doors);
            let younger = self.get(last).younger;
            let mut one = Attempt { younger, ..before.at_one(door) };
            one.set(Progress::BEGAN_WITH_OLDER, true);
            one.set(Progress::CAME_WITH_NEIGHBOUR, true);
            let one = self.table.insert_near(last, due, one);
            self.table.get_mut(last).younger = one;
            self.join_peers_after(one, last);
            self.sort_among_peers(one, doors);
            last = one;
        }
    }

    /// Puts the attempts of a client that began together into the order of the file. From then on only
    /// the order of the list counts.
    fn order_client(&mut self, oldest: Slot, doors: &Doors) {
        let mut all: Vec<Slot> = self.from(Some(oldest)).collect();
        let began_together =
            |_: &Slot, &slot: &Slot| self.get(slot).has(Progress::BEGAN_WITH_OLDER);
        for batch in all.chunk_by_mut(began_together) {
            batch.sort_by_key(|&slot| doors.place(self.get(slot).door));
        }
        if let Some(&first) = all.first()
            && first != oldest
        {
            self.is_oldest_instead(oldest, first);
        }
        for (at, &slot) in all.iter().enumerate() {
            let next = all.get(at.saturating_add(1)).copied();
            let attempt = self.table.get_mut(slot);
            attempt.younger = next.unwrap_or(Slot::NONE);
            attempt.set(Progress::BEGAN_WITH_OLDER, false);
        }
    }
}
