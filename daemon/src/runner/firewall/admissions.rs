//! Which clients are let in, as the kernel has it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use knock_engine::{DoorId, Port, PortRange};
use knock_firewall::Grant;

use crate::boot_time::BootTime;
use crate::runner::leases::MARGIN;

/// A client that a door lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runner) struct Admission {
    /// Numbered in the order in which the clients were let in first.
    pub(in crate::runner) number: u64,
    /// `None` if the door no longer exists.
    pub(super) door: Option<DoorId>,
    /// The name of the door; of one that was found in the kernel, that of a door with these ports.
    pub(in crate::runner) door_name: Vec<u8>,
    pub(in crate::runner) client: IpAddr,
    pub(super) ports: Vec<PortRange>,
    /// When the client was let in first, without a gap since.
    pub(super) since: BootTime,
    /// Whether that matters, because the door has a maximum.
    pub(super) has_max: bool,
    /// When the kernel ends it.
    pub(in crate::runner) ends: BootTime,
    pub(super) engine: EngineView,
}

/// What the engine knows of an admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EngineView {
    /// Nothing.
    Unaware,
    /// It will say when the admission ends.
    Ends,
    /// It would say so too late: it does not know that the client was let in before this engine began.
    EndsLater,
}

impl Admission {
    /// Returns when the runner ends it by itself: if the engine does not in time.
    fn own_end(&self) -> BootTime {
        match self.engine {
            EngineView::Ends => self.ends.after(MARGIN),
            EngineView::Unaware | EngineView::EndsLater => self.ends,
        }
    }

    /// Returns the door of an engine that still takes the client for admitted, if it does.
    pub(super) fn door_in_engine(&self) -> Option<DoorId> {
        self.door.filter(|_| self.engine != EngineView::Unaware)
    }
}

/// All admissions: of each client at each door, one at most.
#[derive(Debug, Default)]
pub(in crate::runner) struct Admissions {
    next: u64,
    all: BTreeMap<u64, Admission>,
    by_key: BTreeMap<(DoorId, IpAddr), u64>,
    of_client: BTreeMap<IpAddr, BTreeSet<u64>>,
    ends: BTreeSet<(BootTime, u64)>,
}

impl Admissions {
    pub(in crate::runner) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns all, the oldest first.
    pub(in crate::runner) fn iter(&self) -> impl Iterator<Item = &Admission> {
        self.all.values()
    }

    /// Returns that of a client at a door.
    pub(super) fn find(&self, door: DoorId, client: IpAddr) -> Option<&Admission> {
        self.by_key.get(&(door, client)).and_then(|number| self.all.get(number))
    }

    /// Adds one, or replaces that of the same client and door.
    pub(super) fn set(&mut self, mut admission: Admission) {
        let before = admission.door.and_then(|door| self.by_key.get(&(door, admission.client)));
        if let Some(number) = before.copied() {
            self.remove(number);
            admission.number = number;
        } else {
            admission.number = self.next;
            self.next = self.next.saturating_add(1);
        }
        self.insert(admission);
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Admission> {
        let admission = self.all.remove(&number)?;
        self.ends.remove(&(admission.own_end(), number));
        if let Some(door) = admission.door {
            self.by_key.remove(&(door, admission.client));
        }
        if let Some(numbers) = self.of_client.get_mut(&admission.client) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.of_client.remove(&admission.client);
            }
        }
        Some(admission)
    }

    /// Notes that the engine will not say when one ends.
    pub(super) fn leave_to_runner(&mut self, number: u64) {
        if let Some(mut admission) = self.remove(number) {
            admission.engine = EngineView::Unaware;
            self.insert(admission);
        }
    }

    /// Adds one that has its number.
    fn insert(&mut self, admission: Admission) {
        let number = admission.number;
        if let Some(door) = admission.door {
            self.by_key.insert((door, admission.client), number);
        }
        self.of_client.entry(admission.client).or_default().insert(number);
        self.ends.insert((admission.own_end(), number));
        self.all.insert(number, admission);
    }

    /// Returns when one is to be ended.
    pub(super) fn next_end(&self) -> Option<BootTime> {
        self.ends.first().map(|&(at, _)| at)
    }

    /// Removes one that is to be ended.
    pub(super) fn take_ended(&mut self, now: BootTime) -> Option<Admission> {
        let &(at, number) = self.ends.first()?;
        if at > now { None } else { self.remove(number) }
    }

    /// Returns the ports of a client by other doors than one, as long as they end after `ends`.
    pub(super) fn others(
        &self,
        client: IpAddr,
        door: Option<DoorId>,
        ends: BootTime,
    ) -> Vec<PortRange> {
        let numbers = self.of_client.get(&client).into_iter().flatten();
        let all = numbers.filter_map(|number| self.all.get(number));
        let others = all.filter(|one| (one.door.is_none() || one.door != door) && one.ends > ends);
        others.flat_map(|one| one.ports.iter().copied()).collect()
    }

    /// Returns since when a client is let in to some of these ports by doors with a maximum, for the kernel to
    /// keep.
    pub(super) fn since(&self, client: IpAddr, ports: &[PortRange]) -> Option<BootTime> {
        let numbers = self.of_client.get(&client).into_iter().flatten();
        let all = numbers.filter_map(|number| self.all.get(number)).filter(|one| one.has_max);
        let overlaps = |one: &&Admission| {
            one.ports.iter().any(|range| ports.iter().any(|other| range.overlaps(*other)))
        };
        all.filter(overlaps).map(|one| one.since).min()
    }

    /// Returns what the kernel is to know.
    pub(super) fn grants(&self) -> Vec<Grant> {
        let mut grants: BTreeMap<(IpAddr, PortRange), Duration> = BTreeMap::new();
        for one in self.all.values() {
            let left = one.ends.left();
            for &ports in one.ports.iter().filter(|_| !left.is_zero()) {
                let time = grants.entry((one.client, ports)).or_default();
                *time = left.max(*time);
            }
        }
        let grant = |((client, ports), time_left)| {
            let since = self.since(client, &[ports]).map(BootTime::since_boot);
            Grant { client, ports, time_left, since }
        };
        grants.into_iter().map(grant).collect()
    }

    /// Notes that a new engine runs, which knows of none. It calls the doors by these ids.
    pub(in crate::runner) fn lose_engine(&mut self, ids: &BTreeMap<DoorId, DoorId>) {
        let Self { next, all, .. } = std::mem::take(self);
        self.next = next;
        for mut admission in all.into_values() {
            admission.engine = EngineView::Unaware;
            admission.door = admission.door.and_then(|door| ids.get(&door).copied());
            self.insert(admission);
        }
    }
}

