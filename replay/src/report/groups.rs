//! Which clients came to the same, and which of them get a row on the page.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use knock_engine::Stage;

use super::pair::Pair;
use crate::explain::{Cause, Standing};

/// What became of a client at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Outcome {
    /// The door opened for it.
    Opened,
    /// It made a knock that counted.
    Near,
    /// It made none.
    Never,
    /// Its packets counted at other doors only.
    Elsewhere,
}

impl Outcome {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Near => "near",
            Self::Never => "never",
            Self::Elsewhere => "elsewhere",
        }
    }

    fn of(pair: &Pair, standing: &Standing) -> Self {
        if standing.openings > 0 {
            Self::Opened
        } else if !pair.is_here || standing.cause.is_none() {
            Self::Elsewhere
        } else if standing.stage > Stage::NONE {
            Self::Near
        } else {
            Self::Never
        }
    }
}

/// What clients of a group have in common. The order is that of the page: door by door, who got in first,
/// then by how much was missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Kind {
    /// The place of the door.
    pub(super) door: usize,
    pub(super) outcome: Outcome,
    /// How many knocks were missing.
    missing: u8,
    /// How many there are.
    pub(super) of: u8,
    /// Why it failed most often; `None` if it did not.
    pub(super) cause: Option<Cause>,
}

impl Kind {
    pub(super) fn of(pair: &Pair, standing: &Standing) -> Self {
        let outcome = Outcome::of(pair, standing);
        let is_miss = matches!(outcome, Outcome::Near | Outcome::Never);
        let missing = if is_miss { standing.of.saturating_sub(standing.stage.get()) } else { 0 };
        let of = if is_miss { standing.of } else { 0 };
        let cause = standing.cause.filter(|_| is_miss);
        Self { door: pair.door.index(), outcome, missing, of, cause }
    }

    /// Returns how far the clients came.
    pub(super) fn stage(&self) -> Stage {
        Stage::new(self.of.saturating_sub(self.missing)).unwrap_or(Stage::NONE)
    }
}

/// Clients that came to the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// Their places among all pairs, in order.
    pub(super) members: Vec<u32>,
    /// The least and the most lateness in nanoseconds, if they were late.
    pub(super) late: Option<(u64, u64)>,
    /// The least `seq_timeout` in seconds that would have been enough for all, if they were late.
    pub(super) needed: u64,
}

/// All groups in order.
pub(super) type Groups = BTreeMap<Kind, Group>;

impl Group {
    /// Takes a pair at its place.
    pub(super) fn add(&mut self, place: u32, standing: &Standing) {
        self.members.push(place);
        if let Some(late) = standing.late_nanos {
            let (least, most) = self.late.unwrap_or(late);
            self.late = Some((least.min(late.0), most.max(late.1)));
            self.needed = self.needed.max(standing.needed_seconds);
        }
    }

    /// Takes those of pairs that came later.
    fn append(&mut self, later: Self) {
        let Self { members, late, needed } = later;
        self.members.extend(members);
        self.late = match (self.late, late) {
            (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
            (one, other) => one.or(other),
        };
        self.needed = self.needed.max(needed);
    }
}

/// Some pairs by groups, and their clients.
#[derive(Debug, Default)]
pub(super) struct Grouped {
    pub(super) groups: Groups,
    pub(super) clients: Counted,
    /// Those that came near at a door that did not open for them.
    pub(super) near: Counted,
}

impl Grouped {
    /// Takes a pair at its place, with what it came to.
    pub(super) fn add(&mut self, place: u32, pair: &Pair, standing: &Standing) {
        self.add_to(Kind::of(pair, standing), place, standing);
    }

    fn add_to(&mut self, kind: Kind, place: u32, standing: &Standing) {
        self.groups.entry(kind).or_default().add(place, standing);
        self.clients.add(standing.number);
        if kind.outcome == Outcome::Near {
            self.near.add(standing.number);
        }
    }

