//! Which clients get in less often, or more often.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use knock_engine::address;

use super::Outcome;
use super::change::Kind;
use super::event::What;
use super::side::Side;
use crate::output::words::number;

/// What becomes of the openings of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Openings {
    pub(super) client: IpAddr,
    /// How many there are under the old configuration.
    pub(super) old: u64,
    /// How many there are under the new one.
    pub(super) new: u64,
}

/// The clients whose openings become fewer, and those whose openings become more; whoever is hit hardest
/// comes first.
#[derive(Debug, Default)]
pub(super) struct ByClient {
    pub(super) losing: Vec<Openings>,
    pub(super) gaining: Vec<Openings>,
}

impl ByClient {
    /// How many clients a line names.
    const NAMED: usize = 20;

    pub(super) fn of(outcome: &Outcome) -> Self {
        let [old, new] = [&outcome.old, &outcome.new].map(openings);
        let mut all: BTreeMap<IpAddr, Openings> = BTreeMap::new();
        for change in &outcome.changes {
            let is_opening = *change.what() == What::Opened;
            if is_opening && matches!(change.kind(), Kind::Gone | Kind::New) {
                let client = change.client;
                let [old, new] = [&old, &new].map(|side| side.get(&client).copied().unwrap_or(0));
                all.insert(client, Openings { client, old, new });
            }
        }
        let of = |is_one: fn(&Openings) -> bool| {
            let mut these: Vec<Openings> =
                all.values().filter(|one| is_one(one)).copied().collect();
            these.sort_by_key(|one| (one.new > 0, Reverse(one.old.abs_diff(one.new))));
            these
        };
        Self { losing: of(|one| one.new < one.old), gaining: of(|one| one.new > one.old) }
    }

    /// Returns it in words, a line for the losing ones and one for the others.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.losing.is_empty() {
            let all_lost = self.losing.iter().filter(|one| one.new == 0).count();
            let who = number(count(self.losing.len()), "client loses", "clients lose");
            let them = if self.losing.len() == 1 { "all of its own" } else { "all of theirs" };
            let part = match all_lost {
                0 => "none of them all".to_owned(),
                all if all == self.losing.len() => them.to_owned(),
                all => format!("{all} of them all of theirs"),
            };
            let lost = |one: &Openings| (one.client, one.old.saturating_sub(one.new), one.old);
            let named = self.losing.iter().map(lost);
            lines.push(format!("{who} openings, {part}: {}", Self::named(named)));
        }
        if !self.gaining.is_empty() {
            let who = number(count(self.gaining.len()), "client gains", "clients gain");
            let gained = |one: &Openings| (one.client, one.new.saturating_sub(one.old), one.new);
            lines.push(format!("{who} openings: {}", Self::named(self.gaining.iter().map(gained))));
        }
        lines
    }

    fn named(all: impl ExactSizeIterator<Item = (IpAddr, u64, u64)>) -> String {
        let more = all.len().saturating_sub(Self::NAMED);
        let text = |(client, of, all)| format!("{} ({of} of {all})", address::text(client));
        let names = all.take(Self::NAMED).map(text).collect::<Vec<_>>().join(", ");
        if more == 0 { names } else { format!("{names} and {more} more") }
    }
}

/// Returns how often each client opened any door.
fn openings(side: &Side) -> BTreeMap<IpAddr, u64> {
    let mut all = BTreeMap::new();
    for one in side.explainer.nearest().filter(|one| one.openings > 0) {
        let sum: &mut u64 = all.entry(one.client).or_default();
        *sum = sum.saturating_add(one.openings);
    }
    all
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
