//! What the driver is marking as used: lines of one-time sequences, derived sequences, and moments of keys.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use crate::doors::DoorId;
use crate::one_time::MarkId;
use crate::time::Seconds;

/// For whom a door opens when something is marked, and for how long at most.
pub(super) type Waiting = (IpAddr, DoorId, Option<Seconds>);

/// The lines that were asked for and are not answered yet. Each has a client for which its door opens
/// when the line is marked.
#[derive(Debug, Default)]
pub(super) struct Marks {
    waiting: BTreeMap<MarkId, Waiting>,
    asked: u64,
}

impl Marks {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns the doors that wait.
    pub(super) fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.waiting.values().map(|&(_, door, _)| door)
    }

    /// Returns the number of the next line, which no other has.
    pub(super) fn ask(&mut self) -> MarkId {
        self.asked = self.asked.wrapping_add(1);
        MarkId::from_bits(self.asked)
    }

    /// Has a client wait for a line.
    pub(super) fn wait(&mut self, mark: MarkId, waiting: Waiting) {
        self.waiting.insert(mark, waiting);
    }

    /// Has a client no longer wait at a door, whatever is answered.
    pub(super) fn cancel(&mut self, client: IpAddr, door: DoorId) {
        self.waiting.retain(|_, &mut (waiting, at, _)| (waiting, at) != (client, door));
    }

    /// Returns who waited for a line, which is answered now; `None` if nobody does.
    pub(super) fn answered(&mut self, mark: MarkId) -> Option<Waiting> {
        self.waiting.remove(&mark)
    }
}
