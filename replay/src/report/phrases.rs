//! What can happen, in words and with the lines of the configuration that decided: all of it kept once.

use std::collections::VecDeque;
use std::net::IpAddr;

use knock_engine::{DoorId, Knock, Phase, TcpFlags};

use super::table::Table;
use crate::explain::{ConfigLine, Explanation, Seen, Verdict, Why, Words};

/// What is shown of a packet besides its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub(super) knock: Option<Knock>,
    pub(super) flags: Option<TcpFlags>,
    pub(super) destination: Option<IpAddr>,
    pub(super) vlan: Option<u16>,
}

impl Shape {
    pub(super) const fn of(seen: Seen) -> Self {
        let Seen { id: _, knock, flags, destination, vlan } = seen;
        Self { knock, flags, destination, vlan }
    }
}

/// A line of a file that decided something. The text of a one-time sequence comes with it; whether it
/// may be shown is known when all packets are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Line {
    pub(super) line: ConfigLine,
    /// The door whose one-time sequence it is.
    pub(super) one_time_of: Option<DoorId>,
}

/// What happened, but for who, when and by which packet. Numbers are places in the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Phrase {
    pub(super) verdict: &'static str,
    /// How many knocks are made, if it is a stage; else 0.
    pub(super) stage: u8,
    pub(super) text: u32,
    pub(super) lines: u32,
    /// The line of the one-time sequence that it is about, if it is about one.
    pub(super) one_time: Option<u32>,
}

/// What the words for something depend on, if not on the client or a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct General {
    door: DoorId,
    of: u8,
    sequence_line: Option<u32>,
    verdict: Verdict,
}

/// What happened to any client.
#[derive(Debug)]
pub(super) struct Phrases {
    list: Table<Phrase>,
    pub(super) texts: Table<String>,
    pub(super) lines: Table<Line>,
    pub(super) line_sets: Table<Vec<u32>>,
    /// How many more bytes of texts may be kept.
    room: usize,
    /// The last general things that happened, with their places: a flood is the same again and again, and
    /// words take longer than all else.
    recent: VecDeque<(General, u32)>,
}

impl Phrases {
    /// How many general things are remembered.
    const RECENT: usize = 8;

    /// Makes a list with room for so many bytes of different texts.
    pub(super) fn new(room: usize) -> Self {
        Self {
            list: Table::default(),
            texts: Table::default(),
            lines: Table::default(),
            line_sets: Table::default(),
            room,
            recent: VecDeque::new(),
        }
    }

    /// Returns what happened.
    pub(super) fn phrase(&self, place: u32) -> Phrase {
        self.list.get(place).copied().unwrap_or_default()
    }

    /// Returns the name of what happened.
    pub(super) fn verdict(&self, place: u32) -> &'static str {
        self.phrase(place).verdict
    }

    /// Returns the place of what happened, if there is room for its text.
    pub(super) fn place(&mut self, one: &Explanation, words: &Words<'_>) -> Option<u32> {
        let is_general = is_general(&one.verdict);
        if is_general && let Some((_, place)) = self.recent.iter().find(|(known, _)| known.is(one))
        {
            return Some(*place);
        }
        let text = words.sentence(one);
        if !self.texts.contains(&text) {
            self.room = self.room.checked_sub(text.len())?;
        }
        let text = self.texts.place(text);
        let lines = self.lines(lines(one, words), one.door, words);
        let (verdict, stage) = (one.verdict.name(), stage_of(&one.verdict));
        let one_time = one.sequence_line;
        let place = self.list.place(Phrase { verdict, stage, text, lines, one_time });
        if is_general {
            if self.recent.len() >= Self::RECENT {
                self.recent.pop_back();
            }
            self.recent.push_front((General::of(one), place));
        }
        Some(place)
    }

    /// Returns the place of a set of lines.
    pub(super) fn lines(&mut self, lines: Vec<ConfigLine>, door: DoorId, words: &Words<'_>) -> u32 {
        let places = lines.into_iter().map(|line| {
            let one_time_of = (line.file != words.places.name()).then_some(door);
            self.lines.place(Line { line, one_time_of })
        });
        let places = places.collect();
        self.line_sets.place(places)
    }
}

impl General {
    const fn of(one: &Explanation) -> Self {
        let Explanation { door, of, sequence_line, verdict, .. } = *one;
        Self { door, of, sequence_line, verdict }
    }

    /// Returns whether something has the same words.
    fn is(&self, one: &Explanation) -> bool {
        let Self { door, of, sequence_line, verdict } = self;
        *door == one.door
            && *of == one.of
            && *sequence_line == one.sequence_line
            && *verdict == one.verdict
    }
}

/// Returns whether the words depend neither on the client nor on a packet.
const fn is_general(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Stage { late: None, again: None, .. }
        | Verdict::Opened
        | Verdict::Refused
        | Verdict::SequenceTimedOut { .. }
        | Verdict::CommandTimedOut
        | Verdict::Admitted { .. }
        | Verdict::AdmissionEnded(_)
        | Verdict::Closing
        | Verdict::Evicted { .. }
        | Verdict::Ignored(Why::NoAttempt { behind: None, .. } | Why::OtherAttempt { .. }) => true,
        Verdict::Stage { .. }
        | Verdict::Signed { .. }
        | Verdict::Skipped(_)
        | Verdict::VoidedOften { .. }
        | Verdict::Command(_)
        | Verdict::SequenceChanged { .. }
        | Verdict::DoorChanged { .. }
        | Verdict::OneTimeUsed { .. }
        | Verdict::Disabled
        | Verdict::Void { .. }
        | Verdict::Ignored(_) => false,
    }
}

const fn stage_of(verdict: &Verdict) -> u8 {
    if let Verdict::Stage { stage, .. } = *verdict { stage.get() } else { 0 }
}

/// Returns the lines of the configuration that decided, also where nothing went wrong.
fn lines(one: &Explanation, words: &Words<'_>) -> Vec<ConfigLine> {
    match one.verdict {
        Verdict::Stage { late: None, .. }
        | Verdict::Opened
        | Verdict::OneTimeUsed { .. }
        | Verdict::SequenceChanged { .. } => words.places.sequence(one.door, one.sequence_line),
        Verdict::Command(phase @ (Phase::Start | Phase::Stop)) => {
            words.places.command(one.door, phase, one.client.is_ipv6())
        }
        Verdict::Stage { late: Some(_), .. }
        | Verdict::Signed { .. }
        | Verdict::Refused
        | Verdict::Skipped(_)
        | Verdict::SequenceTimedOut { .. }
        | Verdict::Admitted { .. }
        | Verdict::Closing
        | Verdict::AdmissionEnded(_)
        | Verdict::CommandTimedOut
        | Verdict::Evicted { .. }
        | Verdict::DoorChanged { .. }
        | Verdict::Disabled
        | Verdict::Void { .. }
        | Verdict::VoidedOften { .. }
        | Verdict::Ignored(_) => words.lines(one),
    }
}
