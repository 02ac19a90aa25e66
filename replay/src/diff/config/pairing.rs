//! Which event under the one configuration is which under the other.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::iter::Peekable;
use std::mem::take;
use std::net::IpAddr;
use std::vec::IntoIter;

use super::change::{Change, Unmatched};
use super::event::{EventId, Named};
use super::left_out::LeftOut;

/// The most events that are kept until they can be paired, under both configurations together: some
/// 200 MB.
const MAX: usize = 200_000;

/// From how many events on room is made for all at once: to move them again and again costs more.
const MANY: usize = 4096;

/// All events without a twin.
#[derive(Debug, Default)]
pub(super) struct AllUnmatched {
    old: Vec<Unmatched>,
    new: Vec<Unmatched>,
    /// `None` as long as there is room.
    left_out: Option<AllLeftOut>,
}

/// The events for which there was no room.
#[derive(Debug)]
struct AllLeftOut {
    old: LeftOut,
    new: LeftOut,
}

impl AllUnmatched {
    /// Adds an event of the old configuration. `whole` makes it, if there is room.
    pub(super) fn add_old(&mut self, event: EventId, whole: impl FnOnce() -> Unmatched) {
        match self.if_full() {
            None => push(&mut self.old, whole()),
            Some(left_out) => left_out.old.add(event),
        }
    }

    /// Adds an event of the new configuration. `whole` makes it, if there is room.
    pub(super) fn add_new(&mut self, event: EventId, whole: impl FnOnce() -> Unmatched) {
        match self.if_full() {
            None => push(&mut self.new, whole()),
            Some(left_out) => left_out.new.add(event),
        }
    }

    /// Returns those that are left out, if there is no room.
    fn if_full(&mut self) -> Option<&mut AllLeftOut> {
        let Self { old, new, left_out } = self;
        if old.len().saturating_add(new.len()) < MAX {
            return None;
        }
        Some(left_out.get_or_insert_with(|| AllLeftOut {
            old: LeftOut::new(new.iter().map(|one| one.event.id())),
            new: LeftOut::new(old.iter().map(|one| one.event.id())),
        }))
    }

    /// Pairs what happened under both at different times, and commands that have other texts. Returns all
    /// changes in the order of time, and how many events are not compared: those that were left out, and
    /// those whose other halves may be among them.
    pub(super) fn paired(self) -> (Vec<Change>, u64) {
        let Self { mut old, mut new, left_out } = self;
        let mut changes = Changes::new(left_out);
        // Nothing is paired: under a flood, that is much that need not be sorted.
        if old.is_empty() {
            new.retain(|one| changes.is_known_new(one));
        } else if new.is_empty() {
            old.retain(|one| changes.is_known_old(one));
        }
        old.sort_unstable_by(|one, other| one.event.cmp(&other.event));
        new.sort_unstable_by(|one, other| one.event.cmp(&other.event));
        let mut groups =
            Groups { old: old.into_iter().peekable(), new: new.into_iter().peekable() };
        let mut sides = Sides::default();
        // Commands that are left, whatever their texts.
        let mut commands: BTreeMap<(IpAddr, Named, bool), Sides> = BTreeMap::new();
        while groups.next(&mut sides) {
            sides.without_twins();
            sides.pair(&mut changes);
            let left = sides.old.first().or(sides.new.first());
            match left.and_then(Unmatched::command) {
                Some(of_door) => {
                    let of_door = commands.entry(of_door).or_default();
                    of_door.old.append(&mut sides.old);
                    of_door.new.append(&mut sides.new);
                }
                None => sides.single(&mut changes),
            }
        }
        for mut sides in commands.into_values() {
            sides.old.sort_by_key(|one| one.event.moment);
            sides.new.sort_by_key(|one| one.event.moment);
            sides.pair(&mut changes);
            sides.single(&mut changes);
        }
        let Changes { mut all, count_left_out, .. } = changes;
        all.sort_by_cached_key(Change::at);
        (all, count_left_out)
    }
}

fn push(kept: &mut Vec<Unmatched>, one: Unmatched) {
    if kept.len() == MANY {
        kept.reserve_exact(MAX.saturating_sub(MANY));
    }
    kept.push(one);
}

/// What is found to be changes.
struct Changes {
    all: Vec<Change>,
    left_out: Option<AllLeftOut>,
    /// How many events are not compared.
    count_left_out: u64,
}

impl Changes {
    fn new(left_out: Option<AllLeftOut>) -> Self {
        let count = |all: &AllLeftOut| all.old.count.saturating_add(all.new.count);
        let count_left_out = left_out.as_ref().map_or(0, count);
        Self { all: Vec::new(), left_out, count_left_out }
    }

