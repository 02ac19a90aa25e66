//! What is read, as both configurations see it.

use knock_compat::{Sight, Undecodable};
use knock_engine::{Event, Listening, Timestamp};

use crate::session::incoming::{Incoming, What, WithPackets};
use crate::session::names::PacketId;
use crate::session::reader::{Decoder, Next};

/// What comes next.
#[derive(Debug)]
pub(super) struct Input {
    as_old: Incoming,
    /// What the new configuration sees, if that is another thing: signed packets can go to other ports.
    as_new: Option<Box<Incoming>>,
}

impl Input {
    pub(super) const fn at(&self) -> Timestamp {
        self.as_old.at
    }

    /// Returns which frame it is, if it is one.
    pub(super) const fn frame(&self) -> Option<PacketId> {
        self.as_old.frame()
    }

    /// Returns it as the old configuration sees it, which is the same but for signed packets.
    pub(super) const fn seen(&self) -> &Incoming {
        &self.as_old
    }

    pub(super) const fn as_old(&self) -> &Incoming {
        &self.as_old
    }

    pub(super) fn as_new(&self) -> &Incoming {
        self.as_new.as_deref().unwrap_or(&self.as_old)
    }
}

/// Decodes frames as both configurations see them.
pub(super) struct BothSights {
    old: WithPackets,
    /// `None` if they see the same.
    new: Option<WithPackets>,
}

impl BothSights {
    pub(super) fn new(old: Sight, new: Sight) -> Self {
        Self { old: WithPackets(old), new: (old != new).then_some(WithPackets(new)) }
    }
}

impl Decoder for BothSights {
    type Input = Input;

    fn decode(
        &self,
        at: Timestamp,
        listening: &Listening,
        next: Next<'_>,
        inputs: &mut Vec<Input>,
    ) -> Result<(), Undecodable> {
        let as_new = self.new.map(|new| new.incoming(at, listening, next.clone()).0);
        let (as_old, found) = self.old.incoming(at, listening, next);
        let differs = |as_new: &Incoming| is_signed(as_new) || is_signed(&as_old);
        let as_new = as_new.filter(differs).map(Box::new);
        inputs.push(Input { as_old, as_new });
        found
    }
}

/// Returns whether it is one of few packets, which may be signed.
const fn is_signed(incoming: &Incoming) -> bool {
    matches!(incoming.what, What::Packet { event: Event::SignedPacket(..), .. })
}
