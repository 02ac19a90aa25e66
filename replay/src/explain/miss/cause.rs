//! What kept a client from opening a door.

use knock_signed::Refusal;

use crate::explain::explanation::SignedFault;

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
    pub(in super::super) const fn of(fault: SignedFault) -> Self {
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
    pub(in super::super) const fn summary(self) -> &'static str {
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
