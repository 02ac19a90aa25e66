//! Honest runs: whether an honest client must get in.

use std::collections::BTreeMap;
use std::net::IpAddr;

use knock_engine::Counts;

use super::client::SECOND;
use super::record::{DoorNumber, Heard, Record};

/// A run of a client through a door's sequence, as the packets arrive.
#[derive(Clone, Debug)]
pub(super) struct HonestRunSeen {
    client: IpAddr,
    door: DoorNumber,
    knocks: usize,
    /// Which sequence of the door it is for.
    since: u64,
    progress: Progress,
}

#[derive(Clone, Debug)]
enum Progress {
    /// Nothing has arrived.
    Announced,
    /// The first knocks have arrived, alone and in order.
    Under { way: Way },
    /// Something went wrong on the way, or all is done: the door need not open.
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Way {
    first_ns: i64,
    last: Heard,
    arrived: usize,
    evicted: u64,
}

/// The effect of this step's packet on visits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Promise {
    /// The client for which the door must open in this step.
    pub(super) opens: Option<(IpAddr, DoorNumber)>,
    evicted: u64,
    refused: u64,
}

impl Promise {
    /// Returns whether the limit on memory explains that the door stays shut.
    pub(super) fn is_excused(self, counts: Counts) -> bool {
        counts.evicted != self.evicted || counts.refused != self.refused
    }
}

/// All visits.
#[derive(Debug, Default)]
pub(super) struct HonestRuns {
    visits: Vec<HonestRunSeen>,
    /// The current visit of each client.
    under_way: BTreeMap<IpAddr, usize>,
}

impl HonestRuns {
    /// Adds a visit and returns its number.
    pub(super) fn announce(
        &mut self,
        client: IpAddr,
        door: DoorNumber,
        knocks: usize,
        record: &Record,
    ) -> usize {
        let since = record.doors[door].since;
        self.visits.push(HonestRunSeen {
            client,
            door,
            knocks,
            since,
            progress: Progress::Announced,
        });
        self.visits.len() - 1
    }

    /// Records a packet that some door admits. The counts are those before it.
    pub(super) fn heard(
        &mut self,
        client: IpAddr,
        heard: &Heard,
        record: &Record,
        counts: Counts,
    ) -> Promise {
        let number = heard.visit.map(|knock| knock.visit);
        // Any other admitted packet of the client spoils the current visit, except a repeat of the
        // last counted knock.
        if let Some(&other) = self.under_way.get(&client)
            && let Progress::Under { way } = self.visits[other].progress
        {
            if heard.can_repeat(&way.last) {
                return Promise::default();
            }
            if Some(other) != number {
                self.end(other);
            }
        }
        let (Some(number), Some(knock)) = (number, heard.visit) else { return Promise::default() };
        let visited = self.visits[number].clone();
        let way = match visited.progress {
            Progress::Announced if knock.place == 0 => first(&visited, heard, record, counts),
            Progress::Under { way } if knock.place == way.arrived => {
                next(&visited, way, heard, record, counts)
            }
            Progress::Announced | Progress::Under { .. } | Progress::Over => None,
        };
        let Some(way) = way else {
            self.end(number);
            return Promise::default();
        };
        if way.arrived < visited.knocks {
            self.visits[number].progress = Progress::Under { way };
            self.under_way.insert(client, number);
            return Promise::default();
        }
        self.end(number);
        let opens = Some((visited.client, visited.door));
        Promise { opens, evicted: counts.evicted, refused: counts.refused }
    }

    fn end(&mut self, number: usize) {
        let visited = &mut self.visits[number];
        visited.progress = Progress::Over;
        if self.under_way.get(&visited.client) == Some(&number) {
            self.under_way.remove(&visited.client);
        }
    }
}

/// The first knock counts if nothing that the client did before is still remembered.
fn first(visited: &HonestRunSeen, heard: &Heard, record: &Record, counts: Counts) -> Option<Way> {
    let longest = record.doors.iter().map(|known| known.door.seq_timeout_s).max().unwrap_or(0);
    let history = record.of(visited.client);
    let before = history.iter().rev().find(|earlier| earlier.number < heard.number);
    let is_quiet =
        before.is_none_or(|before| before.at_ns + i64::from(longest) * SECOND <= heard.at_ns);
    let is_good = is_quiet && is_same(visited, heard, record);
    let (first_ns, evicted) = (heard.at_ns, counts.evicted);
    is_good.then_some(Way { first_ns, last: *heard, arrived: 1, evicted })
}

/// A later knock counts if it comes in time and the door is still the same.
fn next(
    visited: &HonestRunSeen,
    way: Way,
    heard: &Heard,
    record: &Record,
    counts: Counts,
) -> Option<Way> {
    let known = &record.doors[visited.door];
    let is_in_time = heard.at_ns - way.first_ns < i64::from(known.door.seq_timeout_s) * SECOND;
    let is_good = is_in_time && is_same(visited, heard, record) && counts.evicted == way.evicted;
    is_good.then_some(Way { last: *heard, arrived: way.arrived + 1, ..way })
}

/// Returns whether the door is still the one that the visit is for, and hears the packet.
fn is_same(visited: &HonestRunSeen, heard: &Heard, record: &Record) -> bool {
    let known = &record.doors[visited.door];
    known.listed && known.since == visited.since && heard.concerns(visited.door)
}
