//! An event under way.

use std::net::IpAddr;

use knock_engine::{
    Door, DoorId, DoorSequence, Hearing, Seconds, Timestamp, Undecodable as Common,
};

use crate::explain::change::Handled;
use crate::explain::explanation::Seen;
use crate::session::incoming::Incoming;
use crate::session::names::PacketId;

/// An event under way: what the observer must know until its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(super) at: Timestamp,
    /// Which frame it is, whoever sent it.
    pub(super) frame: Option<PacketId>,
    /// The packet, if it is of a client whose knocks are explained.
    pub(super) handled: Option<Handled>,
    /// Whether it is of a client that is not followed, because too many are. Nearly all packets of a flood are, so
    /// it is not even looked at which doors hear it.
    pub(super) is_crowded_out: bool,
    /// A frame without ports, who sent it, and why it has none.
    pub(super) unreadable: Option<(Option<IpAddr>, Seen, Common)>,
    pub(super) outcome: Outcome,
}

/// What a door makes of the packet, as it was before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct DoorHearing {
    pub(super) door: DoorId,
    pub(super) hearing: Hearing,
    pub(super) sequence: (u8, Option<u32>),
}

/// What became of a packet besides.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    /// It is a retransmission.
    pub(super) repeats: bool,
    /// The first door at which it was the next knock.
    pub(super) advanced: Option<DoorId>,
    /// The first door at which it counted.
    pub(super) counted_at: Option<DoorId>,
    pub(super) told: bool,
    pub(super) left_out: bool,
    /// For how long it asks that the door is open, if it is a signed one that says so.
    pub(super) asks_for: Option<Seconds>,
    /// For whom it closes a door, if it does.
    pub(super) closes_for: Option<IpAddr>,
}

impl Turn {
    /// Takes an event of which nothing is known yet.
    #[inline]
    pub(crate) fn of(incoming: &Incoming) -> Self {
        Self {
            at: incoming.at,
            frame: incoming.frame(),
            handled: None,
            is_crowded_out: false,
            unreadable: None,
            outcome: Outcome::default(),
        }
    }
}

/// Returns how many knocks open a door, and their line in its file of sequences, if it has one.
pub(super) fn sequence_of(door: &Door) -> (u8, Option<u32>) {
    let knocks = door.knock_count().unwrap_or(0);
    let line = match &door.sequence {
        DoorSequence::Fixed(_) | DoorSequence::Derived(_) | DoorSequence::None => None,
        DoorSequence::OneTime(sequences) => sequences.next().map(|line| line.number),
    };
    (u8::try_from(knocks).unwrap_or(u8::MAX), line)
}
