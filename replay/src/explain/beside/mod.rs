//! What knockd 0.8 makes of the packets that are explained, for a line at the end.

mod aside;
mod input;

use std::collections::BTreeMap;
use std::mem;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread::Scope;

use knock_compat::{Engine, Refusal, Rules, Sight};
use knock_config::text::{ThreadFault, printable};
use knock_engine::{DoorId, Doors, Limits, Listening, TimedEffect, address};

use self::aside::{Aside, Opening, PieceOpenings};
pub(super) use self::input::{Input, TwoSights};
use super::Whom;
use super::company::Company;
use super::explainer::Explainer;
use crate::output::words::listed;

/// The most attempts that are followed: knockd 0.8 forgets none.
pub(super) const ATTEMPTS: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

/// How many differences the line names.
const NAMED_MAX: usize = 3;

/// How often knock and knockd 0.8 opened the doors.
#[derive(Debug)]
pub(crate) struct Beside {
    /// By the rules of knockd 0.8, until the replay begins.
    engine: Option<Engine>,
    whom: Whom,
    /// Why knockd 0.8 would not start.
    refusal: Option<Refusal>,
    openings: BTreeMap<(DoorId, IpAddr), Openings>,
    /// Whether there was room for all of them.
    is_whole: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Openings {
    by_knockd_08: u64,
    by_knock: u64,
}

impl Beside {
    pub(super) fn new(doors: &Doors, listening: Listening, limits: &Limits, whom: Whom) -> Self {
        let refusal = Rules::Knockd08.refusal(doors, &listening);
        let engine = || Rules::Knockd08.engine(doors.clone(), listening, limits);
        let engine = refusal.is_none().then(engine);
        Self { engine, whom, refusal, openings: BTreeMap::new(), is_whole: true }
    }

    /// Returns how knockd 0.8 sees frames; `None` if it would not start.
    pub(super) fn sight(&self) -> Option<Sight> {
        self.engine.as_ref().map(Sight::of)
    }

    /// Lets knockd 0.8 run on a thread of its own; `None` if it would not start.
    ///
    /// # Errors
    /// Why there is no thread.
    pub(super) fn begin<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<Option<Running<'_, 'scope>>, ThreadFault> {
        let Some(engine) = self.engine.take() else { return Ok(None) };
        let aside = Aside::begin(scope, engine)?;
        Ok(Some(Running { beside: self, aside, openings: Vec::new() }))
    }

    /// Counts the openings of a piece. What came first makes the first openings, by knockd 0.8 before knock:
    /// that decides for whom there is room.
    fn count_all(&mut self, openings: PieceOpenings) {
        let PieceOpenings { by_knockd_08, by_knock } = openings;
        let mut by_knock = by_knock.into_iter().peekable();
        for theirs in by_knockd_08 {
            while let Some(ours) = by_knock.next_if(|ours| ours.place < theirs.place) {
                self.count(ours, |openings| &mut openings.by_knock);
            }
            self.count(theirs, |openings| &mut openings.by_knockd_08);
        }
        by_knock.for_each(|ours| self.count(ours, |openings| &mut openings.by_knock));
    }

    fn count(&mut self, opening: Opening, which: fn(&mut Openings) -> &mut u64) {
        let Opening { place: _, client, door } = opening;
        if !self.whom.contains(client) {
            return;
        }
        let is_full = self.openings.len() >= Explainer::PAIRS;
        if is_full && !self.openings.contains_key(&(door, client)) {
            self.is_whole = false;
            return;
        }
        let count = which(self.openings.entry((door, client)).or_default());
        *count = count.saturating_add(1);
    }

