//! Events for the engine.

use alloc::boxed::Box;
use core::net::IpAddr;

use knock_signed::PACKET_BYTES;

use crate::decode::{self, LinkType};
use crate::doors::{DoorId, Doors};
use crate::listening::Listening;
use crate::one_time::MarkId;
use crate::packet::{Knock, Packet};
use crate::run::{CommandStatus, RunId};

/// An input of the engine, always with the time at which it happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A packet was captured.
    Packet(Packet),
    /// A packet was captured that goes to the port for signed packets and is as long as one, with its payload.
    SignedPacket(Packet, Box<[u8; PACKET_BYTES]>),
    /// A command that the engine asked for has ended. What was due before must have been handed over:
    /// an end does not wait in the queue.
    CommandEnded {
        /// The number that came with [`Effect::RunCommand`](crate::Effect::RunCommand).
        run: RunId,
        /// How it ended.
        status: CommandStatus,
    },
    /// The driver has marked a sequence as used, or could not. As the end of a command, this does not wait in the
    /// queue.
    Marked {
        /// The number that came with [`Effect::MarkOneTime`](crate::Effect::MarkOneTime),
        /// [`Effect::MarkPeriod`](crate::Effect::MarkPeriod) or [`Effect::MarkMoment`](crate::Effect::MarkMoment).
        mark: MarkId,
        /// Whether it is marked: only then does the door open.
        is_marked: bool,
    },
    /// The client of [`Effect::Admit`](crate::Effect::Admit) is not let in, or no longer: the driver could
    /// not do it, or has ended it, and has said so.
    AdmissionLost {
        /// The client.
        client: IpAddr,
        /// The door.
        door: DoorId,
    },
    /// Only time has passed.
    DeadlineReached,
    /// The time of day is so many nanoseconds ahead of the times of events from now on, because it was set
    /// and they run steadily. Derived sequences go by the time of day.
    ClockSet {
        /// How far; 0 until this is said.
        ahead: i64,
    },
    /// The local addresses have changed.
    AddressesChanged(Listening),
    /// The configuration was reloaded.
    ///
    /// Attempts at unchanged doors go on, all others end. Leases stay, with the stop command and the
    /// command timeout they began with.
    ///
    /// Print every polled effect before the second reload after it: an id that no door, lease or
    /// waiting effect has any more is given to another door.
    Reloaded(Box<Doors>),
}

impl Event {
    /// Returns the event for a packet in a frame of a link type, of which [`decode`](crate::decode()) has made `packet`:
    /// a signed one if it is as long as one and goes to where doors hear them ([`Doors::signed_knock`]).
    #[must_use]
    #[inline]
    pub fn captured(link: LinkType, frame: &[u8], packet: Packet, signed: Option<Knock>) -> Self {
        if signed == Some(packet.knock()) {
            signed_or_not(link, frame, packet)
        } else {
            Self::Packet(packet)
        }
    }

    /// Returns the packet, if it is one.
    #[must_use]
    #[inline]
    pub const fn packet(&self) -> Option<&Packet> {
        match self {
            Self::Packet(packet) | Self::SignedPacket(packet, _) => Some(packet),
            Self::CommandEnded { .. }
            | Self::Marked { .. }
            | Self::AdmissionLost { .. }
            | Self::DeadlineReached
            | Self::ClockSet { .. }
            | Self::AddressesChanged(_)
            | Self::Reloaded(_) => None,
        }
    }

    /// Returns whether this is a packet that counts: a knock that some door hears, or a signed packet. Another one
    /// changes nothing.
    #[must_use]
    pub fn is_heard(&self, doors: &Doors, listening: &Listening) -> bool {
        let is_signed = matches!(self, Self::SignedPacket(..));
        self.packet().is_some_and(|packet| {
            doors.admit(listening, packet) || is_signed && doors.hears_signed(listening, packet)
        })
    }
}

fn signed_or_not(link: LinkType, frame: &[u8], packet: Packet) -> Event {
    let payload = decode::datagram(link, frame).ok();
    match payload.and_then(|payload| <[u8; PACKET_BYTES]>::try_from(payload).ok()) {
        Some(payload) => Event::SignedPacket(packet, Box::new(payload)),
        None => Event::Packet(packet),
    }
}
