//! Doors that a daemon which was killed has left open.

use knock_engine::Phase;

use super::Runner;
use super::commands::CommandRequest;
use super::lease_file::{NotWritten, OpenDoor};
use super::output::Kind;

impl Runner {
    /// Runs the stop command of every door that was open when the last daemon was killed.
    pub(super) fn close_left_open(&mut self) {
        let Some(file) = &self.lease_file else { return };
        let open: Vec<(u64, OpenDoor)> =
            file.open_doors().map(|(number, door)| (number, door.clone())).collect();
        let mut requests = Vec::new();
        for (number, OpenDoor { name, client, stop }) in open {
            let mut text = [&name[..], b": was left open for "].concat();
            knock_engine::address::write(client, &mut text);
            self.output.text(Kind::Notice, text);
            self.output.text(Kind::Opening, [&name[..], b": running command: ", &stop].concat());
            // What the door does next for the client, if there is still such a door, comes after this.
            let mut doors = self.doors.in_order();
            let door = doors.find(|(_, door)| door.name.as_bytes() == name).map(|(id, _)| id);
            requests.push(CommandRequest {
                run: None,
                door,
                door_name: name,
                client,
                phase: Phase::Stop,
                line: stop,
                closes: Some(number),
                postponed: false,
            });
        }
        self.submit(requests);
    }

    /// Remembers in the file that a door is about to open.
    pub(super) fn remember(&mut self, number: u64, door: OpenDoor) {
        let written = self.lease_file.as_mut().map(|file| file.begin(number, door));
        self.warn_unless(written.transpose().map(drop));
    }

    /// Forgets in the file a door that is closed.
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
