//! Commands that run and leases that wait for their stop command.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use super::due::{Due, DueTable, Entry, Slot};
use crate::doors::DoorId;
use crate::effect::{Phase, RunId};

/// A command that was asked for and has not ended.
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
    running: BTreeMap<RunId, Running>,
    open: DueTable<Lease>,
    next_run: u64,
}

impl Leases {
    pub(super) fn new() -> Self {
        Self { running: BTreeMap::new(), open: DueTable::new(), next_run: 0 }
    }

    /// Returns how many commands run and how many leases wait, together.
    pub(super) fn len(&self) -> usize {
        self.running.len().saturating_add(self.open.len())
    }

    /// Notes that a command is to be run.
    pub(super) fn run(&mut self, running: Running) -> RunId {
        let run = RunId(self.next_run);
        self.next_run = self.next_run.wrapping_add(1);
        self.running.insert(run, running);
        run
    }

    /// Takes a command off the list that has ended; `None` if it was not running.
    pub(super) fn ended(&mut self, run: RunId) -> Option<Running> {
        self.running.remove(&run)
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
