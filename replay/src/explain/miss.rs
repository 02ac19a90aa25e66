//! How near a client came to opening a door, and what kept it from that.

use std::net::IpAddr;

use knock_engine::Undecodable;
use knock_engine::{DoorId, Knock, Stage};
use knock_signed::Refusal;

use super::explanation::{Late, Seen, SignedFault};

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

/// What a client's attempts at a door came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) openings: u64,
    pub(super) attempts: u64,
    /// In order of stage and cause. Most clients fail in one way only, so this is no map.
    misses: Vec<(Stage, Miss)>,
}

impl Tally {
    /// Counts a failure at `stage`.
    pub(super) fn miss(&mut self, stage: Stage, miss: Miss) {
        match self.place(stage, miss.cause) {
            Ok(place) => {
                if let Some((_, there)) = self.misses.get_mut(place) {
                    there.add(miss);
                }
            }
            Err(place) => {
                self.misses.reserve_exact(1);
                self.misses.insert(place, (stage, miss));
            }
        }
    }

    /// Returns where the misses of a cause at a stage are, or where they would be.
    fn place(&self, stage: Stage, cause: Cause) -> Result<usize, usize> {
        self.misses.binary_search_by_key(&(stage, cause), |(stage, miss)| (*stage, miss.cause))
    }

    fn get_mut(&mut self, stage: Stage, cause: Cause) -> Option<&mut Miss> {
        let place = self.place(stage, cause).ok()?;
        self.misses.get_mut(place).map(|(_, miss)| miss)
    }

    /// A failure that was counted for `cause` turns out to be a knock that came late.
    pub(super) fn was_late(&mut self, stage: Stage, cause: Cause, packet: Seen, late: Late) {
        if let Some(there) = self.get_mut(stage, cause) {
            there.times = there.times.saturating_sub(1);
        }
        self.misses.retain(|(_, miss)| miss.times > 0);
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
            there.needed_seconds = there.needed_seconds.max(late.needed_seconds);
        }
    }

    /// Returns the greatest stage at which attempts failed, and how they did, the most frequent
    /// cause first.
    fn nearest(&self) -> Option<(Stage, Vec<Miss>)> {
        let &(stage, _) = self.misses.last()?;
        let at_stage = self.misses.iter().filter(|(at, _)| *at == stage);
        let mut misses: Vec<Miss> = at_stage.map(|(_, miss)| *miss).collect();
        misses.sort_by_key(|miss| (std::cmp::Reverse(miss.times), miss.cause));
        Some((stage, misses))
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
