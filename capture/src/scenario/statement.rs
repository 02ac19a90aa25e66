//! The content of a line of a scenario.

use std::net::IpAddr;
use std::time::Duration;

use crate::Hit;
use knock_config::lex::Piece;
use knock_engine::Port;

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
