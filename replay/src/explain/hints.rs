//! What to try next, where that needs more than one packet or more than one client to see.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use knock_engine::address;
use knock_engine::{DoorId, DoorSequence, Doors, Knock, Seconds, Timestamp};

use super::clients::{Clients, Followed};
use super::clock::OtherTimes;
use super::miss::{Cause, Nearest};
use super::track::{Arrival, Track};
use crate::output::time::nanos;
use crate::output::words::listed;

/// What may be wrong, and what helps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// Several clients made the sequence together: perhaps one behind several addresses.
    Together(Vec<(IpAddr, Vec<Knock>)>),
    /// Some knocks of the sequence never came, though later ones did.
    NeverArrived(Vec<Knock>),
    /// All knocks came within this many nanoseconds, but not in their order.
    Order(Vec<usize>, u64),
    /// Knocks came again by themselves, each as a new try.
    Retries,
    /// These were the knocks of a derived sequence of another time: this many seconds ahead.
    OtherTime(i64),
}

impl Hint {
    /// Returns its name in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Together(_) => "together",
            Self::NeverArrived(_) => "never-arrived",
            Self::Order(..) => "order",
            Self::Retries => "retries",
            Self::OtherTime(_) => "other-time",
        }
    }

    /// Returns it in words, about a client.
    #[must_use]
    pub fn text(&self, client: IpAddr) -> String {
        match self {
            Self::Together(parts) => {
                let part = |(client, knocks): &(IpAddr, Vec<Knock>)| {
                    let knocks = knocks.iter().map(ToString::to_string).collect::<Vec<_>>();
                    format!("{} from {}", listed(&knocks), address::text(*client))
                };
                let parts = parts.iter().map(part).collect::<Vec<_>>().join(", ");
                format!(
                    "together these are the sequence: {parts}; one client behind several addresses (a NAT \
                     pool)?"
                )
            }
            Self::NeverArrived(knocks) => {
                let knocks = knocks.iter().map(ToString::to_string).collect::<Vec<_>>();
                format!(
                    "{} from {} never arrived here: look for a filter on the way",
                    listed(&knocks),
                    address::text(client)
                )
            }
            Self::Order(places, within) => {
                let places = places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                // Rounded up: a part of one is not nothing.
                let millis = within.div_ceil(1_000_000).max(1);
                format!(
                    "the knocks came in the order {places} within {millis} ms: let the client wait between \
                     them, such as with `knock -d 200`"
                )
            }
            Self::OtherTime(ahead) => {
                let side = if *ahead < 0 { "behind" } else { "ahead" };
                let by = roughly(ahead.unsigned_abs());
                format!(
                    "the knocks are those of another time: the clock of {} is about {by} {side}, or \
                     somebody repeats what was recorded; compare the clocks of client and server",
                    address::text(client)
                )
            }
            Self::Retries => {
                "the client sends a knock again before the next one has come: let it wait, or not \
                              try again; for nmap that is `--max-retries 0`"
                    .to_owned()
            }
        }
    }
}

/// The hints for clients at doors that they did not open.
#[derive(Debug, Default)]
pub(super) struct Hints(HashMap<(IpAddr, DoorId), Vec<Hint>>);

impl Hints {
    /// Looks at all that is remembered of the clients.
    pub(super) fn of(clients: &Clients, doors: &Doors) -> Self {
        let mut shut: BTreeMap<DoorId, Vec<Shut<'_>>> = BTreeMap::new();
        for one in clients.iter().filter(|one| one.track.tally.openings == 0) {
            let Followed { client: _, strays, door, track } = one;
            shut.entry(door).or_default().push(Shut { nearest: one.nearest(), track, strays });
        }
        let mut hints = Self::default();
        for (door, clients) in shut {
            match &doors.door(door).sequence {
                DoorSequence::Fixed(sequence) => {
                    hints.at_door(door, sequence.knocks(), doors.door(door).seq_timeout, &clients);
                }
                DoorSequence::Derived(derived) => {
                    let name = doors.door(door).name.as_bytes();
                    hints.of_other_times(door, OtherTimes::new(name, derived), &clients);
                }
                // They change: what was sent to one of them is no part of the next.
                DoorSequence::OneTime(_) | DoorSequence::None => {}
            }
        }
        hints
    }

    /// Returns those for a client at a door.
    pub(super) fn at(&self, nearest: &Nearest) -> &[Hint] {
        self.0.get(&(nearest.client, nearest.door)).map_or(&[], Vec::as_slice)
    }

    fn at_door(&mut self, door: DoorId, knocks: &[Knock], timeout: Seconds, clients: &[Shut<'_>]) {
        for parts in together(knocks, timeout, clients) {
            for &(client, _) in &parts {
                self.0.entry((client, door)).or_default().push(Hint::Together(parts.clone()));
            }
        }
        for shut in clients {
            let one = (shut.nearest.client, door);
            let find = || shut.order(knocks).or_else(|| shut.never_arrived(knocks));
            let of_knocks = if self.0.contains_key(&one) { None } else { find() };
            let repeats = shut.nearest.misses.iter().any(|miss| miss.cause == Cause::Repeat);
            let all = of_knocks.into_iter().chain(repeats.then_some(Hint::Retries));
            // For most there is none.
            for hint in all {
                self.0.entry(one).or_default().push(hint);
            }
        }
    }
}

impl Hints {
    /// How many clients of a door are looked at: a search takes some thousand derivations.
    const SEARCHED: usize = 100;

