//! Port knocking as a state machine: timestamped packets in, typed effects out.
//!
//! The crate is `no_std`, so the compiler ensures that it has no socket, file, process, clock, thread
//! or environment. Time is a value that arrives with each event, so the same events give the same
//! effects on every machine, in every run.
//!
//! An [`Engine`] is made of [`Doors`], of the addresses that are local ([`Listening`]) and of
//! [`Limits`]. A driver hands over each [`Event`] with [`Engine::handle`] and takes the [`Effect`]s
//! with [`Engine::poll_effect`], or does both with [`Engine::drive`]. No packet makes it fail or panic:
//! [`decode()`] rejects frames that carry no knock, and says why.
//!
//! # Example
//!
//! From the text of a configuration to the transcript:
//!
//! ```
//! use std::convert::Infallible;
//!
//! use knock_engine::transcript::{self, Channel};
//! use knock_engine::{
//!     CommandStatus, CommandsEnd, Doors, Engine, Event, Limits, Listening, Packet, Port, TcpFlags,
//!     TcpHeader, Timestamp, Transport,
//! };
//!
//! let text = b"[openSSH]
//!     sequence = 7000,8000,9000
//!     command  = /sbin/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
//! ";
//! let config = knock_config::parse(text).config.expect("the text has no error");
//! let doors = Doors::new(config.doors.iter().map(knock_config::DoorConfig::door).collect())?;
//! let mut engine = Engine::new(doors, Listening::everywhere(), &Limits::default());
//!
//! let mut lines = Vec::new();
//! for (second, port) in [(0, 7000), (1, 8000), (2, 9000)] {
//!     let flags = TcpHeader { sequence_number: Some(1), flags: Some(TcpFlags::SYN) };
//!     let packet = Packet {
//!         source: "203.0.113.7".parse()?,
//!         destination: "192.0.2.1".parse()?,
//!         source_port: Port(50_000),
//!         destination_port: Port(port),
//!         transport: Transport::Tcp(flags),
//!     };
//!     let at = Timestamp::from_nanos(second * 1_000_000_000);
//!     // No command runs here: each one succeeds at once.
//!     let commands = CommandsEnd::AtOnce(CommandStatus::SUCCESS);
//!     let Ok(()) = engine.drive(at, Event::Packet(packet), commands, |engine, timed| {
//!         let mut line = Vec::new();
//!         if transcript::write(&timed.effect, engine.doors(), &mut line) == Channel::Transcript {
//!             lines.push(String::from_utf8_lossy(&line).into_owned());
//!         }
//!         Ok::<(), Infallible>(())
//!     });
//! }
//! assert_eq!(lines, [
//!     "203.0.113.7: openSSH: Stage 1",
//!     "203.0.113.7: openSSH: Stage 2",
//!     "203.0.113.7: openSSH: Stage 3",
//!     "203.0.113.7: openSSH: OPEN SESAME",
//!     "openSSH: running command: /sbin/iptables -A INPUT -s 203.0.113.7 -p tcp --dport 22 -j ACCEPT",
//! ]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/replay.rs` does the same with a capture file: `cargo run -p knock-engine --example
//! replay`.
//!
//! # Effects and their answers
//!
//! | effect | the driver | answered with |
//! |---|---|---|
//! | [`RunCommand`](Effect::RunCommand) | runs the command | [`Event::CommandEnded`] |
//! | [`Admit`](Effect::Admit) | lets the client reach the door's ports for this long, and no longer | [`Event::AdmissionLost`], only if it could not or the admission is over early |
//! | [`MarkOneTime`](Effect::MarkOneTime) | writes `#` at the offset in the door's file of sequences | [`Event::Marked`] |
//! | [`MarkPeriod`](Effect::MarkPeriod) | writes down who has used which derived sequence, for the next [`Doors::with_used_periods`] | [`Event::Marked`] |
//! | [`MarkMoment`](Effect::MarkMoment) | writes down which key has used which moment, for the next [`Signing::with_moments`] | [`Event::Marked`] |
//! | [`Closing`](Effect::Closing) | closes what it has open for the client beyond what the engine knows | nothing |
//! | [`StageReached`](Effect::StageReached), [`SequenceTimedOut`](Effect::SequenceTimedOut), [`Opened`](Effect::Opened), [`CommandTimedOut`](Effect::CommandTimedOut), [`AdmissionEnded`](Effect::AdmissionEnded) | prints the line of the transcript | nothing |
//! | [`CommandFailed`](Effect::CommandFailed), [`DoorDisabled`](Effect::DoorDisabled), [`OpeningRefused`](Effect::OpeningRefused), [`OpeningSkipped`](Effect::OpeningSkipped), [`VoidedOften`](Effect::VoidedOften), [`ReloadRefused`](Effect::ReloadRefused) | warns the administrator | nothing |
//! | [`Note`](Effect::Note) | explains, if the user asked | nothing |
//! | [`Own`](Effect::Own) | depends on the rule set; never under [`KnockRules`] | nothing |
//!
//! A driver that waits for packets waits until [`Engine::poll_deadline`] at most, and then hands over
//! [`Event::DeadlineReached`].
//!
//! # Other rules
//!
//! An engine runs a [`RuleSet`] inside: [`KnockRules`], unless [`Engine::with_rules`] gets another one,
//! which may have effects of its own.

#![no_std]

extern crate alloc;

pub mod address;
mod admission;
pub mod chain;
mod command;
mod deadline;
mod decode;
mod derived;
mod door;
mod door_id;
mod doors;
mod effect;
mod engine;
mod event;
pub mod filter;
mod groups;
mod hearing;
mod limits;
mod listening;
mod named_ports;
mod one_time;
mod packet;
mod per_minute;
mod periods;
mod ports;
mod rules;
mod run;
mod sequence;
mod signed_door;
mod signing;
mod sources;
mod time;
pub mod transcript;
mod used_periods;

pub use admission::{Admission, OpenPorts, OpenPortsError, PortRange};
pub use command::{Command, Commands, Phase};
pub use deadline::{Deadline, DeadlineReason};
pub use decode::{
    Carried, Layer, LinkType, Reason, Undecodable, datagram, decode, ip, source, vlan_tags,
};
pub use derived::{DerivedSequence, PeriodMark};
pub use door::{Door, DoorName, DoorSequence, FlagRule, OnReknock, Target};
pub use doors::{Begun, DoorId, Doors, NotIds, TooManyDoors};
pub use effect::{Effect, EffectKind, Note, Obstacle, OwnEffect, Skip, TimedEffect};
pub use engine::{CommandsEnd, Engine};
pub use event::Event;
pub use hearing::Hearing;
pub use limits::Limits;
pub use listening::Listening;
pub use named_ports::NamedPorts;
pub use one_time::{MarkId, OneTimeLine, OneTimeSequences};
pub use packet::{Knock, Packet, Port, Protocol, TcpFlags, TcpHeader, Transport};
pub use per_minute::{OpeningLimits, PerMinute};
pub use rules::{
    ANTICIPATED, Counts, Fingerprint, KnockRules, LiveAttempt, RuleSet, Site, Usage, VoidReports,
};
pub use run::{CommandStatus, RunId};
pub use sequence::{Sequence, SequenceError, Stage, Step};
pub use signed_door::{Admits, SignedDoor, User, Users};
pub use signing::{KeyNumber, NotSigned, SignedAction, SignedRequest, Signing, UserKey};
pub use sources::{Prefix, PrefixError, SourceRefusal, Sources};
pub use time::{Seconds, Timestamp};
pub use used_periods::{PeriodOfDoor, PeriodUse};
