//! Periods whose derived sequence a client has used at a door: it opens once.

use core::net::IpAddr;

use super::due::{Due, DueTable, Entry, Slot};
use super::fingerprint::ClientHasher;
use super::leases::hash;
use super::slot_table::SlotTable;
use crate::derived::PeriodMark;
use crate::doors::DoorId;
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug)]
struct Used {
    client: IpAddr,
    door: DoorId,
    period: PeriodMark,
    /// Whether it was said that the sequence was used already.
    said: bool,
}

impl Entry for Used {
    fn door(&self) -> DoorId {
        self.door
    }
}

/// The sequences that were used, each until it no longer counts anyway.
#[derive(Debug)]
pub(super) struct UsedPeriods {
    table: DueTable<Used>,
    clients: SlotTable,
    hasher: ClientHasher,
}

/// What becomes of the sequence of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It was not used by this client, and is now.
    First,
    /// It was used already, which was said before or not.
    Repeated {
        /// Whether it was said.
        again: bool,
    },
    /// It cannot be remembered at the limit.
    Full,
}

impl UsedPeriods {
    pub(super) fn new(hasher: ClientHasher) -> Self {
        Self { table: DueTable::new(), clients: SlotTable::new(), hasher }
    }

    /// Returns the doors whose sequences were used.
    pub(super) fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.table.doors()
    }

    /// A client has used the sequence of a period, which no longer counts at `due`. At the limit none is
    /// forgotten for it: it could be used again.
    pub(super) fn take(
        &mut self,
        (client, door, period): (IpAddr, DoorId, PeriodMark),
        due: Due,
        limit: usize,
    ) -> Use {
        let hash = hash(&self.hasher, client, door);
        let there = self.clients.find(hash, |slot| {
            let used = self.table.get(slot);
            (used.client, used.door, used.period) == (client, door, period)
        });
        if let Some(slot) = there {
            let again = core::mem::replace(&mut self.table.get_mut(slot).said, true);
            return Use::Repeated { again };
        }
        if self.table.len() >= limit {
            return Use::Full;
        }
        let slot = self.table.insert(due, Used { client, door, period, said: false });
        self.clients.insert(hash, slot);
        Use::First
    }

    /// Forgets what is due at or before `now`.
    pub(super) fn forget_due(&mut self, now: Timestamp) {
        while let Some(slot) = self.table.earliest() {
            let (due, _) = self.table.due(slot);
            if due > now {
                return;
            }
            self.forget(slot);
        }
    }

    fn forget(&mut self, slot: Slot) {
        let Used { client, door, .. } = self.table.remove(slot);
        self.clients.remove(hash(&self.hasher, client, door), slot);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint::tests::{client, colliding};
    use super::*;
    use crate::doors::Doors;

    const PERIODS: [PeriodMark; 2] = [PeriodMark::from_bits(1), PeriodMark::from_bits(2)];

    fn due(second: i64) -> Due {
        (Timestamp::from_nanos(second), u64::try_from(second).unwrap())
    }

    #[test]
    fn a_period_is_used_once_by_each_client() {
        let hasher = ClientHasher::new(0);
        let (one, other) = colliding(|number| hasher.client(client(number)));
        let (mut used, door) = (UsedPeriods::new(hasher), Doors::id_for_tests());
        let mut take = |number, period| used.take((client(number), door, period), due(9), 9);
        assert_eq!(take(one, PERIODS[0]), Use::First);
        assert_eq!(take(one, PERIODS[0]), Use::Repeated { again: false });
        assert_eq!(take(one, PERIODS[0]), Use::Repeated { again: true });
        assert_eq!(take(other, PERIODS[0]), Use::First);
        assert_eq!(take(one, PERIODS[1]), Use::First);
    }

    #[test]
    fn at_the_limit_none_is_forgotten_before_its_time() {
        let (mut used, door) = (UsedPeriods::new(ClientHasher::new(0)), Doors::id_for_tests());
        let [period, _] = PERIODS;
        for number in [1, 2] {
            let due = due(i64::from(number));
            assert_eq!(used.take((client(number), door, period), due, 2), Use::First);
        }
        assert_eq!(used.take((client(3), door, period), due(3), 2), Use::Full);
        assert_eq!(used.take((client(1), door, period), due(3), 2), Use::Repeated { again: false });
        used.forget_due(Timestamp::from_nanos(1));
        assert_eq!(used.doors().count(), 1);
        assert_eq!(used.take((client(3), door, period), due(3), 2), Use::First);
        assert_eq!(used.take((client(2), door, period), due(3), 2), Use::Repeated { again: false });
    }
}
