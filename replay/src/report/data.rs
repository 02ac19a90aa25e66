//! The data of a page: one JSON object, which its script reads.
//!
//! Frequent things are written as arrays and as indexes into tables, so that pages stay small.

use std::collections::BTreeMap;

use knock_engine::address;
use knock_engine::{Counts, DoorId, DoorSequence, Timestamp};
use serde::Serialize;

use super::findings::{Findings, Row};
use super::groups::{Group, Kind, Outcome};
use super::openings::Opening;
use super::rows::{LineData, PairData, ShapeRow, Tables};
use crate::explain::Places;
use crate::session::threads;

/// The most lines of a configuration that a page shows.
const CONFIG_LINES: usize = 20_000;

/// The most clients of whom a page says when they got in: some 6 MB.
pub(super) const OPENINGS: usize = 100_000;

/// All data of a page. Times are nanoseconds since `start`.
#[derive(Debug, Serialize)]
pub(super) struct Data {
    /// The names of the captures.
    captures: Vec<String>,
    /// When the first packet came, but for those with a wrong clock, in nanoseconds since the epoch: more
    /// digits than a number of JavaScript has.
    start: String,
    /// When the last packet came, but for those with a wrong clock.
    end: i64,
    /// When the first and the last packet came.
    whole: (i64, i64),
    counts: Numbers,
    config: Config,
    doors: Vec<DoorData>,
    /// Who got in, the latest first.
    openings: Vec<OpeningRow>,
    /// Clients that came to the same.
    groups: Vec<GroupData>,
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
    opened: u64,
    /// Clients at doors, with a row or without.
    pairs: usize,
    clients: usize,
    /// Packets of clients that are not followed, because too many are.
    left_out_packets: u64,
    /// Events of those with a row.
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
}

/// Client, door, how often it got in, when first and last, and when the door closed again.
type OpeningRow = (String, usize, u64, i64, i64, Option<i64>);

/// A group of clients.
#[derive(Debug, Serialize)]
struct GroupData {
    door: usize,
    outcome: &'static str,
    /// How far its clients came, and of how many knocks; 0 of 0 if they missed nothing.
    stage: u8,
    of: u8,
    cause: Option<&'static str>,
    /// The cause in words.
    why: String,
    pairs: usize,
    /// How many came first at which part of the time, of those without a row: places from 0 to
    /// [`PARTS`], and how many.
    rest: BTreeMap<usize, u64>,
}

/// Into how many parts the time is cut to show clients without a row.
const PARTS: usize = 240;

impl Data {
    pub(super) fn new(found: &Findings<'_>) -> Self {
        let rows = || {
            let mut tables = Tables::new(found);
            let row = |row: &Row| Some(tables.pair(found.kept.pair(row.place)?, row));
            let rows: Vec<Option<PairData>> = found.rows.iter().map(row).collect();
            (rows, tables)
        };
        // The groups are those of all pairs, which are fetched from memory.
        let ((groups, of_rows), (rows, tables)) = threads::both(|| group_rows(found), rows);
        let rows = rows.into_iter().zip(of_rows);
        let pairs = rows.filter_map(|(row, group)| Some(row?.in_group(group?)));
        let pairs: Vec<PairData> = pairs.collect();
        let left_out = pairs.iter().map(|pair| pair.left_out);
        let left_out_events = left_out.fold(0, u64::saturating_add);
        let start = found.stretch.from;
        let (before, after) = (found.stretch.before, found.stretch.after);
        let whole = (
            since(start, before.unwrap_or(start)),
            since(start, after.unwrap_or(found.stretch.to)),
        );
        Self {
            captures: found.words.captures.all().to_vec(),
            start: start.as_nanos().to_string(),
            end: since(start, found.stretch.to),
            whole,
            counts: numbers(found, left_out_events),
            config: config(found.words.places),
            doors: door_rows(found),
            openings: opening_rows(found).map(|one| opening_row(one, start)).collect(),
            groups,
            verdicts: tables.verdicts.list,
            texts: tables.texts.list,
            shapes: tables.shapes.list,
            lines: tables.lines.list,
            line_sets: tables.line_sets.list,
            pairs,
        }
    }
}

/// Returns the nanoseconds from one moment to another, which may be before it.
pub(super) fn since(start: Timestamp, at: Timestamp) -> i64 {
    at.as_nanos().saturating_sub(start.as_nanos())
}

