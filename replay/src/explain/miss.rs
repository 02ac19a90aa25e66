//! How near a client came to opening a door, and what kept it from that.

use std::cmp::Reverse;
use std::net::IpAddr;

use knock_engine::Undecodable;
use knock_engine::{DoorId, Knock, Stage};
use knock_signed::Refusal;

use super::explanation::{Late, Seen, SignedFault};
use super::few::Few;

/// Why an attempt failed, or why a first knock did not count. The nearest to a knock comes first: of
/// several in one attempt, that one is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The next knock came after `seq_timeout`.
    Late,
    /// The door stayed shut at the limit.
    Refused,
    /// The next knock had other TCP flags.
    OtherFlags,
    /// The next knock went to another address.
    OtherDestination,
    /// The door does not let the client knock.
    OtherSource,
    /// The next knock came by the other protocol.
    OtherProtocol,
    /// A packet came instead in which no port can be read.
    Unreadable,
    /// A packet to a port of no door, or of another one, came instead.
    OtherPort,
    /// The last knock came again.
    Repeat,
    /// Another knock came instead.
    Wrong,
    /// Nothing came.
    Silence,
    /// It was evicted for another attempt at the limit.
    Evicted,
    /// Another client used the one-time sequence.
    SequenceChanged,
    /// The door changed.
    DoorChanged,
    /// A later knock came without the first one.
    NoFirst,
    /// A packet that may be meant as a signed one opens nothing.
    NotSigned(NotSignedCause),
}

/// Why a packet that may be meant as a signed one opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotSignedCause {
    /// The clock of the client is wrong, or it was recorded and sent again later.
    Clock,
    /// It was used before.
    Repeated,
    /// Its key is over.
    Expired,
    /// It was made for another server.
    OtherServer,
    /// Its user may not open the door, or not for that address.
    NotAllowed,
    /// No known key has made it.
    Unknown,
}

impl NotSignedCause {
    pub(super) const fn of(fault: SignedFault) -> Self {
        match fault.refusal {
            _ if fault.ahead.is_some() => Self::Clock,
            Refusal::ClockOff { .. } => Self::Clock,
            Refusal::MomentUsed | Refusal::MomentOld => Self::Repeated,
            Refusal::KeyExpired => Self::Expired,
            Refusal::OtherServer => Self::OtherServer,
            Refusal::DoorUnknown
            | Refusal::DoorForbidden
            | Refusal::AddressMismatch
            | Refusal::AddressForbidden
            | Refusal::PrefixForbidden => Self::NotAllowed,
            Refusal::Length
            | Refusal::HintUnknown
            | Refusal::Forged
            | Refusal::Version { .. }
            | Refusal::Field(_) => Self::Unknown,
        }
    }

    /// Returns the words that fit all clients.
    pub(super) const fn summary(self) -> &'static str {
        match self {
            Self::Clock => "signed packets by a wrong clock, or sent again later",
            Self::Repeated => "signed packets that were used before",
            Self::Expired => "signed packets of a key that is over",
            Self::OtherServer => "signed packets for another server",
            Self::NotAllowed => "signed packets of users who may not open the door like that",
            Self::Unknown => "packets to the port of signed packets, made with no known key",
        }
    }
}

impl Cause {
    /// Returns its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Refused => "refused",
            Self::OtherFlags => "other-flags",
            Self::OtherDestination => "other-destination",
            Self::OtherSource => "other-source",
            Self::OtherProtocol => "other-protocol",
            Self::Unreadable => "unreadable",
            Self::OtherPort => "other-port",
            Self::Repeat => "repeat",
            Self::Wrong => "wrong-knock",
            Self::Silence => "silence",
            Self::Evicted => "evicted",
            Self::SequenceChanged => "sequence-changed",
            Self::DoorChanged => "door-changed",
            Self::NoFirst => "no-first-knock",
            Self::NotSigned(_) => "not-signed",
        }
    }
}

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

