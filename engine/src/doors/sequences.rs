//! Which sequence opens a door now, and that it has been used.

use core::net::IpAddr;

use knock_signed::SequenceId;

use super::Doors;
use super::starting::Begun;
use crate::derived::PeriodMark;
use crate::door::DoorSequence;
use crate::door_id::DoorId;
use crate::one_time::OneTimeLine;
use crate::sequence::Sequence;
use crate::time::Timestamp;
use crate::used_periods::{PeriodOfDoor, PeriodUse};

impl Doors {
    /// Makes those derived sequences count that do at a time of day.
    #[inline]
    pub fn look_at(&mut self, time_of_day: Timestamp) {
        self.periods.look_at(time_of_day);
    }

    /// Returns the sequence that opens a door now, for an attempt that began with this mark; `None` if it
    /// no longer does.
    #[must_use]
    #[inline]
    pub fn sequence(&self, id: DoorId, period: PeriodMark) -> Option<&Sequence> {
        let door = self.door(id);
        match door.sequence {
            DoorSequence::Derived(_) => self.periods.sequence(id, period),
            DoorSequence::Fixed(_) | DoorSequence::OneTime(_) | DoorSequence::None => {
                door.sequence()
            }
        }
    }

    /// Removes the one-time sequence that has just opened a door from its list; `None` if the door has a
    /// fixed sequence.
    pub fn use_up_sequence(&mut self, id: DoorId) -> Option<OneTimeLine> {
        let DoorSequence::OneTime(sequences) = &mut self.entries.get_mut(id.index())?.door.sequence
        else {
            return None;
        };
        let used = sequences.use_up()?;
        let next = sequences.next().map(|next| next.sequence.clone());
        self.index.remove(id, &used.sequence);
        if let Some(next) = next {
            self.index.add(id, &next, &self.entries);
        }
        Some(used)
    }

    /// Returns the same doors for a driver that knows what was used of derived sequences before: by these
    /// clients or, where there is none, by any.
    #[must_use]
    pub fn with_used_periods(
        mut self,
        used: impl IntoIterator<Item = (PeriodOfDoor, Option<IpAddr>)>,
    ) -> Self {
        for (one, client) in used {
            self.periods.restore(one, client);
        }
        self
    }

    /// Returns what names the derived sequences of each door that has them.
    pub fn derived(&self) -> impl Iterator<Item = SequenceId> {
        self.periods.names()
    }

    /// A client has made the derived sequence that it began with: from now on it has used it. At most so many uses
    /// are remembered. `None` if the sequence does not count.
    pub fn use_up_period(
        &mut self,
        begun: Begun,
        client: IpAddr,
        limit: usize,
    ) -> Option<PeriodUse> {
        self.periods.use_up((begun.door, begun.period), client, limit)
    }
}
