//! All tests, and what is printed of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use knock_config::options::Format;
use knock_config::text::shown;
use knock_guard::Readers;

use super::find::find;
use super::json::VERSION;
use super::judge::Judge;
use super::junit;
use super::outcome::Outcome;
use super::text::Text;
use crate::args::TestArgs;
use crate::output::json::Json;
use crate::output::{Output, Results};
use crate::session::exit::Exit;
use crate::session::overwrite::target;
use crate::session::terminal::Streams;

/// All tests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary<'a> {
    pub(super) outcomes: &'a [Outcome],
    /// The configurations in the folders that no test reads, fit to be printed.
    pub(super) uncovered: &'a [String],
}

/// Tests, and in the end all of them.
pub(super) enum Tests {}

impl Results for Tests {
    type One<'a> = &'a Outcome;
    type End<'a> = Summary<'a>;
}

/// Runs the tests of folders.
pub(crate) fn run(args: &TestArgs, streams: &mut Streams<'_>) -> Exit {
    let (found, configs) = match find(&args.folders, &args.only) {
        Ok(found) => found,
        Err(why) => {
            streams.error(&why.to_string());
            return Exit::Config;
        }
    };
    let mut judge = Judge::new(args);
    let expected = found.iter().filter_map(|one| one.expect.as_deref());
    let read = judge.look(&found).iter().map(PathBuf::as_path).chain(expected);
    let junit = args.junit.as_deref();
    let junit = junit.map(|file| target("--junit", file, Readers::AsBefore, read, streams));
    let junit = match junit.transpose() {
        Ok(junit) => junit,
        Err(exit) => return exit,
    };
    let colour = streams.output_colour;
    let mut output: Box<dyn Output<Tests> + '_> = match args.format() {
        Format::Text => Box::new(Text { colour, quiet: args.quiet, out: streams.output }),
        Format::Json => Box::new(Json::new(VERSION, true, streams.output)),
    };
    let mut outcomes = Vec::new();
    let mut written = Ok(());
    for one in &found {
        let outcome = judge.judge(one);
        written = output.one(&outcome);
        outcomes.push(outcome);
        if written.is_err() {
            break;
        }
    }
    let is_cut_short = written.is_err();
    // With some tests only, or one configuration for all, there are others on purpose.
    let is_whole = args.only.is_empty() && args.config.is_none();
    let uncovered = if is_whole { uncovered(&configs, &judge) } else { Vec::new() };
    let summary = Summary { outcomes: &outcomes, uncovered: &uncovered };
    let written = written.and_then(|()| output.end(summary));
    drop(output);
    let printed = written.map_or_else(|error| streams.cannot_write(&error), |()| Exit::Done);
    if is_cut_short {
        return printed;
    }
    let written = junit.map(|file| junit::write(file, &outcomes));
    let written = match (&args.junit, written) {
        (Some(file), Some(Err(error))) => streams.cannot_write_file(file, &error),
        (Some(_) | None, Some(_) | None) => Exit::Done,
    };
    let exits = outcomes.iter().map(|one| one.verdict.exit());
    worst(exits.chain([printed, written]))
}

/// Returns the configurations that no test reads, under no other name either.
fn uncovered(configs: &BTreeSet<PathBuf>, judge: &Judge<'_>) -> Vec<String> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let covered: BTreeSet<PathBuf> = judge.configs().map(real).collect();
    let uncovered = configs.iter().filter(|path| !covered.contains(&real(path)));
    uncovered.map(|path| shown(path)).collect()
}

/// Returns the exit status that comes first.
fn worst(exits: impl Iterator<Item = Exit>) -> Exit {
    let rank = |exit: &Exit| match exit {
        Exit::Done => 0,
        Exit::Differ => 1,
        Exit::Capture => 2,
        Exit::Config => 3,
        Exit::Output => 4,
    };
    exits.max_by_key(rank).unwrap_or(Exit::Done)
}
