//! What knockd 0.8 makes of the packets that are explained, for a line at the end.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::num::NonZeroU32;

use knock_compat::{Engine, Refusal, Rules, Sight};
use knock_config::text::printable;
use knock_engine::{
    CommandsEnd, DoorId, Doors, EffectKind, Event, Limits, Listening, OwnEffect, Packet,
    TimedEffect, address,
};

use super::Whom;
use super::explainer::Explainer;
use crate::output::words::listed;
use crate::session::incoming::{Incoming, What};

/// The most attempts that are followed: knockd 0.8 forgets none.
pub(super) const ATTEMPTS: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

/// How many differences the line names.
const NAMED_MAX: usize = 3;

/// An engine by the rules of knockd 0.8, and how often it and knock opened the doors.
#[derive(Debug)]
pub(crate) struct Beside {
    engine: Engine,
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
        let engine = Rules::Knockd08.engine(doors.clone(), listening, limits);
        Self { engine, whom, refusal, openings: BTreeMap::new(), is_whole: true }
    }

    /// Returns how knockd 0.8 sees frames; `None` if it would not start.
    pub(super) fn sight(&self) -> Option<Sight> {
        self.refusal.is_none().then(|| Sight::of(&self.engine))
    }

    /// Lets knockd 0.8 have what knock is going to have. Of a frame, it has `seen` this.
    pub(super) fn step(&mut self, incoming: &Incoming, seen: Option<Packet>) {
        if self.refusal.is_some() {
            return;
        }
        let event = match &incoming.what {
            What::Packet { .. } | What::Unreadable { .. } => {
                seen.map_or(Event::DeadlineReached, Event::Packet)
            }
            What::Addresses(listening) => Event::AddressesChanged(listening.clone()),
            What::Time => Event::DeadlineReached,
        };
        let mut opened = Vec::new();
        let Ok(()) = self.engine.drive(incoming.at, event, CommandsEnd::SUCCEEDED, |_, timed| {
            opened.extend(opening(&timed));
            Ok::<(), Infallible>(())
        });
        for (client, door) in opened {
            self.count(client, door, |openings| &mut openings.by_knockd_08);
        }
    }

    /// Takes what happens by the rules of knock.
    pub(super) fn by_knock(&mut self, timed: &TimedEffect) {
        if let Some((client, door)) = opening(timed) {
            self.count(client, door, |openings| &mut openings.by_knock);
        }
    }

    fn count(&mut self, client: IpAddr, door: DoorId, which: fn(&mut Openings) -> &mut u64) {
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

fn opening<X: OwnEffect>(timed: &TimedEffect<X>) -> Option<(IpAddr, DoorId)> {
    let effect = &timed.effect;
    if effect.kind() == EffectKind::Opened { effect.client().zip(effect.door()) } else { None }
}

fn times(count: u64) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{count} times"),
    }
}
