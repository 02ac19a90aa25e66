//! What the command line or a profile asks for.

use std::net::IpAddr;
use std::time::Duration;

use knock_config::InterfaceName;
use knock_engine::Port;

use knock_capture::hit::{self, Hit};

/// A version of the Internet Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Returns the family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// What to wait for after the last knock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Nothing, even if a profile has a port.
    Nothing,
    /// This TCP port.
    Port(Port),
}

impl Awaited {
    /// Reads `PORT`, `PORT/tcp` or `none`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("none") {
            return Ok(Self::Nothing);
        }
        hit::tcp_port(text).map(Self::Port)
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(self) -> Option<Port> {
        match self {
            Self::Nothing => None,
            Self::Port(port) => Some(port),
        }
    }
}

/// What the user asks for. All but the host may be left to another request, or to the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The name or address of the host.
    pub host: String,
    /// The knocks, in order; empty if none are given.
    pub hits: Vec<Hit>,
    /// The time between two knocks.
    pub delay: Option<Duration>,
    /// What to wait for.
    pub then: Option<Awaited>,
    /// How long to wait for that port after the last knock.
    pub wait: Option<Duration>,
    /// How often to knock again if it does not open.
    pub retry: Option<u32>,
    /// The address to knock from.
    pub source: Option<IpAddr>,
    /// The interface to knock through.
    pub interface: Option<InterfaceName>,
    /// The version of the Internet Protocol.
    pub family: Option<Family>,
}

impl Request {
    /// Returns this request, completed by the other one.
    ///
    /// The other one's host wins: it is what a profile has for the name that the user gave.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        Self {
            host: other.host,
            hits: if self.hits.is_empty() { other.hits } else { self.hits },
            delay: self.delay.or(other.delay),
            then: self.then.or(other.then),
            wait: self.wait.or(other.wait),
            retry: self.retry.or(other.retry),
            source: self.source.or(other.source),
            interface: self.interface.or(other.interface),
            family: self.family.or(other.family),
        }
    }
}