/// A miss at a stage, as it is kept for each client at a door: without room for what most have not.
#[derive(Clone, Debug)]
struct Missed {
    stage: Stage,
    cause: Cause,
    times: u64,
    expected: Option<Knock>,
    /// The miss, if there is more to it.
    whole: Option<Box<Miss>>,
}

impl Missed {
    fn new(stage: Stage, miss: Miss) -> Self {
        let Miss { cause, times, packet, expected, why, late_nanos, needed_seconds, signed } = miss;
        let is_plain = packet.is_none()
            && why.is_none()
            && late_nanos.is_none()
            && needed_seconds == 0
            && signed.is_none();
        let whole = (!is_plain).then(|| Box::new(miss));
        Self { stage, cause, times, expected, whole }
    }

    fn miss(&self) -> Miss {
        let Self { stage: _, cause, times, expected, ref whole } = *self;
        whole.as_deref().map_or_else(
            || Miss { times, ..Miss::once(cause, None, expected) },
            |whole| Miss { times, ..*whole },
        )
    }

    /// Makes another miss of it.
    fn change(&mut self, change: impl FnOnce(&mut Miss)) {
        let mut miss = self.miss();
        change(&mut miss);
        *self = Self::new(self.stage, miss);
    }
}

/// What a client's attempts at a door came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) openings: u64,
    pub(super) attempts: u64,
    /// In order of stage and cause. Most clients fail in one way only, so this is no map.
    misses: Few<Missed>,
}

impl Tally {
    pub(super) const fn new() -> Self {
        Self { openings: 0, attempts: 0, misses: Few::new() }
    }

    /// Counts a failure at `stage`.
    pub(super) fn miss(&mut self, stage: Stage, miss: Miss) {
        match self.place(stage, miss.cause) {
            Ok(place) => {
                if let Some(there) = self.misses.get_mut(place) {
                    there.change(|there| there.add(miss));
                }
            }
            Err(place) => self.misses.insert(place, Missed::new(stage, miss)),
        }
    }

    /// Returns where the misses of a cause at a stage are, or where they would be.
    fn place(&self, stage: Stage, cause: Cause) -> Result<usize, usize> {
        self.misses.binary_search_by_key(&(stage, cause), |one| (one.stage, one.cause))
    }

    fn get_mut(&mut self, stage: Stage, cause: Cause) -> Option<&mut Missed> {
        let place = self.place(stage, cause).ok()?;
        self.misses.get_mut(place)
    }

    /// A failure that was counted for `cause` turns out to be a knock that came late.
    pub(super) fn was_late(&mut self, stage: Stage, cause: Cause, packet: Seen, late: Late) {
        if let Some(there) = self.get_mut(stage, cause) {
            there.times = there.times.saturating_sub(1);
        }
        self.misses.retain(|miss| miss.times > 0);
        let by = late.by_nanos;
        self.miss(
            stage,
            Miss {
                late_nanos: Some((by, by)),
                needed_seconds: late.needed_seconds,
                ..Miss::once(Cause::Late, Some(packet), packet.knock)
            },
        );
    }

    /// Another knock of an attempt that was late came even later.
    pub(super) fn was_later_still(&mut self, stage: Stage, late: Late) {
        if let Some(there) = self.get_mut(stage, Cause::Late) {
            there.change(|there| {
                there.needed_seconds = there.needed_seconds.max(late.needed_seconds);
            });
        }
    }

    /// Returns the greatest stage at which attempts failed, and how they did, the most frequent
    /// cause first.
    fn nearest(&self) -> Option<(Stage, Vec<Miss>)> {
        let stage = self.misses.last()?.stage;
        let mut misses: Vec<Miss> = self.at(stage).map(Missed::miss).collect();
        misses.sort_by_key(|miss| (Reverse(miss.times), miss.cause));
        Some((stage, misses))
    }

    /// Returns those at a stage.
    fn at(&self, stage: Stage) -> impl Iterator<Item = &Missed> {
        self.misses.iter().filter(move |miss| miss.stage == stage)
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
