//! What a change comes from.

use knock_engine::{DoorId, Phase};

use super::Outcome;
use super::event::What;
use super::pairing::{Change, Halves};
use super::parting::Parting;
use super::side::Side;
use crate::explain::{ConfigLine, Explanation, Verdict};
use crate::reader::PacketId;

/// What a change comes from, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Because {
    /// One of the two has no such door.
    NoDoor {
        /// What is said of it.
        text: String,
    },
    /// The two say something else.
    Lines {
        /// The lines of both.
        lines: [Vec<ConfigLine>; 2],
    },
    /// The two make something else of a packet, or of time.
    Parting {
        /// The packet.
        packet: Option<PacketId>,
        /// What it is or does, as people say it.
        subject: String,
        /// What they make of it.
        sides: [(String, Vec<ConfigLine>); 2],
    },
    /// Nobody knows: more clients knocked at doors than are followed.
    Unknown,
}

impl Because {
    pub(super) fn of(change: &Change, outcome: &Outcome) -> Self {
        let Outcome { old, new, .. } = outcome;
        let (old_door, new_door) = match (old.door(change.door), new.door(change.door)) {
            (Some(old), Some(new)) => (old, new),
            (old_door, _) => {
                let lacking = if old_door.is_none() { &old.name } else { &new.name };
                let door = outcome.door(change.door);
                return Self::NoDoor { text: format!("{lacking} has no door {door}") };
            }
        };
        let doors = [(old, old_door), (new, new_door)];
        if let Some(lines) = decided_by_lines(change, doors, outcome) {
            return if is_same(&lines) { Self::Unknown } else { Self::Lines { lines } };
        }
        match change.parting.and_then(|id| outcome.partings.get(id)) {
            Some(parting) => parting.words(doors, outcome),
            None => Self::Unknown,
        }
    }
}

/// Returns whether both sides say the same: then it cannot be what makes the difference.
fn is_same([old, new]: &[Vec<ConfigLine>; 2]) -> bool {
    let said = |line: &ConfigLine| (line.text.clone(), line.default.clone());
    old.iter().map(said).eq(new.iter().map(said))
}

/// Returns the lines of both configurations if it is them alone that decide.
fn decided_by_lines(
    change: &Change,
    doors: [(&Side, DoorId); 2],
    outcome: &Outcome,
) -> Option<[Vec<ConfigLine>; 2]> {
    let both = matches!(change.halves, Halves::Both(..));
    let phase = match change.what() {
        What::SequenceTimedOut if both => {
            return Some(doors.map(|(side, door)| side.words(&outcome.captures).seq_timeout(door)));
        }
        What::Opened | What::Refused | What::SequenceTimedOut => return None,
        // What an opening brings goes with it.
        What::StartCommand(_) | What::StopCommand(_) | What::CommandTimedOut
            if change.parting.is_some() =>
        {
            return None;
        }
        What::CommandTimedOut if both => None,
        What::StopCommand(_) if both && is_moved(change) => None,
        What::StartCommand(_) => Some(Phase::Start),
        What::StopCommand(_) | What::CommandTimedOut => Some(Phase::Stop),
    };
    let is_ipv6 = change.client.is_ipv6();
    Some(doors.map(|(side, door)| {
        let words = side.words(&outcome.captures);
        match phase {
            Some(phase) => words.places.command(door, phase, is_ipv6),
            None => words.cmd_timeout(door),
        }
    }))
}

/// Returns whether a command runs at another time, with the same text.
fn is_moved(change: &Change) -> bool {
    matches!(&change.halves, Halves::Both((old, _), (new, _)) if old == new)
}

impl Parting {
    fn words(&self, doors: [(&Side, DoorId); 2], outcome: &Outcome) -> Because {
        let one = self.old.or(self.new);
        let seen = one.and_then(|one| one.packet);
        let subject = match (seen, one.map(|one| one.verdict)) {
            (Some(seen), _) => {
                let knock = seen.knock.map_or(String::new(), |knock| format!(" ({knock})"));
                format!("{}{knock}", outcome.captures.packet(seen.id))
            }
            (None, Some(Verdict::SequenceTimedOut { .. })) => "the sequence timeout".to_owned(),
            (None, _) => "another client".to_owned(),
        };
        let [old, new] = doors;
        let sides = [
            said(self.old.as_ref(), self.new.as_ref(), old, outcome),
            said(self.new.as_ref(), self.old.as_ref(), new, outcome),
        ];
        Because::Parting { packet: seen.map(|seen| seen.id), subject, sides }
    }
}

/// Returns what one side says, with the lines that decided. `other` is what the other one says.
fn said(
    one: Option<&Explanation>,
    other: Option<&Explanation>,
    (side, door): (&Side, DoorId),
    outcome: &Outcome,
) -> (String, Vec<ConfigLine>) {
    let words = side.words(&outcome.captures);
    let by_time =
        other.is_some_and(|other| matches!(other.verdict, Verdict::SequenceTimedOut { .. }));
    match one {
        Some(one) => {
            let lines = words.lines(one);
            let sequence = || words.places.sequence(door, one.sequence_line);
            (words.sentence(one), if lines.is_empty() { sequence() } else { lines })
        }
        None if by_time => ("no timeout then".to_owned(), words.seq_timeout(door)),
        None => ("nothing".to_owned(), words.places.sequence(door, None)),
    }
}
