//! `diff --new`: what a new configuration changes, on the same packets.
//!
//! Both configurations get every packet and every deadline at the same time. Whatever shows outside under
//! both at the same time is dropped at once; what is left over is kept, within a limit, and paired in the
//! end: an opening that comes later than before is one that moved, not one gone and one new.

mod cause;
mod change;
mod clients;
mod divergence;
mod event;
mod json;
mod pairing;
mod side;
mod text;

use std::convert::Infallible;
use std::path::Path;

use knock_compat::Undecodable;
use knock_config::options::Format;
use knock_config::text::printable;
use knock_engine::{Counts, Limits, Listening, Timestamp};

use self::cause::Because;
use self::change::{Change, Kind, Unmatched};
use self::divergence::{Divergences, StepVerdicts};
use self::event::{Named, Names, VisibleEvent};
use self::json::VERSION;
use self::pairing::{AllUnmatched, without_twins};
use self::side::Side;
use self::text::Text;
use crate::args::DiffArgs;
use crate::output::json::Json;
use crate::output::{Output, Results, buffered};
use crate::session::drive::each;
use crate::session::exit::Exit;
use crate::session::finish::finish;
use crate::session::incoming::{Incoming, WithPackets};
use crate::session::load::{self, Configuration};
use crate::session::names::CaptureNames;
use crate::session::reader::{Decoder, Next, Reader, ReadingDone};
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
    let mut both = Both::new(load::limits(input.max_attempts), old, new, &reader);
    both.play(&mut reader);
    // Takes the progress bar off the screen as well.
    let reading = reader.finish();
    let outcome = both.finish();
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

/// Both configurations at work.
struct Both {
    old: Side,
    new: Side,
    names: Names,
    captures: CaptureNames,
    start: Option<Timestamp>,
    verdicts: StepVerdicts,
    divergences: Divergences,
    unmatched: AllUnmatched,
    /// What happens in a step.
    events: (Vec<VisibleEvent>, Vec<VisibleEvent>),
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

impl Both {
    fn new(limits: Limits, old: Configuration, new: Configuration, reader: &Reader) -> Self {
        let mut names = Names::default();
        let mut side = |Configuration { name, doors, places }| {
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
            verdicts: StepVerdicts::default(),
            divergences: Divergences::default(),
            unmatched: AllUnmatched::default(),
            events: (Vec::new(), Vec::new()),
        }
    }

    fn play(&mut self, reader: &mut Reader) {
        // A cause can be a packet to any port.
        reader.begin(None);
        // Nothing is written yet, and nothing can fail.
        let Ok(()) = each(reader, BothSights::of(&self.old, &self.new), |(old, new)| {
            self.start.get_or_insert(old.at);
            self.time_until(old.at);
            self.step(old, new);
            Ok::<_, Infallible>(())
        });
        self.time_until(Timestamp::MAX);
    }

    /// Lets both do what is due up to a moment, deadline by deadline, as they do before a packet.
    fn time_until(&mut self, at: Timestamp) {
        let next = |both: &Self| {
            let [old, new] = [&both.old, &both.new].map(|side| side.explainer().next_deadline());
            old.into_iter().chain(new).min().filter(|due| *due <= at)
        };
        while let Some(due) = next(self) {
            self.step(Incoming::time(due), Incoming::time(due));
        }
    }

    /// Lets something happen, as both see it.
    fn step(&mut self, as_old: Incoming, as_new: Incoming) {
        let Self { old, new, verdicts, divergences, unmatched, events: (olds, news), .. } = self;
        verdicts.clear();
        old.step(as_old, olds, |door, one| verdicts.take_old(door, one));
        new.step(as_new, news, |door, one| verdicts.take_new(door, one));
        divergences.take(verdicts);
        without_twins(olds, news);
        let mut keep = |event: VisibleEvent| {
            let divergence = divergences.of(event.key.client, event.key.door);
            Unmatched { event, divergence }
        };
        olds.drain(..).for_each(|event| unmatched.add_old(keep(event)));
        news.drain(..).for_each(|event| unmatched.add_new(keep(event)));
    }

    fn finish(self) -> Outcome {
        let Self { old, new, names, captures, start, divergences, unmatched, .. } = self;
        let (changes, left_out) = unmatched.paired();
        let start = start.unwrap_or(Timestamp::EPOCH);
        Outcome { old, new, names, captures, start, divergences, changes, left_out }
    }
}

/// Decodes frames as both configurations see them: signed packets can go to other ports.
struct BothSights {
    old: WithPackets,
    new: WithPackets,
}

impl BothSights {
    fn of(old: &Side, new: &Side) -> Self {
        Self { old: WithPackets(old.sight()), new: WithPackets(new.sight()) }
    }
}

impl Decoder for BothSights {
    type Input = (Incoming, Incoming);

    fn decode(
        &self,
        at: Timestamp,
        listening: &Listening,
        next: Next<'_>,
        inputs: &mut Vec<Self::Input>,
    ) -> Result<(), Undecodable> {
        let (as_old, found) = self.old.incoming(at, listening, next.clone());
        let (as_new, _) = self.new.incoming(at, listening, next);
        inputs.push((as_old, as_new));
        found
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
