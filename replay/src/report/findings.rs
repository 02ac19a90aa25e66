//! What was found, when all packets are replayed.

use std::collections::HashMap;
use std::net::IpAddr;

use knock_engine::{DoorId, Timestamp};

use super::collect::PageContent;
use super::groups::{self, Groups, Kind, Room};
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
    /// How near each of the pairs came that are kept.
    pub(super) nearest: Vec<Nearest>,
    pub(super) openings: &'a Openings,
    pub(super) groups: Groups,
    /// The places of the pairs that have a row.
    pub(super) rows: Vec<usize>,
    /// The sets of lines that kept each of these from getting in.
    pub(super) near_lines: Vec<u32>,
    pub(super) stretch: Stretch,
}

impl<'a> Findings<'a> {
    pub(super) fn new(
        mut kept: PageContent,
        openings: &'a Openings,
        explainer: &'a Explainer,
        reading: &'a ReadingDone,
        words: Words<'a>,
    ) -> Self {
        let mut known: HashMap<(IpAddr, DoorId), Nearest> =
            explainer.nearest().map(|one| ((one.client, one.door), one)).collect();
        let mut nearest = Vec::new();
        kept.pairs.retain(|pair| {
            let known = known.remove(&(pair.client, pair.door));
            nearest.extend(known);
            nearest.last().is_some_and(|one| (one.client, one.door) == (pair.client, pair.door))
        });
        let all = kept.pairs.iter().zip(&nearest);
        let groups = groups::groups(all.map(|(pair, nearest)| (Kind::of(pair, nearest), nearest)));
        let marks = |place| kept.pairs.get(place).map_or(0, Pair::marks);
        let rows = groups::rows(&groups, marks, Room::PAGE);
        let mut near_lines = Vec::new();
        for one in rows.iter().filter_map(|&place| nearest.get(place)) {
            near_lines.push(kept.lines(words.nearest_lines(one), one.door, &words));
        }
        let stretch = Stretch::of(moments(&kept, reading));
        Self {
            explainer,
            reading,
            words,
            kept,
            nearest,
            openings,
            groups,
            rows,
            near_lines,
            stretch,
        }
    }

    /// Returns how many clients at doors are followed.
    pub(super) const fn pairs(&self) -> usize {
        self.nearest.len()
    }

    /// Returns whether all clients are followed.
    pub(super) fn is_complete(&self) -> bool {
        self.explainer.totals().left_out == 0
    }

    /// Returns whether a one-time sequence still opens its door.
    pub(super) fn is_secret(&self, door: DoorId, line: Option<u32>) -> bool {
        line.is_some_and(|line| !self.openings.used.contains(&(door, line)))
    }

    /// Returns the pairs of which something is true, with how near they came.
    pub(super) fn of_groups(
        &self,
        wanted: impl Fn(&Kind) -> bool,
    ) -> impl Iterator<Item = &Nearest> {
        let groups = self.groups.iter().filter(move |(kind, _)| wanted(kind));
        groups.flat_map(|(_, group)| &group.members).filter_map(|&place| self.nearest.get(place))
    }
}

/// Returns when packets came, as far as is known.
fn moments(kept: &PageContent, reading: &ReadingDone) -> Vec<Timestamp> {
    let of_packets = |pair: &Pair| {
        let events = pair.events.iter().filter(|event| event.packet.is_some());
        events.map(|event| event.at).collect::<Vec<_>>()
    };
    let mut moments: Vec<Timestamp> = kept.pairs.iter().flat_map(of_packets).collect();
    moments.extend(kept.pairs.iter().map(|pair| pair.first));
    let all = reading.tally.times();
    moments.extend(all.into_iter().flat_map(|(first, last)| [first, last]));
    moments
}
