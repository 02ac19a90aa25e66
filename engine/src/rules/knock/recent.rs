//! The openings of the last minute at doors that limit them.

use alloc::collections::{BTreeMap, VecDeque};
use core::net::IpAddr;

use crate::door::Door;
use crate::doors::DoorId;
use crate::effect::Skip;
use crate::per_minute::PerMinute;
use crate::time::{Seconds, Timestamp};

const MINUTE: Seconds = Seconds::new(60).unwrap();

/// An opening that still counts.
#[derive(Clone, Copy, Debug)]
struct Opening {
    until: Timestamp,
    client: IpAddr,
    door: DoorId,
}

/// How many openings count, at a door or of a client at a door.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    openings: u16,
    /// Whether it was said, since the last opening, that others are ignored.
    said: bool,
}

impl Count {
    /// Returns, if the limit is reached, whether it is to be said.
    fn say_skip(&mut self, limit: PerMinute) -> Option<bool> {
        let is_reached = self.openings >= limit.get();
        is_reached.then(|| !core::mem::replace(&mut self.said, true))
    }
}

/// The openings of the last 60 seconds at doors that limit them.
#[derive(Debug, Default)]
pub(super) struct RecentOpenings {
    in_order: VecDeque<Opening>,
    of_doors: BTreeMap<DoorId, Count>,
    of_clients: BTreeMap<(DoorId, IpAddr), Count>,
}

impl RecentOpenings {
    /// Returns the doors of all openings.
    pub(super) fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.of_doors.keys().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.in_order.len()
    }

    /// Returns which limit an opening would exceed, if any, and whether it is to be said: once for each
    /// opening that counts.
    pub(super) fn say_skip(
        &mut self,
        client: IpAddr,
        id: DoorId,
        door: &Door,
    ) -> Option<(Skip, bool)> {
        if let Some(limit) = door.opening_limits.client
            && let Some(count) = self.of_clients.get_mut(&(id, client))
            && let Some(is_first) = count.say_skip(limit)
        {
            return Some((Skip::ClientLimit, is_first));
        }
        let is_first = self.of_doors.get_mut(&id)?.say_skip(door.opening_limits.door?)?;
        Some((Skip::DoorLimit, is_first))
    }

    /// Counts an opening, if the door limits them. If there are `limit` others, the first is forgotten for
    /// it; returns whether it was.
    pub(super) fn add(
        &mut self,
        at: Timestamp,
        client: IpAddr,
        id: DoorId,
        door: &Door,
        limit: usize,
    ) -> bool {
        if door.opening_limits.door.is_none() && door.opening_limits.client.is_none() {
            return false;
        }
        let is_crowded = self.in_order.len() >= limit;
        if is_crowded {
            self.forget_first();
        }
        self.in_order.push_back(Opening { until: at.saturating_add(MINUTE), client, door: id });
        for count in
            [self.of_doors.entry(id).or_default(), self.of_clients.entry((id, client)).or_default()]
        {
            *count = Count { openings: count.openings.saturating_add(1), said: false };
        }
        is_crowded
    }

    /// Forgets the openings that no longer count at `now`.
    pub(super) fn forget_due(&mut self, now: Timestamp) {
        while self.in_order.front().is_some_and(|first| first.until <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some(Opening { client, door, .. }) = self.in_order.pop_front() else { return };
        forget(&mut self.of_doors, &door);
        forget(&mut self.of_clients, &(door, client));
    }
}

/// Counts one opening less.
fn forget<K: Ord>(counts: &mut BTreeMap<K, Count>, key: &K) {
    let Some(count) = counts.get_mut(key) else { return };
    count.openings = count.openings.saturating_sub(1);
    if count.openings == 0 {
        counts.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint::tests::client;
    use super::*;
    use crate::door::{DoorName, DoorSequence};
    use crate::doors::Doors;
    use crate::one_time::OneTimeSequences;
    use crate::per_minute::OpeningLimits;

    fn door(of_door: u16, of_client: u16) -> Door {
        let sequence = DoorSequence::OneTime(OneTimeSequences::default());
        let opening_limits =
            OpeningLimits { door: PerMinute::new(of_door), client: PerMinute::new(of_client) };
        Door { opening_limits, ..Door::new(DoorName::new(b"d"), sequence) }
    }

    fn second(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000))
    }

    #[test]
    fn an_opening_counts_for_60_seconds() {
        let (mut recent, id, door) = (RecentOpenings::default(), Doors::id_for_tests(), door(2, 0));
        recent.add(second(0), client(1), id, &door, 9);
        recent.add(second(10), client(2), id, &door, 9);
        assert_eq!(recent.say_skip(client(3), id, &door), Some((Skip::DoorLimit, true)));
        assert_eq!(recent.say_skip(client(1), id, &door), Some((Skip::DoorLimit, false)));
        recent.forget_due(Timestamp::from_nanos(59_999_999_999));
        assert!(recent.say_skip(client(3), id, &door).is_some());
        recent.forget_due(second(60));
        assert_eq!(recent.say_skip(client(3), id, &door), None);
        recent.add(second(60), client(3), id, &door, 9);
        assert_eq!(recent.say_skip(client(3), id, &door), Some((Skip::DoorLimit, true)));
        recent.forget_due(second(120));
        assert_eq!((recent.doors().count(), recent.of_clients.len()), (0, 0));
    }

    #[test]
    fn a_client_at_its_limit_is_no_obstacle_for_others() {
        let (mut recent, id, door) = (RecentOpenings::default(), Doors::id_for_tests(), door(3, 1));
        recent.add(second(0), client(1), id, &door, 9);
        assert_eq!(recent.say_skip(client(1), id, &door), Some((Skip::ClientLimit, true)));
        assert_eq!(recent.say_skip(client(1), id, &door), Some((Skip::ClientLimit, false)));
        assert_eq!(recent.say_skip(client(2), id, &door), None);
    }

    #[test]
    fn at_the_limit_of_memory_the_first_opening_is_forgotten() {
        let (mut recent, id, door) = (RecentOpenings::default(), Doors::id_for_tests(), door(0, 1));
        for (number, forgets) in [(1, false), (2, false), (3, true)] {
            assert_eq!(recent.add(second(0), client(number), id, &door, 2), forgets);
        }
        let skips = [1, 2, 3].map(|n| recent.say_skip(client(n), id, &door).is_some());
        assert_eq!(skips, [false, true, true]);
    }

    #[test]
    fn openings_of_a_door_without_limits_are_not_counted() {
        let (mut recent, id) = (RecentOpenings::default(), Doors::id_for_tests());
        recent.add(second(0), client(1), id, &door(0, 0), 1);
        assert_eq!(recent.doors().count(), 0);
    }
}
