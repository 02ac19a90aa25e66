//! Running commands, and leases that wait for their stop command.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::due::{Due, DueTable, Entry, Slot};
use crate::command::Phase;
use crate::doors::DoorId;
use crate::effect::RunId;

/// A command that has not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    pub(super) phase: Phase,
}

/// A door that waits for its stop command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
}

impl Entry for Lease {
    fn door(&self) -> DoorId {
        self.door
    }
}

/// Running commands, and leases: doors that wait for their stop command.
#[derive(Debug)]
pub(super) struct Leases {
    /// By place, with the serial number of the last command at it.
    running: Vec<(u32, Option<Running>)>,
    /// The free places.
    free: Vec<u32>,
    open: DueTable<Lease>,
}

impl Leases {
    pub(super) const fn new() -> Self {
        Self { running: Vec::new(), free: Vec::new(), open: DueTable::new() }
    }

    /// Returns how many commands run and how many leases wait, together.
    pub(super) fn len(&self) -> usize {
        let running = self.running.len().saturating_sub(self.free.len());
        running.saturating_add(self.open.len())
    }

    /// Returns the doors of all commands and leases.
    pub(super) fn doors(&self) -> impl Iterator<Item = DoorId> {
        let running = self.running.iter().filter_map(|(_, running)| running.as_ref());
        running.map(|running| running.door).chain(self.open.doors())
    }

    /// Adds a command that will run.
    pub(super) fn run(&mut self, running: Running) -> RunId {
        let place = self.free.pop().unwrap_or_else(|| {
            self.running.push((0, None));
            u32::try_from(self.running.len().saturating_sub(1)).unwrap_or(u32::MAX)
        });
        let mut run = RunId { place, serial: 0 };
        if let Some((serial, occupant)) = self.running.get_mut(index(place)) {
            *serial = serial.wrapping_add(1);
            *occupant = Some(running);
            run.serial = *serial;
        }
        run
    }

    /// Removes a command that has ended; `None` if it was not running.
    pub(super) fn ended(&mut self, run: RunId) -> Option<Running> {
        let (serial, occupant) = self.running.get_mut(index(run.place))?;
        let running = occupant.take_if(|_| *serial == run.serial)?;
        self.free.push(run.place);
        Some(running)
    }

    /// Starts the wait for a stop command.
    pub(super) fn wait(&mut self, lease: Lease, due: Due) {
        self.open.insert(due, lease);
    }

    /// Returns the lease that is due first.
    pub(super) fn earliest(&self) -> Option<Slot> {
        self.open.earliest()
    }

    pub(super) fn get(&self, slot: Slot) -> &Lease {
        self.open.get(slot)
    }

    pub(super) fn due(&self, slot: Slot) -> Due {
        self.open.due(slot)
    }

    /// Ends a lease.
    pub(super) fn end(&mut self, slot: Slot) -> Lease {
        self.open.remove(slot)
    }
}

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doors::Doors;

    #[test]
    fn a_command_that_ended_is_not_confused_with_the_next_in_its_place() {
        let door = Doors::id_for_tests();
        let running = |phase| Running { client: [192, 0, 2, 1].into(), door, phase };
        let mut leases = Leases::new();
        let first = leases.run(running(Phase::Start));
        assert_eq!(leases.ended(first).map(|ended| ended.phase), Some(Phase::Start));
        let second = leases.run(running(Phase::Stop));
        assert_eq!(first.place, second.place);
        assert!(leases.ended(first).is_none());
        assert_eq!(leases.len(), 1);
        assert_eq!(leases.ended(second).map(|ended| ended.phase), Some(Phase::Stop));
        assert_eq!(leases.len(), 0);
    }
}
