//! Where clients depend on each other, so that no part of them can be replayed alone.

use knock_engine::{DoorSequence, Doors};

/// Returns why these doors cannot be replayed for a part of the clients; `None` if they can.
pub(crate) fn refusal(doors: &Doors) -> Option<String> {
    doors.in_order().find_map(|(_, door)| {
        let why = match door.sequence {
            DoorSequence::OneTime(_) => "its one-time sequences are used up by any client",
            DoorSequence::Derived(_) => {
                "its sequences change with the time, and several of a client can be under way at once"
            }
            DoorSequence::None | DoorSequence::Fixed(_) if door.signed.is_some() => {
                "a signed packet can open it for another client"
            }
            DoorSequence::None | DoorSequence::Fixed(_) => {
                door.opening_limits.door?;
                "Openings_Per_Minute counts the openings of all clients"
            }
        };
        let name = &door.name;
        Some(format!(
            "[{name}] cannot be replayed for a part of the clients: {why}; leave out '--shard'"
        ))
    })
}
