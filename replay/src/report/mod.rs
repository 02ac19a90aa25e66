//! `report`: a page on which people see what happened, client by client and door by door.

mod collect;
mod data;
mod html;

use std::path::PathBuf;

use knock_guard::Readers;

use self::collect::{Limits, PageContent};
use self::data::{Data, Sources};
use crate::args::{ReportArgs, Whom};
use crate::explain::Explaining;
use crate::session::exit::Exit;
use crate::session::finish::finish;
use crate::session::load::{self, Configuration};
use crate::session::overwrite::target;
use crate::session::terminal::Streams;

/// Replays, and writes what happened as a page.
pub(crate) fn run(args: &ReportArgs, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
    let ReportArgs { input, output, option } = args;
    let config = Configuration::load(&input.config, input.quiet, streams)?;
    let (mut reader, _) = load::open(input, true, streams)?;
    let read = input.captures().map(PathBuf::as_path).chain([input.config.as_path()]);
    let read = read.chain(config.places.one_time_files());
    let file = target(option, output, Readers::Owner, read, streams)?;
    let limits = load::limits(input.max_attempts);
    let mut explaining = Explaining::new(Whom::All, &limits, &config, &reader);
    let mut kept = PageContent::new(Limits::PAGE);
    // Nothing is written yet, and nothing can fail.
    let _ = explaining.run(&mut reader, |one, words| {
        kept.add(one, words);
        Ok(())
    });
    // Takes the progress bar off the screen as well.
    let reading = reader.finish();
    let (explainer, words) = explaining.now();
    let data = Data::new(kept, &Sources { explainer, reading: &reading, words });
    file.write(|out| html::write(&data, out))
        .map_err(|error| streams.cannot_write_file(output, &error))?;
    let summary = reading.summary(explainer.counts(), explainer.listening());
    finish(streams, input.quiet, Ok(()), &reading, summary).map(|()| Exit::Done)
}
