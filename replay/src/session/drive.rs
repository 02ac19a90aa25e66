//! The loops of a replay: over what is read, and around an engine.
//!
//! `player.rs` drives an engine in batches and reads and prints on other threads, for those who need not know
//! which packet made what happen.

use std::io;
use std::thread;

use knock_compat::{Effect, Engine, Rules, Sight, TimedEffect};
use knock_engine::{ANTICIPATED, CommandsEnd, Counts, Doors, Event, Listening, Timestamp};

use super::incoming::{Incoming, WithPackets};
use super::names::PacketId;
use super::outgoing::Outgoing;
use super::read_ahead::ReadAhead;
use super::reader::{Decoder, Reader};
use super::unwanted::{SomeClients, unwanted};
use crate::output::transcript::Entry;

/// Hands over what is read and decoded, as much at once as is there, to the end or the first error of `step`. What is
/// left of it is removed when `step` ends. Another thread reads ahead, unless packets are live.
///
/// # Errors
/// That of `step`.
pub(crate) fn in_pieces<D, E>(
    reader: &mut Reader,
    decoder: D,
    mut step: impl FnMut(&mut Vec<D::Input>) -> Result<(), E>,
) -> Result<(), E>
where
    D: Decoder<Input: Send> + Send,
{
    let mut inputs = Vec::new();
    if reader.is_live() {
        // Each is handled as soon as it is there.
        loop {
            inputs.clear();
            reader.read(&decoder, 1, &mut inputs);
            if inputs.is_empty() {
                return Ok(());
            }
            step(&mut inputs)?;
        }
    }
    thread::scope(|scope| {
        let mut ahead = ReadAhead::begin(scope, reader, decoder);
        let result = loop {
            inputs.clear();
            ahead.next(&mut inputs);
            if inputs.is_empty() {
                break Ok(());
            }
            if let Err(error) = step(&mut inputs) {
                break Err(error);
            }
        };
        ahead.end();
        result
    })
}

/// Takes one input after another out of a piece, and before some of them are taken, lets `anticipate` have a look
/// at them, at most [`ANTICIPATED`]: what it fetches from memory is there in time.
///
/// # Errors
/// That of `step`.
pub(crate) fn anticipating<C, T, E>(
    context: &mut C,
    inputs: &mut Vec<T>,
    anticipate: impl Fn(&C, &[T]),
    mut step: impl FnMut(&mut C, T) -> Result<(), E>,
) -> Result<(), E> {
    let mut inputs = inputs.drain(..);
    while !inputs.as_slice().is_empty() {
        let next = inputs.as_slice();
        anticipate(context, next.get(..ANTICIPATED).unwrap_or(next));
        inputs.by_ref().take(ANTICIPATED).try_for_each(|input| step(context, input))?;
    }
    Ok(())
}

/// Does the same with a piece that stays as it is; `step` gets the place of each input in it as well.
///
/// # Errors
/// That of `step`.
#[inline]
pub(crate) fn anticipating_each<C, T, E>(
    context: &mut C,
    inputs: &[T],
    anticipate: impl Fn(&C, &[T]),
    mut step: impl FnMut(&mut C, usize, &T) -> Result<(), E>,
) -> Result<(), E> {
    let mut places = 0..;
    for next in inputs.chunks(ANTICIPATED) {
        anticipate(context, next);
        for (input, place) in next.iter().zip(&mut places) {
            step(context, place, input)?;
        }
    }
    Ok(())
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

/// Who looks on while packets are replayed.
pub(crate) trait Watch {
    /// Returns whose packets it wants to see whatever their ports are.
    fn looked_at(&self) -> SomeClients {
        SomeClients::nobody()
    }

    /// The engine is going to handle this.
    fn comes(&mut self, _incoming: &Incoming, _engine: &Engine) {}

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
    ///
    /// # Errors
    /// Why all is to end here.
    fn handled(&mut self, _packet: Option<PacketId>, _engine: &Engine) -> io::Result<()> {
        Ok(())
    }
}

impl<F: FnMut(&Played<'_>) -> io::Result<()>> Watch for F {
    fn happens(&mut self, played: &Played<'_>) -> io::Result<()> {
        self(played)
    }
}

/// What happens goes to the thread that prints objects.
impl Watch for Outgoing<Entry> {
    fn happens(&mut self, played: &Played<'_>) -> io::Result<()> {
        self.begin(played.start);
        Ok(self.take(Entry::of(played))?)
    }

    fn handled(&mut self, _packet: Option<PacketId>, _engine: &Engine) -> io::Result<()> {
        Ok(self.complete()?)
    }
}

/// Replays packets one by one for an engine of these rules that has heard nothing, every command succeeding at once, and lets time run on in the end until
/// nothing is due. The first error of the watcher ends all.
pub(crate) fn watch(
    rules: Rules,
    engine: Engine,
    reader: &mut Reader,
    watcher: &mut impl Watch,
) -> (PlayingDone, io::Result<()>) {
    reader.begin(unwanted(rules, engine.doors(), watcher.looked_at()));
    let decoder = WithPackets(Sight::of(&engine));
    let mut replay = Replay { engine, start: None, watcher };
    let mut result = in_pieces(reader, decoder, |inputs| replay.step_all(inputs));
    if result.is_ok() {
        // Nothing of it happened before the first packet.
        result = replay.handle(Incoming::time(Timestamp::MAX));
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
    fn step_all(&mut self, inputs: &mut Vec<Incoming>) -> io::Result<()> {
        if let Some(first) = inputs.first() {
            self.start.get_or_insert(first.at);
        }
        let anticipate = |replay: &Self, next: &[Incoming]| {
            replay.engine.anticipate(next.iter().filter_map(Incoming::decoded));
        };
        anticipating(self, inputs, anticipate, Self::handle)
    }

    /// Lets something happen, and shows the watcher what follows.
    fn handle(&mut self, incoming: Incoming) -> io::Result<()> {
        let Self { engine, start, watcher } = self;
        let start = start.unwrap_or(Timestamp::EPOCH);
        watcher.comes(&incoming, engine);
        let (at, packet) = (incoming.at, incoming.packet());
        let event = incoming.into_event();
        let is_left_out = watcher.leaves_out(&event, engine);
        let event = if is_left_out { Event::DeadlineReached } else { event };
        // What is due comes before what the packet does, so all that comes after a closing is done by it.
        let mut closes = false;
        engine.drive(at, event, CommandsEnd::SUCCEEDED, |engine, timed| {
            watcher.has_done(engine);
            closes |= matches!(timed.effect, Effect::Closing { .. });
            let packet = packet.filter(|_| closes || !timed.effect.is_due());
            watcher.happens(&Played { timed, packet, start, doors: engine.doors() })
        })?;
        watcher.handled(packet, engine)
    }
}
