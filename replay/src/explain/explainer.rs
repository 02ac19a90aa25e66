//! An engine and its observer.

use std::convert::Infallible;
use std::net::IpAddr;

use knock_compat::{Sight, Undecodable};
use knock_engine::{
    CommandsEnd, Counts, DoorId, Doors, Engine, Limits, LinkType, Listening, TimedEffect, Timestamp,
};

use super::Whom;
use super::explanation::Explanation;
use super::hints::Hints;
use super::miss::{Nearest, Standing};
use super::observer::{Observer, Tell, Totals, Turn};
use crate::session::incoming::{Incoming, What};
use crate::session::names::PacketId;

/// Replays packets and explains what becomes of each, by the rules of knock.
#[derive(Debug)]
pub struct Explainer {
    engine: Engine,
    observer: Observer,
}

impl Explainer {
    /// How many clients at doors are followed.
    pub const PAIRS: usize = Observer::PAIRS;

    /// Makes an explainer of what happens to the packets of some clients.
    #[must_use]
    pub fn new(doors: Doors, listening: Listening, limits: &Limits, whom: Whom) -> Self {
        Self {
            engine: Engine::new(doors, listening, limits).presuming_marks(),
            observer: Observer::new(whom),
        }
    }

    /// Returns the same with another limit than [`Explainer::PAIRS`].
    #[must_use]
    pub fn with_pairs(self, pairs: usize) -> Self {
        Self { observer: self.observer.with_pairs(pairs), ..self }
    }

    /// Returns whether something is due at a moment or before.
    pub(crate) fn is_due(&self, at: Timestamp) -> bool {
        self.engine.is_due(at)
    }

    /// Returns whose knocks are explained.
    #[must_use]
    pub const fn whom(&self) -> Whom {
        self.observer.whom()
    }

    /// Returns the doors as they are now.
    #[must_use]
    pub fn doors(&self) -> &Doors {
        self.engine.doors()
    }

    /// Returns which destinations count now.
    #[must_use]
    pub fn listening(&self) -> &Listening {
        self.engine.listening()
    }

