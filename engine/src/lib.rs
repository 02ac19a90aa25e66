//! Port knocking as a state machine: timestamped packets in, typed effects out.
//!
//! The crate is `no_std`, so the compiler holds it to having no socket, file, process, clock,
//! thread or environment. Time is a value that arrives with each event.

#![no_std]

extern crate alloc;

pub mod address;
mod command;
mod decode;
mod door;
mod doors;
mod effect;
mod engine;
pub mod filter;
mod hearing;
mod limits;
mod listening;
mod one_time;
mod packet;
mod ports;
mod rules;
mod time;
pub mod transcript;

pub use command::{Command, Commands, Phase};
pub use decode::{Carried, Layer, LinkType, Reason, Undecodable, decode, ip, source, vlan_tags};
pub use door::{Door, DoorName, DoorSequence, FlagRule, Sequence, SequenceError, Stage, Target};
pub use doors::{DoorId, Doors, NotIds, TooManyDoors};
pub use effect::{
    CommandStatus, Deadline, DeadlineReason, Effect, Event, Note, OwnEffect, RunId, TimedEffect,
};
pub use engine::{CommandsEnd, Engine};
pub use hearing::Hearing;
pub use limits::Limits;
pub use listening::Listening;
pub use one_time::{OneTimeLine, OneTimeSequences};
pub use packet::{Knock, Packet, Port, Protocol, TcpFlags, TcpHeader, Transport};
pub use rules::{Counts, Fingerprint, KnockRules, RuleSet, Site};
pub use time::{Seconds, Timestamp};
