//! The packets that will be sent, as data without the key.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use knock_config::InterfaceName;
use knock_engine::{DoorName, SignedAction};
use knock_signed::{Digest, Moment, Packet, Verb};

use super::ask::Signing;
use crate::plan::{DEFAULT_WAIT, Plan, Then};
use crate::request::{Awaited, Request};
use crate::route::Route;

/// Which address a packet asks to admit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// That from which the packet comes to the server.
    #[default]
    Source,
    /// That of this machine.
    OwnAddress,
    /// This one.
    Address(IpAddr),
}

/// What will be sent. Nothing else is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPlan {
    /// The host, as the user wrote it.
    pub host: String,
    /// The name of the server, as it knows itself.
    pub server: String,
    /// The door.
    pub door: DoorName,
    /// The interface that all packets must leave through; `None` leaves it to the routes.
    pub interface: Option<InterfaceName>,
    /// What they ask the door to do.
    pub action: SignedAction,
    /// The packets, in order; at least one.
    pub shots: Vec<SignedShot>,
    /// What to wait for after the last.
    pub then: Option<Then>,
}

/// A packet to an address of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedShot {
    /// Where it goes.
    pub destination: SocketAddr,
    /// Where it comes from, with port 0.
    pub source: SocketAddr,
    /// The address that it asks to admit; `None` for that from which it comes.
    pub admit: Option<IpAddr>,
}

impl SignedPlan {
    /// Makes the plan of a request whose host has been found.
    #[must_use]
    pub(crate) fn new(request: &Request, signing: &Signing, routes: &[Route]) -> Self {
        let shot = |route: &Route| {
            let mut destination = route.destination;
            destination.set_port(signing.port.0);
            let admit = match signing.says.admit {
                Admission::Source => None,
                Admission::OwnAddress => Some(route.source.ip()),
                Admission::Address(address) => Some(address.to_canonical()),
            };
            SignedShot { destination, source: route.source, admit }
        };
        let wait = request.wait.unwrap_or(DEFAULT_WAIT);
        let port = request.then.and_then(Awaited::port);
        Self {
            host: request.host.clone(),
            server: signing.server.clone(),
            door: signing.door.clone(),
            interface: request.interface.clone(),
            action: signing.says.action,
            shots: routes.iter().map(shot).collect(),
            then: port.map(|port| Then { port, wait, retry: request.retry.unwrap_or(0) }),
        }
    }

    /// Returns what each packet says, if the first is made at this time. Each has a moment of its own.
    pub(crate) fn packets(&self, first: Moment) -> impl Iterator<Item = (&SignedShot, Packet)> {
        let (server, door) = (Digest::of_server(self.server.as_bytes()), self.door.as_bytes());
        let door = Digest::of_door(door);
        let (verb, seconds) = match self.action {
            SignedAction::Open(wish) => {
                (Verb::Open, wish.and_then(|wish| NonZeroU32::new(wish.get())))
            }
            SignedAction::Close => (Verb::Close, None),
        };
        self.shots.iter().zip(first.0..).map(move |(shot, moment)| {
            let moment = Moment(moment);
            let admit = shot.admit;
            (shot, Packet { verb, prefix: None, seconds, moment, admit, server, door })
        })
    }

    /// Returns the address to wait at: the first one, which other programs connect to as well.
    pub(crate) fn waiting(&self) -> Option<Plan> {
        let SignedShot { mut destination, source, admit: _ } = *self.shots.first()?;
        destination.set_port(0);
        Some(Plan {
            host: self.host.clone(),
            destination,
            source,
            interface: self.interface.clone(),
            hits: Vec::new(),
            delay: Duration::ZERO,
            then: self.then,
        })
    }
}
