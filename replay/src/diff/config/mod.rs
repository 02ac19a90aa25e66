//! `diff --new`: what a new configuration changes, on the same packets.
//!
//! Each configuration has a thread of its own and gets every packet. What both do is compared step by step: with
//! a packet, or when something is due under either. Whatever shows outside under both at the same time is dropped
//! at once; what is left over is kept, within a limit, and paired in the end: an opening that comes later than
//! before is one that moved, not one gone and one new.

mod cause;
mod change;
mod clients;
mod divergence;
mod event;
mod input;
mod json;
mod left_out;
mod outlet;
mod pairing;
mod play;
mod side;
mod step;
mod text;
mod twins;
mod worker;

use std::path::Path;

use knock_config::options::Format;
use knock_config::text::printable;
use knock_engine::{Counts, Timestamp};

use self::cause::Because;
use self::change::{Change, Kind};
use self::divergence::Divergences;
use self::event::{Named, Names};
use self::json::VERSION;
use self::play::Both;
use self::side::Side;
use self::text::Text;
use crate::args::DiffArgs;
use crate::output::json::Json;
use crate::output::{Output, Results, buffered};
use crate::session::exit::Exit;
use crate::session::finish::finish;
use crate::session::load::{self, Configuration};
use crate::session::names::CaptureNames;
use crate::session::reader::ReadingDone;
use crate::session::terminal::Streams;

/// What differs, known at once in the end.
enum Changes {}

impl Results for Changes {
    type One<'a> = &'a Outcome;
    type End<'a> = (&'a Outcome, &'a ReadingDone);
}

/// Replays under both configurations, and prints what the new one changes.
pub(crate) fn run(args: &DiffArgs, new: &Path, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
    let input = &args.input;
    let old = Configuration::begin(&input.config, input, streams)?;
    let new = Configuration::begin(new, input, streams)?;
    let (mut reader, _) =
        load::open(input, &[&old.doors, &new.doors], args.format == Format::Text, streams)?;
    let both = Both::new(load::limits(input.max_attempts), old, new, &reader);
    let played = both.play(&mut reader);
    // Takes the progress bar off the screen as well.
    let reading = reader.finish();
    let outcome = played.map_err(|why| streams.cannot_start(&why))?;
    let colour = streams.output_colour;
    let ((), written) = buffered(streams.output, |out| {
        let mut output: Box<dyn Output<Changes> + '_> = match args.format {
            Format::Text => Box::new(Text::new(args.time, colour, out)),
            Format::Json => Box::new(Json::new(VERSION, false, out)),
        };
        let written = output.one(&outcome).and_then(|()| output.end((&outcome, &reading)));
        ((), written)
    });
    finish(streams, input.quiet, written, &reading, text::summary(&outcome, &reading))?;
    if outcome.counts().admitted == 0 {
        streams.error("no packet was admitted under either configuration, so nothing was compared");
        return Ok(Exit::Differ);
    }
    Ok(if outcome.is_same() { Exit::Done } else { Exit::Differ })
}

/// What the two did on all packets.
struct Outcome {
    old: Side,
    new: Side,
    names: Names,
    captures: CaptureNames,
    /// When the first packet came.
    start: Timestamp,
    divergences: Divergences,
    /// In the order of time.
    changes: Vec<Change>,
    /// How many events there were besides, under either, that are not compared.
    left_out: u64,
}

impl Outcome {
    fn is_same(&self) -> bool {
        self.changes.is_empty() && self.left_out == 0
    }

    /// Returns what is worth a warning under either.
    fn counts(&self) -> Counts {
        let [old, new] = [&self.old, &self.new].map(|side| side.explainer.counts());
        Counts {
            admitted: old.admitted.max(new.admitted),
            evicted: old.evicted.max(new.evicted),
            forgotten_knocks: old.forgotten_knocks.max(new.forgotten_knocks),
            refused: old.refused.max(new.refused),
            forgotten_openings: old.forgotten_openings.max(new.forgotten_openings),
            forgotten_cooldowns: old.forgotten_cooldowns.max(new.forgotten_cooldowns),
            ..new
        }
    }

    /// Returns how many changes there are of each kind.
    fn count(&self, wanted: Kind, is_wanted: impl Fn(&Change) -> bool) -> usize {
        let changes = self.changes.iter();
        changes.filter(|change| change.kind() == wanted && is_wanted(change)).count()
    }

    fn door(&self, named: Named) -> String {
        printable(self.names.name(named))
    }

    fn because(&self, change: &Change) -> Because {
        Because::of(change, self)
    }
}
