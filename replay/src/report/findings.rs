//! What was found, when all packets are replayed.

use knock_engine::{DoorId, Timestamp};

use super::collect::PageContent;
use super::groups::{self, Counted, Groups, Kind, Outcome, Room};
use super::openings::Openings;
use super::pair::Pair;
use super::stretch::Stretch;
use crate::explain::{Explainer, Nearest, Words};
use crate::session::reader::ReadingDone;

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
        let (groups, clients) = group(&kept, explainer);
        let marks = |place| kept.pair(place).map_or(0, Pair::marks);
        let mut rows = Vec::new();
        for place in groups::rows(&groups, marks, Room::PAGE) {
            let pair = kept.pair(place);
            let known = pair.and_then(|pair| explainer.nearest_at(pair.client, pair.door));
            let Some(nearest) = known else { continue };
            let lines = words.nearest_lines(&nearest);
            let near_lines = kept.phrases.lines(lines, nearest.door, &words);
            rows.push(Row { place, nearest, near_lines });
        }
        let stretch = Stretch::of(moments(&kept, reading));
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

/// Returns the groups of all pairs, how many clients there are, and how many of them came near.
fn group(kept: &PageContent, explainer: &Explainer) -> (Groups, (usize, usize)) {
    let mut groups = Groups::new();
    let (mut all, mut near) = (Counted::default(), Counted::default());
    for (place, pair) in (0_u32..).zip(kept.pairs.iter()) {
        let Some(standing) = explainer.standing(place, pair.client, pair.door) else { continue };
        let kind = Kind::of(pair, &standing);
        groups.entry(kind).or_default().add(place, &standing);
        all.add(standing.number);
        if kind.outcome == Outcome::Near {
            near.add(standing.number);
        }
    }
    (groups, (all.count, near.count))
}

/// Returns when packets came, as far as is known.
fn moments(kept: &PageContent, reading: &ReadingDone) -> Vec<Timestamp> {
    let mut moments: Vec<Timestamp> = kept.pairs.iter().map(|pair| pair.first).collect();
    for pair in kept.pairs.iter() {
        let events = kept.events.backwards(pair.events);
        let later = events.filter(|one| one.packet.is_some() && one.at != pair.first);
        moments.extend(later.map(|event| event.at));
    }
    let all = reading.tally.times();
    moments.extend(all.into_iter().flat_map(|(first, last)| [first, last]));
    moments
}