    /// Returns these together with pairs that came later.
    pub(super) fn and(mut self, later: Self) -> Self {
        for (kind, group) in later.groups {
            self.groups.entry(kind).or_default().append(group);
        }
        self.clients.add_all(&later.clients);
        self.near.add_all(&later.near);
        self
    }
}

/// How much a page has: some 10 MB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) rows: usize,
    /// Events, attempts and leases.
    pub(super) marks: usize,
    /// Rows of clients that failed of the same cause, if not all clients at doors can have one: more would
    /// say the same, and searching them would still not find every client.
    pub(super) same: usize,
    /// Rows of clients whose packets counted at other doors only, if not all can have one.
    pub(super) elsewhere: usize,
}

impl Room {
    pub(super) const PAGE: Self = Self { rows: 20_000, marks: 150_000, same: 4096, elsewhere: 256 };

    /// Returns how many rows clients with an outcome have at most, if not all can have one.
    const fn of(&self, outcome: Outcome) -> usize {
        match outcome {
            Outcome::Opened => self.rows,
            Outcome::Near | Outcome::Never => self.same,
            Outcome::Elsewhere => self.elsewhere,
        }
    }
}

/// Returns which pairs get a row, in order: all if there is room. Else of each group the first, then of each
/// the second, and so on, so that a flood leaves room for the rare. Those who knocked at other doors come last.
pub(super) fn rows(groups: &Groups, marks: impl Fn(u32) -> usize, room: Room) -> Vec<u32> {
    let (elsewhere, here): (Vec<_>, Vec<_>) =
        groups.iter().partition(|(kind, _)| kind.outcome == Outcome::Elsewhere);
    let mut rows = Vec::new();
    let mut used = 0_usize;
    let all = groups.values().fold(0_usize, |sum, group| sum.saturating_add(group.members.len()));
    let most = |kind: &Kind| if all > room.rows { room.of(kind.outcome) } else { room.rows };
    for part in [here, elsewhere] {
        let part = part.into_iter();
        let mut left: Vec<_> =
            part.map(|(kind, group)| group.members.iter().take(most(kind))).collect();
        // The shortest groups are through first, so each round is over what is left.
        while !left.is_empty() {
            let mut full = false;
            left.retain_mut(|members| {
                let Some(&place) = members.next().filter(|_| !full) else { return false };
                used = used.saturating_add(marks(place));
                full = rows.len() >= room.rows || (used > room.marks && !rows.is_empty());
                if !full {
                    rows.push(place);
                }
                !full
            });
            if full {
                break;
            }
        }
    }
    rows.sort_unstable();
    rows
}

/// Clients by their numbers, each counted once.
#[derive(Debug, Default)]
pub(super) struct Counted {
    known: Vec<bool>,
    pub(super) count: usize,
}

impl Counted {
    pub(super) fn add(&mut self, client: usize) {
        if client >= self.known.len() {
            self.known.resize(client.saturating_add(1), false);
        }
        if let Some(known) = self.known.get_mut(client)
            && !std::mem::replace(known, true)
        {
            self.count = self.count.saturating_add(1);
        }
    }

    fn add_all(&mut self, others: &Self) {
        for (client, _) in others.known.iter().enumerate().filter(|(_, known)| **known) {
            self.add(client);
        }
    }
}

