//! Which event under the one configuration is which under the other.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;

use knock_engine::Phase;

use super::change::{Change, Halves, Unmatched};
use super::event::{Key, Named, VisibleEvent};

/// The most events that are kept until they can be paired, under both configurations together: some
/// 200 MB.
const MAX: usize = 200_000;

/// All events without a twin.
#[derive(Debug, Default)]
pub(super) struct AllUnmatched {
    old: Vec<Unmatched>,
    new: Vec<Unmatched>,
    old_left_out: LeftOut,
    new_left_out: LeftOut,
}

/// Events for which there was no room, as far as must be known of them: an event of the other side may be
/// the other half of one of them.
#[derive(Debug, Default)]
struct LeftOut {
    count: u64,
    /// Hashes of what they are but for the texts of commands. What has the same hash as another is taken
    /// for it: then less is reported, and nothing that is wrong.
    hashes: HashSet<u64>,
}

impl LeftOut {
    /// The most hashes: some 20 MB.
    const HASHES: usize = 1_000_000;

    fn add(&mut self, key: &Key) {
        self.count = self.count.saturating_add(1);
        if self.hashes.len() < Self::HASHES {
            self.hashes.insert(hash(key));
        }
    }

    /// Returns whether one of them may be the other half of an event of the other side.
    fn may_have(&self, key: &Key) -> bool {
        self.hashes.len() >= Self::HASHES || self.hashes.contains(&hash(key))
    }
}

/// Returns a hash of what an event is, whatever the text of a command.
fn hash(key: &Key) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key.client, key.door, std::mem::discriminant(&key.what)).hash(&mut hasher);
    hasher.finish()
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

impl AllUnmatched {
    pub(super) fn add_old(&mut self, one: Unmatched) {
        if self.has_room() {
            self.old.push(one);
        } else {
            self.old_left_out.add(&one.event.key);
        }
    }

    pub(super) fn add_new(&mut self, one: Unmatched) {
        if self.has_room() {
            self.new.push(one);
        } else {
            self.new_left_out.add(&one.event.key);
        }
    }

    fn has_room(&self) -> bool {
        self.old.len().saturating_add(self.new.len()) < MAX
    }

