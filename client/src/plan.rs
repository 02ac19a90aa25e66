//! Everything that will be done, as data.

use std::net::SocketAddr;
use std::time::Duration;

use knock_config::InterfaceName;
use knock_engine::Port;

use crate::request::{Awaited, Request};
use crate::route::Route;
use knock_capture::hit::Hit;

/// The most knocks that are made: sequences have at most 32, and each knock holds two sockets.
pub const MAX_HITS: usize = 256;

/// The default time between two knocks.
pub const DEFAULT_DELAY: Duration = Duration::from_millis(100);

/// How long to wait for a port by default.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// What will be done. Nothing else is sent, and nothing in another order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The host, as the user wrote it.
    pub host: String,
    /// Where the knocks go, with port 0.
    pub destination: SocketAddr,
    /// Where they come from, with port 0.
    pub source: SocketAddr,
    /// The interface that all packets must leave through; `None` leaves it to the routes.
    pub interface: Option<InterfaceName>,
    /// The knocks, in order: 1 to [`MAX_HITS`].
    pub hits: Vec<Hit>,
    /// The time between two knocks. There is none after the last.
    pub delay: Duration,
    /// What to wait for after the last.
    pub then: Option<Then>,
}

/// A port to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Then {
    /// The TCP port.
    pub port: Port,
    /// How long to wait after the last knock.
    pub wait: Duration,
    /// How often to knock again after that.
    pub retry: u32,
}

impl Plan {
    /// Makes the plan of a request whose host has been found.
    #[must_use]
    pub fn new(request: Request, route: Route) -> Self {
        let Request { host, hits, delay, then, wait, retry, interface, .. } = request;
        let wait = wait.unwrap_or(DEFAULT_WAIT);
        let port = then.and_then(Awaited::port);
        Self {
            host,
            destination: route.destination,
            source: route.source,
            interface,
            hits,
            delay: delay.unwrap_or(DEFAULT_DELAY),
            then: port.map(|port| Then { port, wait, retry: retry.unwrap_or(0) }),
        }
    }

    /// Returns the address of a port of the host.
    #[must_use]
    pub fn at(&self, port: Port) -> SocketAddr {
        let mut address = self.destination;
        address.set_port(port.0);
        address
    }

    /// Returns when each knock is due after the first.
    #[must_use]
    pub fn schedule(&self) -> Vec<(Duration, Hit)> {
        let mut at = Duration::ZERO;
        let mut schedule = Vec::with_capacity(self.hits.len());
        for hit in &self.hits {
            schedule.push((at, *hit));
            at = at.saturating_add(self.delay);
        }
        schedule
    }
}
