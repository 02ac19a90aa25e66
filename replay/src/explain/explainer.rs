//! An engine and its observer.

use std::convert::Infallible;
use std::net::IpAddr;

use knock_engine::{
    CommandsEnd, Counts, Doors, Engine, Event, Limits, LinkType, Listening, TimedEffect, Timestamp,
    Undecodable, decode,
};

use super::Whom;
use super::explanation::Explanation;
use super::hints::Hints;
use super::miss::Nearest;
use super::observer::{Observer, Totals, Turn};
use crate::session::names::PacketId;
use crate::session::reader::Next;

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

    /// Returns when something is due next.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.engine.poll_deadline().map(|due| due.at)
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
        self.step(at, Step::Addresses(listening), |_| {}, tell);
    }

    /// Lets time run on until nothing is due.
    pub fn finish(&mut self, tell: &mut dyn FnMut(&Explanation)) {
        self.step(Timestamp::MAX, Step::Time, |_| {}, tell);
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
        self.step(at, Step::Frame(link, frame, id), |_| {}, tell).map_or(Ok(()), Err)
    }

    /// Takes what happens. `take` gets every effect, whosever it is and however many clients are
    /// followed; `tell` what is explained. Returns why there is no port in a frame.
    pub(crate) fn step(
        &mut self,
        at: Timestamp,
        step: Step<'_>,
        mut take: impl FnMut(TimedEffect),
        tell: &mut dyn FnMut(&Explanation),
    ) -> Option<Undecodable> {
        let Self { engine, observer } = self;
        let (event, mut turn, why) = match step {
            Step::Frame(link, frame, id) => {
                let decoded = decode(link, frame);
                let seen = (at, link, frame, id);
                let turn = observer.frame(
                    seen,
                    decoded.as_ref().map_err(|why| *why),
                    engine.doors(),
                    engine.listening(),
                );
                let captured =
                    |packet| Event::captured(link, frame, packet, engine.doors().signed_knock());
                (decoded.map_or(Event::DeadlineReached, captured), turn, decoded.err())
            }
            Step::Addresses(listening) => (Event::AddressesChanged(listening), Turn::at(at), None),
            Step::Time => (Event::DeadlineReached, Turn::at(at), None),
        };
        let Ok(()) = engine.drive(at, event, CommandsEnd::SUCCEEDED, |engine, timed| {
            take(timed);
            observer.effect(timed, &mut turn, engine.doors(), tell);
            Ok::<(), Infallible>(())
        });
        observer.end(turn, engine.doors(), tell);
        why
    }
}

/// What happens next.
#[derive(Clone, Debug)]
pub(crate) enum Step<'a> {
    /// A frame was captured.
    Frame(LinkType, &'a [u8], PacketId),
    /// The local addresses are these from now on.
    Addresses(Listening),
    /// Nothing but time.
    Time,
}

impl<'a> Step<'a> {
    /// Takes what was read.
    pub(crate) fn of(next: Next<'a>) -> Self {
        match next {
            Next::Frame(head, frame, id) => Self::Frame(head.link, frame, id),
            Next::Addresses(listening) => Self::Addresses(listening),
            Next::Time => Self::Time,
        }
    }
}
