//! Leases: doors that are open for one client, with the commands that run and wait for them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::num::NonZeroU32;

use super::due::{Due, DueTable, Entry, Slot};
use super::fingerprint::{ClientHasher, ShortHash};
use super::slot_table::SlotTable;
use crate::command::Phase;
use crate::doors::DoorId;
use crate::limits::Limits;
use crate::run::RunId;

/// What one client has at one door from its opening until its last stop command has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    /// The command that runs. There is never a second one.
    running: Option<Phase>,
    /// Whether a start command waits for the one that runs.
    start_waits: bool,
    /// Whether it was said since the last opening that another changes nothing.
    skip_said: bool,
    /// How many start commands have ended whose stop command is not due yet.
    owed_stops: u32,
    /// How many stop commands are due and have not begun.
    due_stops: u32,
    /// The deadline of all stop commands that are owed, if they have one in common.
    deadline: Slot,
    /// Whether the stop command of the start command that runs is due as soon as that has ended.
    is_to_close: bool,
    /// How many of the stop commands that are due, the first ones, are so before their deadline.
    early_stops: u32,
}

impl Lease {
    const fn new(client: IpAddr, door: DoorId) -> Self {
        Self {
            client,
            door,
            running: None,
            start_waits: false,
            skip_said: false,
            owed_stops: 0,
            due_stops: 0,
            deadline: Slot::NONE,
            is_to_close: false,
            early_stops: 0,
        }
    }

    pub(super) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) const fn start_waits(&self) -> bool {
        self.start_waits
    }

    /// Returns whether the stop command that begins next is due before its deadline.
    pub(super) const fn is_early(&self) -> bool {
        self.early_stops > 0
    }

    /// Returns whether the door is open, is being opened, or is about to.
    pub(super) fn is_open(&self) -> bool {
        self.running == Some(Phase::Start) && !self.is_to_close
            || self.start_waits
            || self.owed_stops > 0
            || self.due_stops > self.early_stops
    }

    /// Returns whether nothing runs, waits or is owed.
    fn is_over(&self) -> bool {
        !self.is_running() && !self.is_open() && self.due_stops == 0
    }

    /// Returns which command begins next, if none runs: stop commands go first.
    const fn next(&self) -> Option<Phase> {
        match (self.running, self.due_stops, self.start_waits) {
            (Some(_), _, _) | (None, 0, false) => None,
            (None, 0, true) => Some(Phase::Start),
            (None, 1.., _) => Some(Phase::Stop),
        }
    }
}

/// A command that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    pub(super) phase: Phase,
    /// Whether the door is to close at once that it has opened.
    pub(super) is_to_close: bool,
}

/// A place that a lease has, or had.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// How many commands have run for the leases in this place.
    serial: u32,
    lease: Option<Lease>,
}

/// When stop commands of a lease are due.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    lease: Slot,
    door: DoorId,
}

impl Entry for Deadline {
    fn door(&self) -> DoorId {
        self.door
    }
}

/// All leases: found by client and door, by the command that runs, and by due time.
#[derive(Debug)]
pub(super) struct Leases {
    places: Vec<Place>,
    free: Vec<Slot>,
    lessees: SlotTable,
    deadlines: DueTable<Deadline>,
    hasher: ClientHasher,
    /// How many commands run, wait, or are owed, and how many admissions there are.
    pending: usize,
    of_door: BTreeMap<DoorId, Count>,
    limits: LeaseLimits,
}

/// How much a door has.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// Commands that run, wait, or are owed, and admissions.
    pending: usize,
    /// Start commands that run or wait.
    starts: usize,
}

/// The limits that keep an opening from counting.
#[derive(Clone, Copy, Debug)]
struct LeaseLimits {
    all: usize,
    of_door: usize,
    starts_of_door: usize,
}

impl Leases {
    pub(super) fn new(hasher: ClientHasher, limits: &Limits) -> Self {
        let size = |limit: NonZeroU32| usize::try_from(limit.get()).unwrap_or(usize::MAX);
        Self {
            places: Vec::new(),
            free: Vec::new(),
            lessees: SlotTable::new(),
            deadlines: DueTable::new(),
            hasher,
            pending: 0,
            of_door: BTreeMap::new(),
            limits: LeaseLimits {
                all: size(limits.leases),
                of_door: size(limits.leases_of_door),
                starts_of_door: size(limits.starts_of_door),
            },
        }
    }

    /// Returns how many commands run, wait, or are owed, and how many admissions there are.
    pub(super) fn len(&self) -> usize {
        self.pending
    }

