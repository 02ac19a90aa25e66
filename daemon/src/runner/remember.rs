//! Openings that wait until they are on disk, and what happens if they cannot be.

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

/// A start command that waits until its lease is on disk.
pub(super) struct Unwritten {
    since: Instant,
    request: CommandRequest,
}

impl Runner {
    /// Has a lease written, and then runs its start command.
    pub(super) fn remember(&mut self, request: CommandRequest, lease: StoredLease) {
        self.unwritten.insert(lease.number, Unwritten { since: Instant::now(), request });
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

    /// Notes that the stop command of a door has begun.
    pub(super) fn remember_closing(&mut self, number: u64) {
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
                    let written: Vec<_> =
                        numbers.iter().filter_map(|number| self.unwritten.remove(number)).collect();
                    self.submit(written.into_iter().map(|one| one.request));
                }
                Event::NotWritten(numbers, why) => self.not_written(&numbers, &why),
                Event::Left(leases) => {
                    let left = left_open::prepare(leases, &self.clock);
                    self.take_up_all(left);
                }
                Event::Warning(text) => self.output.text(Kind::Notice, text),
            }
        }
        let is_late = |one: &Unwritten| one.since.elapsed() >= WRITE_MAX;
        let late: Vec<u64> = self
            .unwritten
            .iter()
            .filter(|(_, one)| is_late(one))
            .map(|(number, _)| *number)
            .collect();
        if !late.is_empty() {
            self.not_written(&late, "the disk has not answered for 5 seconds");
        }
    }

    /// Returns when the next opening has waited too long for the disk.
    pub(super) fn unwritten_due(&self) -> Option<Instant> {
        self.unwritten.values().filter_map(|one| one.since.checked_add(WRITE_MAX)).min()
    }

    /// Drops the openings that wait for the disk, because all doors are about to be closed.
    pub(super) fn withdraw_unwritten(&mut self) {
        for (number, _) in std::mem::take(&mut self.unwritten) {
            self.withdraw(number);
        }
    }

    /// Refuses openings that could not be written, or opens the doors all the same.
    fn not_written(&mut self, numbers: &[u64], why: &str) {
        let on_error = self.settings.on_state_error;
        for number in numbers {
            let Some(Unwritten { request, .. }) = self.unwritten.remove(number) else { continue };
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
                    self.submit([request]);
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