    /// Returns what has happened so far, in numbers.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.engine.counts()
    }

    /// Returns how many packets there were.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        self.observer.totals()
    }

    /// Returns how near each client came to opening each door it had to do with, in the order in
    /// which the clients came.
    pub fn nearest(&self) -> impl Iterator<Item = Nearest> {
        self.observer.nearest()
    }

    /// Returns what a client at a door came to, in short. `place` is that among all pairs, if they came in this order.
    pub(crate) fn standing(&self, place: u32, client: IpAddr, door: DoorId) -> Option<Standing> {
        self.observer.standing(place, client, door)
    }

    /// Returns how near a client came to opening a door.
    pub(crate) fn nearest_at(&self, client: IpAddr, door: DoorId) -> Option<Nearest> {
        self.observer.nearest_at(client, door)
    }

    /// Returns what may help clients that did not open a door.
    pub(super) fn hints(&self) -> Hints {
        self.observer.hints(self.engine.doors())
    }

    /// Returns how many packets a client sent to ports of no door, since it first had to do with one.
    #[must_use]
    pub fn strays_of(&self, client: IpAddr) -> u64 {
        self.observer.strays_of(client)
    }

    /// Takes other local addresses.
    pub fn addresses(
        &mut self,
        at: Timestamp,
        listening: Listening,
        tell: &mut dyn FnMut(&Explanation),
    ) {
        let incoming = Incoming { at, what: What::Addresses(listening) };
        self.step(&incoming, |_| {}, &mut |_, one| tell(one));
    }

    /// Lets time run on until nothing is due.
    pub fn finish(&mut self, tell: &mut dyn FnMut(&Explanation)) {
        self.step(&Incoming::time(Timestamp::MAX), |_| {}, &mut |_, one| tell(one));
    }

    /// Takes a frame.
    ///
    /// # Errors
    /// [`Undecodable`] if there is no port in it, which is explained as well.
    pub fn frame(
        &mut self,
        at: Timestamp,
        link: LinkType,
        frame: &[u8],
        id: PacketId,
        tell: &mut dyn FnMut(&Explanation),
    ) -> Result<(), Undecodable> {
        let sight = Sight::of_knock(self.doors());
        let what = What::of_frame(sight, self.listening(), (link, frame), id);
        let found = match &what {
            What::Unreadable { why, .. } => Err(*why),
            What::Packet { .. } | What::Addresses(_) | What::Time => Ok(()),
        };
        self.step(&Incoming { at, what }, |_| {}, &mut |_, one| tell(one));
        found
    }

    /// Returns the engine and its observer, for whoever lets each go its way.
    pub(super) const fn parts(&mut self) -> (&mut Engine, &mut Observer) {
        (&mut self.engine, &mut self.observer)
    }

    /// Takes a look at what comes soon, at most [`ANTICIPATED`](knock_engine::ANTICIPATED) of it.
    pub(crate) fn anticipate<'a>(&self, next: impl Iterator<Item = &'a Incoming>) {
        let packets = next.filter_map(Incoming::decoded);
        self.engine.anticipate(packets.inspect(|packet| self.observer.anticipate(packet)));
    }

    /// Takes what comes next. `take` gets every effect, whosever it is and however many clients are
    /// followed; `tell` what is explained.
    pub(crate) fn step(
        &mut self,
        incoming: &Incoming,
        mut take: impl FnMut(&TimedEffect),
        tell: &mut Tell<'_>,
    ) {
        let Self { engine, observer } = self;
        let mut turn = Turn::of(incoming);
        observer.comes(incoming, &mut turn, engine.doors(), engine.listening());
        let (at, event) = (incoming.at, incoming.event());
        let Ok(()) = engine.drive(at, event, CommandsEnd::SUCCEEDED, |engine, timed| {
            take(&timed);
            observer.effect(&timed, &mut turn, engine.doors(), tell);
            Ok::<(), Infallible>(())
        });
        observer.end(&mut turn, engine.doors(), tell);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use knock_engine::{Event, Packet, Port, Transport};

    use super::*;

    /// Lets a client, named by its last byte, knock by UDP.
    fn knock(explainer: &mut Explainer, client: u8, port: u16) {
        let packet = Packet {
            source: [10, 0, 0, client].into(),
            destination: IpAddr::V4(Ipv4Addr::LOCALHOST),
            source_port: Port(9),
            destination_port: Port(port),
            transport: Transport::Udp,
        };
        let (id, event) = (PacketId { capture: 0, number: 1 }, Event::Packet(packet));
        let what = What::Packet { id, vlan: None, event };
        explainer.step(&Incoming { at: Timestamp::EPOCH, what }, |_| {}, &mut |_, _| {});
    }

    #[test]
    fn packets_of_clients_over_the_limit_are_left_out_if_a_door_names_their_port() {
        let conf = b"[d]\nsequence = 1:udp,2:udp,3:udp\ncommand =\n";
        let config = knock_config::parse(conf).config.unwrap();
        let doors = config.doors.iter().map(knock_config::DoorConfig::door).collect();
        let doors = Doors::new(doors).unwrap();
        let listening = Listening::everywhere();
        let explainer = Explainer::new(doors, listening, &Limits::default(), Whom::All);
        let mut explainer = explainer.with_pairs(1);
        let mut counts = |client, port| {
            knock(&mut explainer, client, port);
            let Totals { explained, left_out, strays, .. } = *explainer.totals();
            (explained, left_out, strays)
        };
        assert_eq!(counts(1, 1), (1, 0, 0));
        assert_eq!(counts(2, 1), (1, 1, 0), "a first knock");
        assert_eq!(counts(2, 3), (1, 2, 0), "a wrong knock");
        assert_eq!(counts(3, 2), (1, 3, 0), "a knock that no attempt expects");
        assert_eq!(counts(3, 9), (1, 3, 1), "a port of no door");
        assert_eq!(counts(1, 2), (2, 3, 1), "a client that is followed");
        explainer.finish(&mut |one| assert_eq!(one.client, IpAddr::from([10, 0, 0, 1])));
        assert_eq!(explainer.nearest().count(), 1);
    }
}
