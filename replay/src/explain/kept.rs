//! Explanations that wait until all is known.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use foldhash::fast::RandomState;
use knock_engine::DoorId;

use super::explanation::Explanation;
use super::words::Words;
use crate::output::words::number;
use crate::session::names::PacketId;

/// How much is kept until it is printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptLimits {
    /// Of one client at one door.
    pub(super) of_one: usize,
    /// Of all.
    pub(super) of_all: usize,
}

/// Explanations, client by client and door by door.
#[derive(Debug)]
pub(super) struct Groups {
    kept: KeptLimits,
    /// In the order in which the clients came; of each, in the order of the doors.
    pub(super) clients: Vec<OfClient>,
    places: HashMap<IpAddr, usize, RandomState>,
    count: usize,
}

/// What happened to a client, door by door.
pub(super) type OfClient = (IpAddr, Vec<(DoorId, Group)>);

/// What happened to a client at a door.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) entries: Vec<Entry>,
    pub(super) left_out: u64,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) one: Explanation,
    /// How many of the same came after it and are not kept.
    pub(super) more: u64,
    /// The last of those.
    pub(super) last: Option<PacketId>,
}

impl Groups {
    /// How many of the same are kept that come one after another.
    const SAME: usize = 3;

    pub(super) fn new(kept: KeptLimits) -> Self {
        Self { kept, clients: Vec::new(), places: HashMap::default(), count: 0 }
    }

    /// Keeps an explanation, or counts it if too many are kept.
    pub(super) fn add(&mut self, one: &Explanation) {
        let place = *self.places.entry(one.client).or_insert(self.clients.len());
        if place == self.clients.len() {
            self.clients.push((one.client, Vec::new()));
        }
        let Some((_, groups)) = self.clients.get_mut(place) else { return };
        let at = groups.binary_search_by_key(&one.door, |(door, _)| *door);
        if let Err(at) = at {
            few(groups);
            groups.insert(at, (one.door, Group::default()));
        }
        let (Ok(at) | Err(at)) = at;
        let Some((_, group)) = groups.get_mut(at) else { return };
        if group.is_more_of_the_same(one) {
            group.count(one);
        } else if group.entries.len() >= self.kept.of_one || self.count >= self.kept.of_all {
            group.left_out = group.left_out.saturating_add(1);
        } else {
            few(&mut group.entries);
            group.entries.push(Entry { one: *one, more: 0, last: None });
            self.count = self.count.saturating_add(1);
        }
    }
}

/// Reserves space for one more entry, exactly if there are few: of a flood, most lists have one or two.
fn few<T>(list: &mut Vec<T>) {
    if list.len() < 2 {
        list.reserve_exact(1);
    }
}

impl Group {
    /// Returns whether there is nothing but packets that counted at other doors.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.entries.iter().all(|entry| entry.one.verdict.counted_elsewhere().is_some())
    }

    /// Returns how many packets counted at other doors.
    pub(super) fn elsewhere(&self, words: &Words<'_>) -> String {
        let count = self
            .entries
            .iter()
            .fold(self.left_out, |sum, entry| sum.saturating_add(entry.more).saturating_add(1));
        let doors: BTreeSet<DoorId> =
            self.entries.iter().filter_map(|entry| entry.one.verdict.counted_elsewhere()).collect();
        let names: Vec<String> = doors.into_iter().map(|door| words.door(door)).collect();
        let doors = if names.len() == 1 { "door" } else { "doors" };
        format!(
            "nothing but {} that counted at {doors} {}",
            number(count, "packet", "packets"),
            names.join(", ")
        )
    }

    fn is_more_of_the_same(&self, one: &Explanation) -> bool {
        if !one.verdict.is_dull() || self.left_out > 0 {
            return false;
        }
        let same = |entry: &&Entry| {
            entry.one.verdict.name() == one.verdict.name() && entry.one.attempt == one.attempt
        };
        self.entries.iter().rev().take_while(same).count() >= Groups::SAME
    }

    fn count(&mut self, one: &Explanation) {
        if let Some(last) = self.entries.last_mut() {
            last.more = last.more.saturating_add(1);
            last.last = one.packet.map(|seen| seen.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use knock_config as config;
    use knock_engine::{Door, Doors, Timestamp};

    use super::super::explanation::{Seen, Verdict, Why};
    use super::*;

    /// Something that happened to the client of this number, with the packet of the same number.
    fn happened(client: u8, number: u64, verdict: Verdict) -> Explanation {
        let doors = Doors::new(vec![door()]).unwrap();
        let (door, _) = doors.in_order().next().unwrap();
        let id = PacketId { capture: 0, number };
        let seen = Seen { id, knock: None, flags: None, destination: None, vlan: None };
        Explanation {
            at: Timestamp::EPOCH,
            client: [10, 0, 0, client].into(),
            door,
            attempt: None,
            packet: Some(seen),
            of: 1,
            sequence_line: None,
            verdict,
        }
    }

    fn door() -> Door {
        let text = b"[d]\nsequence = 1\ncommand =\n";
        config::parse(text).config.unwrap().doors.remove(0).door()
    }

    fn counts(grouped: &Groups) -> Vec<(usize, u64, u64)> {
        let groups = grouped.clients.iter().flat_map(|(_, groups)| groups);
        let more = |group: &Group| group.entries.iter().map(|entry| entry.more).sum();
        groups.map(|(_, group)| (group.entries.len(), more(group), group.left_out)).collect()
    }

    #[test]
    fn no_more_is_kept_than_may_be_and_the_rest_is_counted() {
        let mut grouped = Groups::new(KeptLimits { of_one: 4, of_all: 6 });
        for client in 1..=3 {
            for number in 1..=6 {
                grouped.add(&happened(client, number, Verdict::Opened));
            }
        }
        assert_eq!(counts(&grouped), [(4, 0, 2), (2, 0, 4), (0, 0, 6)]);
        assert_eq!(grouped.count, 6);
    }

    #[test]
    fn of_many_of_the_same_three_are_kept_but_of_what_matters_all() {
        let mut grouped = Groups::new(KeptLimits { of_one: 100, of_all: 100 });
        let dull = Verdict::Ignored(Why::OtherDestination);
        for number in 1..=10 {
            grouped.add(&happened(1, number, dull));
        }
        assert_eq!(counts(&grouped), [(3, 7, 0)]);
        let last = grouped.clients[0].1[0].1.entries.last().unwrap().last;
        assert_eq!(last, Some(PacketId { capture: 0, number: 10 }));
        for number in 11..=20 {
            grouped.add(&happened(1, number, Verdict::Opened));
        }
        grouped.add(&happened(1, 21, dull));
        assert_eq!(counts(&grouped), [(14, 7, 0)]);
    }
}
