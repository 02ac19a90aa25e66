//! The rows of the timeline, and the tables that they refer to.

use std::collections::HashMap;

use knock_engine::DoorId;
use knock_engine::address;
use serde::Serialize;

use super::data::since;
use super::findings::{Findings, Row};
use super::hidden::{HIDDEN, without_ports};
use super::pair::{PageEvent, PagePacket, Pair, Span};
use super::phrases::{Line, Phrase, Shape};
use crate::explain::ConfigLine;

#[derive(Debug, Serialize)]
pub(super) struct LineData {
    file: String,
    line: u32,
    text: String,
    default: Option<String>,
    /// Whether it is one of the configuration.
    in_config: bool,
}

/// A client at a door.
#[derive(Debug, Serialize)]
pub(super) struct PairData {
    client: String,
    door: usize,
    group: usize,
    openings: u64,
    attempt_count: u64,
    /// How far the attempts came that failed, and of how many knocks.
    stage: u8,
    of: u8,
    /// How near it came, in words, and the set of lines that decided.
    near: String,
    near_lines: u32,
    /// Packets to ports of no door.
    strays: u64,
    pub(super) left_out: u64,
    /// When the first and the last happened of what is left out.
    left_out_times: Option<(i64, i64)>,
    events: Vec<EventRow>,
    /// Attempts and open doors: from, to if it ended, place of what ended it in the verdicts.
    attempts: Vec<SpanRow>,
    leases: Vec<SpanRow>,
}

impl PairData {
    /// Returns the same in a group.
    pub(super) fn in_group(self, group: usize) -> Self {
        Self { group, ..self }
    }
}

type SpanRow = (i64, Option<i64>, usize);

/// What is shown of a packet: knock, flags, destination, VLAN.
pub(super) type ShapeRow = (Option<String>, Option<String>, Option<String>, Option<u16>);

/// Time, verdict, text, attempt or 0, set of lines, how many more of the same; and of a packet its
/// capture, number and shape.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum EventRow {
    Packet(i64, usize, u32, u32, u32, u32, u32, u64, u32),
    Other(i64, usize, u32, u32, u32, u32),
}

/// A table with only what the rows of the page use.
pub(super) struct Used<K, T> {
    pub(super) list: Vec<T>,
    places: HashMap<K, u32>,
}

impl<K: Eq + std::hash::Hash, T> Used<K, T> {
    fn new() -> Self {
        Self { list: Vec::new(), places: HashMap::new() }
    }

    fn place(&mut self, key: K, make: impl FnOnce() -> T) -> u32 {
        let list = &mut self.list;
        *self.places.entry(key).or_insert_with(|| {
            list.push(make());
            u32::try_from(list.len().saturating_sub(1)).unwrap_or(u32::MAX)
        })
    }
}

/// Verdicts with their stages, by their places.
#[derive(Default)]
pub(super) struct Verdicts {
    pub(super) list: Vec<(&'static str, u8)>,
}

impl Verdicts {
    fn place(&mut self, name: &'static str, stage: u8) -> usize {
        let there = self.list.iter().position(|one| *one == (name, stage));
        there.unwrap_or_else(|| {
            self.list.push((name, stage));
            self.list.len().saturating_sub(1)
        })
    }
}

/// The tables that rows refer to.
pub(super) struct Tables<'a> {
    found: &'a Findings<'a>,
    pub(super) verdicts: Verdicts,
    /// By text, and whether ports in it are hidden.
    pub(super) texts: Used<(u32, bool), String>,
    pub(super) shapes: Used<(u32, bool), ShapeRow>,
    pub(super) lines: Used<u32, LineData>,
    pub(super) line_sets: Used<u32, Vec<u32>>,
}

impl<'a> Tables<'a> {
    pub(super) fn new(found: &'a Findings<'a>) -> Self {
        Self {
            found,
            verdicts: Verdicts::default(),
            texts: Used::new(),
            shapes: Used::new(),
            lines: Used::new(),
            line_sets: Used::new(),
        }
    }

