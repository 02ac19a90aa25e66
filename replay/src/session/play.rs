//! The loop around an engine, for whoever wants to know which packet made what happen.
//!
//! `player.rs` and `printer.rs` do the same in batches and on two threads, for those who do not.

use std::io;

use knock_compat::{Engine, Rules, TimedEffect};
use knock_engine::{CommandsEnd, Counts, Doors, Event, Limits, Packet, Timestamp};

use crate::args::Args;
use crate::session::player::PlayingDone;
use crate::session::reader::{Next, PacketId, Reader};

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
    /// This comes next.
    fn comes(&mut self, _at: Timestamp, _next: &Next<'_>) {}

    /// This packet is going to be handled.
    fn decoded(&mut self, _id: PacketId, _packet: &Packet) {}

    /// This happens.
    ///
    /// # Errors
    /// Why all is to end here.
    fn happens(&mut self, played: &Played<'_>) -> io::Result<()>;

    /// This packet was handled, and so much has happened so far.
    fn handled(&mut self, _id: PacketId, _counts: Counts) {}
}

impl<F: FnMut(&Played<'_>) -> io::Result<()>> Watch for F {
    fn happens(&mut self, played: &Played<'_>) -> io::Result<()> {
        self(played)
    }
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
    watch(&crate::limits(args.max_attempts), rules, doors, reader, &mut see)
}

/// Does the same for one who looks at packets, too.
pub(crate) fn watch(
    limits: &Limits,
    rules: Rules,
    doors: Doors,
    reader: &mut Reader,
    watcher: &mut impl Watch,
) -> (PlayingDone, io::Result<()>) {
    let mut engine = rules.engine(doors, reader.listening(), limits);
    let mut start = None;
    let mut result = Ok(());
    loop {
        let more = reader.next(|at, next| {
            watcher.comes(at, &next);
            let (event, packet, decoded) = match next {
                Next::Addresses(listening) => (Event::AddressesChanged(listening), None, Ok(())),
                Next::Frame(link, frame, id) => match knock_compat::decode(&engine, link, frame) {
                    Ok(packet) => {
                        watcher.decoded(id, &packet);
                        (Event::Packet(packet), Some(id), Ok(()))
                    }
                    Err(why) => (Event::DeadlineReached, None, Err(why)),
                },
            };
            let start = *start.get_or_insert(at);
            result = perform(&mut engine, (at, event), start, packet, watcher);
            if let Some(id) = packet {
                watcher.handled(id, engine.counts());
            }
            decoded
        });
        reader.tick();
        if !more || result.is_err() {
            break;
        }
    }
    if result.is_ok() {
        let start = start.unwrap_or(Timestamp::EPOCH);
        result =
            perform(&mut engine, (Timestamp::MAX, Event::DeadlineReached), start, None, watcher);
    }
    (PlayingDone { counts: engine.counts(), listening: engine.listening().clone() }, result)
}

/// Lets something happen, and shows the watcher what follows.
fn perform(
    engine: &mut Engine,
    (at, event): (Timestamp, Event),
    start: Timestamp,
    packet: Option<PacketId>,
    watcher: &mut impl Watch,
) -> io::Result<()> {
    engine.drive(at, event, CommandsEnd::SUCCEEDED, |engine, timed| {
        let packet = packet.filter(|_| !timed.effect.is_due());
        watcher.happens(&Played { timed, packet, start, doors: engine.doors() })
    })
}