    /// Says whose rules explain, and what is different by those of knockd 0.8.
    pub(super) fn line(&self, doors: &Doors) -> String {
        const BY: &str = "explained by the rules of knock; ";
        const WHY: &str = "; 'knock-replay diff --rules' says why";
        if let Some(refusal) = self.refusal {
            return format!("{BY}knockd 0.8 would not start: {refusal}");
        }
        let differ = |openings: &Openings| openings.by_knockd_08 != openings.by_knock;
        let differing = self.openings.iter().filter(|(_, openings)| differ(openings));
        let count = differing.clone().count();
        let mut named: Vec<String> = differing
            .take(NAMED_MAX)
            .map(|(&(door, client), openings)| {
                format!(
                    "door {} for {} {} instead of {}",
                    printable(doors.door(door).name.as_bytes()),
                    address::text(client),
                    times(openings.by_knockd_08),
                    times(openings.by_knock)
                )
            })
            .collect();
        if named.is_empty() {
            let which = if self.is_whole { "" } else { " for the first clients" };
            return format!("{BY}knockd 0.8 would have opened the same{which}");
        }
        let more = count.saturating_sub(named.len());
        if more > 0 {
            named.push(format!("{more} more"));
        }
        format!("{BY}knockd 0.8 would have opened {}{WHY}", listed(&named))
    }
}

/// knockd 0.8 at work.
pub(super) struct Running<'a, 'scope> {
    beside: &'a mut Beside,
    aside: Aside<'scope>,
    /// What knock has opened by the present piece.
    openings: Vec<Opening>,
}

impl Running<'_, '_> {
    /// Waits until knockd 0.8 has had all that it was given.
    pub(super) fn wait(self) {
        let Self { beside, aside, openings: _ } = self;
        aside.end().for_each(|openings| beside.count_all(openings));
    }
}

/// Both sides read the same, and none of it is copied.
impl Company<Input> for Running<'_, '_> {
    fn begin(&mut self, piece: &Arc<Vec<Input>>) {
        self.aside.hand_over(Arc::clone(piece));
    }

    fn happens(&mut self, place: usize, timed: &TimedEffect) {
        self.openings.extend(Opening::of(place, timed));
    }

    fn end(&mut self, piece: Arc<Vec<Input>>) {
        self.aside.by_knock(piece, mem::take(&mut self.openings));
        while let Some(openings) = self.aside.answered() {
            self.beside.count_all(openings);
        }
    }

    fn spare(&mut self) -> Vec<Input> {
        self.aside.spare()
    }
}

fn times(count: u64) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{count} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns doors, and what counts openings at them.
    fn beside() -> (Beside, DoorId) {
        let conf = b"[d]\nsequence = 1\ncommand =\n";
        let config = knock_config::parse(conf).config.unwrap();
        let doors =
            Doors::new(config.doors.iter().map(knock_config::DoorConfig::door).collect()).unwrap();
        let (door, _) = doors.in_order().next().unwrap();
        let (listening, limits) = (Listening::everywhere(), Limits::default());
        (Beside::new(&doors, listening, &limits, Whom::All), door)
    }

    fn opening(place: usize, number: u32, door: DoorId) -> Opening {
        Opening { place, client: std::net::Ipv4Addr::from_bits(number).into(), door }
    }

    /// Whoever comes first has a place, by either rules, and of one packet those of knockd 0.8.
    #[test]
    fn the_first_clients_are_counted_in_the_order_of_the_packets() {
        let (mut beside, door) = beside();
        let limit = u32::try_from(Explainer::PAIRS).unwrap();
        for number in 0..limit - 2 {
            let by_knock = vec![opening(0, number, door)];
            beside.count_all(PieceOpenings { by_knockd_08: Vec::new(), by_knock });
        }
        assert!(beside.is_whole);
        let all = |numbers: [(usize, u32); 2]| {
            numbers.map(|(place, number)| opening(place, limit + number, door)).to_vec()
        };
        let by_knock = all([(1, 1), (2, 3)]);
        beside.count_all(PieceOpenings { by_knockd_08: all([(2, 2), (2, 4)]), by_knock });
        let has =
            |number| beside.openings.contains_key(&(door, opening(0, limit + number, door).client));
        assert_eq!([1, 2, 3, 4].map(has), [true, true, false, false]);
        assert!(!beside.is_whole);
    }
}
