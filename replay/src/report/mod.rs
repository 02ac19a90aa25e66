//! `--report`: a page on which people see what happened, client by client and door by door.

mod collect;
mod data;
mod file;
mod html;

use std::path::{Path, PathBuf};

use knock_config::text::{Cause, shown};
use knock_engine::{Doors, Listening};

use self::collect::{Kept, Limits};
use self::data::{Data, Sources};
use self::file::File;
use crate::args::Args;
use crate::explain::{CaptureNames, Explainer, Explanation, Places, Whom, Words};
use crate::session::overwrite::refuse_overwriting;
use crate::session::reader::{Next, Reader};
use crate::{Exit, Streams};

/// Replays, and writes what happened as a page.
pub(crate) fn report(
    args: &Args,
    path: &Path,
    (doors, places): (Doors, &Places),
    mut reader: Reader,
    streams: &mut Streams<'_>,
) -> Exit {
    let read = args.captures().map(PathBuf::as_path).chain([args.config.as_path()]);
    let read = read.chain(places.one_time_files());
    if let Some(exit) = refuse_overwriting("--report", path, read, streams) {
        return exit;
    }
    let file = match File::at(path) {
        Ok(file) => file,
        Err(error) => return cannot_write(path, &error, streams),
    };
    let limits = crate::limits(args.max_attempts);
    let mut report = Report {
        explainer: Explainer::new(doors.clone(), reader.listening(), &limits, Whom::All),
        kept: Kept::new(Limits::PAGE),
        doors,
        listening: reader.listening(),
        places,
        captures: reader.names(),
    };
    report.run(&mut reader);
    // Takes the progress bar off the screen as well.
    let reading = reader.finish();
    let Report { explainer, kept, doors, listening, places, captures } = report;
    let words = Words { doors: &doors, listening: &listening, places, captures: &captures };
    let data = Data::new(kept, &Sources { explainer: &explainer, reading: &reading, words });
    if let Err(error) = file.write(|out| html::write(&data, out)) {
        return cannot_write(path, &error, streams);
    }
    if !args.quiet {
        let listening = explainer.listening();
        for line in reading.tally.lines(explainer.counts(), listening, reading.source) {
            streams.say(&format!("knock-replay: {line}\n"));
        }
    }
    for error in &reading.errors {
        streams.cannot_read(error);
    }
    if reading.errors.is_empty() { Exit::Done } else { Exit::Capture }
}

fn cannot_write(path: &Path, error: &std::io::Error, streams: &mut Streams<'_>) -> Exit {
    let (path, cause) = (shown(path), Cause(error));
    streams.say(&format!("knock-replay: error: cannot write {path}: {cause}\n"));
    Exit::Output
}

/// What is under way.
struct Report<'a> {
    explainer: Explainer,
    kept: Kept,
    /// The doors as they were in the beginning: their names and commands stay.
    doors: Doors,
    listening: Listening,
    places: &'a Places,
    captures: CaptureNames,
}

impl Report<'_> {
    fn run(&mut self, reader: &mut Reader) {
        while self.next(reader) {
            reader.tick();
        }
        self.tell(|explainer, tell| explainer.finish(tell));
    }

    fn next(&mut self, reader: &mut Reader) -> bool {
        reader.next(|at, next| match next {
            Next::Addresses(listening) => {
                self.listening = listening.clone();
                self.tell(|explainer, tell| explainer.addresses(at, listening, tell));
                Ok(())
            }
            Next::Frame(link, frame, id) => {
                self.tell(|explainer, tell| explainer.frame(at, link, frame, id, tell))
            }
        })
    }

    /// Has the explainer do something, and keeps what it tells.
    fn tell<T>(
        &mut self,
        action: impl FnOnce(&mut Explainer, &mut dyn FnMut(&Explanation)) -> T,
    ) -> T {
        let Self { explainer, kept, doors, listening, places, captures } = self;
        let words = Words { doors, listening, places, captures };
        action(explainer, &mut |one| kept.add(one, &words))
    }
}
