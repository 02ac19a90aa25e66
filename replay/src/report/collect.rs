//! What happened to clients at doors, kept within limits until the page is made.

use std::num::NonZeroU64;

use super::chains::Chains;
use super::pair::{PageEvent, PagePacket, Pair, Span, attempt_of};
use super::phrases::{Phrases, Shape};
use super::table::Table;
use crate::explain::{Chunked, Explanation, Seen, Verdict, Words};

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

/// The place of a pair to which nothing happened yet.
const UNKNOWN: u32 = u32::MAX;

/// What is kept.
#[derive(Debug)]
pub(super) struct PageContent {
    limits: Limits,
    /// In the order in which they first had to do with one another.
    pub(super) pairs: Chunked<Pair>,
    pub(super) events: Chains<PageEvent>,
    pub(super) attempts: Chains<Span>,
    /// Their places, by their numbers; [`UNKNOWN`] if nothing happened yet.
    places: Vec<u32>,
    pub(super) phrases: Phrases,
    pub(super) shapes: Table<Shape>,
    event_count: usize,
    openings: usize,
    leases: usize,
}

impl PageContent {
    /// How many of the same are kept that come one after another.
    pub(super) const SAME: usize = 3;

    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            pairs: Chunked::default(),
            events: Chains::default(),
            attempts: Chains::default(),
            places: Vec::new(),
            phrases: Phrases::new(limits.bytes),
            shapes: Table::default(),
            event_count: 0,
            openings: 0,
            leases: 0,
        }
    }

    /// Takes what happened to the pair of this number, and keeps it or counts it.
    pub(super) fn add(&mut self, pair: u32, one: &Explanation, words: &Words<'_>) {
        let Some(place) = self.place(pair, one) else { return };
        let is_kept = self.keep(place, one, words);
        let Self { limits, pairs, attempts, leases, .. } = self;
        let Some(pair) = pairs.get_mut(place) else { return };
        pair.is_here |= one.verdict.counted_elsewhere().is_none();
        pair.follow(one, is_kept, attempts);
        let before = pair.leases().len();
        let has_room = *leases < limits.leases_of_all && before < limits.leases_of_one;
        pair.open_and_close(one, words.doors.door(one.door), has_room);
        *leases = leases.saturating_add(pair.leases().len().saturating_sub(before));
    }

    /// Returns the place of a pair, which is new if this is the first that happened to it.
    fn place(&mut self, pair: u32, one: &Explanation) -> Option<usize> {
        let Self { pairs, places, .. } = self;
        let number = usize::try_from(pair).ok()?;
        if number >= places.len() {
            places.resize(number.checked_add(1)?, UNKNOWN);
        }
        let place = places.get_mut(number)?;
        if *place == UNKNOWN {
            *place = u32::try_from(pairs.len()).ok()?;
            pairs.push(Pair::new(one));
        }
        usize::try_from(*place).ok()
    }

    /// Returns the pair at a place.
    pub(super) fn pair(&self, place: u32) -> Option<&Pair> {
        self.pairs.get(usize::try_from(place).ok()?)
    }

    /// Keeps an event if there is room. Returns whether it is kept.
    fn keep(&mut self, place: usize, one: &Explanation, words: &Words<'_>) -> bool {
        let Self { limits, pairs, events, phrases, shapes, event_count, openings, .. } = self;
        let Some(pair) = pairs.get_mut(place) else { return false };
        if pair.is_more_of_the_same(one, events, |what| phrases.verdict(what))
            && let Some(last) = events.last_mut(pair.events)
        {
            last.more = last.more.saturating_add(1);
            return true;
        }
        let is_of_opening = is_of_opening(&one.verdict);
        let of_openings = pair.opening_events();
        let has_room = if is_of_opening {
            of_openings < limits.openings_of_one && *openings < limits.openings_of_all
        } else {
            let others = pair.events.len().saturating_sub(of_openings);
            others < limits.of_one && event_count.saturating_sub(*openings) < limits.of_all
        };
        let what = if has_room { phrases.place(one, words) } else { None };
        let Some(what) = what else {
            pair.leave_out(one.at);
            return false;
        };
        *event_count = event_count.saturating_add(1);
        if is_of_opening {
            *openings = openings.saturating_add(1);
        }
        let attempt = attempt_of(one);
        let packet = one.packet.and_then(|seen| packet(seen, shapes));
        let event = PageEvent { at: one.at, attempt, more: 0, packet, what };
        pair.push(event, is_of_opening, events);
        true
    }
}

