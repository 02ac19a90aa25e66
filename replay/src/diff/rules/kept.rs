//! What happened, kept for rule sets that have not handled it yet.

use knock_engine::{Event, LinkType, Listening, Packet, Timestamp};
use knock_signed::PACKET_BYTES;

/// What has happened, in order, within a limit.
#[derive(Debug, Default)]
pub(super) struct Kept {
    list: Vec<(Timestamp, What)>,
    /// How many bytes there are besides, about.
    more: usize,
}

/// Something that happened.
#[derive(Debug)]
pub(super) enum What {
    /// Nothing but time, or a frame in which no rule set finds a port.
    Time,
    /// A frame came that all rule sets decode to this.
    Packet(Packet),
    /// A frame came that all rule sets decode to this, and that may be a signed packet.
    SignedPacket(Packet, Box<[u8; PACKET_BYTES]>),
    /// A frame came that they may decode in different ways.
    Frame(LinkType, Box<[u8]>),
    /// The local addresses are other ones from now on.
    Addresses(Listening),
}

impl Kept {
    /// The most bytes, about: some 300,000 packets.
    const BYTES: usize = 32 << 20;
    /// What local addresses take, more than they ever do.
    const ADDRESSES: usize = 4096;

    /// Keeps what happens. Returns `false` if that is more than can be kept.
    pub(super) fn push(&mut self, at: Timestamp, what: What) -> bool {
        let more = match &what {
            What::Time | What::Packet(_) => 0,
            What::SignedPacket(..) => PACKET_BYTES,
            What::Frame(_, bytes) => bytes.len(),
            What::Addresses(_) => Self::ADDRESSES,
        };
        self.more = self.more.saturating_add(more);
        match (&what, self.list.last_mut()) {
            // Of two such times the later one has the same effect.
            (What::Time, Some((last, What::Time))) => *last = at.max(*last),
            _ => self.list.push((at, what)),
        }
        let each = size_of::<(Timestamp, What)>();
        self.list.len().saturating_mul(each).saturating_add(self.more) <= Self::BYTES
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Timestamp, &What)> {
        self.list.iter().map(|(at, what)| (*at, what))
    }
}

impl What {
    /// Returns the event for a rule set that decodes frames so.
    pub(super) fn event(&self, decode: impl FnOnce(LinkType, &[u8]) -> Event) -> Event {
        match self {
            Self::Addresses(listening) => Event::AddressesChanged(listening.clone()),
            Self::Packet(packet) => Event::Packet(*packet),
            Self::SignedPacket(packet, payload) => Event::SignedPacket(*packet, payload.clone()),
            Self::Frame(link, bytes) => decode(*link, bytes),
            Self::Time => Event::DeadlineReached,
        }
    }
}