    /// Pairs what happened under both at different times, and commands that have other texts. Returns all
    /// changes in the order of time, and how many events are not compared: those that were left out, and
    /// those whose other halves may be among them.
    pub(super) fn paired(self) -> (Vec<Change>, u64) {
        let Self { old, new, old_left_out, new_left_out } = self;
        let mut left_out = old_left_out.count.saturating_add(new_left_out.count);
        let mut groups: BTreeMap<Key, Sides> = BTreeMap::new();
        for one in old {
            groups.entry(one.event.key.clone()).or_default().old.push(one);
        }
        for one in new {
            groups.entry(one.event.key.clone()).or_default().new.push(one);
        }
        let mut changes = Vec::new();
        // Commands that are left, whatever their texts.
        let mut commands: BTreeMap<(IpAddr, Named, bool), Sides> = BTreeMap::new();
        for (key, sides) in groups {
            let rest = sides.without_twins().pair(&mut changes);
            match key.what.command() {
                Some((phase, _)) => {
                    let of_door = (key.client, key.door, phase == Phase::Stop);
                    let sides = commands.entry(of_door).or_default();
                    sides.old.extend(rest.old);
                    sides.new.extend(rest.new);
                }
                None => rest.single(&mut changes),
            }
        }
        for mut sides in commands.into_values() {
            sides.old.sort_by_key(|one| one.event.moment);
            sides.new.sort_by_key(|one| one.event.moment);
            sides.pair(&mut changes).single(&mut changes);
        }
        changes.retain(|change| {
            let is_known = match &change.halves {
                Halves::Gone((what, _)) => !new_left_out.may_have(&change.key(what)),
                Halves::New((what, _)) => !old_left_out.may_have(&change.key(what)),
                Halves::Both(..) => true,
            };
            left_out = left_out.saturating_add(u64::from(!is_known));
            is_known
        });
        changes.sort_by_key(Change::at);
        (changes, left_out)
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
    fn without_twins(self) -> Self {
        let Self { mut old, new } = self;
        let is_left = |one: &Unmatched| {
            let moment = one.event.moment;
            let twin = old.binary_search_by_key(&moment, |one| one.event.moment);
            twin.map(|at| old.remove(at)).is_err()
        };
        let new = new.into_iter().filter(is_left).collect();
        Self { old, new }
    }

    /// Pairs in the order of time, the nearest where there are more on one side. Returns those for which
    /// there is no other.
    fn pair(self, changes: &mut Vec<Change>) -> Self {
        let mut rest = Self::default();
        let (mut olds, mut news) = (VecDeque::from(self.old), VecDeque::from(self.new));
        while let (Some(old), Some(new)) = (olds.front(), news.front()) {
            let now = distance(old, new);
            let later = |queue: &VecDeque<Unmatched>, to: &Unmatched| {
                queue.get(1).is_some_and(|next| distance(next, to) < now)
            };
            if olds.len() > news.len() && later(&olds, new) {
                rest.old.extend(olds.pop_front());
            } else if news.len() > olds.len() && later(&news, old) {
                rest.new.extend(news.pop_front());
            } else {
                changes.extend(
                    olds.pop_front().zip(news.pop_front()).map(|(old, new)| Change::pair(old, new)),
                );
            }
        }
        rest.old.extend(olds);
        rest.new.extend(news);
        rest
    }

    /// Makes changes of what has no other.
    fn single(self, changes: &mut Vec<Change>) {
        changes.extend(self.old.into_iter().map(Change::gone));
        changes.extend(self.new.into_iter().map(Change::appeared));
    }
}

fn distance(old: &Unmatched, new: &Unmatched) -> u128 {
    let nanos = |one: &Unmatched| i128::from(one.event.moment.at.as_nanos());
    nanos(old).abs_diff(nanos(new))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use knock_engine::Timestamp;

    use super::super::change::{Half, Kind};
    use super::super::event::{Moment, What};
    use super::*;

    fn event(what: What, at: i64) -> VisibleEvent {
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let key = Key { client, door: Named::default(), what };
        VisibleEvent { key, moment: Moment { at: Timestamp::from_nanos(at), packet: None } }
    }

    fn command(text: &str, at: i64) -> VisibleEvent {
        event(What::StartCommand(text.into()), at)
    }

    /// Pairs events as they come out of one step. Returns the times under both.
    fn paired(
        mut old: Vec<VisibleEvent>,
        mut new: Vec<VisibleEvent>,
    ) -> Vec<(Kind, Option<i64>, Option<i64>)> {
        without_twins(&mut old, &mut new);
        let mut all = AllUnmatched::default();
        for event in old {
            all.add_old(Unmatched { event, divergence: None });
        }
        for event in new {
            all.add_new(Unmatched { event, divergence: None });
        }
        let at = |half: Option<&Half>| half.map(|(_, moment)| moment.at.as_nanos());
        let (changes, left_out) = all.paired();
        assert_eq!(left_out, 0);
        changes.iter().map(|one| (one.kind(), at(one.old()), at(one.new_half()))).collect()
    }

    fn opened(times: &[i64]) -> Vec<VisibleEvent> {
        times.iter().map(|&at| event(What::Opened, at)).collect()
    }

    #[test]
    fn what_happens_at_the_same_time_is_no_change() {
        assert_eq!(paired(opened(&[1, 2, 2]), opened(&[2, 1, 2])), []);
        assert_eq!(paired(opened(&[2, 2]), opened(&[2])), [(Kind::Gone, Some(2), None)]);
    }

    /// With `cmd_timeout = 0` a door can close under the one before a packet, and under the other after
    /// the next packet of that time.
    #[test]
    fn what_happens_at_the_same_time_in_different_steps_is_no_change() {
        let mut all = AllUnmatched::default();
        for at in [5, 5, 7] {
            all.add_old(Unmatched { event: event(What::CommandTimedOut, at), divergence: None });
        }
        all.add_new(Unmatched { event: event(What::CommandTimedOut, 5), divergence: None });
        let kinds: Vec<Kind> = all.paired().0.iter().map(Change::kind).collect();
        assert_eq!(kinds, [Kind::Gone; 2]);
    }

    #[test]
    fn what_is_left_is_paired_with_the_nearest() {
        use Kind::{Gone, Moved, New};
        assert_eq!(
            paired(opened(&[10, 100]), opened(&[11, 99])),
            [(Moved, Some(10), Some(11)), (Moved, Some(100), Some(99))]
        );
        assert_eq!(
            paired(opened(&[10, 100]), opened(&[101])),
            [(Gone, Some(10), None), (Moved, Some(100), Some(101))]
        );
        assert_eq!(
            paired(opened(&[101]), opened(&[10, 100, 300])),
            [(New, None, Some(10)), (Moved, Some(101), Some(100)), (New, None, Some(300))]
        );
        assert_eq!(paired(opened(&[1]), vec![]), [(Gone, Some(1), None)]);
    }

    #[test]
    fn commands_are_paired_by_text_first() {
        use Kind::{Changed, Gone, Moved};
        assert_eq!(
            paired(vec![command("a", 1), command("b", 2)], vec![command("b", 9), command("c", 1)]),
            [(Changed, Some(1), Some(1)), (Moved, Some(2), Some(9))]
        );
        assert_eq!(
            paired(vec![command("a", 1)], vec![event(What::StopCommand(b"a".to_vec()), 1)]),
            [(Gone, Some(1), None), (Kind::New, None, Some(1))]
        );
    }

    /// What may have been left out under the other configuration is not reported as gone.
    #[test]
    fn with_too_many_events_only_known_facts_are_reported() {
        let closes = |client: usize, at| {
            let client = IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(client).unwrap()));
            let key = Key { client, door: Named::default(), what: What::CommandTimedOut };
            let event = VisibleEvent {
                key,
                moment: Moment { at: Timestamp::from_nanos(at), packet: None },
            };
            Unmatched { event, divergence: None }
        };
        let mut all = AllUnmatched::default();
        for client in 0..MAX {
            all.add_old(closes(client, 1));
        }
        // All but one close later, as far as there is room none.
        for client in 1..MAX {
            all.add_new(closes(client, 2));
        }
        let (changes, left_out) = all.paired();
        let kinds: Vec<Kind> = changes.iter().map(Change::kind).collect();
        assert_eq!(kinds, [Kind::Gone]);
        assert_eq!(left_out, u64::try_from(2 * (MAX - 1)).unwrap());
    }

    #[test]
    fn too_many_events_are_counted() {
        let mut all = AllUnmatched::default();
        for at in 0..=i64::try_from(MAX).unwrap() {
            all.add_old(Unmatched { event: event(What::Opened, at), divergence: None });
        }
        all.add_new(Unmatched { event: event(What::Refused, -1), divergence: None });
        let (changes, left_out) = all.paired();
        assert_eq!((changes.len(), left_out), (MAX, 2));
    }
}
