//! What happens at the same time under both configurations, and is no difference.

use std::cmp::Ordering;

use super::change::Unmatched;
use super::divergence::Divergences;
use super::event::{CompactEvent, Named, VisibleEvent};
use super::pairing::AllUnmatched;
use super::side::SideDoors;
use super::step::{Step, Steps};
use crate::session::names::PacketId;

/// Compares what both do, step by step.
#[derive(Debug)]
pub(super) struct Comparer<'a> {
    old: &'a SideDoors,
    new: &'a SideDoors,
    /// Whether the texts of a door are the same under both, by [`Named::index`].
    are_texts_same: Vec<bool>,
    divergences: Divergences,
    unmatched: AllUnmatched,
}

impl<'a> Comparer<'a> {
    /// Makes one for the doors of both, of which there are so many names.
    pub(super) fn new(
        old: &'a SideDoors,
        new: &'a SideDoors,
        names: impl Iterator<Item = Named>,
    ) -> Self {
        let texts = |doors: &'a SideDoors, named| {
            let door = doors.door(named)?;
            Some((&door.commands, door.admission.as_ref().map(|one| &one.ports)))
        };
        let is_same = |named| texts(old, named) == texts(new, named);
        let are_texts_same = names.map(is_same).collect();
        let (divergences, unmatched) = (Divergences::default(), AllUnmatched::default());
        Self { old, new, are_texts_same, divergences, unmatched }
    }

    /// Takes what both do in a step; with the packet, if it is one.
    pub(super) fn take(&mut self, old: Step<'_>, new: Step<'_>, packet: Option<PacketId>) {
        self.divergences.take(old.verdicts, new.verdicts);
        // Most often, as after a flood: nothing to compare.
        if old.events.is_empty() || new.events.is_empty() {
            old.events.iter().for_each(|event| self.add_old(event, packet));
            new.events.iter().for_each(|event| self.add_new(event, packet));
            return;
        }
        if self.are_twins(old.events, new.events) {
            return;
        }
        let whole = |doors: &SideDoors, events: &[CompactEvent]| -> Vec<VisibleEvent> {
            events.iter().map(|event| event.whole(packet, doors.door(event.id.door))).collect()
        };
        let (mut olds, mut news) = (whole(self.old, old.events), whole(self.new, new.events));
        without_twins(&mut olds, &mut news);
        let Self { divergences, unmatched, .. } = self;
        for event in olds {
            unmatched.add_old(event.id(), || keep(event, divergences));
        }
        for event in news {
            unmatched.add_new(event.id(), || keep(event, divergences));
        }
    }

    /// Returns whether both do the same in all of these steps and had not diverged before: then there is nothing
    /// to take of them.
    pub(super) fn are_same(&self, old: &Steps, new: &Steps) -> bool {
        self.divergences.are_none()
            && old == new
            && old.events().iter().all(|event| self.has_same_text(event))
    }

    /// Returns whether the same happens under both, one after another.
    fn are_twins(&self, old: &[CompactEvent], new: &[CompactEvent]) -> bool {
        let is_twin = |(old, new): (&CompactEvent, &CompactEvent)| {
            old.is_twin_of(new) && self.has_same_text(old)
        };
        old.len() == new.len() && old.iter().zip(new).all(is_twin)
    }

    /// Returns whether the text of an event that happens under both is the same under both.
    fn has_same_text(&self, event: &CompactEvent) -> bool {
        let door = event.id.door.index();
        !event.has_text() || self.are_texts_same.get(door).copied().unwrap_or(false)
    }

    fn add_old(&mut self, event: &CompactEvent, packet: Option<PacketId>) {
        let Self { old, divergences, unmatched, .. } = self;
        unmatched
            .add_old(event.id, || keep(event.whole(packet, old.door(event.id.door)), divergences));
    }

    fn add_new(&mut self, event: &CompactEvent, packet: Option<PacketId>) {
        let Self { new, divergences, unmatched, .. } = self;
        unmatched
            .add_new(event.id, || keep(event.whole(packet, new.door(event.id.door)), divergences));
    }

    /// Returns what has no twin, and where the two diverged.
    pub(super) fn finish(self) -> (AllUnmatched, Divergences) {
        let Self { unmatched, divergences, .. } = self;
        (unmatched, divergences)
    }
}

fn keep(event: VisibleEvent, divergences: &mut Divergences) -> Unmatched {
    let divergence = divergences.of(event.key.client, event.key.door);
    Unmatched { event, divergence }
}

