//! Commands and leases, in the world's own record.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use knock_engine::{Phase, Skip};

use super::broken::{Broken, Invariant, ensure};
use super::client::SECOND;
use super::record::DoorNumber;
use super::tally::Tally;
use crate::model::{Door, OnReknock};

/// A client and the door that is open for it.
pub(super) type Lessee = (IpAddr, DoorNumber);

/// What a client has at a door.
#[derive(Clone, Debug, Default)]
struct Held {
    running: Option<Phase>,
    /// Whether an opening waits for its start command.
    start_waits: bool,
    /// When each stop command would be due if its opening were the only one.
    owed: Vec<i64>,
    /// Stop commands that are due.
    due: usize,
    /// Command timeouts that were reported and whose stop command has not begun.
    told: usize,
    /// The last moment at which something happened that a command may follow.
    ready_ns: i64,
    opened_ns: Option<i64>,
    /// Why it was said that an opening changes nothing, since it last did change something.
    skips_said: BTreeSet<Skip>,
}

impl Held {
    /// Returns which command must begin.
    fn next(&self) -> Option<Phase> {
        match self {
            Self { running: Some(_), .. } => None,
            Self { due: 1.., .. } => Some(Phase::Stop),
            Self { start_waits: true, .. } => Some(Phase::Start),
            Self { .. } => None,
        }
    }

    fn pending(&self) -> usize {
        usize::from(self.running.is_some())
            + usize::from(self.start_waits)
            + self.owed.len()
            + self.due
    }

    /// Returns when a stop command is due next. Where openings extend one another that is at the
    /// latest deadline, and not before the last of them has one.
    fn due_ns(&self, on_reknock: OnReknock) -> Option<i64> {
        match on_reknock {
            OnReknock::Separate => self.owed.iter().min().copied(),
            OnReknock::Extend | OnReknock::Ignore => {
                let is_opening = self.start_waits || self.running == Some(Phase::Start);
                self.owed.iter().max().copied().filter(|_| !is_opening)
            }
        }
    }
}

/// Commands and leases.
#[derive(Debug, Default)]
pub(super) struct Leases {
    held: BTreeMap<Lessee, Held>,
    /// When stop commands are due.
    due: BTreeSet<(i64, Lessee)>,
    /// Whose commands something happened to in this step.
    touched: BTreeSet<Lessee>,
    /// Whose commands run, by number.
    running: BTreeMap<u64, Lessee>,
    commands: u64,
    pending: usize,
}

impl Leases {
    /// Returns how many commands run, wait, or are owed.
    pub(super) fn pending(&self) -> usize {
        self.pending
    }

    /// Returns whether a door has any command or lease.
    pub(super) fn hold(&self, door: DoorNumber) -> bool {
        self.held.iter().any(|(&(_, at), held)| at == door && held.pending() > 0)
    }

    /// Returns the client and the door of a command.
    pub(super) fn lessee(&self, number: u64) -> Option<Lessee> {
        self.running.get(&number).copied()
    }

    /// Returns when the next stop command is due.
    pub(super) fn due_ns(&self) -> Option<i64> {
        self.due.first().map(|&(due_ns, _)| due_ns)
    }

    /// Changes what a client has at a door.
    fn change<T>(&mut self, lessee: Lessee, door: &Door, how: impl FnOnce(&mut Held) -> T) -> T {
        let held = self.held.entry(lessee).or_default();
        let before = (held.due_ns(door.on_reknock), held.pending());
        let result = how(held);
        let after = (held.due_ns(door.on_reknock), held.pending());
        self.pending = self.pending + after.1 - before.1;
        before.0.map(|due_ns| self.due.remove(&(due_ns, lessee)));
        after.0.map(|due_ns| self.due.insert((due_ns, lessee)));
        self.touched.insert(lessee);
        result
    }

    /// A door opened. Whether the client is let in already counts as an open door.
    pub(super) fn opened(
        &mut self,
        at_ns: i64,
        (lessee, is_admitted): (Lessee, bool),
        door: &Door,
        tally: &mut Tally,
    ) -> Result<(), Broken> {
        let held = self.held.entry(lessee).or_default().clone();
        // An admission is renewed also while the command waits, which then runs once.
        let runs = command(lessee.0, door.start.as_ref(), door.start_6.as_ref());
        let may_wait = !runs || door.admission.is_some();
        let runs = runs && !held.start_waits;
        ensure(may_wait || !held.start_waits, Invariant::CommandsInTurn, || {
            format!("{lessee:?} opened at {at_ns}, where an opening waits: {held:?}")
        })?;
        let is_ignored = door.on_reknock == OnReknock::Ignore && (is_open(&held) || is_admitted);
        ensure(!is_ignored, Invariant::CommandsInTurn, || {
            format!("{lessee:?} opened at {at_ns}, where openings are ignored: {held:?}")
        })?;
        tally.queued += u64::from(runs && held.running.is_some());
        tally.extended += u64::from(door.on_reknock == OnReknock::Extend && !held.owed.is_empty());
        self.change(lessee, door, |held| {
            held.opened_ns = Some(at_ns);
            held.skips_said.clear();
            held.start_waits |= runs;
            held.ready_ns = held.ready_ns.max(at_ns);
        });
        Ok(())
    }

    /// Returns whether a client is in the cooldown that follows its last opening of a door.
    pub(super) fn is_cooling_down(&self, at_ns: i64, lessee: Lessee, door: &Door) -> bool {
        let opened_ns = self.held.get(&lessee).and_then(|held| held.opened_ns);
        let until_ns = opened_ns.zip(door.seq_cooldown_s);
        until_ns.is_some_and(|(opened_ns, s)| at_ns < opened_ns + i64::from(s) * SECOND)
    }

