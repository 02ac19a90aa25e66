//! How many packets there were.

use knock_engine::{Reason, Undecodable};

use crate::session::names::PacketId;

/// How many packets there were, each counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Packets that had to do with a door and are explained.
    pub explained: u64,
    /// Packets that had to do with doors and are not explained, because too many clients are.
    pub left_out: u64,
    /// Packets to ports of no door.
    pub strays: u64,
    /// Packets of clients whose knocks are not to be explained.
    pub of_others: u64,
    /// Packets in which no port can be read and that came between no two knocks, by reason.
    pub unreadable: [u64; Reason::COUNT],
    /// The first of those, with the reason.
    pub unreadable_first: Vec<(PacketId, Undecodable)>,
}

impl Totals {
    /// How many unreadable packets are named.
    const NAMED: usize = 5;

    /// Returns how many packets there were.
    #[must_use]
    pub fn packets(&self) -> u64 {
        let counts = [self.explained, self.left_out, self.strays, self.of_others];
        counts.iter().chain(&self.unreadable).fold(0, |sum, &count| sum.saturating_add(count))
    }

    pub(super) fn unreadable(&mut self, id: PacketId, why: Undecodable) {
        if let Some(count) = self.unreadable.get_mut(why.reason().index()) {
            count_one(count);
        }
        if self.unreadable_first.len() < Self::NAMED {
            self.unreadable_first.push((id, why));
        }
    }
}

/// Counts one more.
pub(super) fn count_one(count: &mut u64) {
    *count = count.saturating_add(1);
}
