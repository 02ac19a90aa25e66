//! The mode without a subcommand: the transcript, or what is expected of it.

use std::io::{self, Write};
use std::path::PathBuf;

use knock_compat::Rules;
use knock_config::options::Format;
use knock_config::text::ThreadFault;
use knock_engine::Limits;

use crate::args::ReplayArgs;
use crate::output::buffered;
use crate::output::json::Json;
use crate::output::text::{Printer, Shown};
use crate::output::transcript::{Objects, VERSION};
use crate::session::drive::{PlayingDone, watch};
use crate::session::exit::Exit;
use crate::session::finish::finish;
use crate::session::load::{self, Configuration};
use crate::session::outgoing::printing;
use crate::session::overwrite::refuse_overwriting;
use crate::session::play::play;
use crate::session::progress::Bar;
use crate::session::reader::{Reader, ReadingDone};
use crate::session::terminal::Streams;
use crate::shard::{self, Shard, ShardFacts, Sharded};
use crate::test;

/// A configuration and captures that are to be replayed.
pub(crate) struct Replay {
    pub(crate) rules: Rules,
    pub(crate) config: Configuration,
    pub(crate) reader: Reader,
    pub(crate) bar: Option<Bar>,
}

/// Replays, and prints the transcript, or what differs from what is expected.
pub(crate) fn run(args: &ReplayArgs, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
    let input = &args.input;
    let config = Configuration::begin(&input.config, input, streams)?;
    // Objects are printed while the bar would be.
    let (reader, bar) = load::open(input, &[&config.doors], args.format == Format::Text, streams)?;
    let rules = args.rules.one().unwrap_or(Rules::Knock);
    if let Some(refusal) = rules.refusal(&config.doors, &reader.listening()) {
        streams.error(&format!("knockd 0.8 would not start: {refusal}"));
        return Err(Exit::Config);
    }
    if let Some(why) = args.shard.and_then(|_| shard::refusal(&config.doors)) {
        streams.error(&why);
        return Err(Exit::Config);
    }
    if let Some(file) = args.expect.as_ref().filter(|_| args.bless) {
        let read = input.captures().map(PathBuf::as_path).chain([input.config.as_path()]);
        let read = read.chain(args.assert.iter().map(PathBuf::as_path));
        let read = read.chain(config.places.files());
        refuse_overwriting("--bless", file, read, streams)?;
    }
    let replay = Replay { rules, config, reader, bar };
    if args.format == Format::Json {
        return objects(args, replay, streams);
    }
    if !args.assert.is_empty() {
        return test::assert::run(args, replay, streams);
    }
    if let Some(file) = &args.expect {
        return test::expect::run(args, file, replay, streams);
    }
    let played = replay.transcript(args, streams.output, streams.errors);
    let (reading, playing, written) = played.map_err(|why| streams.cannot_start(&why))?;
    let summary = reading.summary_of(&playing);
    finish(streams, input.quiet, written, &reading, summary).map(|()| Exit::Done)
}

impl ReplayArgs {
    /// Returns what is shown of the transcript.
    pub(crate) const fn shown(&self) -> Shown {
        let (no_lines, warnings) = (false, !self.input.quiet);
        Shown { no_lines, times: self.time, notes: self.verbose, warnings }
    }
}

impl Replay {
    /// Replays, and writes the transcript to `out` and all else to `messages`.
    ///
    /// # Errors
    /// As [`play`].
    pub(crate) fn transcript(
        self,
        args: &ReplayArgs,
        out: &mut (dyn Write + Send),
        messages: &mut (dyn Write + Send),
    ) -> Result<(ReadingDone, PlayingDone, io::Result<()>), ThreadFault> {
        let Self { rules, config: Configuration { doors, .. }, reader, bar } = self;
        let limits = load::limits(args.input.max_attempts);
        play(rules, doors, &limits, reader, Printer::new(args.shown(), bar, out, messages))
    }
}

/// Replays, and prints what happens as objects; with `--shard`, to a part of the clients.
fn objects(args: &ReplayArgs, replay: Replay, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
    let Replay { rules, config, mut reader, bar: _ } = replay;
    let (captures, live) = (reader.names(), reader.is_live());
    let limits = load::limits(args.input.max_attempts);
    let facts = args.shard.map(|shard| {
        let options = (args.input.max_attempts.get(), args.verbose);
        ShardFacts::new(shard, (&captures, &config), options)
    });
    let limits = match facts {
        // All of them: `merge` leaves out those that are too many.
        Some(_) => Limits { void_reports: u32::MAX, ..limits },
        None => limits,
    };
    let engine = rules.engine(config.doors, reader.listening(), &limits);
    let doors = engine.doors().clone();
    let (done, written) = buffered(streams.output, |out| {
        let mut objects = Objects::new(Json::new(VERSION, live, out), &captures, args.verbose);
        let print = |to_print| objects.run(&doors, to_print);
        // Why the printer ended, if it did, is what it returns.
        let played = printing(live, print, |mut outgoing| {
            let Some(facts) = facts else {
                let (playing, _) = watch(rules, engine, &mut reader, &mut outgoing);
                let _ = outgoing.end();
                return (playing, None);
            };
            let mut sharded = Sharded::new(facts, outgoing);
            let (mut playing, _) = watch(rules, engine, &mut reader, &mut sharded);
            let (outgoing, facts, admitted) = sharded.end();
            let _ = outgoing.end();
            playing.counts.admitted = admitted;
            (playing, Some(facts))
        });
        let ((playing, facts), written) = match played {
            Ok(played) => played,
            Err(why) => return (Err(why), Ok(())),
        };
        let reading = reader.finish();
        let written = written.and_then(|()| objects.write_summary((&playing, &reading), facts));
        (Ok((reading, playing)), written)
    });
    let (reading, playing) = done.map_err(|why| streams.cannot_start(&why))?;
    let mut summary = reading.summary_of(&playing);
    if let Some(Shard { number, of }) = args.shard {
        summary
            .push(format!("shard {number} of {of}: attempts and opens are those of its clients"));
    }
    finish(streams, args.input.quiet, written, &reading, summary).map(|()| Exit::Done)
}
