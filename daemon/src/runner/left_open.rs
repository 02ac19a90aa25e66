//! Doors that a daemon which was killed has left open.

use knock_engine::Phase;

use super::lease_file::{NotRemembered, OpenDoor};
use super::output::Kind;
use super::{Runner, commands};

impl Runner {
    /// Runs the stop command of every door that was open when the last daemon was killed.
    pub(super) fn close_left_open(&mut self) {
        let Some(file) = &self.lease_file else { return };
        let open: Vec<(u64, OpenDoor)> =
            file.open_doors().map(|(number, door)| (number, door.clone())).collect();
        let mut news = Vec::new();
        for (number, OpenDoor { name, client, stop }) in open {
            let mut text = [&name[..], b": was left open for "].concat();
            knock_engine::address::write(client, &mut text);
            self.output.text(Kind::Message, text);
            self.output.text(Kind::Opening, [&name[..], b": running command: ", &stop].concat());
            // Behind it comes what the door does next for the client, if it is still there.
            let mut doors = self.doors.in_order();
            let door = doors.find(|(_, door)| door.name.as_bytes() == name).map(|(id, _)| id);
            let order = commands::Order {
                run: None,
                door,
                door_name: name,
                client,
                phase: Phase::Stop,
                line: stop,
                closes: Some(number),
                postponed: false,
            };
            self.commands.submit(order, &mut news);
        }
        for one in news {
            self.tell_of_command(one);
        }
    }

    /// Remembers in the file that a door is about to open.
    pub(super) fn remember(&mut self, number: u64, door: OpenDoor) {
        let written = self.lease_file.as_mut().map(|file| file.begin(number, door));
        self.tell_unless(written.transpose().map(drop));
    }

    /// Forgets in the file a door that is closed.
    pub(super) fn forget(&mut self, number: u64) {
        let written = self.lease_file.as_mut().map(|file| file.end(number));
        self.tell_unless(written.transpose().map(drop));
    }

    fn tell_unless(&mut self, written: Result<(), NotRemembered>) {
        if let Err(why) = written {
            self.output.text(Kind::Message, format!("knockd: warning: {why}"));
        }
    }
}
