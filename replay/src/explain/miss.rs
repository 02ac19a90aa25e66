//! How near a client came to opening a door, and what kept it from that.

mod cause;
mod tally;

use std::cmp::Reverse;
use std::net::IpAddr;

use knock_engine::Undecodable;
use knock_engine::{DoorId, Knock, Stage};

pub use self::cause::Cause;
pub(super) use self::cause::NotSignedCause;
pub(super) use self::tally::Tally;
use super::explanation::{Seen, SignedFault};

/// How often one cause was met at one stage, with an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miss {
    /// What it was.
    pub cause: Cause,
    /// How often.
    pub times: u64,
    /// The first packet, if there was one.
    pub packet: Option<Seen>,
    /// The knock that was expected.
    pub expected: Option<Knock>,
    /// Why the packet could not be read, if it could not.
    pub why: Option<Undecodable>,
    /// The least and the most lateness, in nanoseconds, if it was late.
    pub late_nanos: Option<(u64, u64)>,
    /// The least `seq_timeout` in seconds that would have done every time, if it was late.
    pub needed_seconds: u64,
    /// What is wrong with the first packet, if it may be meant as a signed one.
    pub signed: Option<SignedFault>,
}

impl Miss {
    /// Makes a miss that was met once.
    pub(super) const fn once(cause: Cause, packet: Option<Seen>, expected: Option<Knock>) -> Self {
        let (times, why, late_nanos, needed_seconds) = (1, None, None, 0);
        let signed = None;
        Self { cause, times, packet, expected, why, late_nanos, needed_seconds, signed }
    }

    fn add(&mut self, other: Self) {
        self.times = self.times.saturating_add(other.times);
        self.packet = self.packet.or(other.packet);
        self.needed_seconds = self.needed_seconds.max(other.needed_seconds);
        self.late_nanos = match (self.late_nanos, other.late_nanos) {
            (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
            (one, other) => one.or(other),
        };
    }
}

/// What a client at a door came to, as far as it is the same for many: [`Nearest`] without the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The number of the client among all, in the order in which they came, from 0.
    pub(crate) number: usize,
    /// How often the door opened.
    pub(crate) openings: u64,
    /// How long the sequence was.
    pub(crate) of: u8,
    /// The greatest stage of those attempts that failed; 0 if none got anywhere.
    pub(crate) stage: Stage,
    /// How they failed there most often; `None` if none failed.
    pub(crate) cause: Option<Cause>,
    /// The least and the most lateness of that, in nanoseconds, if it was late.
    pub(crate) late_nanos: Option<(u64, u64)>,
    /// The least `seq_timeout` in seconds that would have done every time, if it was late.
    pub(crate) needed_seconds: u64,
}

impl Standing {
    pub(super) fn new(number: usize, of: u8, tally: &Tally) -> Self {
        let openings = tally.openings;
        let stage = tally.misses.last().map_or(Stage::NONE, |miss| miss.stage);
        let first = tally.at(stage).min_by_key(|miss| (Reverse(miss.times), miss.cause));
        let whole = first.and_then(|first| first.whole.as_deref());
        Self {
            number,
            openings,
            of,
            stage,
            cause: first.map(|first| first.cause),
            late_nanos: whole.and_then(|whole| whole.late_nanos),
            needed_seconds: whole.map_or(0, |whole| whole.needed_seconds),
        }
    }
}

/// How near a client came to opening a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// Who.
    pub client: IpAddr,
    /// Which door.
    pub door: DoorId,
    /// How often it opened.
    pub openings: u64,
    /// How many attempts there were.
    pub attempts: u64,
    /// How long the sequence was.
    pub of: u8,
    /// The line of the sequence in the file of one-time sequences, if it came from one.
    pub sequence_line: Option<u32>,
    /// The greatest stage of those attempts that failed; 0 if none got anywhere.
    pub stage: Stage,
    /// How they failed there; empty if none failed.
    pub misses: Vec<Miss>,
}

impl Nearest {
    pub(super) fn new(
        client: IpAddr,
        door: DoorId,
        (of, sequence_line): (u8, Option<u32>),
        tally: &Tally,
    ) -> Self {
        let (stage, misses) = tally.nearest().unwrap_or((Stage::NONE, Vec::new()));
        let Tally { openings, attempts, misses: _ } = *tally;
        Self { client, door, openings, attempts, of, sequence_line, stage, misses }
    }

    /// Returns how many attempts failed at the greatest stage, or how many packets did not count if
    /// there was no attempt.
    #[must_use]
    pub fn times(&self) -> u64 {
        self.misses.iter().fold(0, |sum, miss| sum.saturating_add(miss.times))
    }
}

#[cfg(test)]
mod tests {
    use super::tally::Missed;
    use super::*;
    use crate::session::names::PacketId;

    const ONE: Stage = Stage::FIRST;

    /// The first packet of the first capture.
    fn seen() -> Seen {
        let id = PacketId { capture: 0, number: 1 };
        Seen { id, knock: None, flags: None, destination: None, vlan: None }
    }

    #[test]
    fn a_miss_is_kept_whole_with_a_packet_and_without() {
        let plain = Miss::once(Cause::Silence, None, None);
        let whole = Miss { late_nanos: Some((1, 9)), needed_seconds: 7, ..plain };
        for miss in [plain, Miss::once(Cause::Wrong, Some(seen()), None), whole] {
            assert_eq!(Missed::new(ONE, miss).miss(), miss);
            let mut tally = Tally::default();
            tally.miss(ONE, miss);
            tally.miss(ONE, miss);
            assert_eq!(tally.nearest(), Some((ONE, vec![Miss { times: 2, ..miss }])));
        }
    }

    #[test]
    fn a_standing_says_what_is_first_in_how_near_a_client_came() {
        let mut tally = Tally::default();
        let late = Miss {
            late_nanos: Some((3, 3)),
            needed_seconds: 5,
            ..Miss::once(Cause::Late, Some(seen()), None)
        };
        for (stage, miss) in [
            (Stage::NONE, Miss::once(Cause::NoFirst, Some(seen()), None)),
            (ONE, Miss::once(Cause::Silence, None, None)),
            (ONE, late),
            (ONE, late),
        ] {
            tally.miss(stage, miss);
        }
        let (stage, misses) = tally.nearest().unwrap();
        let Standing { number, of, stage: reached, cause, late_nanos, needed_seconds, .. } =
            Standing::new(4, 3, &tally);
        let first = misses.first().unwrap();
        assert_eq!((number, of, reached, cause), (4, 3, stage, Some(first.cause)));
        assert_eq!((late_nanos, needed_seconds), (first.late_nanos, first.needed_seconds));
        assert_eq!(cause, Some(Cause::Late), "the most frequent");
    }
}
