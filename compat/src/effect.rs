//! Effects that only knockd 0.8 has.

use std::net::IpAddr;

use knock_engine::transcript::Channel;
use knock_engine::{DoorId, Doors, OwnEffect, Phase, address};

/// An effect that knockd 0.8 has and knock never has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knockd08Effect {
    /// A command is longer than knockd 0.8 can run, so neither command of the door runs.
    CommandTooLong {
        /// The client for which the door would open.
        client: IpAddr,
        /// Which door.
        door: DoorId,
        /// Which of its commands.
        phase: Phase,
    },
    /// knockd 0.8 would have crashed: the last one-time sequence of the door is used up. It hears
    /// nothing more.
    Crashed {
        /// Which door.
        door: DoorId,
    },
    /// knockd 0.8 would have exited: with the next one-time sequence of the door its filter would
    /// reject all packets. It hears nothing more.
    FilterRefused {
        /// Which door.
        door: DoorId,
    },
}

const CRASHED: &str = ": knockd 0.8 crashes here, because the last one-time sequence is used up; it \
                       hears nothing more";

const FILTER_REFUSED: &str = ": knockd 0.8 exits here, because with the next one-time sequence its \
                              filter would reject all packets; it hears nothing more";

impl OwnEffect for Knockd08Effect {
    fn name(&self) -> &'static str {
        match self {
            Self::CommandTooLong { .. } => "command-too-long",
            Self::Crashed { .. } => "crashed",
            Self::FilterRefused { .. } => "filter-refused",
        }
    }

    fn client(&self) -> Option<IpAddr> {
        match *self {
            Self::CommandTooLong { client, .. } => Some(client),
            Self::Crashed { .. } | Self::FilterRefused { .. } => None,
        }
    }

    fn door(&self) -> Option<DoorId> {
        match *self {
            Self::CommandTooLong { door, .. }
            | Self::Crashed { door }
            | Self::FilterRefused { door } => Some(door),
        }
    }

    fn write(&self, doors: &Doors, out: &mut Vec<u8>) -> Channel {
        let name = |door: DoorId| doors.door(door).name.as_bytes();
        match *self {
            Self::CommandTooLong { client, door, phase } => {
                let which = match phase {
                    Phase::Start => "start",
                    Phase::Stop => "stop",
                };
                address::write(client, out);
                out.extend_from_slice(b": ");
                out.extend_from_slice(name(door));
                let text = format!(
                    ": no command is run: the {which} command is longer than the 4095 bytes that \
                     knockd 0.8 can run"
                );
                out.extend_from_slice(text.as_bytes());
            }
            Self::Crashed { door } => {
                out.extend_from_slice(name(door));
                out.extend_from_slice(CRASHED.as_bytes());
            }
            Self::FilterRefused { door } => {
                out.extend_from_slice(name(door));
                out.extend_from_slice(FILTER_REFUSED.as_bytes());
            }
        }
        Channel::Message
    }
}