    /// An opening changed nothing.
    pub(super) fn skipped(
        &mut self,
        at_ns: i64,
        lessee: Lessee,
        door: &Door,
        (why, again): (Skip, bool),
        (is_admitted, is_at_max, is_at_limit): (bool, bool, bool),
    ) -> Result<(), Broken> {
        let cools_down = self.is_cooling_down(at_ns, lessee, door);
        let held = self.held.entry(lessee).or_default();
        let is_true = match why {
            Skip::Cooldown => cools_down,
            Skip::AlreadyOpen => {
                door.on_reknock == OnReknock::Ignore && (is_open(held) || is_admitted)
            }
            Skip::AtMax => door.on_reknock != OnReknock::Ignore && is_at_max,
            Skip::Merged => held.start_waits && door.admission.is_none(),
            // The oracle knows.
            Skip::ClientLimit | Skip::DoorLimit => is_at_limit,
            // No door there derives sequences.
            Skip::PeriodUsed => false,
        };
        // The limit of a door is said once for all clients.
        let is_said_once = why == Skip::DoorLimit || held.skips_said.insert(why) != again;
        ensure(is_true && is_said_once, Invariant::CommandsInTurn, || {
            format!("{why:?} was reported for {lessee:?} at {at_ns}, again: {again}, of {held:?}")
        })
    }

    /// A command is to be run. Returns its number.
    pub(super) fn run(
        &mut self,
        at_ns: i64,
        lessee: Lessee,
        phase: Phase,
        door: &Door,
    ) -> Result<u64, Broken> {
        let held = self.held.entry(lessee).or_default().clone();
        let is_told = phase == Phase::Start || held.told > 0;
        let is_turn = held.next() == Some(phase) && held.ready_ns == at_ns && is_told;
        ensure(is_turn, Invariant::CommandsInTurn, || {
            format!("{phase:?} of {lessee:?} runs at {at_ns}, where it is not its turn: {held:?}")
        })?;
        self.change(lessee, door, |held| {
            held.running = Some(phase);
            match phase {
                Phase::Start => held.start_waits = false,
                Phase::Stop => {
                    held.due -= 1;
                    held.told -= 1;
                }
            }
        });
        let number = self.commands;
        self.commands += 1;
        self.running.insert(number, lessee);
        Ok(number)
    }

    /// A command ended. If there is a stop command, it is owed from now on.
    pub(super) fn ended(&mut self, at_ns: i64, number: u64, door: &Door, tally: &mut Tally) {
        let Some(lessee) = self.running.remove(&number) else { return };
        let owes = command(lessee.0, door.stop.as_ref(), door.stop_6.as_ref());
        let has_none = self.change(lessee, door, |held| {
            let phase = held.running.take();
            held.ready_ns = held.ready_ns.max(at_ns);
            if phase == Some(Phase::Start) && owes {
                held.owed.push(at_ns + i64::from(door.cmd_timeout_s) * SECOND);
            }
            phase == Some(Phase::Start) && owes && door.cmd_timeout_s == 0
        });
        tally.leases_at_once += u64::from(has_none);
    }

    /// The command timeout of an opening is over.
    pub(super) fn timed_out(
        &mut self,
        at_ns: i64,
        lessee: Lessee,
        door: &Door,
        tally: &mut Tally,
    ) -> Result<(), Broken> {
        let held = self.held.entry(lessee).or_default().clone();
        let is_separate = door.on_reknock == OnReknock::Separate;
        let is_right = if is_separate {
            held.owed.contains(&at_ns)
        } else if held.due > 0 {
            held.running.is_none() && held.ready_ns == at_ns
        } else {
            held.running.is_none() && held.due_ns(door.on_reknock) == Some(at_ns)
        };
        ensure(is_right, Invariant::LeasesClose, || {
            format!("a lease of {lessee:?} is closed at {at_ns}: {held:?}")
        })?;
        tally.stops_waited += u64::from(is_separate && held.running.is_some());
        self.change(lessee, door, |held| {
            held.told += 1;
            if is_separate {
                let place = held.owed.iter().position(|&due_ns| due_ns == at_ns);
                held.owed.remove(place.expect("it was found before"));
                held.due += 1;
            } else if held.due == 0 {
                held.due = held.owed.len();
                held.owed.clear();
            }
            held.ready_ns = held.ready_ns.max(at_ns);
        });
        Ok(())
    }

    /// Checks that nothing that was due is still to come, and no command whose turn it is.
    pub(super) fn check(&mut self, now_ns: i64, is_time_told: bool) -> Result<(), Broken> {
        for lessee in std::mem::take(&mut self.touched) {
            let Some(held) = self.held.get(&lessee) else { continue };
            ensure(held.next().is_none(), Invariant::CommandsInTurn, || {
                format!("a command of {lessee:?} waits for nothing at {now_ns}: {held:?}")
            })?;
        }
        let overdue =
            self.due_ns().filter(|&due_ns| due_ns < now_ns || is_time_told && due_ns == now_ns);
        ensure(overdue.is_none(), Invariant::LeasesClose, || {
            format!("the lease due at {overdue:?} is still open at {now_ns}")
        })
    }
}

/// Returns whether a door is open, is being opened, or is about to.
fn is_open(held: &Held) -> bool {
    held.pending() > usize::from(held.running == Some(Phase::Stop))
}

fn command(client: IpAddr, any: Option<&Vec<u8>>, ipv6: Option<&Vec<u8>>) -> bool {
    let chosen = if client.is_ipv6() { ipv6.or(any) } else { any };
    chosen.is_some_and(|command| !command.is_empty())
}
