//! What happened to clients at doors, kept within limits until the page is made.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::net::IpAddr;

use knock_engine::{DoorId, Phase, Stage, Timestamp};

use crate::explain::{ConfigLine, Explanation, PacketId, Seen, Verdict, Words, text_of};

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Events of one client at one door, those of its openings apart.
    pub(super) of_one: usize,
    /// Events of all.
    pub(super) of_all: usize,
    /// Events of the openings of one client at one door: they are what a report is looked into for.
    pub(super) openings_of_one: usize,
    /// Events of the openings of all.
    pub(super) openings_of_all: usize,
    /// Bytes of different texts.
    pub(super) bytes: usize,
}

impl Limits {
    /// What a page can have without being slow: some 10 MB, and 40 MB with the longest commands.
    pub(super) const PAGE: Self = Self {
        of_one: 100,
        of_all: 100_000,
        openings_of_one: 400,
        openings_of_all: 50_000,
        bytes: 32 << 20,
    };
}

/// Things that are kept once and told by their places.
#[derive(Debug)]
pub(super) struct Table<T> {
    list: Vec<T>,
    places: HashMap<T, u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { list: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Table<T> {
    fn place(&mut self, one: T) -> u32 {
        if let Some(&place) = self.places.get(&one) {
            return place;
        }
        let place = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(one.clone());
        self.places.insert(one, place);
        place
    }

    pub(super) fn into_list(self) -> Vec<T> {
        self.list
    }
}

/// What is shown of a packet besides its number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub(super) knock: Option<String>,
    pub(super) flags: Option<String>,
    pub(super) destination: Option<String>,
    pub(super) vlan: Option<u16>,
}

impl Shape {
    fn of(seen: Seen) -> Self {
        Self {
            knock: seen.knock.map(|knock| knock.to_string()),
            flags: seen.flags.map(|flags| flags.to_string()),
            destination: seen.destination.map(text_of),
            vlan: seen.vlan,
        }
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

/// Something that happened. Numbers are places in the tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) verdict: &'static str,
    pub(super) text: u32,
    pub(super) attempt: u64,
    pub(super) packet: Option<(PacketId, u32)>,
    pub(super) lines: u32,
    /// How many of the same came after it and are not kept.
    pub(super) more: u64,
}

/// An attempt, or the time for which a door was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Timestamp,
    pub(super) to: Option<Timestamp>,
    /// How it ended.
    pub(super) end: &'static str,
}

/// A client at a door.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    pub(super) events: Vec<Event>,
    pub(super) attempts: Vec<Span>,
    pub(super) leases: Vec<Span>,
    /// How many events are not kept.
    pub(super) left_out: u64,
    /// Whether there is anything but packets that counted at other doors.
    pub(super) is_here: bool,
    /// How many events of openings are kept.
    openings: usize,
    /// Whether the last attempt is one of those that are kept, and goes on.
    is_trying: bool,
    /// How many openings have closed.
    closed: u64,
}

/// What is kept.
#[derive(Debug)]
pub(super) struct Kept {
    limits: Limits,
    /// In the order in which they first had to do with one another.
    pub(super) pairs: Vec<Pair>,
    places: HashMap<(IpAddr, DoorId), usize>,
    pub(super) texts: Table<String>,
    pub(super) shapes: Table<Shape>,
    pub(super) lines: Table<Line>,
    pub(super) line_sets: Table<Vec<u32>>,
    /// The lines of one-time sequences that opened their doors.
    pub(super) used: BTreeSet<(DoorId, u32)>,
    events: usize,
    openings: usize,
    bytes: usize,
}

