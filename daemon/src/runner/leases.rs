//! Leases: doors that are open for a client, from the start command until the stop command has
//! succeeded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use knock_engine::{CommandStatus, Door, DoorId, OnReknock};

use crate::boot_time::BootTime;

/// How much later than the engine the runner closes a door. Only an engine that hangs or has died is
/// that late.
pub(super) const MARGIN: Duration = Duration::from_secs(2);

/// The pause before the second try of a stop command that fails. It doubles from try to try.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_mins(10);

/// A door that is open for a client and has a stop command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// Leases are numbered in the order in which the doors opened.
    pub(super) number: u64,
    /// `None` if the door no longer exists.
    pub(super) door: Option<DoorId>,
    pub(super) client: IpAddr,
    /// The name of the door when it opened.
    pub(super) door_name: Vec<u8>,
    /// The command line that closes it.
    pub(super) stop: Vec<u8>,
    /// The time from the end of the start command to the stop command.
    pub(super) closes_after: Duration,
    /// Whether it keeps its own deadline if the client opens the door again.
    pub(super) is_separate: bool,
    pub(super) state: LeaseState,
    /// When its stop command is to run; `None` if it runs already, or the time is not known yet.
    pub(super) due: Option<BootTime>,
    /// Whether the engine will ask for the stop command.
    pub(super) has_engine: bool,
    /// Whether there may be nothing to close: the start command has failed, or a stop command of another
    /// opening, with the same line, has closed this one, too, as it does where openings do not stack.
    pub(super) is_doubtful: bool,
}

/// Where a lease is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaseState {
    /// The start command waits or runs.
    Opening,
    Open,
    /// The stop command waits or runs. So many tries of it have failed.
    Closing {
        failures: u32,
    },
    /// The stop command has failed so many times, and is tried again.
    Failed {
        failures: u32,
    },
}

/// Client and door.
type Key = (Option<DoorId>, IpAddr);

impl Lease {
    const fn key(&self) -> Key {
        (self.door, self.client)
    }

    /// Returns when the runner closes it by itself.
    fn own_due(&self) -> Option<BootTime> {
        let is_late = self.has_engine && self.state == LeaseState::Open;
        self.due.map(|due| if is_late { due.after(MARGIN) } else { due })
    }

    /// Returns whether it waits for its deadline or for another try.
    const fn is_waiting(&self) -> bool {
        matches!(self.state, LeaseState::Open | LeaseState::Failed { .. })
    }
}

/// All leases.
///
/// The engine has its own list, to ask for stop commands in time. This one closes doors also if the
/// engine does not ask.
#[derive(Debug, Default)]
pub(super) struct Leases {
    next: u64,
    all: BTreeMap<u64, Lease>,
    by_key: BTreeMap<Key, BTreeSet<u64>>,
    /// The openings of each client and door for which the engine has yet to ask for the stop command,
    /// oldest first. Some may be closed by now, or may never have opened.
    asked_later: BTreeMap<(DoorId, IpAddr), VecDeque<u64>>,
    /// How many numbers `asked_later` has.
    asked_later_count: usize,
    /// Deadlines and next tries, in order.
    due: BTreeSet<(BootTime, u64)>,
}

impl Leases {
    /// Begins to number leases with `next`.
    pub(super) fn from(next: u64) -> Self {
        Self { next, ..Self::default() }
    }

    /// Returns how many leases there are, or are still known to the engine.
    pub(super) fn len(&self) -> usize {
        self.all.len().max(self.asked_later_count)
    }

