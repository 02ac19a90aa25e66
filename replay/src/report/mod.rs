//! `report`: a page on which people see what happened, client by client and door by door.

mod chains;
mod collect;
mod data;
mod figures;
mod findings;
mod groups;
mod hidden;
mod html;
mod markup;
mod openings;
mod pair;
mod phrases;
mod rows;
mod stretch;
mod summary;
mod table;

use std::mem::ManuallyDrop;
use std::path::PathBuf;

use knock_guard::Readers;

use self::collect::{Limits, PageContent};
use self::data::Data;
use self::findings::Findings;
use self::openings::Openings;
use self::summary::Summary;
use crate::args::{ReportArgs, Whom};
use crate::explain::Explaining;
use crate::session::exit::Exit;
use crate::session::finish::finish;
use crate::session::interrupt::Interrupt;
use crate::session::load::{self, Configuration};
use crate::session::overwrite::target;
use crate::session::terminal::Streams;

/// How many clients at doors are followed: some 500 MB at most.
const PAIRS: usize = 262_144;

/// Replays, and writes what happened as a page.
pub(crate) fn run(args: &ReportArgs, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
    let ReportArgs { input, output, option } = args;
    let config = Configuration::begin(&input.config, input, streams)?;
    let interrupt = Interrupt::hold(input.captures().map(PathBuf::as_path), streams)?;
    let mut reader = match &interrupt {
        Some(interrupt) => load::open_until(interrupt, input, &[&config.doors], streams)?,
        None => load::open(input, &[&config.doors], true, streams)?.0,
    };
    let read = input.captures().map(PathBuf::as_path).chain([input.config.as_path()]);
    let read = read.chain(config.places.files());
    let file = target(option, output, Readers::Owner, read, streams)?;
    let limits = load::limits(input.max_attempts);
    let explaining = Explaining::new(Whom::All, &limits, &config, &reader);
    // To free the memory of a flood piece by piece takes long, and the program ends soon.
    let mut explaining = ManuallyDrop::new(explaining.with_pairs(PAIRS));
    let mut openings = Openings::new(Openings::MOST);
    let mut kept = PageContent::new(Limits::MEMORY);
    // Nothing is written yet, and nothing can fail.
    let _ = explaining.run(
        &mut reader,
        |effect| openings.see(effect),
        |pair, one, words| {
            kept.add(pair, one, words);
            Ok(())
        },
    );
    // Takes the progress bar off the screen as well.
    let mut reading = reader.finish();
    let is_interrupted = interrupt.as_ref().is_some_and(Interrupt::came);
    if is_interrupted {
        reading.forgive_cuts();
    }
    let (explainer, words) = explaining.now();
    let found = ManuallyDrop::new(Findings::new(kept, &openings, explainer, &reading, words));
    let data = ManuallyDrop::new(Data::new(&found));
    let top = Summary::new(&found, is_interrupted);
    file.write(|out| html::write(&*data, &top, out))
        .map_err(|error| streams.cannot_write_file(output, &error))?;
    let mut summary = reading.summary(explainer.counts(), explainer.listening());
    if is_interrupted {
        summary.push("interrupted: the page has what came until then".to_owned());
    }
    finish(streams, input.quiet, Ok(()), &reading, summary).map(|()| Exit::Done)
}
