//! The order in which attempts are evicted: those at the same stage, in the order in which they reached it.

use super::attempt::{Attempt, Progress};
use super::attempts::Attempts;
use super::due::{Chain, Links, Slot};
use crate::doors::{DoorId, Doors};
use crate::sequence::Stage;

impl Attempts {
    /// Adds an attempt to the last ones that came to its stage, in the order of the file among those that
    /// came together.
    pub(super) fn join_peers(&mut self, slot: Slot, run: u64, doors: &Doors) {
        let &Attempt { door, progress, .. } = self.get(slot);
        let (peers, progress) = self.place_among_peers(door, progress, run, doors);
        let attempt = self.table.get_mut(slot);
        (attempt.peers, attempt.progress) = (peers, progress);
        self.lead_peers_to(slot, progress.stage(), peers);
    }

    /// Returns between which others an attempt at this door comes to its stage, and its progress with whether it
    /// came with the one before.
    #[inline]
    pub(super) fn place_among_peers(
        &mut self,
        door: DoorId,
        progress: Progress,
        run: u64,
        doors: &Doors,
    ) -> (Links, Progress) {
        let stage = progress.stage();
        let (mut before, last_run) = (self.peers_mut(stage).last, self.last_run_mut(stage));
        let mut comes_with = core::mem::replace(last_run, run) == run;
        let mut after = Slot::NONE;
        while comes_with
            && let Some(peer) = before.some()
            && doors.place(self.get(peer).door) > doors.place(door)
        {
            (before, after) = (self.get(peer).peers.before, peer);
            let neighbour = self.table.get_mut(peer);
            comes_with = neighbour.has(Progress::CAME_WITH_NEIGHBOUR);
            neighbour.set(Progress::CAME_WITH_NEIGHBOUR, true);
        }
        let progress = progress.with(Progress::CAME_WITH_NEIGHBOUR, comes_with);
        (Links { before, after }, progress)
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
            Some(before) => self.get(before).peers.after,
            None => self.peers_mut(stage).first,
        };
        let peers = Links { before, after };
        self.table.get_mut(slot).peers = peers;
        self.lead_peers_to(slot, stage, peers);
    }

    /// Has the attempts at a stage before and after one lead to it.
    #[inline]
    pub(super) fn lead_peers_to(&mut self, slot: Slot, stage: Stage, peers: Links) {
        match peers.before.some() {
            Some(before) => self.table.get_mut(before).peers.after = slot,
            None => self.peers_mut(stage).first = slot,
        }
        match peers.after.some() {
            Some(after) => self.table.get_mut(after).peers.before = slot,
            None => self.peers_mut(stage).last = slot,
        }
    }

    #[inline]
    pub(super) fn leave_peers(&mut self, slot: Slot) {
        let &Attempt { progress, peers: Links { before, after }, .. } = self.get(slot);
        let stage = progress.stage();
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
