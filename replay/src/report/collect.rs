//! What happened to clients at doors, kept within limits until the page is made.

use std::collections::HashMap;
use std::net::IpAddr;

use knock_engine::address;
use knock_engine::{DoorId, Phase};

use super::pair::{PageEvent, Pair};
use super::table::Table;
use crate::explain::{ConfigLine, Explanation, Seen, Verdict, Words};

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
    /// Openings of one client at one door that are shown only as the time for which it was open: they
    /// are visible even if there are too many events.
    pub(super) leases_of_one: usize,
    /// The same of all.
    pub(super) leases_of_all: usize,
    /// Bytes of different texts.
    pub(super) bytes: usize,
}

impl Limits {
    /// What is kept until it is known which rows the page has: some 150 MB at most.
    pub(super) const MEMORY: Self = Self {
        of_one: 100,
        of_all: 600_000,
        openings_of_one: 400,
        openings_of_all: 300_000,
        leases_of_one: 1000,
        leases_of_all: 300_000,
        bytes: 32 << 20,
    };
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
            destination: seen.destination.map(address::text),
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

/// What is kept.
#[derive(Debug)]
pub(super) struct PageContent {
    limits: Limits,
    /// In the order in which they first had to do with one another.
    pub(super) pairs: Vec<Pair>,
    places: HashMap<(IpAddr, DoorId), usize>,
    pub(super) texts: Table<String>,
    pub(super) shapes: Table<Shape>,
    pub(super) lines: Table<Line>,
    pub(super) line_sets: Table<Vec<u32>>,
    events: usize,
    openings: usize,
    leases: usize,
    bytes: usize,
}

impl PageContent {
    /// How many of the same are kept that come one after another.
    pub(super) const SAME: usize = 3;

    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            pairs: Vec::new(),
            places: HashMap::new(),
            texts: Table::default(),
            shapes: Table::default(),
            lines: Table::default(),
            line_sets: Table::default(),
            events: 0,
            openings: 0,
            leases: 0,
            bytes: 0,
        }
    }

    /// Takes what happened, and keeps it or counts it.
    pub(super) fn add(&mut self, one: &Explanation, words: &Words<'_>) {
        let place = *self.places.entry((one.client, one.door)).or_insert(self.pairs.len());
        if place == self.pairs.len() {
            self.pairs.push(Pair::new(one));
        }
        let is_kept = self.keep(place, one, words);
        let Self { limits, pairs, leases, .. } = self;
        let Some(pair) = pairs.get_mut(place) else { return };
        pair.is_here |= one.verdict.counted_elsewhere().is_none();
        pair.follow(one, is_kept);
        let has_room = *leases < limits.leases_of_all && pair.leases.len() < limits.leases_of_one;
        let before = pair.leases.len();
        pair.open_and_close(one, words.doors.door(one.door), has_room);
        *leases = leases.saturating_add(pair.leases.len().saturating_sub(before));
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
        let new = if self.texts.contains(&text) { 0 } else { text.len() };
        if !has_room || self.bytes.saturating_add(new) > limits.bytes {
            pair.leave_out(one.at);
            return false;
        }
        self.bytes = self.bytes.saturating_add(new);
        self.events = self.events.saturating_add(1);
        if is_of_opening {
            self.openings = self.openings.saturating_add(1);
            pair.openings = pair.openings.saturating_add(1);
        }
        let event = PageEvent {
            at: one.at,
            verdict: one.verdict.name(),
            stage: stage_of(&one.verdict),
            text: self.texts.place(text),
            attempt: one.attempt.map_or(0, |attempt| attempt.number),
            packet: one.packet.map(|seen| (seen.id, self.shapes.place(Shape::of(seen)))),
            lines: 0,
            more: 0,
            one_time: one.sequence_line,
        };
        let lines = self.lines(lines(one, words), one.door, words);
        if let Some(pair) = self.pairs.get_mut(place) {
            pair.events.push(PageEvent { lines, ..event });
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

/// Returns whether something belongs to an opening.
const fn is_of_opening(verdict: &Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Signed { .. }
            | Verdict::Opened
            | Verdict::Refused
            | Verdict::Skipped(_)
            | Verdict::Command(_)
            | Verdict::Admitted { .. }
            | Verdict::Closing
            | Verdict::AdmissionEnded
            | Verdict::CommandTimedOut
            | Verdict::OneTimeUsed { .. }
            | Verdict::Disabled
    )
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
        | Verdict::AdmissionEnded
        | Verdict::CommandTimedOut
        | Verdict::Evicted { .. }
        | Verdict::DoorChanged { .. }
        | Verdict::Disabled
        | Verdict::Void { .. }
        | Verdict::VoidedOften { .. }
        | Verdict::Ignored(_) => words.lines(one),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use knock_config::Setup;
    use knock_engine::{Doors, Listening, Seconds, Stage, Timestamp};

    use super::*;
    use crate::explain::{Attempt, CaptureNames, Places};

    const FEW: Limits = Limits {
        of_one: 4,
        of_all: 6,
        openings_of_one: 3,
        openings_of_all: 5,
        leases_of_one: 2,
        leases_of_all: 3,
        bytes: 1000,
    };

    /// Adds to what is kept that clients, each named by its last byte, had something happen to them,
    /// one second after another.
    fn kept(limits: Limits, happened: &[(u8, Verdict)]) -> PageContent {
        let setup = Setup::load(Path::new("/dev/null"));
        let text = b"[d]\nsequence = 1,2,3\ncommand = run\nstop_command = end\n";
        let door = knock_config::parse(text).config.unwrap().doors.remove(0).door();
        let doors = Doors::new(vec![door]).unwrap();
        let (door, _) = doors.in_order().next().unwrap();
        let (listening, places) =
            (Listening::everywhere(), Places::new(Path::new("knockd.conf"), &setup));
        let captures = CaptureNames::new(vec![String::new()]);
        let words =
            Words { doors: &doors, listening: &listening, places: &places, captures: &captures };
        let mut kept = PageContent::new(limits);
        let mut at = Timestamp::EPOCH;
        for &(client, verdict) in happened {
            at = at.saturating_add(Seconds::new(1).unwrap());
            let attempt = Some(Attempt { number: 1, began: Timestamp::EPOCH });
            let client = [10, 0, 0, client].into();
            let (packet, of, sequence_line) = (None, 3, None);
            let one = Explanation { at, client, door, attempt, packet, of, sequence_line, verdict };
            kept.add(&one, &words);
        }
        kept
    }

    const STAGE: Verdict = Verdict::Stage { stage: Stage::FIRST, late: None, again: None };
    const DULL: Verdict = Verdict::Ignored(crate::explain::Why::OtherDestination);

    fn counts(kept: &PageContent) -> Vec<(usize, u64)> {
        kept.pairs.iter().map(|pair| (pair.events.len(), pair.left_out)).collect()
    }

    #[test]
    fn no_more_is_kept_than_may_be_and_the_rest_is_counted_with_its_times() {
        let happened: Vec<_> = (1..=3).flat_map(|client| [(client, STAGE); 5]).collect();
        let kept = kept(FEW, &happened);
        assert_eq!(counts(&kept), [(4, 1), (2, 3), (0, 5)]);
        let times = kept.pairs.last().unwrap().left_out_times.unwrap();
        assert_eq!(
            [times.0, times.1].map(Timestamp::as_nanos),
            [11, 15].map(|s| s * 1_000_000_000)
        );
    }

    #[test]
    fn openings_have_room_of_their_own() {
        let others = [(1, STAGE); 9];
        let kept = kept(FEW, &[&others[..], &[(1, Verdict::Opened); 4]].concat());
        assert_eq!(counts(&kept), [(4 + 3, 5 + 1)]);
        assert_eq!(kept.pairs.first().unwrap().leases.len(), 2);
    }

    #[test]
    fn openings_close_in_their_order_whether_they_are_kept_or_not() {
        let (open, close) = ((1, Verdict::Opened), (1, Verdict::CommandTimedOut));
        let kept = kept(FEW, &[open, open, close, open, close, close]);
        let leases = &kept.pairs.first().unwrap().leases;
        let seconds = |at: Timestamp| at.as_nanos() / 1_000_000_000;
        let spans: Vec<_> =
            leases.iter().map(|lease| (seconds(lease.from), lease.to.map(seconds))).collect();
        assert_eq!(spans, [(1, Some(3)), (2, Some(5))]);
    }

    #[test]
    fn a_closing_that_is_asked_for_ends_all_openings() {
        let (open, close) = ((1, Verdict::Opened), (1, Verdict::Closing));
        let kept = kept(FEW, &[open, open, close, open]);
        let ends: Vec<_> = kept.pairs.first().unwrap().leases.iter().map(|one| one.end).collect();
        assert_eq!(ends, ["closing", "closing"]);
    }

    #[test]
    fn of_many_of_the_same_three_are_kept_and_the_rest_is_counted_with_the_last() {
        let kept = kept(FEW, &[(1, DULL); 10]);
        assert_eq!(counts(&kept), [(3, 0)]);
        assert_eq!(kept.pairs.first().unwrap().events.last().unwrap().more, 7);
    }

    #[test]
    fn texts_are_kept_once_and_no_more_of_them_than_may_be() {
        let limits = Limits { bytes: "Stage 1 of 3".len() + "OPEN SESAME".len(), ..FEW };
        let kept = kept(limits, &[(1, STAGE), (1, STAGE), (1, Verdict::Opened), (1, DULL)]);
        assert_eq!(counts(&kept), [(3, 1)]);
        let texts = [0, 1, 2].map(|place| kept.texts.get(place).map(String::as_str));
        assert_eq!(texts, [Some("Stage 1 of 3"), Some("OPEN SESAME"), None]);
    }
}
