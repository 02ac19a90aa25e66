//! Leases: open doors, which must be closed when the daemon ends.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use knock_engine::{Command, Door, DoorId};

/// A door that is open for a client and has a stop command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// Doors are numbered in the order in which they open.
    pub(super) number: u64,
    pub(super) door: DoorId,
    pub(super) client: IpAddr,
    /// The name of the door when it opened.
    pub(super) door_name: Vec<u8>,
    /// The command that closes it.
    pub(super) stop: Command,
}

/// All open doors, in the order in which they opened.
///
/// The engine has its own list, to know when to close them. This one is for the end of the daemon, when
/// the engine may be gone.
#[derive(Debug, Default)]
pub(super) struct Leases {
    next: u64,
    open: BTreeMap<u64, Lease>,
    /// The openings of each client and door, oldest first.
    by_key: BTreeMap<(DoorId, IpAddr), VecDeque<u64>>,
}

impl Leases {
    /// Begins to number doors with `next`.
    pub(super) fn from(next: u64) -> Self {
        Self { next, ..Self::default() }
    }

    /// Adds a door whose start command is about to run. Returns its lease; `None` if it has no stop
    /// command.
    pub(super) fn begin(&mut self, id: DoorId, door: &Door, client: IpAddr) -> Option<&Lease> {
        let stop = door.commands.stop_for(client)?.clone();
        let (number, door_name) = (self.next, door.name.as_bytes().to_vec());
        self.next = self.next.saturating_add(1);
        self.by_key.entry((id, client)).or_default().push_back(number);
        Some(self.open.entry(number).or_insert(Lease { number, door: id, client, door_name, stop }))
    }

    /// Returns how many doors are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Removes and returns the oldest lease of a client and door, whose stop command is about to run.
    pub(super) fn end(&mut self, door: DoorId, client: IpAddr) -> Option<Lease> {
        self.remove((door, client), VecDeque::pop_front)
    }

    /// Removes and returns the newest lease of a client and door, whose start command will not run after
    /// all. It is the newest because commands of a client and door run in order.
    pub(super) fn withdraw(&mut self, door: DoorId, client: IpAddr) -> Option<Lease> {
        self.remove((door, client), VecDeque::pop_back)
    }

    fn remove(
        &mut self,
        key: (DoorId, IpAddr),
        pop: fn(&mut VecDeque<u64>) -> Option<u64>,
    ) -> Option<Lease> {
        let openings = self.by_key.get_mut(&key)?;
        let opening = pop(openings)?;
        if openings.is_empty() {
            self.by_key.remove(&key);
        }
        self.open.remove(&opening)
    }

    /// Removes all leases, and returns them in the order in which the doors opened.
    pub(super) fn end_all(&mut self) -> Vec<Lease> {
        self.by_key.clear();
        std::mem::take(&mut self.open).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use knock_config as config;
    use knock_engine::Doors;

    use super::*;

    fn doors() -> Doors {
        let text = b"[a]\nsequence=1\ncommand=s\nstop_command=t %IP%\n\
                     [b]\nsequence=2\ncommand=s\n\
                     [c]\nsequence=3\ncommand=s\nstop_command=u\n";
        let config = config::parse(text).config.unwrap();
        Doors::new(config.doors.into_iter().map(|door| door.door()).collect()).unwrap()
    }

    fn client(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn doors_are_closed_in_the_order_in_which_they_opened_and_as_often() {
        let (doors, mut leases) = (doors(), Leases::default());
        for (door, last) in [(2, 1), (0, 1), (1, 1), (2, 2), (0, 1)] {
            let id = doors.with_index(door).unwrap();
            leases.begin(id, doors.door(id), client(last));
        }
        let closed = leases.end_all();
        let closed: Vec<_> =
            closed.iter().map(|lease| (lease.door.index(), lease.client, &lease.stop)).collect();
        let [t, u] = [b"t %IP%".as_slice(), b"u"].map(Command::new);
        assert_eq!(
            closed,
            [(2, client(1), &u), (0, client(1), &t), (2, client(2), &u), (0, client(1), &t)]
        );
        assert_eq!(leases.end_all(), []);
    }

    #[test]
    fn a_door_whose_stop_command_was_run_is_not_closed_again() {
        let (doors, mut leases) = (doors(), Leases::default());
        let id = doors.with_index(0).unwrap();
        for last in [1, 1, 2] {
            leases.begin(id, doors.door(id), client(last));
        }
        assert!(leases.end(id, client(1)).is_some());
        assert!(leases.end(id, client(2)).is_some());
        assert!(leases.end(id, client(2)).is_none());
        assert_eq!(leases.end_all().len(), 1);
        assert!(leases.end(id, client(1)).is_none());
    }

    #[test]
    fn the_oldest_lease_ends_and_the_newest_is_withdrawn() {
        let stop = |text: &str| {
            let text = format!("[a]\nsequence=1\ncommand=s\nstop_command={text}\n");
            let config = config::parse(text.as_bytes()).config.unwrap();
            Doors::new(config.doors.into_iter().map(|door| door.door()).collect()).unwrap()
        };
        let mut leases = Leases::default();
        let id = stop("1").with_index(0).unwrap();
        for text in ["1", "2", "3"] {
            leases.begin(id, stop(text).door(id), client(1));
        }
        assert_eq!(leases.len(), 3);
        assert_eq!(leases.withdraw(id, client(1)).unwrap().stop, Command::new(b"3"));
        assert_eq!(leases.end(id, client(1)).unwrap().stop, Command::new(b"1"));
        assert_eq!(leases.withdraw(id, client(1)).unwrap().stop, Command::new(b"2"));
        assert_eq!((leases.withdraw(id, client(1)), leases.len()), (None, 0));
    }
}
