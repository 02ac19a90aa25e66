//! What comes next, with the packet that it is.

use std::net::IpAddr;

use knock_compat::{Sight, Undecodable};
use knock_engine::{Event, LinkType, Listening, Packet, Timestamp, source, vlan_tags};

use super::names::PacketId;
use super::reader::{Decoder, Next};

/// What comes next, and when.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

/// What comes next. No frame is kept: all that anybody wants to know of it is found while it is read.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A packet.
    Packet {
        id: PacketId,
        /// The outermost VLAN, if the frame has a tag.
        vlan: Option<u16>,
        /// What the engine gets of it.
        event: Event,
    },
    /// A frame in which no port was found.
    Unreadable {
        id: PacketId,
        vlan: Option<u16>,
        /// Who sent it, if that can be read.
        source: Option<IpAddr>,
        why: Undecodable,
    },
    /// The local addresses are these from now on.
    Addresses(Listening),
    /// Nothing but time.
    Time,
}

impl Incoming {
    /// Nothing but time.
    pub(crate) const fn time(at: Timestamp) -> Self {
        Self { at, what: What::Time }
    }

    /// Returns the packet, if it is one with a port.
    pub(crate) const fn packet(&self) -> Option<PacketId> {
        match &self.what {
            What::Packet { id, .. } => Some(*id),
            What::Unreadable { .. } | What::Addresses(_) | What::Time => None,
        }
    }

    /// Returns what was decoded of it, if it is a packet with a port.
    pub(crate) const fn decoded(&self) -> Option<&Packet> {
        match &self.what {
            What::Packet { event, .. } => event.packet(),
            What::Unreadable { .. } | What::Addresses(_) | What::Time => None,
        }
    }

    /// Returns the frame, if it is one.
    pub(crate) const fn frame(&self) -> Option<PacketId> {
        match &self.what {
            What::Packet { id, .. } | What::Unreadable { id, .. } => Some(*id),
            What::Addresses(_) | What::Time => None,
        }
    }

    /// Returns what an engine by other rules gets, which see this packet in the frame if it is one.
    #[inline]
    pub(crate) fn seen_by_others(&self, seen: Option<&Packet>) -> (Timestamp, Event) {
        let event = match &self.what {
            What::Packet { .. } | What::Unreadable { .. } => match seen {
                Some(packet) => Event::Packet(*packet),
                None => Event::DeadlineReached,
            },
            What::Addresses(listening) => Event::AddressesChanged(listening.clone()),
            What::Time => Event::DeadlineReached,
        };
        (self.at, event)
    }

    /// Returns what the engine gets, and leaves this as it is: others may see it as well.
    pub(crate) fn event(&self) -> Event {
        match &self.what {
            // In a flood, this is nearly all there is.
            What::Packet { event: Event::Packet(packet), .. } => Event::Packet(*packet),
            What::Packet { event, .. } => event.clone(),
            What::Addresses(listening) => Event::AddressesChanged(listening.clone()),
            What::Unreadable { .. } | What::Time => Event::DeadlineReached,
        }
    }

    /// Returns what the engine gets.
    pub(crate) fn into_event(self) -> Event {
        match self.what {
            What::Packet { event, .. } => event,
            What::Addresses(listening) => Event::AddressesChanged(listening),
            What::Unreadable { .. } | What::Time => Event::DeadlineReached,
        }
    }
}

impl What {
    /// Takes a frame, as rules see it.
    #[inline]
    pub(crate) fn of_frame(
        sight: Sight,
        listening: &Listening,
        (link, frame): (LinkType, &[u8]),
        id: PacketId,
    ) -> Self {
        let vlan = outermost_vlan(link, frame);
        match sight.event(listening, link, frame) {
            Ok(event) => Self::Packet { id, vlan, event },
            Err(why) => Self::Unreadable { id, vlan, source: source(link, frame), why },
        }
    }
}

/// Returns the outermost VLAN of a frame, if it has a tag.
#[inline]
fn outermost_vlan(link: LinkType, frame: &[u8]) -> Option<u16> {
    // Most frames are IP without one.
    let ether_type = frame.get(12..14);
    if link == LinkType::Ethernet && matches!(ether_type, Some([0x08, 0x00] | [0x86, 0xdd])) {
        return None;
    }
    vlan_tags(link, frame).first().copied()
}

/// Decodes frames as rules see them, and keeps which packets they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WithPackets(pub(crate) Sight);

impl WithPackets {
    /// Returns what comes next.
    #[expect(
        clippy::inline_always,
        reason = "to copy what is decoded costs as much as to decode it"
    )]
    #[inline(always)]
    pub(crate) fn incoming(
        self,
        at: Timestamp,
        listening: &Listening,
        next: Next<'_>,
    ) -> (Incoming, Result<(), Undecodable>) {
        let what = match next {
            Next::Frame(head, frame, id) => {
                What::of_frame(self.0, listening, (head.link, frame), id)
            }
            Next::Addresses(listening) => What::Addresses(listening),
            Next::Time => What::Time,
        };
        let found = match what {
            What::Unreadable { why, .. } => Err(why),
            What::Packet { .. } | What::Addresses(_) | What::Time => Ok(()),
        };
        (Incoming { at, what }, found)
    }
}

impl Decoder for WithPackets {
    type Input = Incoming;

    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn decode(
        &self,
        at: Timestamp,
        listening: &Listening,
        next: Next<'_>,
        inputs: &mut Vec<Incoming>,
    ) -> Result<(), Undecodable> {
        let Next::Frame(head, frame, id) = next else {
            let (incoming, found) = self.incoming(at, listening, next);
            inputs.push(incoming);
            return found;
        };
        // As `What::of_frame`, but what is decoded is written where it stays.
        let vlan = outermost_vlan(head.link, frame);
        match self.0.event(listening, head.link, frame) {
            Ok(event) => {
                inputs.push(Incoming { at, what: What::Packet { id, vlan, event } });
                Ok(())
            }
            Err(why) => {
                let source = source(head.link, frame);
                inputs.push(Incoming { at, what: What::Unreadable { id, vlan, source, why } });
                Err(why)
            }
        }
    }
}
