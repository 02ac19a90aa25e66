//! The data of a page: one JSON object, which its script reads.
//!
//! Frequent things are written as arrays and as indexes into tables, so that pages stay small.

use std::collections::HashMap;
use std::net::IpAddr;

use knock_engine::address;
use knock_engine::{Counts, DoorId, DoorSequence, Stage, Timestamp};
use serde::Serialize;

use super::collect::{Line, PageContent, PageEvent, Pair, Shape, Span};
use crate::explain::{ConfigLine, Explainer, Nearest, Places, Words, remarks};
use crate::output::time::nanos;
use crate::session::reader::ReadingDone;
use crate::session::summary::address_line;

/// The most lines of a configuration that a page shows.
const CONFIG_LINES: usize = 20_000;

/// All data of a page.
#[derive(Debug, Serialize)]
pub(super) struct Data {
    /// The program with its version.
    program: String,
    /// The names of the captures.
    captures: Vec<String>,
    /// When the first packet came, in nanoseconds since the epoch: more digits than a number of
    /// JavaScript has.
    start: String,
    /// When the last packet came. This and all times below are nanoseconds since the first.
    end: u64,
    /// Which destinations counted.
    addresses: String,
    /// The other lines of the summary on standard error.
    summary: Vec<String>,
    /// What is worth a warning.
    warnings: Vec<String>,
    /// What kept captures from being read to their ends.
    errors: Vec<String>,
    /// Packets that are not explained.
    remarks: Vec<String>,
    counts: Numbers,
    config: Config,
    doors: Vec<DoorData>,
    /// What can happen: its name, and its stage if it is one.
    verdicts: Vec<(&'static str, u8)>,
    texts: Vec<String>,
    shapes: Vec<ShapeRow>,
    lines: Vec<LineData>,
    line_sets: Vec<Vec<u32>>,
    pairs: Vec<PairData>,
}

#[derive(Debug, Serialize)]
struct Numbers {
    packets: u64,
    admitted: u64,
    undecodable: u64,
    attempts: u64,
    opened: u64,
    timed_out: u64,
    voided: u64,
    retransmissions: u64,
    /// Packets of clients that are not followed, because too many are.
    left_out_packets: u64,
    /// Events of those that are.
    left_out_events: u64,
}

#[derive(Debug, Serialize)]
struct Config {
    name: String,
    lines: Vec<String>,
    /// How many lines are not shown.
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct DoorData {
    name: String,
    /// The number of the line with its name.
    line: Option<u32>,
    /// The knocks that open it, if they are always the same.
    knocks: Option<Vec<String>>,
    seq_timeout: u32,
    target: Option<String>,
    /// How near clients came who did not get in, the nearest first, each once.
    near: Vec<usize>,
}

#[derive(Debug, Serialize)]
struct LineData {
    file: String,
    line: u32,
    text: String,
    default: Option<String>,
    /// Whether it is one of the configuration.
    in_config: bool,
}

/// A client at a door.
#[derive(Debug, Serialize)]
struct PairData {
    client: String,
    door: usize,
    /// `opened`, `near` if it made a knock, `never` if it made none, `elsewhere` if its packets counted
    /// at other doors only.
    outcome: &'static str,
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
    left_out: u64,
    /// When the first and the last happened of what is left out.
    left_out_times: Option<(u64, u64)>,
    events: Vec<EventRow>,
    /// Attempts and open doors: from, to if it ended, place of what ended it in the verdicts.
    attempts: Vec<SpanRow>,
    leases: Vec<SpanRow>,
}

type SpanRow = (u64, Option<u64>, usize);

/// What is shown of a packet: knock, flags, destination, VLAN.
type ShapeRow = (Option<String>, Option<String>, Option<String>, Option<u16>);

/// Time, verdict, text, attempt or 0, set of lines, how many more of the same; and of a packet its
/// capture, number and shape.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum EventRow {
    Packet(u64, usize, u32, u64, u32, u64, usize, u64, u32),
    Other(u64, usize, u32, u64, u32, u64),
}

/// Verdicts with their stages, by their places.
#[derive(Default)]
struct Verdicts {
    list: Vec<(&'static str, u8)>,
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

/// What data is made of.
pub(super) struct Sources<'a> {
    pub(super) explainer: &'a Explainer,
    pub(super) reading: &'a ReadingDone,
    pub(super) words: Words<'a>,
}

impl Data {
    /// Makes the data of what was kept.
    pub(super) fn new(mut kept: PageContent, sources: &Sources<'_>) -> Self {
        let Sources { explainer, reading, words } = sources;
        let (first, last) = reading.tally.times().unwrap_or((Timestamp::EPOCH, Timestamp::EPOCH));
        let mut nearest: HashMap<(IpAddr, DoorId), Nearest> =
            explainer.nearest().map(|one| ((one.client, one.door), one)).collect();
        let mut verdicts = Verdicts::default();
        let mut left_out_events = 0_u64;
        let mut pairs = Vec::new();
        for pair in std::mem::take(&mut kept.pairs) {
            left_out_events = left_out_events.saturating_add(pair.left_out);
            let Some(nearest) = nearest.remove(&(pair.client, pair.door)) else { continue };
            let lines = kept.lines(words.nearest_lines(&nearest), pair.door, words);
            let mut row = pair_row(&pair, &nearest, first, &mut verdicts);
            row.near = words.nearest(&nearest);
            row.near_lines = lines;
            row.strays = explainer.strays_of(pair.client);
            pairs.push(row);
        }
        let doors = door_rows(words, &pairs);
        let listening = explainer.listening();
        let addresses = address_line(listening, reading.source);
        let mut summary = reading.tally.lines(explainer.counts(), listening, reading.source);
        summary.retain(|line| *line != addresses);
        let (warnings, summary) =
            summary.into_iter().partition(|line| line.starts_with("warning: "));
        let used = kept.used;
        let line = |line| line_row(line, |door, number| used.contains(&(door, number)));
        Self {
            program: concat!("knock-replay ", env!("CARGO_PKG_VERSION")).to_owned(),
            captures: words.captures.all().to_vec(),
            start: first.as_nanos().to_string(),
            end: nanos(first, last),
            addresses,
            summary,
            warnings,
            errors: reading.errors.iter().map(ToString::to_string).collect(),
            remarks: remarks(explainer.totals(), explainer.whom(), words),
            counts: numbers(explainer, reading, left_out_events),
            config: config(words.places),
            doors,
            verdicts: verdicts.list,
            texts: kept.texts.into_list(),
            shapes: kept.shapes.into_list().into_iter().map(shape_row).collect(),
            lines: kept.lines.into_list().into_iter().map(line).collect(),
            line_sets: kept.line_sets.into_list(),
            pairs,
        }
    }
}

fn numbers(explainer: &Explainer, reading: &ReadingDone, left_out_events: u64) -> Numbers {
    let Counts { admitted, attempts, opened, timed_out, voided, retransmissions, .. } =
        explainer.counts();
    Numbers {
        packets: reading.tally.packets(),
        admitted,
        undecodable: reading.tally.undecodable_packets(),
        attempts,
        opened,
        timed_out,
        voided,
        retransmissions,
        left_out_packets: explainer.totals().left_out,
        left_out_events,
    }
}

fn config(places: &Places) -> Config {
    let mut lines = places.text();
    let shown = lines.by_ref().take(CONFIG_LINES).collect();
    Config { name: places.name().to_owned(), lines: shown, left_out: lines.count() }
}

fn door_rows(words: &Words<'_>, pairs: &[PairData]) -> Vec<DoorData> {
    /// How many clients are named.
    const NAMED: usize = 3;
    let mut near: HashMap<usize, Vec<usize>> = HashMap::new();
    for (place, pair) in pairs.iter().enumerate().filter(|(_, pair)| pair.outcome == "near") {
        near.entry(pair.door).or_default().push(place);
    }
    let row = |(id, door): (DoorId, &knock_engine::Door)| {
        let mut near = near.remove(&id.index()).unwrap_or_default();
        near.sort_by_key(|&place| pairs.get(place).map(|pair| std::cmp::Reverse(pair.stage)));
        near.truncate(NAMED);
        let knocks = match &door.sequence {
            DoorSequence::Fixed(sequence) => {
                Some(sequence.knocks().iter().map(ToString::to_string).collect())
            }
            DoorSequence::OneTime(_) => None,
        };
        DoorData {
            name: words.door(id),
            line: words.places.header(id),
            knocks,
            seq_timeout: door.seq_timeout.get(),
            target: door.target.map(|target| address::text(target.address)),
            near,
        }
    };
    words.doors.in_order().map(row).collect()
}

fn pair_row(pair: &Pair, nearest: &Nearest, start: Timestamp, verdicts: &mut Verdicts) -> PairData {
    let outcome = if nearest.openings > 0 {
        "opened"
    } else if !pair.is_here || nearest.misses.is_empty() {
        "elsewhere"
    } else if nearest.stage > Stage::NONE {
        "near"
    } else {
        "never"
    };
    let mut spans = |spans: &[Span]| {
        let row = |span: &Span| {
            (
                nanos(start, span.from),
                span.to.map(|to| nanos(start, to)),
                verdicts.place(span.end, 0),
            )
        };
        spans.iter().map(row).collect()
    };
    let (attempts, leases) = (spans(&pair.attempts), spans(&pair.leases));
    PairData {
        client: address::text(pair.client),
        door: pair.door.index(),
        outcome,
        openings: nearest.openings,
        attempt_count: nearest.attempts,
        stage: nearest.stage.get(),
        of: nearest.of,
        near: String::new(),
        near_lines: 0,
        strays: 0,
        left_out: pair.left_out,
        left_out_times: pair
            .left_out_times
            .map(|(first, last)| (nanos(start, first), nanos(start, last))),
        events: pair.events.iter().map(|event| event_row(event, start, verdicts)).collect(),
        attempts,
        leases,
    }
}

fn event_row(event: &PageEvent, start: Timestamp, verdicts: &mut Verdicts) -> EventRow {
    let PageEvent { at, verdict, stage, text, attempt, packet, lines, more } = *event;
    let (at, verdict) = (nanos(start, at), verdicts.place(verdict, stage));
    match packet {
        Some((id, shape)) => {
            EventRow::Packet(at, verdict, text, attempt, lines, more, id.capture, id.number, shape)
        }
        None => EventRow::Other(at, verdict, text, attempt, lines, more),
    }
}

fn shape_row(shape: Shape) -> ShapeRow {
    let Shape { knock, flags, destination, vlan } = shape;
    (knock, flags, destination, vlan)
}

/// Returns a line. A one-time sequence that has not opened its door is still a secret, and left out.
fn line_row(line: Line, is_used: impl FnOnce(DoorId, u32) -> bool) -> LineData {
    let Line { line: ConfigLine { file, line, text, default }, one_time_of } = line;
    let in_config = one_time_of.is_none();
    let is_secret = one_time_of.is_some_and(|door| !is_used(door, line));
    let text = if is_secret { String::new() } else { text };
    LineData { file, line, text, default, in_config }
}