fn numbers(found: &Findings<'_>, left_out_events: u64) -> Numbers {
    let Counts { opened, .. } = found.explainer.counts();
    let (clients, _) = found.clients;
    Numbers {
        packets: found.reading.tally.packets(),
        opened,
        pairs: found.pairs(),
        clients,
        left_out_packets: found.explainer.totals().left_out,
        left_out_events,
    }
}

fn config(places: &Places) -> Config {
    let mut lines = places.text();
    let shown = lines.by_ref().take(CONFIG_LINES).collect();
    Config { name: places.name().to_owned(), lines: shown, left_out: lines.count() }
}

fn door_rows(found: &Findings<'_>) -> Vec<DoorData> {
    let row = |(id, door): (DoorId, &knock_engine::Door)| DoorData {
        name: found.words.door(id),
        line: found.words.places.header(id),
        knocks: match &door.sequence {
            DoorSequence::Fixed(sequence) => {
                Some(sequence.knocks().iter().map(ToString::to_string).collect())
            }
            DoorSequence::OneTime(_) | DoorSequence::Derived(_) | DoorSequence::None => None,
        },
        seq_timeout: door.seq_timeout.get(),
        target: door.target.map(|target| address::text(target.address)),
    };
    found.words.doors.in_order().map(row).collect()
}

/// Returns who got in, the latest first, as many as a page has.
pub(super) fn opening_rows<'a>(found: &'a Findings<'_>) -> impl Iterator<Item = &'a Opening> {
    let mut list: Vec<&Opening> = found.openings.list().iter().collect();
    list.sort_by_key(|one| std::cmp::Reverse(one.last));
    list.into_iter().take(OPENINGS)
}

fn opening_row(one: &Opening, start: Timestamp) -> OpeningRow {
    let Opening { client, door, times, first, last, closed } = *one;
    let at = |at| since(start, at);
    (address::text(client), door.index(), times, at(first), at(last), closed.map(at))
}

/// The most groups of which a page says more than that they are there.
pub(super) const GROUPS: usize = 20_000;

/// Returns the groups, and in which of them each row is.
fn group_rows(found: &Findings<'_>) -> (Vec<GroupData>, Vec<Option<usize>>) {
    let mut list = Vec::new();
    let mut of_rows = vec![None; found.rows.len()];
    for (kind, group) in found.groups.iter().take(GROUPS) {
        // Both are in order.
        let mut rows = found.rows.iter().zip(&mut of_rows).peekable();
        let mut rest = Vec::new();
        for &place in &group.members {
            while rows.next_if(|(row, _)| row.place < place).is_some() {}
            match rows.next_if(|(row, _)| row.place == place) {
                Some((_, of_row)) => *of_row = Some(list.len()),
                None => rest.push(place),
            }
        }
        list.push(group_row(found, kind, group, &rest));
    }
    (list, of_rows)
}

fn group_row(found: &Findings<'_>, kind: &Kind, group: &Group, rest: &[u32]) -> GroupData {
    let stretch = found.stretch;
    let count = u64::try_from(PARTS).unwrap_or(u64::MAX);
    let length = since(stretch.from, stretch.to).unsigned_abs().checked_div(count).unwrap_or(0);
    let length = length.max(1);
    let mut parts = vec![0_u64; PARTS];
    for pair in rest.iter().filter_map(|&place| found.kept.pair(place)) {
        let at = u64::try_from(since(stretch.from, pair.first)).unwrap_or(0);
        let part = usize::try_from(at.checked_div(length).unwrap_or(0)).unwrap_or(PARTS);
        let part = part.min(PARTS.saturating_sub(1));
        if let Some(count) = parts.get_mut(part) {
            *count = count.saturating_add(1);
        }
    }
    GroupData {
        door: kind.door,
        outcome: kind.outcome.name(),
        stage: kind.stage().get(),
        of: kind.of,
        cause: kind.cause.map(crate::explain::Cause::name),
        why: kind.title(),
        pairs: group.members.len(),
        rest: (0..).zip(parts).filter(|(_, count)| *count > 0).collect(),
    }
}

impl Kind {
    /// Returns what its clients have in common.
    pub(super) fn title(&self) -> String {
        match (self.outcome, self.cause) {
            (Outcome::Near | Outcome::Never, Some(cause)) => cause.summary(self.stage()),
            (Outcome::Opened, _) => "got in".to_owned(),
            (Outcome::Near, None) => "came near".to_owned(),
            (Outcome::Never, None) => "made no first knock".to_owned(),
            (Outcome::Elsewhere, _) => "counted at another door".to_owned(),
        }
    }
}