    /// Returns whether a door may be opened once more, while `others` are about to be opened. However often
    /// one was, there is room for other doors.
    pub(super) fn has_room(&self, door: DoorId, others: usize) -> bool {
        let LeaseLimits { all, of_door, starts_of_door } = self.limits;
        let own = self.of_door.get(&door).copied().unwrap_or_default();
        let free = all.saturating_sub(self.pending).saturating_sub(others);
        free > 0 && own.starts < starts_of_door && (own.pending < of_door || own.pending < free)
    }

    /// Returns the doors of all leases.
    pub(super) fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.places.iter().filter_map(|place| place.lease.as_ref()).map(|lease| lease.door)
    }

    /// Returns the lease of a client at a door.
    pub(super) fn find(&self, client: IpAddr, door: DoorId) -> Option<Slot> {
        self.lessees.find(hash(&self.hasher, client, door), |slot| {
            self.get(slot).is_some_and(|lease| lease.client == client && lease.door == door)
        })
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Lease> {
        self.places.get(slot.index())?.lease.as_ref()
    }

    fn get_mut(&mut self, slot: Slot) -> Option<&mut Lease> {
        self.places.get_mut(slot.index())?.lease.as_mut()
    }

    /// Lets a start command wait for its turn, in the client's lease or a new one. Stop commands that
    /// were to come together come after it.
    pub(super) fn open(&mut self, client: IpAddr, door: DoorId) -> Slot {
        let slot = self.find(client, door).unwrap_or_else(|| self.insert(client, door));
        self.pending = self.pending.saturating_add(1);
        let count = self.of_door.entry(door).or_default();
        count.pending = count.pending.saturating_add(1);
        count.starts = count.starts.saturating_add(1);
        if let Some(lease) = self.get_mut(slot) {
            lease.start_waits = true;
            lease.skip_said = false;
            let deadline = core::mem::replace(&mut lease.deadline, Slot::NONE);
            if let Some(deadline) = deadline.some() {
                self.deadlines.remove(deadline);
            }
        }
        slot
    }

    /// Begins the next command of a lease if it is its turn.
    pub(super) fn begin_next(&mut self, slot: Slot) -> Option<(RunId, Phase)> {
        let place = self.places.get_mut(slot.index())?;
        let lease = place.lease.as_mut()?;
        let phase = lease.next()?;
        match phase {
            Phase::Start => lease.start_waits = false,
            Phase::Stop => {
                lease.due_stops = lease.due_stops.saturating_sub(1);
                lease.early_stops = lease.early_stops.saturating_sub(1);
            }
        }
        lease.running = Some(phase);
        place.serial = place.serial.wrapping_add(1);
        Some((RunId { place: slot.number(), serial: place.serial }, phase))
    }

    /// Notes that a command has ended; `None` if it was not running.
    pub(super) fn ended(&mut self, run: RunId) -> Option<(Slot, Ended)> {
        let slot = Slot::numbered(run.place);
        let place = self.places.get_mut(slot.index())?;
        let lease = place.lease.as_mut().filter(|_| place.serial == run.serial)?;
        let phase = lease.running.take()?;
        if phase == Phase::Start
            && let Some(count) = self.of_door.get_mut(&lease.door)
        {
            count.starts = count.starts.saturating_sub(1);
        }
        let is_to_close = core::mem::take(&mut lease.is_to_close);
        let Lease { client, door, .. } = *lease;
        Some((slot, Ended { client, door, phase, is_to_close }))
    }

    /// Notes that nothing follows a command or an admission of a door that has ended.
    pub(super) fn settle(&mut self, door: DoorId) {
        self.pending = self.pending.saturating_sub(1);
        if let Some(count) = self.of_door.get_mut(&door) {
            count.pending = count.pending.saturating_sub(1);
            if count.pending == 0 {
                self.of_door.remove(&door);
            }
        }
    }

    /// Counts an admission of a door, which takes the room of a lease.
    pub(super) fn begin_admission(&mut self, door: DoorId) {
        self.pending = self.pending.saturating_add(1);
        let count = self.of_door.entry(door).or_default();
        count.pending = count.pending.saturating_add(1);
    }

    /// Notes that a start command has ended whose stop command is to follow.
    pub(super) fn owe_stop(&mut self, slot: Slot) {
        if let Some(lease) = self.get_mut(slot) {
            lease.owed_stops = lease.owed_stops.saturating_add(1);
        }
    }

    /// Sets when one more stop command is due.
    pub(super) fn set_own_deadline(&mut self, slot: Slot, due: Due) {
        if let Some(&Lease { door, .. }) = self.get(slot) {
            self.deadlines.insert(due, Deadline { lease: slot, door });
        }
    }

    /// Sets when all stop commands that are owed are due. The lease has no such deadline.
    pub(super) fn set_common_deadline(&mut self, slot: Slot, due: Due) {
        if let Some(&Lease { door, .. }) = self.get(slot) {
            let deadline = self.deadlines.insert(due, Deadline { lease: slot, door });
            if let Some(lease) = self.get_mut(slot) {
                lease.deadline = deadline;
            }
        }
    }

    /// Returns whether a lease waits for nothing but a deadline that it has not got yet.
    pub(super) fn lacks_deadline(&self, slot: Slot) -> bool {
        self.get(slot).is_some_and(|lease| {
            !lease.is_running() && lease.next().is_none() && lease.owed_stops > 0
        })
    }

    /// Returns the deadline that is due first, and when it is.
    pub(super) fn earliest(&self) -> Option<(Due, Slot)> {
        self.deadlines.earliest()
    }

    pub(super) fn due(&self, deadline: Slot) -> Due {
        self.deadlines.due(deadline)
    }

    /// Returns the lease that a deadline is of.
    pub(super) fn of_deadline(&self, deadline: Slot) -> Option<&Lease> {
        self.get(self.deadlines.get(deadline).lease)
    }

    /// Takes a deadline away and makes due what waited for it. Returns its lease.
    pub(super) fn expire(&mut self, deadline: Slot) -> (Slot, Option<Lease>) {
        let slot = self.deadlines.remove(deadline).lease;
        let lease = self.get_mut(slot).map(|lease| {
            let is_common = lease.deadline == deadline;
            let count = if is_common { lease.owed_stops } else { lease.owed_stops.min(1) };
            lease.owed_stops = lease.owed_stops.saturating_sub(count);
            lease.due_stops = lease.due_stops.saturating_add(count);
            if is_common {
                lease.deadline = Slot::NONE;
            }
            *lease
        });
        (slot, lease)
    }

    /// Closes a lease before its time is over: a start command that waits is given up, and all stop commands that are owed
    /// are due, that of a start command that runs as soon as that has ended. It takes time in the number of deadlines of the
    /// door.
    pub(super) fn close(&mut self, slot: Slot) {
        let Some(&Lease { door, .. }) = self.get(slot) else { return };
        let first = self.deadlines.earliest_of(door);
        let all = first.into_iter().flat_map(|first| self.deadlines.from(first));
        let own: Vec<Slot> = all.filter(|&one| self.deadlines.get(one).lease == slot).collect();
        for deadline in own {
            self.deadlines.remove(deadline);
        }
        let Some(lease) = self.get_mut(slot) else { return };
        lease.due_stops = lease.due_stops.saturating_add(lease.owed_stops);
        lease.early_stops = lease.due_stops;
        (lease.owed_stops, lease.deadline) = (0, Slot::NONE);
        lease.is_to_close = lease.running == Some(Phase::Start);
        if core::mem::take(&mut lease.start_waits) {
            if let Some(count) = self.of_door.get_mut(&door) {
                count.starts = count.starts.saturating_sub(1);
            }
            self.settle(door);
        }
    }

    /// Makes the stop command of a start command due that has just ended.
    pub(super) fn stop_early(&mut self, slot: Slot) {
        if let Some(lease) = self.get_mut(slot) {
            lease.due_stops = lease.due_stops.saturating_add(1);
            lease.early_stops = lease.early_stops.saturating_add(1);
        }
    }

    /// Returns whether it is to be said that an opening changes nothing: once until the next one
    /// that does.
    pub(super) fn say_skip(&mut self, slot: Slot) -> bool {
        self.get_mut(slot).is_some_and(|lease| !core::mem::replace(&mut lease.skip_said, true))
    }

    /// Removes a lease if nothing runs, waits or is owed.
    pub(super) fn end_if_over(&mut self, slot: Slot) {
        let Some(place) = self.places.get_mut(slot.index()) else { return };
        if let Some(lease) = place.lease.take_if(|lease| lease.is_over()) {
            self.lessees.remove(hash(&self.hasher, lease.client, lease.door), slot);
            self.free.push(slot);
        }
    }

    fn insert(&mut self, client: IpAddr, door: DoorId) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { serial: 0, lease: None });
            let place = self.places.len().saturating_sub(1);
            Slot::numbered(u32::try_from(place).unwrap_or(u32::MAX))
        });
        if let Some(place) = self.places.get_mut(slot.index()) {
            place.lease = Some(Lease::new(client, door));
        }
        self.lessees.insert(hash(&self.hasher, client, door), slot);
        slot
    }
}

