//! What is under way, within limits: attempts, and doors that are open.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use foldhash::fast::RandomState;
use knock_engine::DoorId;

use super::facts::Moment;

/// How many attempts that are under way, and how many open doors, are remembered at once.
pub(super) const FOLLOWED: usize = 100_000;

/// The first knocks of attempts that are under way, of at most [`FOLLOWED`].
#[derive(Debug, Default)]
pub(super) struct Attempts(HashMap<(IpAddr, DoorId), Moment, RandomState>);

impl Attempts {
    pub(super) fn begin(&mut self, client: IpAddr, door: DoorId, moment: Moment) {
        let Self(attempts) = self;
        if attempts.len() < FOLLOWED {
            attempts.insert((client, door), moment);
        } else {
            // Facts about an earlier attempt must not be reported for this one.
            attempts.remove(&(client, door));
        }
    }

    /// Returns when an attempt began that ends.
    pub(super) fn end(&mut self, client: IpAddr, door: DoorId) -> Option<Moment> {
        // The map would compute the hash first, for every attempt that nothing is said about.
        if self.0.is_empty() { None } else { self.0.remove(&(client, door)) }
    }
}

/// Since when doors are open.
#[derive(Debug, Default)]
pub(super) struct OpenDoors {
    /// The openings of doors that are to close again, the oldest first.
    open: HashMap<(IpAddr, DoorId), VecDeque<Moment>>,
    open_count: usize,
    /// When clients were let in that still are, of at most [`FOLLOWED`].
    let_in: HashMap<(IpAddr, DoorId), Moment>,
    /// Some opening could not be remembered.
    has_lost_openings: bool,
}

impl OpenDoors {
    /// Remembers that a door is open, as long as few enough are.
    pub(super) fn remember(&mut self, client: IpAddr, door: DoorId, moment: Moment) {
        if self.open_count < FOLLOWED {
            self.open_count = self.open_count.saturating_add(1);
            self.open.entry((client, door)).or_default().push_back(moment);
        } else {
            self.has_lost_openings = true;
        }
    }

    /// Forgets the oldest opening of a door.
    pub(super) fn forget(&mut self, client: IpAddr, door: DoorId) {
        let Some(openings) = self.open.get_mut(&(client, door)) else { return };
        if openings.pop_front().is_some() {
            self.open_count = self.open_count.saturating_sub(1);
        }
        if openings.is_empty() {
            self.open.remove(&(client, door));
        }
    }

    /// Returns when the door was opened for the client that closes first.
    pub(super) fn oldest(&self, client: IpAddr, door: DoorId) -> Option<Moment> {
        let openings = self.open.get(&(client, door))?;
        if self.has_lost_openings { None } else { openings.front().copied() }
    }

    /// Returns when the door was opened for the client, for each opening that is not over; `None` where that is uncertain.
    pub(super) fn all(&self, client: IpAddr, door: DoorId) -> Vec<Option<Moment>> {
        let openings = self.open.get(&(client, door)).into_iter().flatten();
        openings.map(|one| Some(*one).filter(|_| !self.has_lost_openings)).collect()
    }

    /// Remembers that a client is let in, from the first time on.
    pub(super) fn let_in(&mut self, client: IpAddr, door: DoorId, moment: Moment) {
        if self.let_in.len() < FOLLOWED {
            self.let_in.entry((client, door)).or_insert(moment);
        }
    }

    /// Returns when a client was let in that no longer is.
    pub(super) fn end_admission(&mut self, client: IpAddr, door: DoorId) -> Option<Moment> {
        self.let_in.remove(&(client, door))
    }
}
