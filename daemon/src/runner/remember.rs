//! Commands that wait until the file of open doors has what they are about to do: openings until that is on
//! disk, closings until it is written.
//!
//! If this process is killed after a stop command has succeeded and before the file says so, that command
//! fails the next time. So the file says first that it is about to run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use knock_config::OnStateError;
use knock_engine::address;

use super::command_events::NOT_STARTED;
use super::commands::CommandRequest;
use super::lease_store::Event;
use super::output::Kind;
use super::{Runner, left_open};
use crate::boot_time::BootTime;
use crate::lease_record::{Group, Record, StoredLease};
use crate::wire::Order;

/// How long an opening waits for the disk. It then counts as not written.
const WRITE_MAX: Duration = Duration::from_secs(5);

/// How long a closing waits for the disk. It then runs all the same: a door that stays open is worse.
const NOTE_MAX: Duration = Duration::from_secs(1);

/// Commands that wait until the file has what they are about to do, by their leases.
#[derive(Default)]
pub(super) struct Unwritten {
    pub(super) openings: BTreeMap<u64, Waiting>,
    pub(super) closings: BTreeMap<u64, Waiting>,
}

/// A command that waits.
pub(super) struct Waiting {
    since: Instant,
    request: CommandRequest,
}

impl Runner {
    /// Has a lease written, and then runs its start command.
    pub(super) fn remember(&mut self, request: CommandRequest, lease: StoredLease) {
        self.unwritten.openings.insert(lease.number, Waiting { since: Instant::now(), request });
        self.store.write(Record::Open(lease));
    }

    /// Notes which processes are those of a start command that has just begun.
    pub(super) fn remember_group(&mut self, number: u64, group: Group) {
        self.store.write(Record::Runs(number, group));
    }

    /// Notes how long from now a door stays open, whose start command has ended.
    pub(super) fn remember_due(&mut self, number: u64, time_left: Duration) {
        self.store.write(Record::Due(number, self.clock.now().after(time_left)));
    }

    /// Has it noted that the stop command of a lease is about to run, and then runs it.
    pub(super) fn remember_closing(&mut self, number: u64, request: CommandRequest) {
        self.unwritten.closings.insert(number, Waiting { since: Instant::now(), request });
        self.store.write(Record::Closing(number));
    }

    /// Notes that a door is closed, or has not opened.
    pub(super) fn forget(&mut self, number: u64) {
        self.unremembered.remove(&number);
        self.store.write(Record::Closed(number));
    }

    /// Handles what the store reports.
    pub(super) fn take_store_events(&mut self) {
        for event in self.store.events() {
            match event {
                Event::Written(numbers) => {
                    let written: Vec<_> = numbers
                        .iter()
                        .filter_map(|number| self.unwritten.openings.remove(number))
                        .collect();
                    self.run(written.into_iter().map(|one| one.request));
                }
                Event::Noted(numbers) => {
                    let noted: Vec<_> = numbers
                        .iter()
                        .filter_map(|number| self.unwritten.closings.remove(number))
                        .collect();
                    self.run(noted.into_iter().map(|one| one.request));
                }
                Event::NotWritten(numbers, why) => self.not_written(&numbers, &why),
                Event::Left(leases) => {
                    let left = left_open::prepare(leases, &self.clock);
                    self.take_up_all(left);
                }
                Event::Warning(text) => self.output.text(Kind::Notice, text),
            }
        }
        let is_late = |one: &Waiting| one.since.elapsed() >= WRITE_MAX;
        let late: Vec<u64> = self
            .unwritten
            .openings
            .iter()
            .filter(|(_, one)| is_late(one))
            .map(|(number, _)| *number)
            .collect();
        if !late.is_empty() {
            self.not_written(&late, "the disk has not answered for 5 seconds");
        }
        if self.unwritten.closings.values().any(|one| one.since.elapsed() >= NOTE_MAX) {
            self.run_unnoted();
        }
    }

    /// Runs the stop commands that wait for the disk, as far as that is.
    pub(super) fn run_unnoted(&mut self) {
        let waiting = std::mem::take(&mut self.unwritten.closings);
        self.run(waiting.into_values().map(|one| one.request));
    }

    /// Returns when the next command has waited too long for the disk.
    pub(super) fn unwritten_due(&self) -> Option<Instant> {
        let openings = self.unwritten.openings.values().map(|one| (one, WRITE_MAX));
        let closings = self.unwritten.closings.values().map(|one| (one, NOTE_MAX));
        openings.chain(closings).filter_map(|(one, max)| one.since.checked_add(max)).min()
    }

    /// Drops the openings that wait for the disk, because all doors are about to be closed.
    pub(super) fn withdraw_unwritten(&mut self) {
        for (number, _) in std::mem::take(&mut self.unwritten.openings) {
            self.withdraw(number);
        }
    }

    /// Refuses openings that could not be written, or opens the doors all the same.
    fn not_written(&mut self, numbers: &[u64], why: &str) {
        let on_error = self.settings.on_state_error;
        for number in numbers {
            let Some(Waiting { request, .. }) = self.unwritten.openings.remove(number) else {
                continue;
            };
            let mut text = request.door_name.clone();
            match on_error {
                OnStateError::Shut => {
                    text.extend(b": STAYS SHUT for ");
                    address::write(request.client, &mut text);
                    text.extend(format!(
                        ", because it could not be remembered as open: {why}; 'OnStateError = open' \
                         would open it all the same"
                    )
                    .into_bytes());
                }
                OnStateError::Open => {
                    text.extend(b": opens for ");
                    address::write(request.client, &mut text);
                    text.extend(format!(
                        ", though it cannot be remembered as open: {why}; if knockd is killed, it \
                         stays open"
                    )
                    .into_bytes());
                }
            }
            self.output.text(Kind::Notice, text);
            match on_error {
                OnStateError::Shut => {
                    self.withdraw(*number);
                    if let Some(run) = request.run {
                        self.sniffer.queue(&Order::CommandEnded { run, status: NOT_STARTED });
                    }
                }
                OnStateError::Open => {
                    self.unremembered.insert(*number);
                    self.run([request]);
                }
            }
        }
    }

    /// Ends the lease of a start command that will not run.
    pub(super) fn withdraw(&mut self, number: u64) {
        self.leases.withdraw(number, BootTime::now());
        self.forget(number);
    }
}
