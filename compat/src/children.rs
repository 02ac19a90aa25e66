//! The child processes that run commands.

use std::collections::BTreeMap;
use std::net::IpAddr;

use knock_engine::{
    Command, CommandStatus, Deadline, DeadlineReason, Door, DoorId, Effect, Phase, RunId, Timestamp,
};

use crate::Site;

/// The length in bytes from which a command is not run (case `e-4096-bytes`).
const TOO_LONG: usize = 4096;

/// A child of the daemon, which runs the commands of one opening, or, once openings extend one
/// another, of all that have a deadline in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child {
    pub(crate) client: IpAddr,
    pub(crate) door: DoorId,
    pub(crate) phase: Phase,
    /// For how many openings it runs the command.
    pub(crate) openings: usize,
}

/// All children. The daemon does not wait for them, and they outlive it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Children {
    /// Those whose command runs.
    running: BTreeMap<RunId, Child>,
    /// Those that sleep before their stop command; the second part of the key breaks ties.
    sleeping: BTreeMap<(Timestamp, u64), Child>,
    /// Of those the latest of each client and door.
    latest: BTreeMap<(IpAddr, DoorId), (Timestamp, u64)>,
    /// For how many openings there are children.
    openings: usize,
    next_serial: u64,
}

impl Children {
    /// Returns for how many openings there are children.
    pub(crate) fn len(&self) -> usize {
        self.openings
    }

    /// Returns a number that is larger than all before.
    pub(crate) fn serial(&mut self) -> u64 {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        serial
    }

    /// Returns the doors whose commands they run.
    pub(crate) fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.running.values().chain(self.sleeping.values()).map(|child| child.door)
    }

    pub(crate) fn run(&mut self, at: Timestamp, child: Child, site: &mut Site) {
        if child.phase == Phase::Start {
            self.openings = self.openings.saturating_add(1);
        }
        let run = RunId::from_bits(self.serial());
        self.running.insert(run, child);
        let Child { client, door, phase, .. } = child;
        site.emit(at, Effect::RunCommand { run, client, door, phase });
    }

    /// Returns the door of a command that runs.
    pub(crate) fn door(&self, run: RunId) -> Option<DoorId> {
        self.running.get(&run).map(|child| child.door)
    }

    /// Returns whether any runs or sleeps for a client at a door.
    pub(crate) fn are_there(&self, client: IpAddr, door: DoorId) -> bool {
        let mut running = self.running.values();
        self.latest.contains_key(&(client, door))
            || running.any(|child| (child.client, child.door) == (client, door))
    }

    /// Handles the end of a command. Its child sleeps if there is a stop command, even an empty one if
    /// `runs_empty` (case `e-empty-stop`). If it `extends`, the children that sleep for the same
    /// client and door leave their stop commands to it.
    pub(crate) fn ended(
        &mut self,
        at: Timestamp,
        run: RunId,
        status: CommandStatus,
        (runs_empty, extends): (bool, bool),
        site: &mut Site,
    ) {
        let Some(child) = self.running.remove(&run) else { return };
        if status != CommandStatus::SUCCESS {
            site.emit(at, Effect::CommandFailed { door: child.door, status });
        }
        let door = site.doors.door(child.door);
        let stop = command(door, child.client, Phase::Stop);
        let sleeps = stop.is_some_and(|stop| runs_empty || !stop.as_bytes().is_empty());
        if child.phase == Phase::Start && sleeps {
            let key = (at.saturating_add(door.cmd_timeout), self.serial());
            let openings =
                child.openings.saturating_add(if extends { self.relieve(child) } else { 0 });
            self.latest.insert((child.client, child.door), key);
            self.sleeping.insert(key, Child { phase: Phase::Stop, openings, ..child });
            return;
        }
        self.openings = self.openings.saturating_sub(1);
        if child.openings > 1 {
            let child = Child { openings: child.openings.saturating_sub(1), ..child };
            if extends {
                self.close(at, child, site);
            } else {
                // Its timeout was printed when it was due.
                self.run(at, child, site);
            }
        }
    }

    /// Returns whether no stop command will be due.
    pub(crate) fn is_nothing_due(&self) -> bool {
        self.sleeping.is_empty()
    }

    /// Returns when the next stop command is due; the second part breaks ties.
    pub(crate) fn next(&self) -> Option<(Timestamp, u64)> {
        self.sleeping.first_key_value().map(|(key, _)| *key)
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let (&(at, _), &Child { client, door, .. }) = self.sleeping.first_key_value()?;
        Some(Deadline { at, client, door, why: DeadlineReason::CommandTimeout })
    }

    /// Runs the stop command that is due next; if commands of a client and door run `in_turn`, after
    /// the one that runs.
    pub(crate) fn fire(&mut self, in_turn: bool, site: &mut Site) {
        let Some((key, child)) = self.sleeping.pop_first() else { return };
        let lessee = (child.client, child.door);
        if self.latest.get(&lessee) == Some(&key) {
            self.latest.remove(&lessee);
        }
        let (at, _) = key;
        let mut running = self.running.values_mut();
        let same = running.find(|other| (other.client, other.door) == lessee && in_turn);
        if let Some(other) = same {
            other.openings = other.openings.saturating_add(1);
            let (client, door) = lessee;
            site.emit(at, Effect::CommandTimedOut { client, door });
            return;
        }
        self.close(at, child, site);
    }

    fn close(&mut self, at: Timestamp, child: Child, site: &mut Site) {
        let Child { client, door, .. } = child;
        site.emit(at, Effect::CommandTimedOut { client, door });
        self.run(at, child, site);
    }

    /// Ends the child that sleeps for the same client and door: there is at most one where each leaves
    /// its stop commands to the next. Returns how many openings it was for.
    fn relieve(&mut self, by: Child) -> usize {
        let latest = self.latest.remove(&(by.client, by.door));
        latest.and_then(|key| self.sleeping.remove(&key)).map_or(0, |child| child.openings)
    }
}

/// Returns which command of a door is too long for a client, so that neither runs.
pub(crate) fn too_long(door: &Door, client: IpAddr) -> Option<Phase> {
    [Phase::Start, Phase::Stop].into_iter().find(|&phase| {
        command(door, client, phase).is_some_and(|command| {
            let mut expanded = Vec::new();
            command.expand(client, &mut expanded);
            expanded.len() >= TOO_LONG
        })
    })
}

/// Returns whether a door has an empty stop command for a client.
pub(crate) fn has_empty_stop(door: &Door, client: IpAddr) -> bool {
    command(door, client, Phase::Stop).is_some_and(|stop| stop.as_bytes().is_empty())
}

/// Returns the command for a client, even an empty stop command.
fn command(door: &Door, client: IpAddr, phase: Phase) -> Option<&Command> {
    let commands = &door.commands;
    match phase {
        Phase::Start => commands.start_for(client),
        Phase::Stop => {
            let for_ipv6 = commands.stop_6.as_ref().filter(|_| client.is_ipv6());
            for_ipv6.or(commands.stop.as_ref())
        }
    }
}
