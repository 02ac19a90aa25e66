//! Knocks that are remembered, once retransmissions are known.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;

use foldhash::fast::RandomState;
use knock_engine::{Fingerprint, Timestamp};

/// Knocks of attempts that have moved on or ended, each until it is due to be forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    until: HashMap<(IpAddr, Fingerprint), Timestamp, RandomState>,
    by_time: ByTime,
}

/// A knock, after the time when it is due to be forgotten.
type DueKnock = (Timestamp, IpAddr, Fingerprint);

/// Knocks in the order in which they are due.
#[derive(Clone, Debug, Default)]
struct ByTime {
    /// Those that were the last of all when they were added: of a door, nearly all are.
    added_last: VecDeque<DueKnock>,
    others: BTreeSet<DueKnock>,
}

impl Remembered {
    /// Returns whether a knock is remembered.
    pub(super) fn contain(&self, client: IpAddr, fingerprint: Fingerprint) -> bool {
        self.until.contains_key(&(client, fingerprint))
    }

    /// Remembers a knock; one that counted at two doors, for as long as the longer of the two. If there are
    /// `limit` others, the one that is due first is forgotten for it; returns whether it was.
    pub(super) fn remember(
        &mut self,
        client: IpAddr,
        fingerprint: Fingerprint,
        until: Timestamp,
        limit: usize,
    ) -> bool {
        if let Some(&before) = self.until.get(&(client, fingerprint)) {
            if before >= until {
                return false;
            }
            self.by_time.remove((before, client, fingerprint));
            self.until.remove(&(client, fingerprint));
        }
        let is_crowded = self.until.len() >= limit;
        if is_crowded {
            self.forget_first();
        }
        self.until.insert((client, fingerprint), until);
        self.by_time.add((until, client, fingerprint));
        is_crowded
    }

    /// Forgets what is due at or before `now`.
    pub(super) fn forget_due(&mut self, now: Timestamp) {
        while self.by_time.first().is_some_and(|(until, ..)| until <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, client, fingerprint)) = self.by_time.pop_first() {
            self.until.remove(&(client, fingerprint));
        }
    }
}

impl ByTime {
    fn add(&mut self, one: DueKnock) {
        if self.added_last.back().is_none_or(|last| *last < one) {
            self.added_last.push_back(one);
        } else {
            self.others.insert(one);
        }
    }

    fn remove(&mut self, one: DueKnock) {
        if !self.others.remove(&one)
            && let Ok(place) = self.added_last.binary_search(&one)
        {
            self.added_last.remove(place);
        }
    }

    /// Returns the knock that is due first.
    fn first(&self) -> Option<DueKnock> {
        self.added_last.front().into_iter().chain(self.others.first()).min().copied()
    }

    fn pop_first(&mut self) -> Option<DueKnock> {
        match (self.added_last.front(), self.others.first()) {
            (Some(one), Some(other)) if other < one => self.others.pop_first(),
            (Some(_), _) => self.added_last.pop_front(),
            (None, _) => self.others.pop_first(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use knock_engine::{Packet, Port, TcpFlags, TcpHeader, Transport};

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn fingerprint(sequence_number: u32) -> Fingerprint {
        let header =
            TcpHeader { flags: Some(TcpFlags::SYN), sequence_number: Some(sequence_number) };
        let packet = Packet {
            source: CLIENT,
            destination: CLIENT,
            source_port: Port(40_000),
            destination_port: Port(7000),
            transport: Transport::Tcp(header),
        };
        Fingerprint::of(&packet).unwrap()
    }

    /// Remembers openings with these last knocks, each until its time, and returns those that are
    /// remembered in the end.
    fn remembered<const N: usize>(knocks: [(u32, i64); N], limit: usize, now: i64) -> [bool; N] {
        let mut openings = Remembered::default();
        for (knock, until) in knocks {
            let until = Timestamp::from_nanos(until);
            openings.remember(CLIENT, fingerprint(knock), until, limit);
        }
        openings.forget_due(Timestamp::from_nanos(now));
        let ByTime { added_last, others } = &openings.by_time;
        assert_eq!(openings.until.len(), added_last.len().saturating_add(others.len()));
        knocks.map(|(knock, _)| openings.contain(CLIENT, fingerprint(knock)))
    }

    #[test]
    fn an_opening_is_remembered_until_it_is_due() {
        assert_eq!(remembered([(1, 5), (2, 6)], 10, 5), [false, true]);
    }

    #[test]
    fn a_packet_that_opens_twice_is_remembered_as_long_as_the_longer() {
        assert_eq!(remembered([(1, 5), (1, 9), (1, 5)], 10, 8), [true; 3]);
    }

    #[test]
    fn at_the_limit_the_opening_that_is_due_first_is_forgotten() {
        assert_eq!(remembered([(1, 6), (2, 5), (3, 7)], 2, 0), [true, false, true]);
    }

    /// In whatever order they are added and removed.
    #[test]
    fn knocks_are_in_the_order_in_which_they_are_due() {
        let (mut by_time, mut expected) = (ByTime::default(), BTreeSet::new());
        let mut random = 1_u64;
        for _ in 0..10_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let until = Timestamp::from_nanos((random >> 40 & 15).try_into().unwrap());
            let number = u32::try_from(random >> 50 & 3 | 4).unwrap();
            let one = (until, CLIENT, fingerprint(number));
            match random >> 61 {
                0 | 1 => assert_eq!(by_time.pop_first(), expected.pop_first()),
                2 => {
                    by_time.remove(one);
                    expected.remove(&one);
                }
                // None is added twice.
                _ if expected.insert(one) => by_time.add(one),
                _ => {}
            }
            assert_eq!(by_time.first(), expected.first().copied());
        }
    }
}
