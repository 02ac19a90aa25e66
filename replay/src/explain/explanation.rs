//! What happened to a client at a door, and why.

use std::net::IpAddr;

use knock_engine::{
    DoorId, FlagRule, KeyNumber, Knock, Packet, Phase, Seconds, Skip, Stage, TcpFlags, Timestamp,
    Transport,
};
use knock_engine::{SourceRefusal, Undecodable};
use knock_signed::Refusal;

use super::admission::Ended;
use crate::session::names::PacketId;

/// Something that happened to a client at a door, with the packet that made it happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// When, on the clock of the engine.
    pub at: Timestamp,
    /// Who knocked.
    pub client: IpAddr,
    /// Where.
    pub door: DoorId,
    /// The attempt that it belongs to, which may have ended; `None` outside of attempts.
    pub attempt: Option<Attempt>,
    /// The client's packet; `None` if time or somebody else made it happen.
    pub packet: Option<Seen>,
    /// How long the sequence of the door was; 0 if it had none.
    pub of: u8,
    /// The line of the sequence in the file of one-time sequences, if it came from one.
    pub sequence_line: Option<u32>,
    /// What happened.
    pub verdict: Verdict,
}

/// An attempt of a client at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number among those of the client at the door, from 1.
    pub number: u64,
    /// When its first knock came.
    pub began: Timestamp,
}

/// A packet as far as it matters to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which one.
    pub id: PacketId,
    /// What it knocks at; `None` if that cannot be read.
    pub knock: Option<Knock>,
    /// The TCP flags, if it has any that can be read.
    pub flags: Option<TcpFlags>,
    /// The destination; `None` if it cannot be read.
    pub destination: Option<IpAddr>,
    /// The outermost VLAN, if the frame has a tag.
    pub vlan: Option<u16>,
}

impl Seen {
    /// Takes what matters of a packet.
    pub(super) fn new(id: PacketId, packet: &Packet, vlan: Option<u16>) -> Self {
        let flags = match packet.transport {
            Transport::Tcp(header) => header.flags,
            Transport::Udp => None,
        };
        let destination = Some(packet.destination);
        Self { id, knock: Some(packet.knock()), flags, destination, vlan }
    }

    /// Returns whether a client may mean it as a knock: it begins a connection or is a datagram. An
    /// open connection sends other packets all the time.
    pub(super) fn looks_like_a_knock(&self) -> bool {
        self.flags
            .is_none_or(|flags| flags.contains(TcpFlags::SYN) && !flags.contains(TcpFlags::ACK))
    }

    /// Takes a frame in which no port was found.
    pub(super) const fn unreadable(id: PacketId, vlan: Option<u16>) -> Self {
        Self { id, knock: None, flags: None, destination: None, vlan }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The packet counted: this many knocks are made.
    Stage {
        /// How many.
        stage: Stage,
        /// The knock would have been the next of the attempt before, which had timed out.
        late: Option<Late>,
        /// The packet of which this is a second try: the attempt has begun again.
        again: Option<PacketId>,
    },
    /// The packet is a signed one, with a right to open the door.
    Signed {
        /// The key that it was made with.
        key: KeyNumber,
    },
    /// The door opened.
    Opened,
    /// The door stayed shut, because too many commands and open doors are pending.
    Refused,
    /// The sequence was complete, but the opening changes nothing.
    Skipped(Skip),
    /// Packets from the client's address voided its attempts again and again: perhaps they are forged.
    VoidedOften {
        /// Where the last of them knocked.
        knock: Knock,
        /// How many.
        packets: u32,
        /// In how long, in milliseconds.
        millis: u32,
    },
    /// The client may reach the ports of the door.
    Admitted {
        /// For how long from now on.
        lasts: Seconds,
    },
    /// The packet, a signed one, closes the door.
    Closing,
    /// It may not any more.
    AdmissionEnded(Ended),
    /// A command would run.
    Command(Phase),
    /// The attempt took too long.
    SequenceTimedOut {
        /// How far it came.
        stage: Stage,
        /// The knock that was missing.
        expected: Option<Knock>,
    },
    /// `cmd_timeout` is over.
    CommandTimedOut,
    /// The attempt was evicted for another at the limit.
    Evicted {
        /// How far it came.
        stage: Stage,
    },
    /// The attempt ended because another client used the one-time sequence.
    SequenceChanged {
        /// How far it came.
        stage: Stage,
    },
    /// The attempt ended because the door changed.
    DoorChanged {
        /// How far it came.
        stage: Stage,
    },
    /// The one-time sequence on this line is used up.
    OneTimeUsed {
        /// The number of the line.
        line: u32,
    },
    /// No one-time sequence is left.
    Disabled,
    /// The packet was not the next knock, and made the attempt void.
    Void {
        /// How far the attempt was.
        stage: Stage,
        /// The knock that was expected.
        expected: Option<Knock>,
        /// The packet whose knock of the attempt it repeats, not as a TCP retransmission.
        repeats: Option<PacketId>,
        /// The door that makes the port count, if it is not in the sequence of this one.
        because_of: Option<DoorId>,
    },
    /// The packet did not count.
    Ignored(Why),
}

/// Why a packet did not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The packet came between two knocks to a port that is not in the door's sequence.
    OtherPort {
        /// How far the attempt is.
        stage: Stage,
        /// The knock that is expected.
        expected: Option<Knock>,
    },
    /// The port is in the sequence, but with the other protocol.
    OtherProtocol {
        /// What is in the sequence.
        expected: Knock,
    },
    /// The packet has other TCP flags than the door asks for.
    OtherFlags {
        /// What it asks for.
        rule: FlagRule,
    },
    /// The packet goes to another address than the door's.
    OtherDestination,
    /// The door's `Allow` and `Deny` do not let the client knock.
    OtherSource {
        /// Why not.
        refusal: SourceRefusal,
    },
    /// The packet repeats a knock that counted.
    Retransmission {
        /// The packet that it repeats, if that is known.
        of: Option<PacketId>,
    },
    /// The packet is a second, fresh try of the knock that was made last.
    SecondTry {
        /// The packet that counted, if that is known.
        of: Option<PacketId>,
    },
    /// The packet would have been the next knock of an attempt that had timed out.
    Late(Late),
    /// The packet is in the sequence, but no attempt is under way and it is not the first knock.
    NoAttempt {
        /// Where in the sequence it is, from 1.
        place: u8,
        /// The knock that comes first.
        first: Option<Knock>,
        /// The first of the doors at which it counted, if it did anywhere.
        counted_at: Option<DoorId>,
        /// The client's last packet before it, if that went to a port of no door: perhaps the first
        /// knock, mistyped.
        behind: Option<(PacketId, Knock)>,
    },
    /// The door derives its sequences, none of those that count at this time begins with the packet, and no
    /// attempt is under way.
    NotNow,
    /// The packet may be meant as a signed one, but opens nothing.
    NotSigned(SignedFault),
    /// The packet is the first knock, but it counted at another door.
    OtherAttempt {
        /// At which.
        door: DoorId,
    },
    /// The packet came between two knocks, and no port can be read in it.
    Unreadable(Undecodable),
}

