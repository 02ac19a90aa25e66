//! Lines on their way to standard output and standard error.

use std::io::{self, Write};

use knock_compat::TimedEffect;
use knock_engine::transcript::{self, Channel};
use knock_engine::{Doors, Timestamp};

use super::Output;
use super::time::stamp;
use super::transcript::Transcript;
use crate::args::TimeFormat;
use crate::session::drive::{Played, PlayingDone};
use crate::session::outgoing::{Batch, ToPrint};
use crate::session::progress::Bar;
use crate::session::reader::ReadingDone;

/// The transcript as text: renders effects and writes them in large pieces, what is no line of the
/// transcript on standard error.
pub(crate) struct Printer<'a> {
    shown: Shown,
    bar: Option<Bar>,
    lines: Vec<u8>,
    out: &'a mut (dyn Write + Send),
    messages: &'a mut (dyn Write + Send),
}

/// What is shown of a transcript.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    /// The lines of the transcript are not wanted, only notes and warnings.
    pub(crate) no_lines: bool,
    /// The times in front of lines.
    pub(crate) times: Option<TimeFormat>,
    /// Notes.
    pub(crate) notes: bool,
    /// Warnings.
    pub(crate) warnings: bool,
}

impl<'a> Printer<'a> {
    /// How many bytes are written at once.
    const PIECE: usize = 64 * 1024;

    /// Makes a printer of the transcript to `out` and all else to `messages`.
    pub(crate) fn new(
        shown: Shown,
        bar: Option<Bar>,
        out: &'a mut (dyn Write + Send),
        messages: &'a mut (dyn Write + Send),
    ) -> Self {
        let lines = Vec::with_capacity(Self::PIECE.saturating_mul(2));
        Self { shown, bar, lines, out, messages }
    }

    /// Prints what comes until nothing more will.
    ///
    /// # Errors
    /// What writing the transcript met.
    pub(crate) fn run(mut self, doors: &Doors, to_print: ToPrint<TimedEffect>) -> io::Result<()> {
        to_print.each(|Batch { effects, start, flush }| {
            for effect in effects.drain(..) {
                self.print(&effect, *start, doors)?;
            }
            if *flush { self.flush() } else { Ok(()) }
        })?;
        self.flush()
    }

    fn print(&mut self, timed: &TimedEffect, start: Timestamp, doors: &Doors) -> io::Result<()> {
        if self.shown.no_lines && timed.effect.kind().is_step() {
            return Ok(());
        }
        let line_start = self.lines.len();
        if let Some(format) = self.shown.times {
            self.lines.extend_from_slice(stamp(format, timed.at, start).as_bytes());
            self.lines.push(b' ');
        }
        let (kind, wanted) = match transcript::write(&timed.effect, doors, &mut self.lines) {
            Channel::Transcript => {
                self.lines.push(b'\n');
                return if self.lines.len() < Self::PIECE { Ok(()) } else { self.flush() };
            }
            Channel::Message => ("warning", self.shown.warnings),
            Channel::Note => ("note", self.shown.notes),
        };
        let line = self.lines.split_off(line_start);
        if !wanted {
            return Ok(());
        }
        // After the lines of the transcript that it comes after.
        self.flush()?;
        let text = [b"knock-replay: ", kind.as_bytes(), b": ", &line, b"\n"].concat();
        // There is no way to report that standard error cannot be written.
        let _ = beside(self.bar.as_ref(), || self.messages.write_all(&text));
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let Self { bar, out, lines, .. } = self;
        beside(bar.as_ref(), || out.write_all(lines).and_then(|()| out.flush()))?;
        lines.clear();
        Ok(())
    }
}

impl Output<Transcript> for Printer<'_> {
    fn one(&mut self, played: Played<'_>) -> io::Result<()> {
        self.print(&played.timed, played.start, played.doors)
    }

    fn end(&mut self, _: (&PlayingDone, &ReadingDone)) -> io::Result<()> {
        self.flush()
    }
}

/// Writes with the bar, if there is one, out of the way.
fn beside<T>(bar: Option<&Bar>, write: impl FnOnce() -> T) -> T {
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}
