//! Openings that count for the limits of their doors, in the world's own record.

use std::collections::{BTreeMap, BTreeSet};

use knock_engine::Skip;

use super::broken::{Broken, Invariant, ensure};
use super::client::SECOND;
use super::lease::Lessee;
use super::record::DoorNumber;
use crate::model::Door;

/// When doors opened, and for whom; and which of them have said since then that openings are ignored.
#[derive(Debug, Default)]
pub(super) struct RecentOpenings {
    opened: BTreeMap<DoorNumber, Vec<(i64, Lessee)>>,
    said: BTreeSet<DoorNumber>,
}

impl RecentOpenings {
    /// Returns the limit that an opening now would exceed.
    fn reached(&self, at_ns: i64, lessee: Lessee, door: &Door) -> Option<Skip> {
        let opened = self.opened.get(&lessee.1).map_or(&[][..], Vec::as_slice);
        let counting = opened.iter().filter(|(opened_ns, _)| at_ns < opened_ns + 60 * SECOND);
        let of_client = counting.clone().filter(|(_, other)| *other == lessee).count();
        let is_reached = |most: Option<u16>, count| most.is_some_and(|most| count >= most.into());
        if is_reached(door.client_openings_per_minute, of_client) {
            Some(Skip::ClientLimit)
        } else if is_reached(door.openings_per_minute, counting.count()) {
            Some(Skip::DoorLimit)
        } else {
            None
        }
    }

    /// A door opened. If the engine has forgotten openings, it may open more often.
    pub(super) fn opened(
        &mut self,
        at_ns: i64,
        lessee: Lessee,
        door: &Door,
        forgets: bool,
    ) -> Result<(), Broken> {
        let reached = self.reached(at_ns, lessee, door);
        ensure(reached.is_none() || forgets, Invariant::OpeningsAreLimited, || {
            format!("{lessee:?} opened at {at_ns}, in spite of {reached:?}: {:?}", self.opened)
        })?;
        let opened = self.opened.entry(lessee.1).or_default();
        opened.retain(|(opened_ns, _)| at_ns < opened_ns + 60 * SECOND);
        opened.push((at_ns, lessee));
        self.said.remove(&lessee.1);
        Ok(())
    }

    /// An opening was ignored because of a limit. Returns whether that was said at the right time and, for
    /// the limit of the door, once.
    pub(super) fn is_true(
        &mut self,
        at_ns: i64,
        lessee: Lessee,
        door: &Door,
        (why, again): (Skip, bool),
    ) -> bool {
        let is_once = why != Skip::DoorLimit || self.said.insert(lessee.1) != again;
        self.reached(at_ns, lessee, door) == Some(why) && is_once
    }
}
