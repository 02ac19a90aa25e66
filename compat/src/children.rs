//! The child processes that run commands.

use std::collections::BTreeMap;
use std::net::IpAddr;

use knock_engine::{
    Command, CommandStatus, Deadline, DeadlineReason, Door, DoorId, Effect, Phase, RunId, Timestamp,
};

use crate::Site;

/// The length in bytes from which a command is not run (case `e-4096-bytes`).
const TOO_LONG: usize = 4096;

/// A child of the daemon, which runs the commands of one opening.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child {
    pub(crate) client: IpAddr,
    pub(crate) door: DoorId,
    pub(crate) phase: Phase,
}

/// All children. The daemon does not wait for them, and they outlive it.
#[derive(Debug, Default)]
pub(crate) struct Children {
    /// Those whose command runs.
    running: BTreeMap<RunId, Child>,
    /// Those that sleep before their stop command; the second part of the key breaks ties.
    sleeping: BTreeMap<(Timestamp, u64), Child>,
    next_serial: u64,
}

impl Children {
    pub(crate) fn len(&self) -> usize {
        self.running.len().saturating_add(self.sleeping.len())
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
        let run = RunId::from_bits(self.serial());
        self.running.insert(run, child);
        let Child { client, door, phase } = child;
        site.emit(at, Effect::RunCommand { run, client, door, phase });
    }

    /// Handles the end of a command. Its child sleeps if there is a stop command, even an empty one if
    /// `runs_empty` (case `e-empty-stop`).
    pub(crate) fn ended(
        &mut self,
        at: Timestamp,
        run: RunId,
        status: CommandStatus,
        runs_empty: bool,
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
            self.sleeping.insert(key, Child { phase: Phase::Stop, ..child });
        }
    }

    /// Returns when the next stop command is due; the second part breaks ties.
    pub(crate) fn next(&self) -> Option<(Timestamp, u64)> {
        self.sleeping.first_key_value().map(|(key, _)| *key)
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let (&(at, _), &Child { client, door, .. }) = self.sleeping.first_key_value()?;
        Some(Deadline { at, client, door, why: DeadlineReason::CommandTimeout })
    }

    /// Runs the stop command that is due next.
    pub(crate) fn fire(&mut self, site: &mut Site) {
        let Some(((at, _), child)) = self.sleeping.pop_first() else { return };
        let Child { client, door, .. } = child;
        site.emit(at, Effect::CommandTimedOut { client, door });
        self.run(at, child, site);
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
