//! The live attempts, for administrators who ask.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::KnockRules;
use crate::doors::{DoorId, Doors};
use crate::sequence::Stage;
use crate::time::Timestamp;

/// How far a client has come at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveAttempt {
    /// The client.
    pub client: IpAddr,
    /// The door.
    pub door: DoorId,
    /// How many knocks have counted.
    pub stage: Stage,
    /// When the attempt times out.
    pub due: Timestamp,
}

impl KnockRules {
    /// Returns live attempts, at most so many: those with the most progress first, and among them the
    /// latest. So first knocks of a flood hide no client that has come further.
    #[must_use]
    pub fn attempts(&self, doors: &Doors, max: usize) -> Vec<LiveAttempt> {
        let attempts = &self.attempts;
        let before = |slot: &_| attempts.get(*slot).peers.before.some();
        let stages = attempts.stages.iter().rev();
        let slots = stages.flat_map(|peers| core::iter::successors(peers.last.some(), before));
        let of_slot = slots.flat_map(|slot| {
            let (attempt, (due, _)) = (attempts.get(slot), attempts.due(slot));
            let (client, stage) = (attempt.client, attempt.stage());
            attempt.doors(doors).map(move |door| LiveAttempt { client, door, stage, due })
        });
        of_slot.take(max).collect()
    }
}
