//! The end of a run.

use std::io;

use knock_engine::{Counts, Listening};

use super::drive::PlayingDone;
use super::exit::Exit;
use super::reader::ReadingDone;
use super::terminal::Streams;

/// Ends a run: reports that its results could not be written, or prints the summary and why captures
/// could not be read to their ends.
///
/// # Errors
/// The exit status, if the results are not those of all packets, or the reader of them has gone.
pub(crate) fn finish(
    streams: &mut Streams<'_>,
    quiet: bool,
    written: io::Result<()>,
    reading: &ReadingDone,
    summary: impl IntoIterator<Item = String>,
) -> Result<(), Exit> {
    if let Err(error) = written {
        return Err(streams.cannot_write(&error));
    }
    if !quiet {
        summary.into_iter().for_each(|line| streams.line(&line));
    }
    for error in &reading.errors {
        streams.cannot_read(error);
    }
    if reading.errors.is_empty() { Ok(()) } else { Err(Exit::Capture) }
}

impl ReadingDone {
    /// Returns the summary of a replay.
    pub(crate) fn summary(&self, counts: Counts, listening: &Listening) -> Vec<String> {
        self.tally.lines(counts, listening, self.source)
    }

    /// Returns the summary of a replay that played so.
    pub(crate) fn summary_of(&self, playing: &PlayingDone) -> Vec<String> {
        self.summary(playing.counts, &playing.listening)
    }
}