/// Returns the ports that are in some ranges and not in others.
pub(super) fn without(ranges: &[PortRange], others: &[PortRange]) -> Vec<PortRange> {
    let mut left: Vec<PortRange> = ranges.to_vec();
    for other in others {
        let pieces = left.iter().flat_map(|range| {
            if !range.overlaps(*other) {
                return vec![*range];
            }
            let piece = |first, last| PortRange::new(range.protocol(), first, last);
            let below = Port(other.first().0.saturating_sub(1)).min(range.last());
            let above = Port(other.last().0.saturating_add(1)).max(range.first());
            let has_above = other.last() < range.last();
            let below = piece(range.first(), below).filter(|_| range.first() < other.first());
            let above = piece(above, range.last()).filter(|_| has_above);
            below.into_iter().chain(above).collect()
        });
        left = pieces.collect();
    }
    left
}

#[cfg(test)]
mod tests {
    use knock_engine::{Doors, Protocol};

    use super::*;

    fn tcp(first: u16, last: u16) -> PortRange {
        PortRange::new(Protocol::Tcp, Port(first), Port(last)).unwrap()
    }

    #[test]
    fn ports_of_other_doors_are_left_out() {
        assert_eq!(without(&[tcp(20, 30)], &[tcp(22, 23)]), [tcp(20, 21), tcp(24, 30)]);
        assert_eq!(without(&[tcp(20, 30)], &[tcp(10, 20), tcp(30, 40)]), [tcp(21, 29)]);
        assert_eq!(without(&[tcp(20, 30)], &[tcp(1, 65535)]), []);
        assert_eq!(without(&[tcp(1, 65535)], &[tcp(1, 1), tcp(65535, 65535)]), [tcp(2, 65534)]);
        let udp = PortRange::new(Protocol::Udp, Port(22), Port(22)).unwrap();
        assert_eq!(without(&[tcp(22, 22)], &[udp]), [tcp(22, 22)]);
    }

    fn admission(door: DoorId, last: u8, seconds: u64) -> Admission {
        let now = BootTime::now();
        Admission {
            number: 0,
            door: Some(door),
            door_name: b"SSH".to_vec(),
            client: [192, 0, 2, last].into(),
            ports: vec![tcp(22, 22)],
            since: now,
            ends: now.after(Duration::from_secs(seconds)),
            has_max: false,
            engine: EngineView::Ends,
        }
    }

    #[test]
    fn an_admission_is_renewed_and_keeps_its_number() {
        let knock = knock_engine::Knock { port: Port(1), protocol: Protocol::Tcp };
        let sequence = knock_engine::Sequence::new([knock].into()).unwrap();
        let sequence = knock_engine::DoorSequence::Fixed(sequence);
        let door = knock_engine::Door::new(knock_engine::DoorName::new(b"SSH"), sequence);
        let doors = Doors::new(vec![door.clone(), door]).unwrap();
        let [one, other]: [DoorId; 2] =
            doors.in_order().map(|(id, _)| id).collect::<Vec<_>>().try_into().unwrap();
        let mut admissions = Admissions::default();
        admissions.set(admission(one, 1, 10));
        admissions.set(admission(one, 1, 20));
        admissions.set(admission(other, 1, 15));
        assert_eq!(admissions.iter().map(|one| one.number).collect::<Vec<_>>(), [0, 1]);
        let [grant] = admissions.grants().try_into().unwrap();
        assert!(grant.time_left > Duration::from_secs(15));
        let ends = admission(one, 1, 10).ends;
        assert_eq!(admissions.others([192, 0, 2, 1].into(), Some(one), ends), [tcp(22, 22)]);
        let late = admission(one, 1, 17).ends;
        assert_eq!(admissions.others([192, 0, 2, 1].into(), Some(one), late), []);
        assert!(admissions.take_ended(late).is_some_and(|ended| ended.door == Some(other)));
        // The engine has the time of the margin to end it.
        assert_eq!(admissions.take_ended(admission(one, 1, 21).ends), None);
        admissions.lose_engine(&BTreeMap::from([(one, other)]));
        assert!(admissions.take_ended(admission(one, 1, 21).ends).is_some());
    }
}