impl Kept {
    /// How many of the same are kept that come one after another.
    const SAME: usize = 3;

    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            pairs: Vec::new(),
            places: HashMap::new(),
            texts: Table::default(),
            shapes: Table::default(),
            lines: Table::default(),
            line_sets: Table::default(),
            used: BTreeSet::new(),
            events: 0,
            openings: 0,
            bytes: 0,
        }
    }

    /// Takes what happened, and keeps it or counts it.
    pub(super) fn add(&mut self, one: &Explanation, words: &Words<'_>) {
        if let Verdict::OneTimeUsed { line } = one.verdict {
            self.used.insert((one.door, line));
        }
        let place = *self.places.entry((one.client, one.door)).or_insert(self.pairs.len());
        if place == self.pairs.len() {
            self.pairs.push(Pair::new(one));
        }
        let is_kept = self.keep(place, one, words);
        if let Some(pair) = self.pairs.get_mut(place) {
            pair.is_here |= one.verdict.counted_elsewhere().is_none();
            pair.follow(one, is_kept);
        }
    }

    /// Keeps an event if there is room. Returns whether it is kept.
    fn keep(&mut self, place: usize, one: &Explanation, words: &Words<'_>) -> bool {
        let limits = self.limits;
        let Some(pair) = self.pairs.get_mut(place) else { return false };
        if pair.is_more_of_the_same(one)
            && let Some(last) = pair.events.last_mut()
        {
            last.more = last.more.saturating_add(1);
            return true;
        }
        let is_of_opening = is_of_opening(&one.verdict);
        let has_room = if is_of_opening {
            pair.openings < limits.openings_of_one && self.openings < limits.openings_of_all
        } else {
            let others = pair.events.len().saturating_sub(pair.openings);
            others < limits.of_one && self.events.saturating_sub(self.openings) < limits.of_all
        };
        let text = if has_room { words.sentence(one) } else { String::new() };
        let new = if self.texts.places.contains_key(&text) { 0 } else { text.len() };
        if !has_room || self.bytes.saturating_add(new) > limits.bytes {
            pair.left_out = pair.left_out.saturating_add(1);
            return false;
        }
        self.bytes = self.bytes.saturating_add(new);
        self.events = self.events.saturating_add(1);
        if is_of_opening {
            self.openings = self.openings.saturating_add(1);
            pair.openings = pair.openings.saturating_add(1);
        }
        let event = Event {
            at: one.at,
            verdict: one.verdict.name(),
            text: self.texts.place(text),
            attempt: one.attempt.map_or(0, |attempt| attempt.number),
            packet: one.packet.map(|seen| (seen.id, self.shapes.place(Shape::of(seen)))),
            lines: 0,
            more: 0,
        };
        let lines = self.lines(lines(one, words), one.door, words);
        if let Some(pair) = self.pairs.get_mut(place) {
            pair.events.push(Event { lines, ..event });
        }
        true
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

impl Pair {
    fn new(one: &Explanation) -> Self {
        Self {
            client: one.client,
            door: one.door,
            events: Vec::new(),
            attempts: Vec::new(),
            leases: Vec::new(),
            left_out: 0,
            is_here: false,
            openings: 0,
            is_trying: false,
            closed: 0,
        }
    }

    fn is_more_of_the_same(&self, one: &Explanation) -> bool {
        if !one.verdict.is_dull() || self.left_out > 0 {
            return false;
        }
        let attempt = one.attempt.map_or(0, |attempt| attempt.number);
        let same = |event: &&Event| event.verdict == one.verdict.name() && event.attempt == attempt;
        self.events.iter().rev().take_while(same).count() >= Kept::SAME
    }

    /// Follows attempts and openings, those that are kept, to their ends.
    fn follow(&mut self, one: &Explanation, is_kept: bool) {
        let at = one.at;
        if matches!(one.verdict, Verdict::Stage { stage: Stage::FIRST, .. }) {
            self.is_trying = is_kept;
            if is_kept {
                self.attempts.push(Span { from: at, to: None, end: "" });
            }
        }
        if ends_attempt(&one.verdict)
            && std::mem::take(&mut self.is_trying)
            && let Some(last) = self.attempts.last_mut()
        {
            *last = Span { to: Some(at), end: one.verdict.name(), ..*last };
        }
        match one.verdict {
            Verdict::Opened => {
                // Those that are not kept are the last ones: what closes is still told apart.
                if is_kept {
                    self.leases.push(Span { from: at, to: None, end: "" });
                }
            }
            Verdict::CommandTimedOut => {
                let lease = usize::try_from(self.closed).unwrap_or(usize::MAX);
                if let Some(lease) = self.leases.get_mut(lease) {
                    *lease = Span { to: Some(at), end: one.verdict.name(), ..*lease };
                }
                self.closed = self.closed.saturating_add(1);
            }
            Verdict::Stage { .. }
            | Verdict::Refused
            | Verdict::Command(_)
            | Verdict::SequenceTimedOut { .. }
            | Verdict::Evicted { .. }
            | Verdict::SequenceChanged { .. }
            | Verdict::DoorChanged { .. }
            | Verdict::OneTimeUsed { .. }
            | Verdict::Disabled
            | Verdict::Void { .. }
            | Verdict::Ignored(_) => {}
        }
    }
}

/// Returns whether something belongs to an opening.
const fn is_of_opening(verdict: &Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Opened
            | Verdict::Refused
            | Verdict::Command(_)
            | Verdict::CommandTimedOut
            | Verdict::OneTimeUsed { .. }
            | Verdict::Disabled
    )
}

const fn ends_attempt(verdict: &Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Opened
            | Verdict::Refused
            | Verdict::SequenceTimedOut { .. }
            | Verdict::Evicted { .. }
            | Verdict::SequenceChanged { .. }
            | Verdict::DoorChanged { .. }
            | Verdict::Void { .. }
    )
}

/// Returns the lines of the configuration that decided, also where nothing went wrong.
fn lines(one: &Explanation, words: &Words<'_>) -> Vec<ConfigLine> {
    match one.verdict {
        Verdict::Stage { late: None, .. }
        | Verdict::Opened
        | Verdict::OneTimeUsed { .. }
        | Verdict::SequenceChanged { .. } => words.places.sequence(one.door, one.sequence_line),
        Verdict::Command(phase @ (Phase::Start | Phase::Stop)) => {
            words.places.command(one.door, phase, one.client)
        }
        Verdict::Stage { late: Some(_), .. }
        | Verdict::Refused
        | Verdict::SequenceTimedOut { .. }
        | Verdict::CommandTimedOut
        | Verdict::Evicted { .. }
        | Verdict::DoorChanged { .. }
        | Verdict::Disabled
        | Verdict::Void { .. }
        | Verdict::Ignored(_) => words.lines(one),
    }
}