/// What is wrong with a packet that may be meant as a signed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedFault {
    /// Why it opens nothing.
    pub refusal: Refusal,
    /// The key that it was made with, if that is known.
    pub key: Option<KeyNumber>,
    /// How many nanoseconds the clock of the client is ahead, if that is why.
    pub ahead: Option<i64>,
    /// The packet that it repeats, if that is why and that packet was read.
    pub repeats: Option<PacketId>,
    /// The address to admit that it names, if it can be read and names one.
    pub named: Option<IpAddr>,
}

/// A knock that came after `seq_timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// How far the attempt was when the knock came, if it had not timed out.
    pub stage: Stage,
    /// How long after the first knock it came, in nanoseconds.
    pub after_nanos: u64,
    /// How long after the timeout it came, in nanoseconds.
    pub by_nanos: u64,
    /// The least `seq_timeout` that would have let it in, in seconds.
    pub needed_seconds: u64,
}

impl Verdict {
    /// Returns whether it is what became of the packet itself: every packet that has anything to do
    /// with a door has one of these there, but a packet that makes an attempt void may begin another.
    #[must_use]
    pub const fn is_of_packet(&self) -> bool {
        matches!(
            self,
            Self::Stage { .. } | Self::Signed { .. } | Self::Void { .. } | Self::Ignored(_)
        )
    }

    /// Returns the door at which the packet counted and not here.
    pub(crate) const fn counted_elsewhere(&self) -> Option<DoorId> {
        if let Self::Ignored(Why::NoAttempt { counted_at, .. }) = *self {
            counted_at
        } else if let Self::Ignored(Why::OtherAttempt { door }) = *self {
            Some(door)
        } else {
            None
        }
    }

    /// Returns whether some explanations of a kind are as useful as many.
    pub(crate) const fn is_dull(&self) -> bool {
        matches!(self, Self::Ignored(why) if !matches!(why, Why::Late(_)))
    }

    /// Returns its name in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stage { .. } => "stage",
            Self::Signed { .. } => "signed",
            Self::Opened => "opened",
            Self::Refused => "refused",
            Self::Skipped(Skip::Merged) => "merged",
            Self::Skipped(Skip::AlreadyOpen) => "already-open",
            Self::Skipped(Skip::Cooldown) => "cooldown",
            Self::Skipped(Skip::AtMax) => "at-max",
            Self::Skipped(Skip::ClientLimit) => "client-limit",
            Self::Skipped(Skip::DoorLimit) => "door-limit",
            Self::Skipped(Skip::PeriodUsed) => "period-used",
            Self::Admitted { .. } => "admitted",
            Self::Closing => "closing",
            Self::AdmissionEnded(_) => "admission-ended",
            Self::Command(Phase::Start) => "start-command",
            Self::Command(Phase::Stop) => "stop-command",
            Self::SequenceTimedOut { .. } => "sequence-timeout",
            Self::CommandTimedOut => "command-timeout",
            Self::Evicted { .. } => "evicted",
            Self::SequenceChanged { .. } => "sequence-changed",
            Self::DoorChanged { .. } => "door-changed",
            Self::OneTimeUsed { .. } => "one-time-used",
            Self::Disabled => "disabled",
            Self::Void { .. } => "void",
            Self::VoidedOften { .. } => "voided-often",
            Self::Ignored(why) => why.name(),
        }
    }
}

impl Why {
    /// Returns its name in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OtherPort { .. } => "other-port",
            Self::OtherProtocol { .. } => "other-protocol",
            Self::OtherFlags { .. } => "other-flags",
            Self::OtherDestination => "other-destination",
            Self::OtherSource { .. } => "other-source",
            Self::Retransmission { .. } => "retransmission",
            Self::SecondTry { .. } => "second-try",
            Self::Late(_) => "late",
            Self::NoAttempt { .. } => "no-attempt",
            Self::NotNow => "not-now",
            Self::NotSigned(_) => "not-signed",
            Self::OtherAttempt { .. } => "other-attempt",
            Self::Unreadable(_) => "unreadable",
        }
    }
}
