//! A replay on three threads: under a flood, reading packets and rendering lines take half of the time.

use std::io;
use std::thread;

use knock_compat::{Rules, Sight};
use knock_config::text::ThreadFault;
use knock_engine::{Doors, Limits};

use super::drive::PlayingDone;
use super::outgoing::printing;
use super::player::Player;
use super::read_ahead::ReadAhead;
use super::reader::{Reader, ReadingDone};
use super::unwanted::{SomeClients, unwanted};
use crate::output::text::Printer;

/// Replays while one thread reads ahead, unless packets are live, and one prints the transcript.
///
/// # Errors
/// Why there is no thread that prints. Nothing was replayed.
pub(crate) fn play(
    rules: Rules,
    doors: Doors,
    limits: &Limits,
    mut reader: Reader,
    printer: Printer<'_>,
) -> Result<(ReadingDone, PlayingDone, io::Result<()>), ThreadFault> {
    let live = reader.is_live();
    let engine = rules.engine(doors, reader.listening(), limits);
    let (doors, sight) = (engine.doors().clone(), Sight::of(&engine));
    reader.begin(unwanted(rules, &doors, SomeClients::nobody()));
    let print = |to_print| printer.run(&doors, to_print);
    let (playing, written) = printing(live, print, |outgoing| {
        let player = Player::new(engine, outgoing);
        if live {
            // Each is handled as soon as it is there. If the output is closed, the replay ends, and does
            // not wait for one more.
            return player.play(|events| reader.read(&sight, 1, events));
        }
        thread::scope(|scope| {
            let mut ahead = ReadAhead::begin(scope, &mut reader, sight);
            let playing = player.play(|events| ahead.next(events));
            ahead.end();
            playing
        })
    })?;
    Ok((reader.finish(), playing, written))
}