    /// Returns whether an event of the old configuration that has no other half has none indeed: whether that was
    /// not left out. If it was, counts the event.
    fn is_known_old(&mut self, one: &Unmatched) -> bool {
        let may_have = |all: &AllLeftOut| all.new.may_have(one.event.id());
        let is_known = !self.left_out.as_ref().is_some_and(may_have);
        self.count_left_out = self.count_left_out.saturating_add(u64::from(!is_known));
        is_known
    }

    /// Does the same for the new configuration.
    fn is_known_new(&mut self, one: &Unmatched) -> bool {
        let may_have = |all: &AllLeftOut| all.old.may_have(one.event.id());
        let is_known = !self.left_out.as_ref().is_some_and(may_have);
        self.count_left_out = self.count_left_out.saturating_add(u64::from(!is_known));
        is_known
    }

    fn gone(&mut self, one: Unmatched) {
        if self.is_known_old(&one) {
            self.all.push(Change::gone(one));
        }
    }

    fn appeared(&mut self, one: Unmatched) {
        if self.is_known_new(&one) {
            self.all.push(Change::appeared(one));
        }
    }
}

/// Events under both configurations, in the order of what they are.
struct Groups {
    old: Peekable<IntoIter<Unmatched>>,
    new: Peekable<IntoIter<Unmatched>>,
}

impl Groups {
    /// Fills `sides`, which are empty, with the events of the next kind. Returns whether there are any.
    fn next(&mut self, sides: &mut Sides) -> bool {
        let Self { old, new } = self;
        let order = match (old.peek(), new.peek()) {
            (Some(old), Some(new)) => old.event.key.cmp(&new.event.key),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return false,
        };
        if order.is_le() {
            take_alike(old, &mut sides.old);
        }
        if order.is_ge() {
            take_alike(new, &mut sides.new);
        }
        true
    }
}

/// Moves the first event to a list, and all that are of the same kind.
fn take_alike(from: &mut Peekable<IntoIter<Unmatched>>, to: &mut Vec<Unmatched>) {
    to.extend(from.next());
    while let Some(one) =
        from.next_if(|one| to.last().is_some_and(|last| last.event.key == one.event.key))
    {
        to.push(one);
    }
}

/// Events of a kind under both configurations, each in the order of time.
#[derive(Default)]
struct Sides {
    old: Vec<Unmatched>,
    new: Vec<Unmatched>,
}

impl Sides {
    /// Takes out what happens at the same time under both, but in different steps: what is due with a
    /// packet can come before it or after it.
    fn without_twins(&mut self) {
        let Self { old, new } = self;
        if old.is_empty() || new.is_empty() {
            return;
        }
        let (mut olds, mut news) = (old.drain(..).peekable(), new.drain(..).peekable());
        let (mut rest_old, mut rest_new) = (Vec::new(), Vec::new());
        while let (Some(old), Some(new)) = (olds.peek(), news.peek()) {
            match old.event.moment.cmp(&new.event.moment) {
                Ordering::Less => rest_old.extend(olds.next()),
                Ordering::Greater => rest_new.extend(news.next()),
                Ordering::Equal => {
                    olds.next();
                    news.next();
                }
            }
        }
        rest_old.extend(olds);
        rest_new.extend(news);
        (*old, *new) = (rest_old, rest_new);
    }

    /// Pairs in the order of time, the nearest where there are more on one side. Those stay for which there
    /// is no other.
    fn pair(&mut self, changes: &mut Changes) {
        if self.old.is_empty() || self.new.is_empty() {
            return;
        }
        let (mut olds, mut news) =
            (VecDeque::from(take(&mut self.old)), VecDeque::from(take(&mut self.new)));
        while let (Some(old), Some(new)) = (olds.front(), news.front()) {
            let now = distance(old, new);
            let later = |queue: &VecDeque<Unmatched>, to: &Unmatched| {
                queue.get(1).is_some_and(|next| distance(next, to) < now)
            };
            if olds.len() > news.len() && later(&olds, new) {
                self.old.extend(olds.pop_front());
            } else if news.len() > olds.len() && later(&news, old) {
                self.new.extend(news.pop_front());
            } else {
                let pair = olds.pop_front().zip(news.pop_front());
                changes.all.extend(pair.map(|(old, new)| Change::pair(old, new)));
            }
        }
        self.old.extend(olds);
        self.new.extend(news);
    }

    /// Makes changes of what has no other.
    fn single(&mut self, changes: &mut Changes) {
        self.old.drain(..).for_each(|one| changes.gone(one));
        self.new.drain(..).for_each(|one| changes.appeared(one));
    }
}

/// Returns how far two events are apart: in nanoseconds, and of those at one time, whether other packets made them
/// happen.
fn distance(old: &Unmatched, new: &Unmatched) -> (u128, bool) {
    let nanos = |one: &Unmatched| i128::from(one.event.moment.at.as_nanos());
    (nanos(old).abs_diff(nanos(new)), old.event.moment.packet != new.event.moment.packet)
}

#[cfg(test)]
mod tests;
