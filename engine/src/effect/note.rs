//! Why something did not happen.

use core::net::IpAddr;

use super::kind::EffectKind;
use crate::doors::DoorId;
use crate::packet::Knock;
use crate::sequence::Stage;

/// Why a packet did not count for an attempt, or an attempt ended without a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The packet is a TCP retransmission of a knock that counted; it is ignored.
    Retransmission {
        /// The client that sent the packet.
        client: IpAddr,
        /// The knock that it repeats.
        knock: Knock,
    },
    /// The packet does not have the TCP flags that the door asks for; the attempt does not change.
    OtherFlags {
        /// The client that sent the packet.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The knocks made.
        stage: Stage,
    },
    /// The packet is a second, fresh try of the knock that was counted last, where another one comes
    /// next; the attempt stays as it is.
    SecondTry {
        /// The client that sent the packet.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The knocks made.
        stage: Stage,
        /// What was knocked again.
        knock: Knock,
    },
    /// The packet was not the next knock; the attempt ends.
    Voided {
        /// The client that sent the packet.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The knocks made before.
        stage: Stage,
        /// The knock that came instead.
        knock: Knock,
    },
    /// The attempt was evicted for another one at the limit.
    Evicted {
        /// The client of the attempt.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The knocks made before.
        stage: Stage,
    },
    /// The attempt ended because the door's one-time sequence was used by another client.
    SequenceChanged {
        /// The client of the attempt.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The knocks made before.
        stage: Stage,
    },
    /// The attempt ended because a reload changed or removed its door.
    DoorChanged {
        /// The client of the attempt.
        client: IpAddr,
        /// The door before the reload.
        door: DoorId,
        /// The knocks made before.
        stage: Stage,
    },
}

impl Note {
    /// Returns what it is, without its particulars.
    #[must_use]
    pub const fn kind(&self) -> EffectKind {
        match *self {
            Self::Retransmission { .. } => EffectKind::Retransmission,
            Self::OtherFlags { .. } => EffectKind::OtherFlags,
            Self::SecondTry { .. } => EffectKind::SecondTry,
            Self::Voided { .. } => EffectKind::Voided,
            Self::Evicted { .. } => EffectKind::Evicted,
            Self::SequenceChanged { .. } => EffectKind::SequenceChanged,
            Self::DoorChanged { .. } => EffectKind::DoorChanged,
        }
    }

    /// Returns how far the attempt is, or was when it ended, if it is about one.
    #[must_use]
    pub const fn stage(&self) -> Option<Stage> {
        match *self {
            Self::Retransmission { .. } => None,
            Self::OtherFlags { stage, .. }
            | Self::SecondTry { stage, .. }
            | Self::Voided { stage, .. }
            | Self::Evicted { stage, .. }
            | Self::SequenceChanged { stage, .. }
            | Self::DoorChanged { stage, .. } => Some(stage),
        }
    }

    /// Returns the client it is about.
    #[must_use]
    pub const fn client(&self) -> IpAddr {
        match *self {
            Self::Retransmission { client, .. }
            | Self::OtherFlags { client, .. }
            | Self::SecondTry { client, .. }
            | Self::Voided { client, .. }
            | Self::Evicted { client, .. }
            | Self::SequenceChanged { client, .. }
            | Self::DoorChanged { client, .. } => client,
        }
    }

    /// Returns the door it is about, if it is about one.
    #[must_use]
    pub const fn door(&self) -> Option<DoorId> {
        match *self {
            Self::Retransmission { .. } => None,
            Self::OtherFlags { door, .. }
            | Self::SecondTry { door, .. }
            | Self::Voided { door, .. }
            | Self::Evicted { door, .. }
            | Self::SequenceChanged { door, .. }
            | Self::DoorChanged { door, .. } => Some(door),
        }
    }
}
