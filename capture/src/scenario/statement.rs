//! The content of a line of a scenario.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::Hit;
use knock_config::lex::Piece;
use knock_engine::Port;
use knock_signed::{Digest, PacketKey, Verb};

use super::clients::Clients;

/// Something that happens.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    /// The first word of its line, for messages about it.
    pub(super) place: Piece<'a>,
    pub(super) when: When,
    pub(super) what: What<'a>,
}

/// When it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// This long after the start of the scenario, or of the round that it is in.
    At(Duration),
    /// This long after the last packet before it.
    After(Duration),
}

/// What happens.
#[derive(Debug)]
pub(super) enum What<'a> {
    Knocks(Knocks),
    Signed(Signed<'a>),
    Repeat { rounds: u32, every: Duration, body: Vec<Statement<'a>> },
}

/// Packets of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Knocks {
    pub(super) clients: Clients,
    pub(super) source_port: Option<Port>,
    pub(super) destination: IpAddr,
    pub(super) hits: Vec<Hit>,
    /// From one hit to the next.
    pub(super) every: Duration,
    /// From one client to the next.
    pub(super) apart: Duration,
    /// How often each packet is sent again, and after how long each time.
    pub(super) again: (u32, Duration),
}

/// Signed packets of one line: one for each client.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    pub(super) clients: Clients,
    pub(super) destination: IpAddr,
    /// The port of the line; `None` for that of the configuration.
    pub(super) port: Option<Port>,
    /// Who signs them; `None` if there is no configuration.
    pub(super) signer: Option<Signer<'a>>,
    /// The name of another server than that of the configuration.
    pub(super) server: Option<Digest>,
    pub(super) door: Digest,
    pub(super) verb: Verb,
    /// For how long the door is to be open; `None` leaves it to the door.
    pub(super) seconds: Option<NonZeroU32>,
    /// The address to admit that a packet names.
    pub(super) admit: Option<IpAddr>,
    pub(super) skew: Skew,
    /// From one client to the next.
    pub(super) apart: Duration,
    pub(super) again: Again,
}

/// A key, and where its packets go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signer<'a> {
    pub(super) key: &'a PacketKey,
    pub(super) server: Digest,
    pub(super) port: Port,
}

/// By how much the clock of a client is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Skew {
    #[default]
    None,
    Ahead(Duration),
    Behind(Duration),
}

/// The same packet, sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Again {
    /// How often, and after how long each time.
    pub(super) times: (u32, Duration),
    /// Who sends it; `None` for who sent it first.
    pub(super) by: Option<IpAddr>,
}
