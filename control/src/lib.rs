//! The control socket of knockd, for the daemon and for `knockctl`: messages of the Varlink protocol
//! (<https://varlink.org>), one JSON object each, ended by a NUL byte.

mod call;
mod frames;
mod interface;

pub use call::{Call, Fault, Method};
pub use frames::{Frames, TooLong};
pub use interface::{
    Attempt, Attempts, CloseParameters, Closing, DESCRIPTION, DaemonState, DoorState, EventLine,
    INTERFACE, Lines, OpenDoor, OpenDoors, Reply, Status, description, encode,
};

/// Where the socket is, unless a directive names another place.
pub const DEFAULT_SOCKET: &str = "/run/knockd/knockd.varlink";