/// Returns what is kept of a packet. Those of captures have a number from 1.
fn packet(seen: Seen, shapes: &mut Table<Shape>) -> Option<PagePacket> {
    let number = NonZeroU64::new(seen.id.number)?;
    let capture = u32::try_from(seen.id.capture).unwrap_or(u32::MAX);
    Some(PagePacket { number, capture, shape: shapes.place(Shape::of(seen)) })
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
            | Verdict::AdmissionEnded(_)
            | Verdict::CommandTimedOut
            | Verdict::OneTimeUsed { .. }
            | Verdict::Disabled
    )
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
            let pair = u32::from(client);
            let client = [10, 0, 0, client].into();
            let (packet, of, sequence_line) = (None, 3, None);
            let one = Explanation { at, client, door, attempt, packet, of, sequence_line, verdict };
            kept.add(pair, &one, &words);
        }
        kept
    }

    const STAGE: Verdict = Verdict::Stage { stage: Stage::FIRST, late: None, again: None };
    const DULL: Verdict = Verdict::Ignored(crate::explain::Why::OtherDestination);

    fn counts(kept: &PageContent) -> Vec<(usize, u64)> {
        let left_out = |pair: &Pair| pair.left_out.as_ref().map_or(0, |left_out| left_out.count);
        kept.pairs.iter().map(|pair| (pair.events.len(), left_out(pair))).collect()
    }

    #[test]
    fn no_more_is_kept_than_may_be_and_the_rest_is_counted_with_its_times() {
        let happened: Vec<_> = (1..=3).flat_map(|client| [(client, STAGE); 5]).collect();
        let kept = kept(FEW, &happened);
        assert_eq!(counts(&kept), [(4, 1), (2, 3), (0, 5)]);
        let times = kept.pair(2).unwrap().left_out.as_ref().unwrap().times;
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
        assert_eq!(kept.pair(0).unwrap().leases().len(), 2);
    }

    #[test]
    fn openings_close_in_their_order_whether_they_are_kept_or_not() {
        let (open, close) = ((1, Verdict::Opened), (1, Verdict::CommandTimedOut));
        let kept = kept(FEW, &[open, open, close, open, close, close]);
        let leases = kept.pair(0).unwrap().leases();
        let seconds = |at: Timestamp| at.as_nanos() / 1_000_000_000;
        let spans: Vec<_> =
            leases.iter().map(|lease| (seconds(lease.from), lease.to.map(seconds))).collect();
        assert_eq!(spans, [(1, Some(3)), (2, Some(5))]);
    }

    #[test]
    fn a_closing_that_is_asked_for_ends_all_openings() {
        let (open, close) = ((1, Verdict::Opened), (1, Verdict::Closing));
        let kept = kept(FEW, &[open, open, close, open]);
        let ends: Vec<_> = kept.pair(0).unwrap().leases().iter().map(|one| one.end).collect();
        assert_eq!(ends, ["closing", "closing"]);
    }

    #[test]
    fn of_many_of_the_same_three_are_kept_and_the_rest_is_counted_with_the_last() {
        let kept = kept(FEW, &[(1, DULL); 10]);
        assert_eq!(counts(&kept), [(3, 0)]);
        assert_eq!(kept.events.backwards(kept.pair(0).unwrap().events).next().unwrap().more, 7);
    }

    #[test]
    fn texts_are_kept_once_and_no_more_of_them_than_may_be() {
        let limits = Limits { bytes: "Stage 1 of 3".len() + "OPEN SESAME".len(), ..FEW };
        let kept = kept(limits, &[(1, STAGE), (1, STAGE), (1, Verdict::Opened), (1, DULL)]);
        assert_eq!(counts(&kept), [(3, 1)]);
        let texts = [0, 1, 2].map(|place| kept.phrases.texts.get(place).map(String::as_str));
        assert_eq!(texts, [Some("Stage 1 of 3"), Some("OPEN SESAME"), None]);
    }
}
