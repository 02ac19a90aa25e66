//! What happens to all rule sets, decoded.

use knock_compat::{Decodings, Incoming, Sight, Undecodable};
use knock_engine::{Event, LinkType, Listening};

/// What happens to all of them, decoded.
#[derive(Clone, Debug)]
pub(in crate::diff::rules) enum Seen {
    /// The same for all.
    Event(Event),
    /// A frame came that they may decode in different ways.
    Frame {
        /// What knock sees.
        knock: Event,
        /// What the others see.
        others: Box<Decodings>,
    },
}

impl Seen {
    /// Decodes a frame. Also returns why knock finds no port in it.
    pub(in crate::diff::rules) fn of_frame(
        knock: Sight,
        listening: &Listening,
        link: LinkType,
        frame: &[u8],
    ) -> (Self, Result<(), Undecodable>) {
        let (event, found) = match knock.event(listening, link, frame) {
            Ok(event) => (event, Ok(())),
            Err(why) => (Event::DeadlineReached, Err(why)),
        };
        if knock_compat::is_decoded_alike(listening, link, frame) {
            return (Self::Event(event), found);
        }
        let others = Box::new(Decodings::of(listening, link, frame));
        (Self::Frame { knock: event, others }, found)
    }

    /// Returns what knock makes of it.
    pub(super) const fn by_knock(&self) -> &Event {
        match self {
            Self::Event(event) | Self::Frame { knock: event, .. } => event,
        }
    }

    /// Returns what the others make of it.
    pub(super) fn by_others(&self) -> Incoming<'_> {
        match self {
            Self::Event(event) => Incoming::Event(event),
            Self::Frame { others, .. } => Incoming::Frame(others),
        }
    }
}
