//! What is remembered of what has happened, for the report of an assertion.

use std::net::IpAddr;

use knock_engine::{DoorId, Phase, Seconds, Stage, Timestamp};

use crate::session::names::PacketId;

/// How many openings, closings or runs are printed one by one.
pub(super) const NAMED: usize = 3;

/// The longest text of a command that is shown, in bytes.
const SHOWN: usize = 4096;

/// A door that opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    pub(super) at: Timestamp,
    pub(super) packet: Option<PacketId>,
    /// The first knock of the attempt, if it is known.
    pub(super) began: Option<Moment>,
}

/// When something happened, and which packet made it happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) packet: Option<PacketId>,
}

/// A door that closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    pub(super) at: Timestamp,
    /// When it had opened, if that is known.
    pub(super) opened: Option<Moment>,
}

/// A client that was let in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    pub(super) lasts: Seconds,
    pub(super) packet: Option<PacketId>,
}

/// A command that ran.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) phase: Phase,
    pub(super) at: Timestamp,
    /// What made it run: the packet that opened the door, if it is known.
    pub(super) opened: Option<Moment>,
}

/// How far an attempt came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Furthest {
    pub(super) stage: Stage,
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    pub(super) packet: Option<PacketId>,
}

/// What has happened that has to do with one assertion.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// How many openings, closings or runs there were.
    pub(super) count: u64,
    /// How many of those were as long as the assertion says.
    pub(super) in_time: u64,
    /// The first openings.
    pub(super) openings: Vec<Opening>,
    /// The opening that took the shortest time, with that time in nanoseconds.
    pub(super) fastest: Option<(u64, Opening)>,
    /// It is not known of some opening or closing how long it took.
    pub(super) is_uncertain: bool,
    pub(super) closings: Vec<Closing>,
    /// Clients that are meant and were let in, whatever to and however long.
    pub(super) admitted: Vec<Admitted>,
    pub(super) runs: Vec<Run>,
    /// The command that ran and is most like the one that is looked for.
    pub(super) alike: Option<(usize, Vec<u8>, Run)>,
}

impl Facts {
    /// Takes the text of a command that ran.
    pub(super) fn ran(&mut self, wanted: &[u8], text: &[u8], run: Run) {
        if wanted == text {
            self.count = self.count.saturating_add(1);
            if self.runs.len() < NAMED {
                self.runs.push(run);
            }
        } else if self.count == 0 {
            let likeness = likeness(wanted, text);
            if self.alike.as_ref().is_none_or(|(alike, _, _)| *alike < likeness) {
                let shown = text.get(..SHOWN).unwrap_or(text);
                self.alike = Some((likeness, shown.to_vec(), run));
            }
        }
    }
}

/// Returns how much two texts have in common at their ends.
fn likeness(one: &[u8], other: &[u8]) -> usize {
    let same = |(one, other): &(&u8, &u8)| one == other;
    let before = one.iter().zip(other).take_while(same).count();
    let behind = one.iter().rev().zip(other.iter().rev()).take_while(same).count();
    before.saturating_add(behind).min(one.len()).min(other.len())
}
