//! The order in which attempts are evicted: those at the same stage, in the order in which they reached it.

use super::attempt::{Attempt, Progress};
use super::attempts::Attempts;
use super::due::{Chain, DueTable, Links, Slot};
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
        let (mut before, last_run) = (self.peers(stage).last, self.last_run_mut(stage));
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
            None => self.peers(stage).first,
        };
        let peers = Links { before, after };
        self.table.get_mut(slot).peers = peers;
        self.lead_peers_to(slot, stage, peers);
    }

    /// Has the attempts at a stage before and after one lead to it.
    #[inline]
    pub(super) fn lead_peers_to(&mut self, slot: Slot, stage: Stage, peers: Links) {
        let (chain, table) = self.peers_mut(stage);
        chain.lead_to(table, slot, peers, peers_of);
    }

    #[inline]
    pub(super) fn leave_peers(&mut self, slot: Slot) {
        let progress = self.get(slot).progress;
        let (chain, table) = self.peers_mut(progress.stage());
        let Links { after, .. } = chain.remove(table, slot, peers_of);
        if progress.has(Progress::CAME_WITH_NEIGHBOUR) {
            return;
        }
        match after.some() {
            Some(after) => {
                self.table.get_mut(after).set(Progress::CAME_WITH_NEIGHBOUR, false);
            }
            None => *self.last_run_mut(progress.stage()) = 0,
        }
    }

    #[expect(clippy::indexing_slicing, reason = "a live attempt is at stage 1 to 31")]
    fn last_run_mut(&mut self, stage: Stage) -> &mut u64 {
        &mut self.last_runs[usize::from(stage.get())]
    }

    #[expect(clippy::indexing_slicing, reason = "a live attempt is at stage 1 to 31")]
    fn peers(&self, stage: Stage) -> Chain {
        self.stages[usize::from(stage.get())]
    }

    /// Returns the chain of a stage, and what it goes through.
    #[expect(clippy::indexing_slicing, reason = "a live attempt is at stage 1 to 31")]
    fn peers_mut(&mut self, stage: Stage) -> (&mut Chain, &mut DueTable<Attempt>) {
        (&mut self.stages[usize::from(stage.get())], &mut self.table)
    }
}

fn peers_of(table: &mut DueTable<Attempt>, slot: Slot) -> &mut Links {
    &mut table.get_mut(slot).peers
}
