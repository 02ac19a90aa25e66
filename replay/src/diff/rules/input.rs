//! What is read, as the rule sets see it.

use knock_compat::{Sight, Undecodable};
use knock_engine::{Event, Listening, Timestamp};

use super::compare::Seen;
use crate::session::names::PacketId;
use crate::session::reader::{Decoder, Next};

/// What comes next, and when.
pub(super) struct Input {
    pub(super) at: Timestamp,
    /// Which packet, if it is one.
    pub(super) packet: Option<PacketId>,
    pub(super) seen: Seen,
}

/// Decodes frames as all rule sets see them; how knock does is given.
pub(super) struct Decoding(pub(super) Sight);

impl Input {
    /// Nothing but time, until nothing is due.
    pub(super) const fn end() -> Self {
        let seen = Seen::Event(Event::DeadlineReached);
        Self { at: Timestamp::MAX, packet: None, seen }
    }
}

impl Decoder for Decoding {
    type Input = Input;

    fn decode(
        &self,
        at: Timestamp,
        listening: &Listening,
        next: Next<'_>,
        inputs: &mut Vec<Input>,
    ) -> Result<(), Undecodable> {
        let (packet, (seen, found)) = match next {
            Next::Frame(head, frame, id) => {
                (Some(id), Seen::of_frame(self.0, listening, head.link, frame))
            }
            Next::Addresses(listening) => {
                (None, (Seen::Event(Event::AddressesChanged(listening)), Ok(())))
            }
            Next::Time => (None, (Seen::Event(Event::DeadlineReached), Ok(()))),
        };
        inputs.push(Input { at, packet, seen });
        found
    }
}