/// Returns the groups as the summary lists them: the nearest first, then the largest.
pub(super) fn by_nearness(groups: &Groups) -> Vec<(&Kind, &Group)> {
    let missed = |kind: &Kind| matches!(kind.outcome, Outcome::Near | Outcome::Never);
    let mut list: Vec<_> = groups.iter().filter(|(kind, _)| missed(kind)).collect();
    list.sort_by_key(|(kind, group)| {
        // Of longer sequences as many missing knocks are less.
        let all = u32::from(kind.of).max(1);
        let share = u32::from(kind.missing).saturating_mul(1000).checked_div(all);
        (kind.outcome, share, Reverse(group.members.len()))
    });
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(sizes: &[(Outcome, usize)]) -> Groups {
        let mut place = 0..;
        let group = |(number, &(outcome, size)): (usize, &(Outcome, usize))| {
            let kind = Kind { door: number, outcome, missing: 1, of: 3, cause: None };
            (kind, Group { members: place.by_ref().take(size).collect(), ..Group::default() })
        };
        sizes.iter().enumerate().map(group).collect()
    }

    const ROOM: Room = Room { rows: 6, marks: 1000, same: 6, elsewhere: 6 };

    #[test]
    fn each_group_gets_rows_before_one_gets_all() {
        let groups = some(&[(Outcome::Near, 100), (Outcome::Opened, 2), (Outcome::Never, 1)]);
        assert_eq!(rows(&groups, |_| 1, ROOM), [0, 1, 2, 100, 101, 102]);
    }

    #[test]
    fn those_at_other_doors_come_last() {
        let groups = some(&[(Outcome::Elsewhere, 100), (Outcome::Near, 4)]);
        assert_eq!(rows(&groups, |_| 1, ROOM), [0, 1, 100, 101, 102, 103]);
    }

    #[test]
    fn rows_that_say_the_same_are_few_unless_all_have_one() {
        let room = Room { same: 2, elsewhere: 1, ..ROOM };
        let groups = |opened| {
            let all = [Outcome::Opened, Outcome::Near, Outcome::Never, Outcome::Elsewhere];
            some(&all.map(|outcome| (outcome, if outcome == all[0] { opened } else { 3 })))
        };
        let room_for_all = Room { rows: 10, ..room };
        assert_eq!(rows(&groups(1), |_| 1, room_for_all).len(), 10);
        assert_eq!(rows(&groups(2), |_| 1, room_for_all), [0, 1, 2, 3, 5, 6, 8]);
        assert_eq!(rows(&groups(9), |_| 1, room), [0, 1, 9, 10, 12, 13]);
    }

    #[test]
    fn a_client_is_counted_once_however_often_it_comes() {
        let mut counted = Counted::default();
        for client in [3, 0, 3, 3, 1, 0] {
            counted.add(client);
        }
        assert_eq!(counted.count, 3);
    }

    #[test]
    fn pairs_that_are_grouped_in_two_parts_are_as_those_in_one() {
        let late = [None, Some((5, 9)), Some((7, 8)), None, Some((1, 7)), Some((2, 20))];
        let standings = late.into_iter().zip(0..).map(|(late_nanos, number)| Standing {
            number: number / 2,
            openings: 0,
            of: 3,
            stage: if number % 3 == 0 { Stage::NONE } else { Stage::FIRST },
            cause: Some(if late_nanos.is_some() { Cause::Late } else { Cause::Silence }),
            late_nanos,
            needed_seconds: u64::try_from(number).unwrap(),
        });
        let standings: Vec<Standing> = standings.collect();
        let some = |from: usize, to: usize| {
            let mut grouped = Grouped::default();
            for (place, standing) in standings.iter().enumerate().take(to).skip(from) {
                let kind = Kind {
                    door: 0,
                    outcome: if place % 3 == 0 { Outcome::Never } else { Outcome::Near },
                    missing: 1,
                    of: 3,
                    cause: standing.cause,
                };
                grouped.add_to(kind, u32::try_from(place).unwrap(), standing);
            }
            grouped
        };
        let whole = some(0, standings.len());
        for half in 0..=standings.len() {
            let both = some(0, half).and(some(half, standings.len()));
            assert_eq!(format!("{both:?}"), format!("{whole:?}"), "{half}");
        }
        assert_eq!((whole.clients.count, whole.near.count), (3, 3));
    }

    #[test]
    fn no_more_marks_are_shown_than_there_is_room_for() {
        let groups = some(&[(Outcome::Near, 100)]);
        assert_eq!(rows(&groups, |_| 400, ROOM), [0, 1]);
        assert_eq!(rows(&groups, |_| 5000, ROOM), [0], "one row is always there");
    }
}
