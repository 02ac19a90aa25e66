//! The order in which attempts are evicted: those at the same stage, in the order in which they reached it.

use super::attempt::{Attempt, Progress};
use super::attempts::Attempts;
use super::due::{Chain, Links, Slot};
use crate::doors::Doors;
use crate::sequence::Stage;

impl Attempts {
    /// Adds an attempt to the last ones that came to its stage, in the order of the file among those that
    /// came together.
    pub(super) fn join_peers(&mut self, slot: Slot, run: u64, doors: &Doors) {
        let attempt = self.get(slot);
        let (stage, place) = (attempt.stage(), doors.place(attempt.door));
        let (mut last, last_run) = (self.peers_mut(stage).last, self.last_run_mut(stage));
        let mut comes_with = core::mem::replace(last_run, run) == run;
        while comes_with
            && let Some(peer) = last.some()
            && doors.place(self.get(peer).door) > place
        {
            last = self.get(peer).peers.before;
            let neighbour = self.table.get_mut(peer);
            comes_with = neighbour.has(Progress::CAME_WITH_NEIGHBOUR);
            neighbour.set(Progress::CAME_WITH_NEIGHBOUR, true);
        }
        self.table.get_mut(slot).set(Progress::CAME_WITH_NEIGHBOUR, comes_with);
        self.join_peers_after(slot, last);
    }

    /// Moves an attempt behind those that came with it and have an earlier door.
    pub(super) fn sort_among_peers(&mut self, slot: Slot, doors: &Doors) {
        let attempt = self.get(slot);
        let (place, mut next) = (doors.place(attempt.door), attempt.peers.after);
        let mut last = slot;
        while let Some(after) = next.some()
            && let peer = self.get(after)
            && peer.has(Progress::CAME_WITH_NEIGHBOUR)
            && doors.place(peer.door) < place
        {
            (last, next) = (after, peer.peers.after);
        }
        if last != slot {
            self.leave_peers(slot);
            self.table.get_mut(slot).set(Progress::CAME_WITH_NEIGHBOUR, true);
            self.join_peers_after(slot, last);
        }
    }

    pub(super) fn join_peers_after(&mut self, slot: Slot, before: Slot) {
        let stage = self.get(slot).stage();
        let after = match before.some() {
            Some(before) => core::mem::replace(&mut self.table.get_mut(before).peers.after, slot),
            None => core::mem::replace(&mut self.peers_mut(stage).first, slot),
        };
        self.table.get_mut(slot).peers = Links { before, after };
        match after.some() {
            Some(after) => self.table.get_mut(after).peers.before = slot,
            None => self.peers_mut(stage).last = slot,
        }
    }

    pub(super) fn leave_peers(&mut self, slot: Slot) {
        let &Attempt { progress, peers: Links { before, after }, .. } = self.get(slot);
        let stage = self.get(slot).stage();
        let came_with = progress.has(Progress::CAME_WITH_NEIGHBOUR);
        match before.some() {
            Some(before) => self.table.get_mut(before).peers.after = after,
            None => self.peers_mut(stage).first = after,
        }
        if let Some(after) = after.some() {
            let after = self.table.get_mut(after);
            after.peers.before = before;
            if !came_with {
                after.set(Progress::CAME_WITH_NEIGHBOUR, false);
            }
            return;
        }
        self.peers_mut(stage).last = before;
        if !came_with {
            *self.last_run_mut(stage) = 0;
        }
    }

    #[expect(clippy::indexing_slicing, reason = "a live attempt is at stage 1 to 31")]
    fn last_run_mut(&mut self, stage: Stage) -> &mut u64 {
        &mut self.last_runs[usize::from(stage.get())]
    }

    #[expect(clippy::indexing_slicing, reason = "a live attempt is at stage 1 to 31")]
    fn peers_mut(&mut self, stage: Stage) -> &mut Chain {
        &mut self.stages[usize::from(stage.get())]
    }
}
