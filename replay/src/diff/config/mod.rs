//! `--against`: what a new configuration changes, on the same packets.
//!
//! Both configurations get every packet and every deadline at the same time. Whatever shows outside under
//! both at the same time is dropped at once; what is left over is kept, within a limit, and paired in the
//! end: an opening that comes later than before is one that moved, not one gone and one new.

mod cause;
mod event;
mod json;
mod pairing;
mod parting;
mod side;
mod text;

use std::io::{self, BufWriter, Write as _};

use knock_config::options::Format;
use knock_engine::Undecodable;
use knock_engine::{Counts, Doors, Timestamp};

use self::cause::Because;
use self::event::{Event, Named, Names};
use self::pairing::{AllUnmatched, Change, Kind, Unmatched, without_twins};
use self::parting::{Partings, Told};
use self::side::{Side, Step};
use crate::Streams;
use crate::args::Args;
use crate::exit::Exit;
use crate::explain::Places;
use crate::session::reader::{CaptureNames, Reader, ReadingDone};

/// A configuration as it was read: the name of its file, its doors and where it says what.
pub(crate) type Configuration = (String, Doors, Places);

/// Replays under both configurations, and prints what the new one changes.
pub(crate) fn run(
    args: &Args,
    old: Configuration,
    new: Configuration,
    mut reader: Reader,
    streams: &mut Streams<'_>,
) -> Exit {
    let mut both = Both::new(args, old, new, &reader);
    both.play(&mut reader);
    // Takes the progress bar off the screen as well.
    let reading = reader.finish();
    let outcome = both.finish();
    let mut out = BufWriter::with_capacity(64 * 1024, &mut *streams.output);
    let written = match args.checking.format {
        Format::Text => text::print(&outcome, args.time, streams.output_colour, &mut out),
        Format::Json => json::print(&outcome, &reading, &mut out),
    };
    let written = written.and_then(|()| out.flush());
    // What is left in the buffer after an error is of no use to anybody.
    drop(out.into_parts());
    finish(args, &outcome, &reading, written, streams)
}

/// Says what there is to say besides. Returns how the program ends.
fn finish(
    args: &Args,
    outcome: &Outcome,
    reading: &ReadingDone,
    written: io::Result<()>,
    streams: &mut Streams<'_>,
) -> Exit {
    if let Err(error) = written {
        return streams.cannot_write(&error);
    }
    if !args.quiet {
        for line in text::summary(outcome, reading) {
            streams.say(&format!("knock-replay: {line}\n"));
        }
    }
    for error in &reading.errors {
        streams.cannot_read(error);
    }
    if !reading.errors.is_empty() {
        return Exit::Capture;
    }
    if outcome.counts().admitted == 0 {
        streams.say(
            "knock-replay: error: no packet was admitted under either configuration, so nothing was \
             compared\n",
        );
        return Exit::Differ;
    }
    if outcome.is_same() { Exit::Done } else { Exit::Differ }
}

/// Both configurations at work.
struct Both {
    old: Side,
    new: Side,
    names: Names,
    captures: CaptureNames,
    start: Option<Timestamp>,
    told: Told,
    partings: Partings,
    unmatched: AllUnmatched,
    /// What happens in a step.
    events: (Vec<Event>, Vec<Event>),
}

/// What the two did on all packets.
struct Outcome {
    old: Side,
    new: Side,
    names: Names,
    captures: CaptureNames,
    /// When the first packet came.
    start: Timestamp,
    partings: Partings,
    /// In the order of time.
    changes: Vec<Change>,
    /// How many events there were besides, under either, that are not compared.
    left_out: u64,
}

impl Both {
    fn new(args: &Args, old: Configuration, new: Configuration, reader: &Reader) -> Self {
        let limits = crate::limits(args.max_attempts);
        let mut names = Names::default();
        let mut side = |(name, doors, places): Configuration| {
            let by_index = names.take(&doors);
            Side::new(name, (doors, places), by_index, reader.listening(), &limits)
        };
        let (old, new) = (side(old), side(new));
        Self {
            old,
            new,
            names,
            captures: reader.names(),
            start: None,
            told: Told::default(),
            partings: Partings::default(),
            unmatched: AllUnmatched::default(),
            events: (Vec::new(), Vec::new()),
        }
    }

    fn play(&mut self, reader: &mut Reader) {
        while reader.next(|at, next| {
            self.start.get_or_insert(at);
            self.time_until(at);
            self.step(at, &Step::Captured(next))
        }) {
            reader.tick();
        }
        self.time_until(Timestamp::MAX);
    }

    /// Lets both do what is due up to a moment, deadline by deadline, as they do before a packet.
    fn time_until(&mut self, at: Timestamp) {
        let next = |both: &Self| {
            let [old, new] = [&both.old, &both.new].map(|side| side.explainer().next_deadline());
            old.into_iter().chain(new).min().filter(|due| *due <= at)
        };
        while let Some(due) = next(self) {
            // Nothing is decoded.
            let _ = self.step(due, &Step::Time);
        }
    }

    /// Lets something happen under both. The error is why no port was found in a frame.
    fn step(&mut self, at: Timestamp, step: &Step<'_>) -> Result<(), Undecodable> {
        let Self { old, new, told, partings, unmatched, events: (olds, news), .. } = self;
        told.clear();
        let decoded = old.step(at, step, olds, |door, one| told.take_old(door, one));
        // The frame is the same.
        let _ = new.step(at, step, news, |door, one| told.take_new(door, one));
        partings.take(told);
        without_twins(olds, news);
        let mut keep = |event: Event| {
            let parting = partings.of(event.key.client, event.key.door);
            Unmatched { event, parting }
        };
        olds.drain(..).for_each(|event| unmatched.add_old(keep(event)));
        news.drain(..).for_each(|event| unmatched.add_new(keep(event)));
        decoded
    }

    fn finish(self) -> Outcome {
        let Self { old, new, names, captures, start, partings, unmatched, .. } = self;
        let (changes, left_out) = unmatched.paired();
        let start = start.unwrap_or(Timestamp::EPOCH);
        Outcome { old, new, names, captures, start, partings, changes, left_out }
    }
}

impl Outcome {
    fn is_same(&self) -> bool {
        self.changes.is_empty() && self.left_out == 0
    }

    /// Returns what is worth a warning under either.
    fn counts(&self) -> Counts {
        let [old, new] = [&self.old, &self.new].map(|side| side.explainer().counts());
        Counts {
            admitted: old.admitted.max(new.admitted),
            evicted: old.evicted.max(new.evicted),
            forgotten_knocks: old.forgotten_knocks.max(new.forgotten_knocks),
            refused: old.refused.max(new.refused),
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
        knock_config::text::printable(self.names.name(named))
    }

    fn because(&self, change: &Change) -> Because {
        Because::of(change, self)
    }
}