    /// Returns the row of a pair, in the first group: another thread finds out in which.
    pub(super) fn pair(&mut self, pair: &Pair, row: &Row) -> PairData {
        let Row { place: _, nearest, near, near_lines } = row;
        let found = self.found;
        let start = found.stretch.from;
        let is_secret = found.is_secret(pair.door, nearest.sequence_line);
        PairData {
            client: address::text(pair.client),
            door: pair.door.index(),
            group: 0,
            openings: nearest.openings,
            attempt_count: nearest.attempts,
            stage: nearest.stage.get(),
            of: nearest.of,
            near: if is_secret { without_ports(near) } else { near.clone() },
            near_lines: self.lines(*near_lines),
            strays: found.explainer.strays_of(pair.client),
            left_out: pair.left_out.as_ref().map_or(0, |left_out| left_out.count),
            left_out_times: pair.left_out.as_ref().map(|left_out| {
                let (first, last) = left_out.times;
                (since(start, first), since(start, last))
            }),
            events: found
                .kept
                .events
                .in_order(pair.events)
                .map(|event| self.event(event, pair.door))
                .collect(),
            attempts: found
                .kept
                .attempts
                .in_order(pair.attempts)
                .map(|span| self.span(span))
                .collect(),
            leases: pair.leases().iter().map(|span| self.span(span)).collect(),
        }
    }

    fn span(&mut self, span: &Span) -> SpanRow {
        let start = self.found.stretch.from;
        let to = span.to.map(|to| since(start, to));
        (since(start, span.from), to, self.verdicts.place(span.end, 0))
    }

    fn event(&mut self, event: &PageEvent, door: DoorId) -> EventRow {
        let PageEvent { at, attempt, more, packet, what } = *event;
        let phrases = &self.found.kept.phrases;
        let Phrase { verdict, stage, text, lines, one_time } = phrases.phrase(what);
        let is_secret = self.found.is_secret(door, one_time);
        let kept = &self.found.kept;
        let at = since(self.found.stretch.from, at);
        let verdict = self.verdicts.place(verdict, stage);
        let text = self.texts.place((text, is_secret), || {
            let text = kept.phrases.texts.get(text).map_or("", String::as_str);
            if is_secret { without_ports(text) } else { text.to_owned() }
        });
        let lines = self.lines(lines);
        match packet {
            Some(PagePacket { number, capture, shape }) => {
                let shape = self.shapes.place((shape, is_secret), || {
                    let shape = kept.shapes.get(shape).copied().unwrap_or_default();
                    shape_row(shape, is_secret)
                });
                let number = number.get();
                EventRow::Packet(at, verdict, text, attempt, lines, more, capture, number, shape)
            }
            None => EventRow::Other(at, verdict, text, attempt, lines, more),
        }
    }

    fn lines(&mut self, set: u32) -> u32 {
        let Self { found, lines, line_sets, .. } = self;
        line_sets.place(set, || {
            let set = found.kept.phrases.line_sets.get(set).map(Vec::as_slice).unwrap_or_default();
            let place = |&line: &u32| {
                let known = found.kept.phrases.lines.get(line)?;
                Some(lines.place(line, || line_row(known, found)))
            };
            set.iter().filter_map(place).collect()
        })
    }
}

fn shape_row(shape: Shape, is_secret: bool) -> ShapeRow {
    let Shape { knock, flags, destination, vlan } = shape;
    let knock = knock.map(|knock| if is_secret { HIDDEN.to_owned() } else { knock.to_string() });
    let (flags, destination) =
        (flags.map(|flags| flags.to_string()), destination.map(address::text));
    (knock, flags, destination, vlan)
}

/// Returns a line. A one-time sequence that has not opened its door is still a secret, and left out.
fn line_row(known: &Line, found: &Findings<'_>) -> LineData {
    let Line { line: ConfigLine { file, line, text, default }, one_time_of } = known;
    let is_secret = one_time_of.is_some_and(|door| found.is_secret(door, Some(*line)));
    LineData {
        file: file.clone(),
        line: *line,
        text: if is_secret { String::new() } else { text.clone() },
        default: default.clone(),
        in_config: one_time_of.is_none(),
    }
}
