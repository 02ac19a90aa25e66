//! Doors with related sequences.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::doors::nth_knock;
use crate::config::DoorConfig;
use crate::diagnostics::Diagnostics;
use crate::text::Excerpt;
use crate::warnings::Warning;
use knock_engine::{Knock, Protocol};

/// Warns about doors that a client opens while, or instead of, opening another.
pub(super) fn check(doors: &[DoorConfig], text: &[u8], diagnostics: &mut Diagnostics) {
    let mut index = Index::new(doors);
    for (place, door) in doors.iter().enumerate() {
        let Some(given) = &door.knocks else { continue };
        for warning in index.relations_of(place) {
            diagnostics.warn(warning, given.value_in(text));
        }
    }
    check_first_knocks(doors, text, diagnostics);
}

/// As many doors with one first knock are more than a few that somebody meant to be alike.
const MANY_DOORS: usize = 4;

/// Warns about a knock that begins the sequences of many doors, once for all of them.
fn check_first_knocks(doors: &[DoorConfig], text: &[u8], diagnostics: &mut Diagnostics) {
    let mut alike: BTreeMap<(Knock, Option<IpAddr>), Vec<&DoorConfig>> = BTreeMap::new();
    for door in doors {
        let first = door.sequence().and_then(|sequence| sequence.knocks().first());
        let target = door.target().map(|target| target.address);
        if let Some(first) = first {
            alike.entry((*first, target)).or_default().push(door);
        }
    }
    for doors in alike.into_values().filter(|doors| doors.len() >= MANY_DOORS) {
        let given = doors.first().and_then(|door| door.knocks.as_ref());
        if let Some(given) = given {
            let at = nth_knock(given.value_in(text), 0);
            diagnostics.warn(Warning::SharedFirstKnock { count: doors.len() }, at);
        }
    }
}

/// Doors by sequence and target.
///
/// A door is looked up by everything that its sequence begins and ends with, so that the work grows with
/// the number of knocks and not with the square of the number of doors.
struct Index<'a> {
    doors: &'a [DoorConfig],
    /// Under each target, and under [`At::Any`] whatever the target, in the order of the file.
    by_sequence: BTreeMap<(At, &'a [Knock]), Vec<usize>>,
    /// How many doors were looked at, for tests.
    looked_at: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    /// Doors of every target.
    Any,
    /// Doors without a target.
    Here,
    /// Doors with this target.
    Target(IpAddr),
}

impl<'a> Index<'a> {
    /// The most doors of one sequence that are kept: as others differ from them in flags at most, or in
    /// targets, one of the first is nearly always related.
    const ALIKE: usize = 8;