    fn of_other_times(&mut self, door: DoorId, mut other: OtherTimes<'_>, clients: &[Shut<'_>]) {
        for shut in clients.iter().take(Self::SEARCHED) {
            if let Some(ahead) = other.find(&shut.track.arrivals) {
                let of_one = self.0.entry((shut.nearest.client, door)).or_default();
                of_one.push(Hint::OtherTime(ahead));
            }
        }
    }
}

/// Returns a time in words, as exact as it matters.
pub(super) fn roughly(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min"),
        (_, 0) => format!("{hours} h"),
        _ => format!("{hours} h {minutes} min"),
    }
}

/// A client that did not open a door.
struct Shut<'a> {
    nearest: Nearest,
    track: &'a Track,
    /// How many packets it sent to ports of no door.
    strays: u64,
}

impl Shut<'_> {
    /// Packets that come within as many nanoseconds of one another may be in another order than sent.
    const REORDERED: u64 = 1_000_000_000;

    /// With more packets than this to ports of no door, a client rather scans ports.
    const STRAYS_MAX: u64 = 20;

    /// Returns whether all knocks came at once in another order than the sequence's, and nothing else
    /// did just before and after them.
    fn order(&self, knocks: &[Knock]) -> Option<Hint> {
        let is_one_burst = |one: &Arrival, next: &Arrival| nanos(one.at, next.at) < Self::REORDERED;
        let bursts = self.track.arrivals.chunk_by(is_one_burst);
        let mut wrong = bursts.filter_map(|burst| {
            let places = places(knocks, burst).filter(|places| !places.is_sorted())?;
            Some(Hint::Order(places, nanos(burst.first()?.at, burst.last()?.at)))
        });
        wrong.next_back()
    }

    /// Returns the knocks that never came, if later ones did, and nothing else explains it.
    fn never_arrived(&self, knocks: &[Knock]) -> Option<Hint> {
        let is_open = |cause| matches!(cause, Cause::Wrong | Cause::NoFirst | Cause::Silence);
        if self.strays > Self::STRAYS_MAX
            || !self.nearest.misses.iter().all(|miss| is_open(miss.cause))
        {
            return None;
        }
        let came = |knock: &Knock| self.track.arrivals.iter().any(|one| one.knock == *knock);
        let mut missing: Vec<Knock> = knocks.iter().filter(|knock| !came(knock)).copied().collect();
        missing.dedup();
        let last = knocks.iter().rposition(came)?;
        let first_missing = knocks.iter().position(|knock| !came(knock))?;
        if first_missing == 0 && self.track.has_stray_first {
            return None;
        }
        let mut others: Vec<Knock> = knocks.iter().filter(|knock| came(knock)).copied().collect();
        others.sort_unstable();
        others.dedup();
        // One port alone is met by chance.
        (last > first_missing && others.len() > 1).then_some(Hint::NeverArrived(missing))
    }
}

/// Returns which places of the sequence these are, from 1, if each place is there once.
fn places(knocks: &[Knock], burst: &[Arrival]) -> Option<Vec<usize>> {
    let mut left: Vec<Option<Knock>> = knocks.iter().copied().map(Some).collect();
    if burst.len() != knocks.len() {
        return None;
    }
    let place = |arrival: &Arrival| {
        let place = left.iter().position(|knock| *knock == Some(arrival.knock))?;
        *left.get_mut(place)? = None;
        Some(place.saturating_add(1))
    };
    burst.iter().map(place).collect()
}

/// How many packets after a first knock are looked at for the rest of the sequence.
const LOOK_AHEAD: usize = 64;

/// How many addresses one client may have.
const ADDRESSES_MAX: usize = 4;

/// How many such groups of clients are found at a door.
const GROUPS_MAX: usize = 100;

/// Returns groups of clients that made the sequence together, none of them alone, each with what it sent.
fn together(
    knocks: &[Knock],
    timeout: Seconds,
    clients: &[Shut<'_>],
) -> Vec<Vec<(IpAddr, Vec<Knock>)>> {
    let mut all: Vec<(Timestamp, IpAddr, Knock)> = Vec::new();
    for Shut { nearest, track, .. } in clients {
        all.extend(track.arrivals.iter().map(|one| (one.at, nearest.client, one.knock)));
    }
    all.sort_by_key(|&(at, ..)| at);
    let mut groups: Vec<Vec<(IpAddr, Vec<Knock>)>> = Vec::new();
    let mut rest = &all[..];
    while let Some((&(began, first, knock), behind)) = rest.split_first() {
        rest = behind;
        let grouped =
            |client: IpAddr| groups.iter().any(|group| group.iter().any(|&(one, _)| one == client));
        if Some(&knock) != knocks.first() || grouped(first) {
            continue;
        }
        let mut wanted = knocks.iter().skip(1).peekable();
        let mut group = vec![(first, vec![knock])];
        let near = behind.iter().take(LOOK_AHEAD);
        for &(_, client, knock) in near.take_while(|&&(at, ..)| at < began.saturating_add(timeout))
        {
            if wanted.next_if_eq(&&knock).is_some() {
                match group.iter_mut().find(|(one, _)| *one == client) {
                    Some((_, sent)) => sent.push(knock),
                    None => group.push((client, vec![knock])),
                }
            }
        }
        let is_one_family = group.iter().all(|(client, _)| client.is_ipv4() == first.is_ipv4());
        if wanted.peek().is_none()
            && (2..=ADDRESSES_MAX).contains(&group.len())
            && is_one_family
            && !group.iter().any(|&(client, _)| grouped(client))
        {
            groups.push(group);
            if groups.len() >= GROUPS_MAX {
                break;
            }
        }
    }
    groups
}
