//! All tests, and what is printed of them.

use std::fs;
use std::path::Path;

use knock_config::text::{Cause, shown};

use super::find::{Found, find};
use super::judge::Judge;
use super::outcome::Outcome;
use super::text::Text;
use super::{json, junit};
use crate::Streams;
use crate::args::TestArgs;
use crate::exit::Exit;
use crate::session::overwrite::refuse_overwriting;

/// Runs the tests of folders.
pub(crate) fn run(args: &TestArgs, streams: &mut Streams<'_>) -> Exit {
    let found = match find(&args.folders, &args.only) {
        Ok(found) => found,
        Err(why) => {
            streams.say(&format!("knock-replay: error: {why}\n"));
            return Exit::Config;
        }
    };
    if let Some(file) = &args.junit {
        let read = found.iter().flat_map(Found::files).chain(args.config.as_deref());
        if let Some(exit) = refuse_overwriting("--junit", file, read, streams) {
            return exit;
        }
    }
    let text = Text { colour: streams.output_colour, quiet: args.quiet };
    let mut judge = Judge::new(args);
    let mut outcomes = Vec::new();
    for one in &found {
        let outcome = judge.judge(one);
        let printed = if args.json {
            print_object(streams, |out| json::test(&outcome, out))
        } else {
            streams.print(&text.line(&outcome))
        };
        outcomes.push(outcome);
        if printed != Exit::Done {
            return printed;
        }
    }
    let printed = if args.json {
        print_object(streams, |out| json::summary(&outcomes, out))
    } else {
        streams.print(&text.end(&outcomes))
    };
    let written = args.junit.as_ref().map_or(Exit::Done, |file| write(file, &outcomes, streams));
    let exits = outcomes.iter().map(|one| one.verdict.exit());
    worst(exits.chain([printed, written]))
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

fn print_object(
    streams: &mut Streams<'_>,
    write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>,
) -> Exit {
    let mut line = Vec::new();
    match write(&mut line) {
        Ok(()) => streams.print(&String::from_utf8_lossy(&line)),
        Err(error) => streams.cannot_write(&error),
    }
}

/// Writes what came of tests as JUnit XML.
fn write(file: &Path, outcomes: &[Outcome], streams: &mut Streams<'_>) -> Exit {
    let cause = match junit::document(outcomes) {
        Ok(text) => match fs::write(file, text) {
            Ok(()) => return Exit::Done,
            Err(error) => Cause(&error).to_string(),
        },
        Err(error) => error.to_string(),
    };
    streams.say(&format!("knock-replay: error: cannot write {}: {cause}\n", shown(file)));
    Exit::Output
}
