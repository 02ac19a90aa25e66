//! A replay on two threads: under a flood, rendering lines takes a third of the time.

use std::io;
use std::sync::mpsc;
use std::thread;

use knock_compat::Rules;
use knock_engine::{Doors, Limits};

use super::drive::PlayingDone;
use super::player::Player;
use super::reader::{Reader, ReadingDone};
use super::unwanted::{SomeClients, unwanted};
use crate::output::text::Printer;

/// How many packets of a file are decoded before the first of them is handled.
const AT_ONCE: usize = 16;
/// How many batches may wait for the printer, which bounds what a slow reader makes us keep.
const BATCHES: usize = 16;

/// Replays while a second thread prints the transcript.
pub(crate) fn play(
    rules: Rules,
    doors: Doors,
    limits: &Limits,
    mut reader: Reader,
    printer: Printer<'_>,
) -> (ReadingDone, PlayingDone, io::Result<()>) {
    let (effects, to_print) = mpsc::sync_channel(BATCHES);
    let (give_back, used) = mpsc::channel();
    let live = reader.is_live();
    let engine = rules.engine(doors, reader.listening(), limits);
    let doors = engine.doors().clone();
    reader.begin(unwanted(rules, &doors, SomeClients::nobody()));
    let player = Player::new(engine, effects, used, live);
    thread::scope(|scope| {
        let printing = scope.spawn(move || printer.run(&doors, &to_print, &give_back));
        // A live packet is handled as soon as it is there.
        let at_once = if live { 1 } else { AT_ONCE };
        let playing = player.play(|engine, events| reader.read(engine, at_once, events));
        let written = printing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (reader.finish(), playing, written)
    })
}