/// Takes out the events that happened at the same time under both. What is left is sorted.
pub(super) fn without_twins(old: &mut Vec<VisibleEvent>, new: &mut Vec<VisibleEvent>) {
    if old.is_empty() || new.is_empty() {
        return;
    }
    let same = |event: &VisibleEvent| (event.key.clone(), event.moment.at);
    old.sort();
    new.sort();
    if old.len() == new.len() && old.iter().zip(new.iter()).all(|(old, new)| same(old) == same(new))
    {
        old.clear();
        new.clear();
        return;
    }
    let (mut rest_old, mut rest_new) = (Vec::new(), Vec::new());
    let (mut olds, mut news) = (old.drain(..).peekable(), new.drain(..).peekable());
    loop {
        let order = match (olds.peek(), news.peek()) {
            (Some(old), Some(new)) => same(old).cmp(&same(new)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        match order {
            Ordering::Less => rest_old.extend(olds.next()),
            Ordering::Greater => rest_new.extend(news.next()),
            Ordering::Equal => {
                olds.next();
                news.next();
            }
        }
    }
    drop((olds, news));
    (*old, *new) = (rest_old, rest_new);
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use knock_config as config;
    use knock_engine::{Doors, Timestamp};
    use proptest::prelude::*;

    use super::super::change::{Change, Half};
    use super::super::event::{EventId, EventKind, Key, Names};
    use super::*;

    /// A configuration, of whose doors the first runs this command and the last opens these ports.
    fn doors(names: &mut Names, command: &str, ports: &str) -> SideDoors {
        let text = format!(
            "[options]\nfirewall = nft\n[a]\nsequence = 1\ncommand = {command}\n[b]\nsequence = 2\ncommand = b\n\
             [c]\nsequence = 3\nopen = {ports}\n"
        );
        let config = config::parse(text.as_bytes()).config.unwrap();
        let doors = config.doors.into_iter().map(|door| door.door()).collect();
        let doors = Doors::new(doors).unwrap();
        let by_index = names.take(&doors);
        SideDoors::new(doors, by_index)
    }

    fn events() -> impl Strategy<Value = Vec<CompactEvent>> {
        let things = vec![
            (0, EventKind::Opened, 0),
            (0, EventKind::StartCommand, 0),
            (1, EventKind::StartCommand, 0),
            (2, EventKind::Admitted, 5),
            (2, EventKind::Admitted, 6),
        ];
        let one = (prop::sample::select(things), 1..3_u32, 0..2_i64);
        let one = one.prop_map(|((door, kind, lasts), client, at)| {
            let client = IpAddr::V4(Ipv4Addr::from_bits(client));
            let id = EventId { client, door: Named::new(door), kind };
            CompactEvent::due(Timestamp::from_nanos(at), id, lasts)
        });
        prop::collection::vec(one, 0..6)
    }

    /// Returns those of a side of which the other has none.
    fn difference(one: &[VisibleEvent], other: &[VisibleEvent]) -> Vec<VisibleEvent> {
        let mut rest = one.to_vec();
        for event in other {
            if let Some(at) = rest.iter().position(|one| one == event) {
                rest.remove(at);
            }
        }
        rest.sort();
        rest
    }

    /// What both sides did, often the same.
    fn steps() -> impl Strategy<Value = (Vec<CompactEvent>, Vec<CompactEvent>)> {
        prop_oneof![(events(), events()), events().prop_map(|events| (events.clone(), events))]
    }

    proptest! {
        /// Also where texts are the same that are written in different ways.
        #[test]
        fn what_is_left_is_what_the_other_side_has_not(
            (olds, news) in steps(),
            commands in prop::sample::select(vec![("a", "a"), ("a", "x"), ("%IP%", "0.0.0.1")]),
            ports in prop::sample::select(vec![("tcp/22", "tcp/22"), ("tcp/22", "tcp/23")]),
        ) {
            let mut names = Names::default();
            let old = doors(&mut names, commands.0, ports.0);
            let new = doors(&mut names, commands.1, ports.1);
            let mut comparer = Comparer::new(&old, &new, names.all());
            let whole = |doors: &SideDoors, events: &[CompactEvent]| -> Vec<VisibleEvent> {
                events.iter().map(|one| one.whole(None, doors.door(one.id.door))).collect()
            };
            let (whole_olds, whole_news) = (whole(&old, &olds), whole(&new, &news));
            let step = |events| Step { events, verdicts: &[] };
            comparer.take(step(&olds), step(&news), None);
            let (changes, _) = comparer.finish().0.paired();
            let halves = |of: fn(&Change) -> Option<&Half>| {
                let half = |change: &Change| {
                    let (what, moment) = of(change)?.clone();
                    let key = Key { client: change.client, door: change.door, what };
                    Some(VisibleEvent { key, moment })
                };
                let mut halves: Vec<VisibleEvent> = changes.iter().filter_map(half).collect();
                halves.sort();
                halves
            };
            prop_assert_eq!(halves(Change::old), difference(&whole_olds, &whole_news));
            prop_assert_eq!(halves(Change::new_half), difference(&whole_news, &whole_olds));
        }
    }
}