    fn new(doors: &'a [DoorConfig]) -> Self {
        let mut by_sequence: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, door) in doors.iter().enumerate() {
            let Some(sequence) = door.sequence() else { continue };
            let at = door.target().map_or(At::Here, |target| At::Target(target.address));
            for at in [At::Any, at] {
                let alike = by_sequence.entry((at, sequence.knocks())).or_default();
                if alike.len() < Self::ALIKE {
                    alike.push(place);
                }
            }
        }
        Self { doors, by_sequence, looked_at: 0 }
    }

    /// Returns how a door is related to others: each kind once, with the first door of the kind.
    fn relations_of(&mut self, place: usize) -> Vec<Warning> {
        let Some(door) = self.doors.get(place) else { return Vec::new() };
        let Some(sequence) = door.sequence() else { return Vec::new() };
        let knocks = sequence.knocks();
        let is_earlier = |other: usize| other < place;
        let is_other = |other: usize| other != place;
        let mut found = Vec::new();
        if let Some((other, line)) = self.find(knocks, door, is_earlier) {
            found.push(Warning::SameSequence { door: other, line });
        }
        let inner = 1..knocks.len();
        let prefixes = inner.clone().filter_map(|length| knocks.get(..length));
        if let Some((other, line)) = self.find_first(prefixes, door, is_other) {
            found.push(Warning::SequencePrefix { door: other, line });
        }
        let suffixes = inner.filter_map(|from| knocks.get(from..));
        if let Some((other, line)) = self.find_first(suffixes, door, is_other) {
            found.push(Warning::SequenceSuffix { door: other, line });
        }
        let reversed: Vec<Knock> = knocks.iter().rev().copied().collect();
        if reversed != knocks
            && let Some((other, line)) = self.find(&reversed, door, is_earlier)
        {
            found.push(Warning::ReversedSequence { door: other, line });
        }
        if let Some((other, line)) = self.find_rotated(knocks, door, is_earlier) {
            found.push(Warning::RotatedSequence { door: other, line });
        }
        found
    }

    /// Looks for a sequence that is this one with another beginning.
    fn find_rotated(
        &mut self,
        knocks: &[Knock],
        door: &DoorConfig,
        is_wanted: impl Fn(usize) -> bool + Copy,
    ) -> Option<(Excerpt, u32)> {
        let mut rotated = knocks.to_vec();
        (1..knocks.len()).find_map(|_| {
            rotated.rotate_left(1);
            if rotated == knocks { None } else { self.find(&rotated, door, is_wanted) }
        })
    }

    fn find_first<'k>(
        &mut self,
        mut sequences: impl Iterator<Item = &'k [Knock]>,
        door: &DoorConfig,
        is_wanted: impl Fn(usize) -> bool + Copy,
    ) -> Option<(Excerpt, u32)> {
        sequences.find_map(|knocks| self.find(knocks, door, is_wanted))
    }

    /// Returns the name and the line of the first door with this sequence that packets to `door` also
    /// get to.
    fn find(
        &mut self,
        knocks: &[Knock],
        door: &DoorConfig,
        is_wanted: impl Fn(usize) -> bool,
    ) -> Option<(Excerpt, u32)> {
        let places: &[At] = match door.target() {
            None => &[At::Any],
            Some(target) => &[At::Here, At::Target(target.address)],
        };
        let mut best: Option<usize> = None;
        for at in places {
            let alike = self.by_sequence.get(&(*at, knocks)).map_or(&[][..], Vec::as_slice);
            self.looked_at = self.looked_at.saturating_add(alike.len()).saturating_add(1);
            let related = alike.iter().copied().find(|&place| {
                let other = self.doors.get(place);
                is_wanted(place) && other.is_some_and(|other| meet(door, other, knocks))
            });
            best = [best, related].into_iter().flatten().min();
        }
        let other = self.doors.get(best?)?;
        Some((Excerpt::new(other.name.as_bytes()), other.name_at.line))
    }
}

/// Returns whether one packet can have the flags that two doors ask for.
fn meet(one: &DoorConfig, other: &DoorConfig, knocks: &[Knock]) -> bool {
    let is_udp = knocks.iter().all(|knock| knock.protocol == Protocol::Udp);
    is_udp || one.flags().agrees_with(other.flags())
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::read::read;
    use crate::warnings::Levels;
    use knock_engine::Sequence;

    /// How many doors are looked at in a text.
    fn work(text: &str) -> usize {
        let doors = read(text.as_bytes(), Levels::default()).config.doors;
        let mut index = Index::new(&doors);
        (0..doors.len()).for_each(|place| drop(index.relations_of(place)));
        index.looked_at
    }

    #[test]
    fn the_work_grows_with_the_knocks_whatever_the_doors() {
        let targets = |number: usize| format!("target = 10.0.{}.{}\n", number / 256, number % 256);
        let alike = |number| format!("[d]\nsequence = 7,8\n{}", targets(number));
        let with_flags = |number: usize| {
            let flags = ["fin", "syn", "!fin", "!syn", "ack", "!ack", "urg", "!urg", "psh"];
            format!("[d]\nsequence = 7,8\ntcpflags = {}\n", flags[number % flags.len()])
        };
        let different = |number| format!("[d]\nsequence = {},{number},9\n", number % 7 + 1);
        let nested = |number: usize| format!("[d]\nsequence = {}1\n", "1,".repeat(number % 32));
        let makes: [&dyn Fn(usize) -> String; 4] = [&alike, &with_flags, &different, &nested];
        for make in makes {
            let doors = 4000;
            let text: String = (1..=doors).map(make).collect();
            let lookups = doors * 3 * Sequence::MAX_KNOCKS;
            let most = lookups * 2 * (Index::ALIKE + 1);
            assert!(work(&text) <= most, "{} of {most}", work(&text));
        }
    }
}
