//! Records of open doors, as the file of leases has them.
//!
//! The file is text: a line that says what it is, then a line for each record. Each begins with a
//! checksum of the rest, so a record that was changed, cut or mixed with another is never used. Nothing
//! here reads or writes files.

mod checksum;
mod text;

pub use text::{HEADER, Records, apply, encode, header, parse, seal, snapshot};

use std::net::IpAddr;
use std::time::Duration;

/// A door that is open for a client, with all that closing it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLease {
    /// Doors are numbered in the order in which they open. No two leases of this machine have the same
    /// number.
    pub number: u64,
    /// The name of the door when it opened.
    pub door_name: Vec<u8>,
    /// For whom it is open.
    pub client: IpAddr,
    /// The command line that closes it. It contains no newline.
    pub stop: Vec<u8>,
    /// How long it stays open after its start command has ended; `None` if it is closed only when the
    /// daemon ends.
    pub closes_after: Option<Duration>,
    /// Where it was opened.
    pub place: Place,
    /// The processes of its start command, while that runs.
    pub group: Option<Group>,
    /// When it is due; `None` before its start command has ended.
    pub due: Option<Due>,
    /// Whether its stop command has been started, so that it may be closed.
    pub is_closing: bool,
}

/// The system and the network that a command has changed. If either is another one now, its rules are
/// most likely gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(Box<str>);

impl Place {
    /// The longest text, in bytes.
    pub const BYTES_MAX: usize = 128;

    /// Takes the id of a boot and of a network namespace.
    #[must_use]
    pub fn new(boot: &str, network: u64) -> Self {
        let boot: String = boot.chars().filter(char::is_ascii_graphic).take(64).collect();
        Self(format!("{boot}/{network}").into())
    }

    fn from_text(text: &str) -> Option<Self> {
        let is_valid = !text.is_empty()
            && text.len() <= Self::BYTES_MAX
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_valid.then(|| Self(text.into()))
    }

    /// Returns the id of the boot.
    #[must_use]
    pub fn boot(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

/// The processes of a command, which is the leader of its process group and session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The process ID of the leader.
    pub leader: i32,
    /// When it was started, in the ticks of `/proc/PID/stat`: another process with the same ID has
    /// another one.
    pub started: u64,
}

/// A moment on two clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The system on which the first clock ran.
    pub place: Place,
    /// On the clock that runs since the boot, suspended or not.
    pub since_boot: Duration,
    /// On the wall clock, since 1970.
    pub wall: Duration,
}

impl Due {
    /// Returns how long it is until then, but at most `max`. If the machine was booted since, the wall
    /// clock decides.
    #[must_use]
    pub fn time_left(&self, now: &Self, max: Duration) -> Duration {
        let left = if self.place.boot() == now.place.boot() {
            self.since_boot.saturating_sub(now.since_boot)
        } else {
            self.wall.saturating_sub(now.wall)
        };
        left.min(max)
    }

    /// Returns the moment this much later.
    #[must_use]
    pub fn after(&self, time: Duration) -> Self {
        Self {
            place: self.place.clone(),
            since_boot: self.since_boot.saturating_add(time),
            wall: self.wall.saturating_add(time),
        }
    }
}

/// A change to what is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A door is about to open.
    Open(StoredLease),
    /// Its start command runs.
    Runs(u64, Group),
    /// Its start command has ended, or its time was prolonged, or its stop command has failed.
    Due(u64, Due),
    /// Its stop command runs.
    Closing(u64),
    /// It is closed, or has not opened.
    Closed(u64),
}

#[cfg(test)]
mod tests;
