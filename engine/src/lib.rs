//! Port knocking as a state machine: timestamped packets in, typed effects out.
//!
//! The crate is `no_std`, so the compiler holds it to having no socket, file, process, clock,
//! thread or environment. Time is a value that arrives with each event.

#![no_std]

extern crate alloc;

pub mod address;
mod command;
mod door;
mod one_time;
mod packet;
mod time;

pub use command::{Command, Commands};
pub use door::{Door, DoorName, DoorSequence, FlagRule, Sequence, SequenceError, Stage};
pub use one_time::{OneTimeLine, OneTimeSequences};
pub use packet::{Knock, Packet, Port, Protocol, TcpFlags, TcpHeader, Transport};
pub use time::{Seconds, Timestamp};