    /// Returns all leases, in the order in which the doors opened.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Lease> {
        self.all.values()
    }

    /// Returns a lease.
    pub(super) fn get(&self, number: u64) -> Option<&Lease> {
        self.all.get(&number)
    }

    /// Adds a door whose start command is about to run. `None` if it has no stop command.
    pub(super) fn begin(&mut self, id: DoorId, door: &Door, client: IpAddr) -> Option<&Lease> {
        let mut stop = Vec::new();
        door.commands.stop_for(client)?.expand(client, &mut stop);
        let number = self.number();
        self.ask_later(id, client, number);
        let lease = Lease {
            number,
            door: Some(id),
            client,
            door_name: door.name.as_bytes().to_vec(),
            stop,
            closes_after: Duration::from_secs(u64::from(door.cmd_timeout.get())),
            is_separate: door.on_reknock == OnReknock::Separate,
            state: LeaseState::Opening,
            due: None,
            has_engine: true,
            is_doubtful: false,
        };
        if !lease.is_separate {
            // They are closed together with this one.
            for other in self.of(lease.key()) {
                self.update(other, |lease| {
                    if lease.is_waiting() {
                        lease.due = None;
                    }
                });
            }
        }
        self.insert(lease);
        self.all.get(&number)
    }

    /// Notes that the engine was refused an opening: it will ask for the stop command all the same.
    pub(super) fn refuse(&mut self, door: DoorId, client: IpAddr) {
        let number = self.number();
        self.ask_later(door, client, number);
    }

    /// Adds a door that was left open.
    pub(super) fn take_up(&mut self, lease: Lease) {
        self.next = self.next.max(lease.number.saturating_add(1));
        self.insert(lease);
    }

    fn insert(&mut self, lease: Lease) {
        let number = lease.number;
        self.by_key.entry(lease.key()).or_default().insert(number);
        self.due.extend(lease.own_due().map(|due| (due, number)));
        self.all.insert(number, lease);
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        number
    }

    fn ask_later(&mut self, door: DoorId, client: IpAddr, number: u64) {
        self.asked_later.entry((door, client)).or_default().push_back(number);
        self.asked_later_count = self.asked_later_count.saturating_add(1);
    }

    fn of(&self, key: Key) -> Vec<u64> {
        self.by_key.get(&key).into_iter().flatten().copied().collect()
    }

    fn update(&mut self, number: u64, change: impl FnOnce(&mut Lease)) {
        let Some(lease) = self.all.get_mut(&number) else { return };
        let before = lease.own_due();
        change(lease);
        let after = lease.own_due();
        if before != after {
            self.due.extend(after.map(|due| (due, number)));
            if let Some(before) = before {
                self.due.remove(&(before, number));
            }
        }
    }

    /// Notes that a start command has ended. Returns the leases whose deadline has changed.
    pub(super) fn opened(
        &mut self,
        number: u64,
        status: CommandStatus,
        now: BootTime,
    ) -> Vec<&Lease> {
        let Some(lease) = self.all.get_mut(&number) else { return Vec::new() };
        lease.is_doubtful |= status != CommandStatus::SUCCESS;
        if lease.state != LeaseState::Opening {
            return Vec::new();
        }
        lease.state = LeaseState::Open;
        let (key, due) = (lease.key(), now.after(lease.closes_after));
        if lease.is_separate {
            self.update(number, |lease| lease.due = Some(due));
            return self.all.get(&number).into_iter().collect();
        }
        self.set_common_due(key, due)
    }

    /// Removes a lease whose start command has not run after all.
    pub(super) fn withdraw(&mut self, number: u64, now: BootTime) {
        let Some(lease) = self.remove(number) else { return };
        if !lease.is_separate {
            self.set_common_due(lease.key(), now.after(lease.closes_after));
        }
    }

    /// Sets when all leases of a client and door are due, unless a start command is yet to come.
    fn set_common_due(&mut self, key: Key, due: BootTime) -> Vec<&Lease> {
        let numbers = self.of(key);
        let is = |number: &u64, state| self.all.get(number).is_some_and(|one| one.state == state);
        if numbers.iter().any(|number| is(number, LeaseState::Opening)) {
            return Vec::new();
        }
        for &number in &numbers {
            self.update(number, |lease| {
                if lease.is_waiting() {
                    lease.due = Some(due);
                }
            });
        }
        let leases = numbers.iter().filter_map(|number| self.all.get(number));
        leases.filter(|lease| lease.is_waiting()).collect()
    }

    /// The engine asks for the stop command of its oldest opening. Returns the leases whose stop command
    /// is to run now, that of the engine first; the first is `None` if it is closed or was never open.
    pub(super) fn asked(&mut self, door: DoorId, client: IpAddr) -> (Option<Lease>, Vec<Lease>) {
        let Some(numbers) = self.asked_later.get_mut(&(door, client)) else {
            return (None, Vec::new());
        };
        let number = numbers.pop_front();
        let is_last = numbers.is_empty();
        if is_last {
            self.asked_later.remove(&(door, client));
        }
        let Some(number) = number else { return (None, Vec::new()) };
        self.asked_later_count = self.asked_later_count.saturating_sub(1);
        self.update(number, |lease| lease.has_engine = false);
        let is_open = self.all.get(&number).is_some_and(|one| one.state == LeaseState::Open);
        let first = if is_open { self.close(number) } else { None };
        let others = match &first {
            // Those that the engine does not know were to be closed together with it.
            Some(lease) if is_last && !lease.is_separate => self.of(lease.key()),
            Some(_) | None => Vec::new(),
        };
        let others = others.into_iter().filter(|number| {
            self.all.get(number).is_some_and(|one| one.is_waiting() && !one.has_engine)
        });
        let others: Vec<u64> = others.collect();
        (first, others.into_iter().filter_map(|number| self.close(number)).collect())
    }

    /// Returns when the runner has something to close by itself.
    pub(super) fn next_due(&self) -> Option<BootTime> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Begins to close a lease that is due, and returns it as it was.
    pub(super) fn take_due(&mut self, now: BootTime) -> Option<Lease> {
        let &(due, number) = self.due.first()?;
        if due > now {
            return None;
        }
        let before = self.all.get(&number).cloned();
        self.close(number);
        before
    }

    /// Begins to close all leases that are not being closed, whatever the engine does, and returns them.
    pub(super) fn close_all(&mut self) -> Vec<Lease> {
        self.asked_later.clear();
        self.asked_later_count = 0;
        let numbers: Vec<u64> = self.all.keys().copied().collect();
        for &number in &numbers {
            // From here on they are counted again.
            self.update(number, |lease| {
                if let LeaseState::Failed { failures } | LeaseState::Closing { failures } =
                    &mut lease.state
                {
                    *failures = 0;
                }
            });
        }
        let is_closing = |lease: &Lease| matches!(lease.state, LeaseState::Closing { .. });
        let open = numbers
            .into_iter()
            .filter(|number| self.all.get(number).is_some_and(|lease| !is_closing(lease)));
        let open: Vec<u64> = open.collect();
        open.into_iter().filter_map(|number| self.close(number)).collect()
    }

    /// Begins to close the leases that fit and are not being closed, and returns them.
    pub(super) fn close_where(&mut self, fits: impl Fn(&Lease) -> bool) -> Vec<Lease> {
        let is_closing = |lease: &Lease| matches!(lease.state, LeaseState::Closing { .. });
        let found = self.all.values().filter(|lease| fits(lease) && !is_closing(lease));
        let numbers: Vec<u64> = found.map(|lease| lease.number).collect();
        numbers.into_iter().filter_map(|number| self.close(number)).collect()
    }

    fn close(&mut self, number: u64) -> Option<Lease> {
        self.update(number, |lease| {
            let failures = match lease.state {
                LeaseState::Opening | LeaseState::Open => 0,
                LeaseState::Closing { failures } | LeaseState::Failed { failures } => failures,
            };
            (lease.state, lease.due) = (LeaseState::Closing { failures }, None);
        });
        self.all.get(&number).cloned()
    }

    /// Removes a lease whose stop command has succeeded. Returns how many tries of it had failed.
    pub(super) fn closed(&mut self, number: u64) -> Option<u32> {
        let lease = self.remove(number)?;
        for other in self.of(lease.key()) {
            self.update(other, |other| {
                let was_open = other.state != LeaseState::Opening;
                other.is_doubtful |= was_open && other.stop == lease.stop;
            });
        }
        match lease.state {
            LeaseState::Closing { failures } | LeaseState::Failed { failures } => Some(failures),
            LeaseState::Opening | LeaseState::Open => Some(0),
        }
    }

    /// Notes that a stop command has failed. Returns how often by now, and the pause before the next try.
    pub(super) fn failed(&mut self, number: u64, now: BootTime) -> Option<(u32, Duration)> {
        let lease = self.all.get(&number)?;
        let failures = match lease.state {
            LeaseState::Closing { failures } | LeaseState::Failed { failures } => {
                failures.saturating_add(1)
            }
            LeaseState::Opening | LeaseState::Open => 1,
        };
        let pause = pause(failures);
        self.update(number, |lease| {
            lease.state = LeaseState::Failed { failures };
            lease.due = Some(now.after(pause));
        });
        Some((failures, pause))
    }

    /// Stops trying to close a lease, which stays for the next start.
    pub(super) fn give_up(&mut self, number: u64) {
        self.update(number, |lease| lease.due = None);
    }

    fn remove(&mut self, number: u64) -> Option<Lease> {
        let lease = self.all.remove(&number)?;
        if let Some(due) = lease.own_due() {
            self.due.remove(&(due, number));
        }
        if let Some(numbers) = self.by_key.get_mut(&lease.key()) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_key.remove(&lease.key());
            }
        }
        Some(lease)
    }

    /// Notes that a new engine runs, which knows of no lease. It calls the doors by these ids.
    pub(super) fn lose_engine(&mut self, ids: &BTreeMap<DoorId, DoorId>) {
        self.asked_later.clear();
        self.asked_later_count = 0;
        self.by_key.clear();
        self.due.clear();
        for mut lease in std::mem::take(&mut self.all).into_values() {
            lease.has_engine = false;
            lease.door = lease.door.and_then(|door| ids.get(&door).copied());
            self.insert(lease);
        }
    }
}

/// Returns how long to wait after so many failures.
fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    FIRST_PAUSE.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests;
