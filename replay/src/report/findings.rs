//! What was found, when all packets are replayed.

use knock_engine::{DoorId, Timestamp};

use super::collect::PageContent;
use super::groups::{self, Grouped, Groups, Room};
use super::openings::Openings;
use super::pair::Pair;
use super::stretch::Stretch;
use crate::explain::{ConfigLine, Explainer, Nearest, Words};
use crate::session::reader::ReadingDone;
use crate::session::threads;

/// Everything that a page is made of.
pub(super) struct Findings<'a> {
    pub(super) explainer: &'a Explainer,
    pub(super) reading: &'a ReadingDone,
    pub(super) words: Words<'a>,
    pub(super) kept: PageContent,
    pub(super) openings: &'a Openings,
    pub(super) groups: Groups,
    /// How many clients there are, and how many came near at a door that did not open for them.
    pub(super) clients: (usize, usize),
    /// The pairs that have a row, in order.
    pub(super) rows: Vec<Row>,
    pub(super) stretch: Stretch,
}

/// A pair that has a row.
#[derive(Debug)]
pub(super) struct Row {
    /// Its place among all pairs.
    pub(super) place: u32,
    pub(super) nearest: Nearest,
    /// How near it came, in words.
    pub(super) near: String,
    /// The set of lines that kept it from getting in.
    pub(super) near_lines: u32,
}

impl<'a> Findings<'a> {
    pub(super) fn new(
        mut kept: PageContent,
        openings: &'a Openings,
        explainer: &'a Explainer,
        reading: &'a ReadingDone,
        words: Words<'a>,
    ) -> Self {
        let Grouped { groups, clients, near } = group(&kept, explainer);
        let stretch = || Stretch::of(moments(&kept, reading));
        let of_page = || of_page(&groups, &kept, explainer, words);
        let (stretch, near_rows) = threads::both(stretch, of_page);
        let row = |NearRow { place, nearest, near, lines }| {
            let near_lines = kept.phrases.lines(lines, nearest.door, &words);
            Row { place, nearest, near, near_lines }
        };
        let rows = near_rows.into_iter().map(row).collect();
        let clients = (clients.count, near.count);
        Self { explainer, reading, words, kept, openings, groups, clients, rows, stretch }
    }

    /// Returns how many clients at doors are followed.
    pub(super) fn pairs(&self) -> usize {
        self.kept.pairs.len()
    }

    /// Returns whether all clients are followed.
    pub(super) fn is_complete(&self) -> bool {
        self.explainer.totals().left_out == 0
    }

    /// Returns whether a one-time sequence still opens its door.
    pub(super) fn is_secret(&self, door: DoorId, line: Option<u32>) -> bool {
        line.is_some_and(|line| !self.openings.used.contains(&(door, line)))
    }

    /// Returns whether a pair has a row.
    pub(super) fn has_row(&self, place: u32) -> bool {
        self.rows.binary_search_by_key(&place, |row| row.place).is_ok()
    }
}

/// A row whose lines have no place in the table yet.
struct NearRow {
    place: u32,
    nearest: Nearest,
    near: String,
    lines: Vec<ConfigLine>,
}

/// Returns the pairs that have a row, in order.
fn of_page(
    groups: &Groups,
    kept: &PageContent,
    explainer: &Explainer,
    words: Words<'_>,
) -> Vec<NearRow> {
    let marks = |place| kept.pair(place).map_or(0, Pair::marks);
    let row = |place| {
        let pair = kept.pair(place)?;
        let nearest = explainer.nearest_at(pair.client, pair.door)?;
        let (near, lines) = (words.nearest(&nearest), words.nearest_lines(&nearest));
        Some(NearRow { place, nearest, near, lines })
    };
    groups::rows(groups, marks, Room::PAGE).into_iter().filter_map(row).collect()
}

/// Returns the groups of all pairs, by two threads: each pair is fetched from memory.
fn group(kept: &PageContent, explainer: &Explainer) -> Grouped {
    let half = kept.pairs.len() / 2;
    let some = |first, count| {
        let mut grouped = Grouped::default();
        let pairs = kept.pairs.iter().enumerate().skip(first).take(count);
        for (place, pair) in pairs {
            let Ok(place) = u32::try_from(place) else { break };
            if let Some(standing) = explainer.standing(place, pair.client, pair.door) {
                grouped.add(place, pair, &standing);
            }
        }
        grouped
    };
    let (first, second) = threads::both(|| some(0, half), || some(half, usize::MAX));
    first.and(second)
}

/// Returns when packets came, as far as is known.
fn moments(kept: &PageContent, reading: &ReadingDone) -> Vec<Timestamp> {
    let mut moments = Vec::with_capacity(kept.pairs.len());
    moments.extend(kept.pairs.iter().map(|pair| pair.first));
    for pair in kept.pairs.iter() {
        let events = kept.events.backwards(pair.events);
        let later = events.filter(|one| one.packet.is_some() && one.at != pair.first);
        moments.extend(later.map(|event| event.at));
    }
    let all = reading.tally.times();
    moments.extend(all.into_iter().flat_map(|(first, last)| [first, last]));
    moments
}
