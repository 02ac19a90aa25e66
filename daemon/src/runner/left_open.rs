//! Doors that were left open when the last daemon ended.

use std::time::Duration;

use super::Runner;
use super::closing::stop_of;
use super::lease_file::{NotWritten, OpenDoor};
use super::leases::{Lease, LeaseState};
use super::output::Kind;

impl Runner {
    /// Runs the stop commands of these doors.
    pub(super) fn close_left_open(&mut self) {
        let Some(file) = &self.lease_file else { return };
        let open: Vec<(u64, OpenDoor)> =
            file.open_doors().map(|(number, door)| (number, door.clone())).collect();
        let mut requests = Vec::new();
        for (number, OpenDoor { name, client, stop }) in open {
            let mut text = [&name[..], b": was left open for "].concat();
            knock_engine::address::write(client, &mut text);
            text.extend(b" when knockd last ended; closing it now");
            self.output.text(Kind::Notice, text);
            // If the door still exists, its next command for the client waits for this one.
            let mut doors = self.doors.in_order();
            let door = doors.find(|(_, door)| door.name.as_bytes() == name).map(|(id, _)| id);
            let lease = Lease {
                number,
                door,
                client,
                door_name: name,
                stop,
                closes_after: Duration::ZERO,
                is_separate: false,
                state: LeaseState::Closing { failures: 0 },
                due: None,
                has_engine: false,
                is_doubtful: false,
            };
            requests.push(stop_of(&lease));
            self.leases.take_up(lease);
        }
        self.submit(requests);
    }

    /// Adds a door that is about to open to the file.
    pub(super) fn remember(&mut self, number: u64, door: OpenDoor) {
        let written = self.lease_file.as_mut().map(|file| file.begin(number, door));
        self.warn_unless(written.transpose().map(drop));
    }

    /// Removes a door that was closed from the file.
    pub(super) fn forget(&mut self, number: u64) {
        let written = self.lease_file.as_mut().map(|file| file.end(number));
        self.warn_unless(written.transpose().map(drop));
    }

    fn warn_unless(&mut self, written: Result<(), NotWritten>) {
        if let Err(why) = written {
            self.output.text(Kind::Notice, format!("knockd: warning: {why}"));
        }
    }
}
