//! The loop around an engine, for whoever wants to know which packet made what happen.
//!
//! `player.rs` and `printer.rs` do the same in batches and on two threads, for those who do not.

use std::io;

use knock_engine::{
    CommandStatus, Doors, Effect, Engine, Event, Phase, Rules, TimedEffect, Timestamp,
};

use crate::args::Args;
use crate::player::PlayingDone;
use crate::reader::{Next, PacketId, Reader};

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

/// Replays packets one by one, answering that every command succeeded at once, and lets time run on in
/// the end until nothing is due. `see` gets each effect; the first error it returns ends all.
pub(crate) fn play(
    args: &Args,
    rules: Rules,
    doors: Doors,
    reader: &mut Reader,
    mut see: impl FnMut(&Played<'_>) -> io::Result<()>,
) -> (PlayingDone, io::Result<()>) {
    let limits = crate::limits(args.max_attempts);
    let mut engine = Engine::new(doors, reader.listening(), rules, &limits);
    let mut start = None;
    let mut result = Ok(());
    loop {
        let more = reader.next(|at, next| {
            let (event, packet, decoded) = match next {
                Next::Addresses(listening) => (Event::AddressesChanged(listening), None, Ok(())),
                Next::Frame(link, frame, id) => match engine.decode(link, frame) {
                    Ok(packet) => (Event::Packet(packet), Some(id), Ok(())),
                    Err(why) => (Event::DeadlineReached, None, Err(why)),
                },
            };
            let start = *start.get_or_insert(at);
            engine.handle(at, event);
            result = perform(&mut engine, start, packet, &mut see);
            decoded
        });
        reader.tick();
        if !more || result.is_err() {
            break;
        }
    }
    if result.is_ok() {
        engine.handle(Timestamp::MAX, Event::DeadlineReached);
        result = perform(&mut engine, start.unwrap_or(Timestamp::EPOCH), None, &mut see);
    }
    (PlayingDone { counts: engine.counts(), listening: engine.listening().clone() }, result)
}

/// Takes what the engine wants done or known.
fn perform(
    engine: &mut Engine,
    start: Timestamp,
    packet: Option<PacketId>,
    see: &mut impl FnMut(&Played<'_>) -> io::Result<()>,
) -> io::Result<()> {
    while let Some(timed) = engine.poll_effect() {
        let packet = packet.filter(|_| !is_due(&timed.effect));
        see(&Played { timed, packet, start, doors: engine.doors() })?;
        if let Effect::RunCommand { run, .. } = timed.effect {
            let status = CommandStatus::SUCCESS;
            engine.handle(timed.at, Event::CommandEnded { run, status });
        }
    }
    Ok(())
}

/// Returns whether time makes an effect happen, not a packet.
pub(crate) const fn is_due(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::SequenceTimedOut { .. }
            | Effect::CommandTimedOut { .. }
            | Effect::RunCommand { phase: Phase::Stop, .. }
    )
}
