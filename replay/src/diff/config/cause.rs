//! What a change comes from.

use knock_engine::{DoorId, Phase};

use super::Outcome;
use super::change::{Change, Kind};
use super::divergence::Divergence;
use super::event::What;
use super::side::Side;
use crate::explain::{ConfigLine, Explanation, Verdict, Words};
use crate::session::names::PacketId;

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
    Divergence {
        /// The packet.
        packet: Option<PacketId>,
        /// What it is or does, as people say it.
        subject: String,
        /// What they make of it.
        sides: [(String, Vec<ConfigLine>); 2],
    },
    /// The door closes because it opened, and that is gone, new or at another time.
    Opening,
    /// Unknown: more clients knocked at doors than are tracked.
    Unknown,
}

impl Because {
    /// [`Because::Opening`] in words.
    pub(super) const OPENING: &str = "the opening before, which is not the same";

    pub(super) fn of(change: &Change, outcome: &Outcome) -> Self {
        let Outcome { old, new, .. } = outcome;
        let (old_door, new_door) = match (old.doors.id(change.door), new.doors.id(change.door)) {
            (Some(old), Some(new)) => (old, new),
            (old_door, _) => {
                let lacking = if old_door.is_none() { &old.name } else { &new.name };
                let door = outcome.door(change.door);
                return Self::NoDoor { text: format!("{lacking} has no door {door}") };
            }
        };
        let doors = [(old, old_door), (new, new_door)];
        match Decision::of(change, doors, outcome) {
            Decision::Lines(lines) => Self::Lines { lines },
            Decision::Opening => Self::Opening,
            Decision::Packets => match change.divergence.and_then(|id| outcome.divergences.get(id))
            {
                Some(divergence) => divergence.words(doors, outcome),
                None => Self::Unknown,
            },
        }
    }
}

/// What decides.
enum Decision {
    /// The lines of both configurations, alone.
    Lines([Vec<ConfigLine>; 2]),
    /// The opening that it follows from.
    Opening,
    /// What was made of packets.
    Packets,
}

impl Decision {
    fn of(change: &Change, doors: [(&Side, DoorId); 2], outcome: &Outcome) -> Self {
        let is_ipv6 = change.client.is_ipv6();
        let lines = |which: &dyn Fn(&Words<'_>, DoorId) -> Vec<ConfigLine>| {
            let lines = doors.map(|(side, door)| which(&side.words(&outcome.captures), door));
            (!is_same(&lines)).then_some(Self::Lines(lines))
        };
        let command = |phase| lines(&|words, door| words.places.command(door, phase, is_ipv6));
        let runs = |phase| {
            doors.map(|(side, door)| {
                let words = side.words(&outcome.captures);
                words.doors.door(door).commands.of(phase, change.client).is_some()
            })
        };
        let decided = match (change.what(), change.kind()) {
            (What::SequenceTimedOut, Kind::Moved) => lines(&|words, door| words.seq_timeout(door)),
            (What::Admitted(..), _) => lines(&|words, door| words.places.open(door))
                .or_else(|| lines(&|words, door| words.open_for(door))),
            (What::AdmissionEnded, Kind::Moved) => lines(&|words, door| words.open_for(door)),
            (What::AdmissionEnded, _) => lines(&|words, door| words.places.open(door)),
            (What::StartCommand(_), Kind::Changed) => command(Phase::Start),
            (What::StartCommand(_), _) if runs(Phase::Start) != [true; 2] => command(Phase::Start),
            (What::StopCommand(_), Kind::Changed) => command(Phase::Stop),
            (What::StopCommand(_) | What::CommandTimedOut, Kind::Moved | Kind::Changed) => {
                lines(&|words, door| words.cmd_timeout(door))
            }
            // A door without a start command runs no stop command either.
            (What::StopCommand(_) | What::CommandTimedOut, _) if runs(Phase::Stop) != [true; 2] => {
                command(Phase::Stop).or_else(|| command(Phase::Start))
            }
            (
                What::Opened
                | What::Refused
                | What::SequenceTimedOut
                | What::StartCommand(_)
                | What::StopCommand(_)
                | What::CommandTimedOut,
                _,
            ) => None,
        };
        let closes = matches!(
            change.what(),
            What::StopCommand(_) | What::CommandTimedOut | What::AdmissionEnded
        );
        decided.unwrap_or(if closes { Self::Opening } else { Self::Packets })
    }
}

/// Returns whether both sides say the same: then it cannot be what makes the difference.
fn is_same([old, new]: &[Vec<ConfigLine>; 2]) -> bool {
    let said = |line: &ConfigLine| (line.text.clone(), line.default.clone());
    old.iter().map(said).eq(new.iter().map(said))
}

impl Divergence {
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
        Because::Divergence { packet: seen.map(|seen| seen.id), subject, sides }
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
