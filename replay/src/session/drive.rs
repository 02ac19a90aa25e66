//! The loops of a replay: over what is read, and around an engine.
//!
//! `player.rs` drives an engine in batches and reads and prints on other threads, for those who need not know
//! which packet made what happen.

use std::io;

use knock_compat::{Engine, Rules, TimedEffect, Undecodable};
use knock_engine::{
    CommandsEnd, Counts, Doors, Event, Limits, LinkType, Listening, Packet, Timestamp,
};

use super::names::PacketId;
use super::reader::{Next, Reader};
use super::unwanted::{SomeClients, unwanted};

/// Hands over what is read, one after another, to the end or the first error of `step`, which returns
/// why there is no port in a frame.
pub(crate) fn each<E, U: Into<Undecodable>>(
    reader: &mut Reader,
    mut step: impl FnMut(Timestamp, Next<'_>) -> Result<Option<U>, E>,
) -> Result<(), E> {
    loop {
        let mut result = Ok(());
        let more = reader.next(|at, next| match step(at, next) {
            Ok(why) => why.map_or(Ok(()), Err),
            Err(error) => {
                result = Err(error);
                Ok(())
            }
        });
        reader.tick(1);
        result?;
        if !more {
            return Ok(());
        }
    }
}

/// What the engine has to say when all is over.
pub(crate) struct PlayingDone {
    /// What has happened, in numbers.
    pub(crate) counts: Counts,
    /// Which destinations counted in the end.
    pub(crate) listening: Listening,
}

/// An effect, with what made it happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Played<'a> {
    /// What happened, and when.
    pub(crate) timed: TimedEffect,
    /// The packet that made it happen; `None` if time did, or something else.
    pub(crate) packet: Option<PacketId>,
    /// When the first packet came.
    pub(crate) start: Timestamp,
    /// The doors, for the text of the effect.
    pub(crate) doors: &'a Doors,
}

/// A frame, and what the engine will get of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coming<'a> {
    pub(crate) link: LinkType,
    pub(crate) frame: &'a [u8],
    pub(crate) id: PacketId,
    pub(crate) decoded: Result<&'a Packet, Undecodable>,
}

/// Who looks on while packets are replayed.
pub(crate) trait Watch {
    /// Returns whose packets it wants to see whatever their ports are.
    fn looked_at(&self) -> SomeClients {
        SomeClients::nobody()
    }

    /// The engine is going to handle a frame, or something else at that time.
    fn comes(&mut self, _at: Timestamp, _frame: Option<Coming<'_>>, _engine: &Engine) {}

    /// Returns whether an event is left out: only its time passes.
    fn leaves_out(&mut self, _event: &Event, _engine: &Engine) -> bool {
        false
    }

    /// The engine has done what happens next.
    fn has_done(&mut self, _engine: &Engine) {}

    /// This happens.
    ///
    /// # Errors
    /// Why all is to end here.
    fn happens(&mut self, played: &Played<'_>) -> io::Result<()>;

    /// The engine has handled it; the packet, if it was one.
    fn handled(&mut self, _packet: Option<PacketId>, _engine: &Engine) {}
}

impl<F: FnMut(&Played<'_>) -> io::Result<()>> Watch for F {
    fn happens(&mut self, played: &Played<'_>) -> io::Result<()> {
        self(played)
    }
}

/// Replays packets one by one, every command succeeding at once, and lets time run on in the end until
/// nothing is due. The first error of the watcher ends all.
pub(crate) fn watch(
    limits: &Limits,
    rules: Rules,
    doors: Doors,
    reader: &mut Reader,
    watcher: &mut impl Watch,
) -> (PlayingDone, io::Result<()>) {
    reader.begin(unwanted(rules, &doors, watcher.looked_at()));
    let engine = rules.engine(doors, reader.listening(), limits);
    let mut replay = Replay { engine, start: None, watcher };
    let mut result = each(reader, |at, next| replay.step(at, next));
    if result.is_ok() {
        replay.comes(Timestamp::MAX, None);
        result = replay.handle(Timestamp::MAX, Event::DeadlineReached, None);
    }
    let Replay { engine, .. } = replay;
    (PlayingDone { counts: engine.counts(), listening: engine.listening().clone() }, result)
}

/// An engine under a watcher's eyes.
struct Replay<'w, W> {
    engine: Engine,
    /// When the first packet came.
    start: Option<Timestamp>,
    watcher: &'w mut W,
}

impl<W: Watch> Replay<'_, W> {
    fn step(&mut self, at: Timestamp, next: Next<'_>) -> io::Result<Option<Undecodable>> {
        self.start.get_or_insert(at);
        match next {
            Next::Time => {
                self.comes(at, None);
                self.handle(at, Event::DeadlineReached, None).map(|()| None)
            }
            Next::Addresses(listening) => {
                self.comes(at, None);
                self.handle(at, Event::AddressesChanged(listening), None).map(|()| None)
            }
            Next::Frame(head, frame, id) => {
                let link = head.link;
                let decoded = knock_compat::decode(&self.engine, link, frame);
                let coming = Coming { link, frame, id, decoded: decoded.as_ref().map_err(|w| *w) };
                self.comes(at, Some(coming));
                let event = decoded.map_or(Event::DeadlineReached, |packet| {
                    Event::captured(link, frame, packet, self.engine.doors().signed_knock())
                });
                let is_left_out = self.watcher.leaves_out(&event, &self.engine);
                let event = if is_left_out { Event::DeadlineReached } else { event };
                self.handle(at, event, decoded.is_ok().then_some(id)).map(|()| decoded.err())
            }
        }
    }

    fn comes(&mut self, at: Timestamp, frame: Option<Coming<'_>>) {
        self.watcher.comes(at, frame, &self.engine);
    }

    /// Lets something happen, and shows the watcher what follows.
    fn handle(&mut self, at: Timestamp, event: Event, packet: Option<PacketId>) -> io::Result<()> {
        let Self { engine, start, watcher } = self;
        let start = start.unwrap_or(Timestamp::EPOCH);
        engine.drive(at, event, CommandsEnd::SUCCEEDED, |engine, timed| {
            watcher.has_done(engine);
            let packet = packet.filter(|_| !timed.effect.is_due());
            watcher.happens(&Played { timed, packet, start, doors: engine.doors() })
        })?;
        watcher.handled(packet, engine);
        Ok(())
    }
}
