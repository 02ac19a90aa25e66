//! Commands and leases, in the world's own record.

use std::collections::BTreeMap;
use std::net::IpAddr;

use knock_engine::Phase;

use super::broken::{Broken, Invariant, ensure};
use super::client::SECOND;
use super::record::DoorNumber;
use super::tally::Tally;
use crate::model::Door;

/// A client and the door that is open for it.
pub(super) type Lessee = (IpAddr, DoorNumber);

/// The expected next effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expected {
    at_ns: i64,
    lessee: Lessee,
    phase: Phase,
}

/// Commands and leases.
#[derive(Debug, Default)]
pub(super) struct Leases {
    expected: Option<Expected>,
    /// By number.
    running: BTreeMap<u64, (Lessee, Phase)>,
    commands: u64,
    /// By the time at which they are due.
    waiting: BTreeMap<(i64, u64), Lessee>,
    made: u64,
}

impl Leases {
    /// Returns how many commands run and leases wait.
    pub(super) fn pending(&self) -> usize {
        self.running.len() + self.waiting.len()
    }

    /// Returns whether a door has any command or lease.
    pub(super) fn hold(&self, door: DoorNumber) -> bool {
        self.running.values().any(|&((_, at), _)| at == door)
            || self.waiting.values().any(|&(_, at)| at == door)
    }

    /// Returns the client and the door of a command.
    pub(super) fn lessee(&self, number: u64) -> Option<Lessee> {
        self.running.get(&number).map(|&(lessee, _)| lessee)
    }

    /// Returns when the next stop command is due.
    pub(super) fn due_ns(&self) -> Option<i64> {
        self.waiting.first_key_value().map(|(&(due_ns, _), _)| due_ns)
    }

    /// Checks that the expected effect follows.
    pub(super) fn check_order(&mut self, run: Option<(i64, Lessee, Phase)>) -> Result<(), Broken> {
        let run = run.map(|(at_ns, lessee, phase)| Expected { at_ns, lessee, phase });
        let expected = self.expected.take();
        ensure(run == expected, Invariant::LeasesClose, || {
            format!("{run:?} follows, but {expected:?} was expected")
        })
    }

    /// A door opened.
    pub(super) fn opened(&mut self, at_ns: i64, lessee: Lessee, door: &Door) {
        if command(lessee.0, door.start.as_ref(), door.start_6.as_ref()) {
            self.expected = Some(Expected { at_ns, lessee, phase: Phase::Start });
        }
    }

    /// Records a command to run. Returns its number.
    pub(super) fn run(&mut self, lessee: Lessee, phase: Phase) -> u64 {
        let number = self.commands;
        self.commands += 1;
        self.running.insert(number, (lessee, phase));
        number
    }

    /// A command ended. If there is a stop command, the lease begins to wait.
    pub(super) fn ended(&mut self, at_ns: i64, number: u64, door: &Door, tally: &mut Tally) {
        let Some((lessee, phase)) = self.running.remove(&number) else { return };
        if phase == Phase::Start && command(lessee.0, door.stop.as_ref(), door.stop_6.as_ref()) {
            let due_ns = at_ns + i64::from(door.cmd_timeout_s) * SECOND;
            self.waiting.insert((due_ns, self.made), lessee);
            self.made += 1;
            tally.leases_at_once += u64::from(door.cmd_timeout_s == 0);
        }
    }

    /// The command timeout of a lease is over.
    pub(super) fn timed_out(&mut self, at_ns: i64, lessee: Lessee) -> Result<(), Broken> {
        let mut due = self.waiting.range((at_ns, 0)..=(at_ns, u64::MAX));
        let found = due.find(|(_, other)| **other == lessee).map(|(&key, _)| key);
        ensure(found.is_some(), Invariant::LeasesClose, || {
            format!("a lease of {lessee:?} is closed at {at_ns}, where none is due")
        })?;
        found.and_then(|key| self.waiting.remove(&key));
        self.expected = Some(Expected { at_ns, lessee, phase: Phase::Stop });
        Ok(())
    }

    /// Checks that nothing due is missing.
    pub(super) fn check(&self, now_ns: i64, is_time_told: bool) -> Result<(), Broken> {
        let expected = self.expected;
        ensure(expected.is_none(), Invariant::LeasesClose, || format!("{expected:?} is missing"))?;
        let overdue =
            self.due_ns().filter(|&due_ns| due_ns < now_ns || is_time_told && due_ns == now_ns);
        ensure(overdue.is_none(), Invariant::LeasesClose, || {
            format!("the lease due at {overdue:?} is still open at {now_ns}")
        })
    }
}

fn command(client: IpAddr, any: Option<&Vec<u8>>, ipv6: Option<&Vec<u8>>) -> bool {
    let chosen = if client.is_ipv6() { ipv6.or(any) } else { any };
    chosen.is_some_and(|command| !command.is_empty())
}