/// Hashes a client at a door. Which doors there are is no secret, and need not be one: nobody but
/// the administrator can choose them.
pub(super) fn hash(hasher: &ClientHasher, client: IpAddr, door: DoorId) -> ShortHash {
    let door = u32::try_from(door.index()).unwrap_or(0).wrapping_mul(0x9e37_79b1);
    hasher.client(client).mixed_with(door)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::super::fingerprint::tests::{client, colliding};
    use super::*;
    use crate::doors::Doors;

    #[test]
    fn a_command_that_ended_is_not_confused_with_the_next_in_its_place() {
        let door = Doors::id_for_tests();
        let mut leases = Leases::new(ClientHasher::new(0), &Limits::default());
        let slot = leases.open(client(1), door);
        let (first, _) = leases.begin_next(slot).unwrap();
        assert!(leases.ended(first).is_some());
        assert!(leases.ended(first).is_none());
        leases.settle(door);
        leases.end_if_over(slot);
        assert_eq!(leases.pending, 0);
        let slot = leases.open(client(2), door);
        let (second, _) = leases.begin_next(slot).unwrap();
        assert_eq!(first.place, second.place);
        assert!(leases.ended(first).is_none());
        assert_eq!(leases.pending, 1);
        assert!(leases.ended(second).is_some());
    }

    /// Opens a door for new clients as often as it can be opened.
    fn flood(leases: &mut Leases, door: DoorId, next: &mut u32) -> (usize, Vec<RunId>) {
        let mut runs = Vec::new();
        while leases.has_room(door, 0) {
            *next = next.wrapping_add(1);
            let slot = leases.open(client(*next), door);
            runs.push(leases.begin_next(slot).unwrap().0);
        }
        (runs.len(), runs)
    }

    #[test]
    fn whatever_is_opened_there_is_room_for_other_doors() {
        let size = |number| NonZeroU32::new(number).unwrap();
        let limits = Limits {
            leases: size(100),
            leases_of_door: size(5),
            starts_of_door: size(30),
            ..Limits::default()
        };
        let mut leases = Leases::new(ClientHasher::new(0), &limits);
        let [first, second, third]: [DoorId; 3] =
            Doors::ids_for_tests().take(3).collect::<Vec<_>>().try_into().unwrap();
        let mut next = 0;
        // Start commands that do not end.
        let (count, runs) = flood(&mut leases, first, &mut next);
        assert_eq!(count, 30);
        // They have ended, and the doors are open.
        for run in runs {
            let (slot, ..) = leases.ended(run).unwrap();
            leases.owe_stop(slot);
        }
        assert_eq!(flood(&mut leases, first, &mut next).0, 20);
        assert_eq!(flood(&mut leases, second, &mut next).0, 25);
        assert_eq!(flood(&mut leases, third, &mut next).0, 13);
        assert!(leases.has_room(Doors::ids_for_tests().nth(3).unwrap(), 0));
    }

    #[test]
    fn clients_whose_hashes_collide_are_told_apart() {
        let hasher = ClientHasher::new(0);
        let (one, other) = colliding(|number| hasher.client(client(number)));
        let (mut leases, door) = (Leases::new(hasher, &Limits::default()), Doors::id_for_tests());
        let slot = leases.open(client(one), door);
        assert_eq!(leases.find(client(one), door), Some(slot));
        assert_eq!(leases.find(client(other), door), None);
    }

    #[test]
    fn a_lease_that_is_over_leaves_its_place_to_another() {
        let (mut leases, door) =
            (Leases::new(ClientHasher::new(0), &Limits::default()), Doors::id_for_tests());
        for number in 0..100 {
            let slot = leases.open(client(number), door);
            let (run, _) = leases.begin_next(slot).unwrap();
            leases.end_if_over(slot);
            assert_eq!(leases.find(client(number), door), Some(slot));
            leases.ended(run);
            leases.settle(door);
            leases.end_if_over(slot);
            assert_eq!(leases.find(client(number), door), None);
        }
        assert_eq!((leases.places.len(), leases.free.len(), leases.pending), (1, 1, 0));
    }

    /// One client can open all doors; finding a lease must not take as long as there are doors.
    #[test]
    fn the_doors_of_a_client_have_hashes_of_their_own() {
        let hasher = ClientHasher::new(0);
        let doors = Doors::ids_for_tests().take(4096);
        let places: BTreeSet<usize> =
            doors.map(|door| hash(&hasher, client(1), door).place_among(4096)).collect();
        assert!(places.len() > 2000, "{} of 4096 places", places.len());
    }
}
