//! Lines on their way to standard output and standard error.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender};

use chrono::{DateTime, SecondsFormat};
use knock_compat::TimedEffect;
use knock_engine::transcript::{self, Channel};
use knock_engine::{Doors, Timestamp};

use crate::args::{Args, TimeFormat};
use crate::session::progress::Bar;

/// What is to be printed next.
#[derive(Debug)]
pub(crate) struct Batch {
    /// In the order of the transcript.
    pub(crate) effects: Vec<TimedEffect>,
    /// When the first packet came: where relative times count from.
    pub(crate) start: Timestamp,
    /// Whether someone waits for these lines.
    pub(crate) flush: bool,
}

/// Renders effects and writes them in large pieces.
pub(crate) struct Printer<'a> {
    doors: Doors,
    times: Option<TimeFormat>,
    /// Whether notes are wanted.
    verbose: bool,
    /// Whether not even warnings are.
    quiet: bool,
    bar: Option<Bar>,
    lines: Vec<u8>,
    out: &'a mut (dyn Write + Send),
    messages: &'a mut (dyn Write + Send),
}

impl<'a> Printer<'a> {
    /// How many bytes are written at once.
    const PIECE: usize = 64 * 1024;

    /// Makes a printer of the transcript to `out` and all else to `messages`.
    pub(crate) fn new(
        args: &Args,
        doors: Doors,
        bar: Option<Bar>,
        out: &'a mut (dyn Write + Send),
        messages: &'a mut (dyn Write + Send),
    ) -> Self {
        let lines = Vec::with_capacity(Self::PIECE.saturating_mul(2));
        let (times, verbose, quiet) = (args.time, args.verbose, args.quiet);
        Self { doors, times, verbose, quiet, bar, lines, out, messages }
    }

    /// Prints what comes until nothing more will. Lists of effects that are printed go back to be
    /// used again: new ones would have to be fetched from memory.
    ///
    /// # Errors
    /// What writing the transcript met.
    pub(crate) fn run(
        mut self,
        batches: &Receiver<Batch>,
        used: &Sender<Vec<TimedEffect>>,
    ) -> io::Result<()> {
        for Batch { mut effects, start, flush } in batches {
            for effect in effects.drain(..) {
                self.print(&effect, start)?;
            }
            if flush {
                self.flush()?;
            }
            // Nobody needs it any more if nobody takes it.
            let _ = used.send(effects);
        }
        self.flush()
    }

    fn print(&mut self, effect: &TimedEffect, start: Timestamp) -> io::Result<()> {
        let line_start = self.lines.len();
        let channel = line(effect, start, self.times, &self.doors, &mut self.lines);
        let (kind, wanted) = match channel {
            Channel::Transcript => {
                self.lines.push(b'\n');
                return if self.lines.len() < Self::PIECE { Ok(()) } else { self.flush() };
            }
            Channel::Message => ("warning", !self.quiet),
            Channel::Note => ("note", self.verbose),
        };
        let line = self.lines.split_off(line_start);
        if !wanted {
            return Ok(());
        }
        // Behind the lines of the transcript that it comes after.
        self.flush()?;
        let text = [b"knock-replay: ", kind.as_bytes(), b": ", &line, b"\n"].concat();
        // Nobody could be told that standard error cannot be written.
        let _ = beside(self.bar.as_ref(), || self.messages.write_all(&text));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let Self { bar, out, lines, .. } = self;
        beside(bar.as_ref(), || out.write_all(lines).and_then(|()| out.flush()))?;
        lines.clear();
        Ok(())
    }
}

/// Appends the text of an effect, with its time in front if that is wanted, and returns where it belongs.
pub(crate) fn line(
    effect: &TimedEffect,
    start: Timestamp,
    times: Option<TimeFormat>,
    doors: &Doors,
    out: &mut Vec<u8>,
) -> Channel {
    if let Some(format) = times {
        out.extend_from_slice(stamp(format, effect.at, start).as_bytes());
        out.push(b' ');
    }
    transcript::write(&effect.effect, doors, out)
}

/// Writes with the bar, if there is one, out of the way.
pub(crate) fn beside<T>(bar: Option<&Bar>, write: impl FnOnce() -> T) -> T {
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Returns a moment as text.
pub(crate) fn stamp(format: TimeFormat, at: Timestamp, start: Timestamp) -> String {
    match format {
        TimeFormat::Utc => DateTime::from_timestamp_nanos(at.as_nanos())
            .to_rfc3339_opts(SecondsFormat::Micros, true),
        TimeFormat::Relative => span(start, at),
    }
}

/// Returns the time between two moments in seconds, with microseconds.
pub(crate) fn span(from: Timestamp, to: Timestamp) -> String {
    let nanos = i128::from(to.as_nanos()).saturating_sub(i128::from(from.as_nanos()));
    let micros = nanos.div_euclid(1000).unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    #[test]
    fn absolute_times_are_rfc_3339_with_microseconds() {
        let stamp = |nanos| stamp(TimeFormat::Utc, at(nanos), Timestamp::EPOCH);
        assert_eq!(stamp(1_700_000_000_123_456_789), "2023-11-14T22:13:20.123456Z");
        assert_eq!(stamp(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(stamp(i64::MAX), "2262-04-11T23:47:16.854775Z");
        assert_eq!(stamp(i64::MIN), "1677-09-21T00:12:43.145224Z");
    }

    #[test]
    fn relative_times_count_from_the_start() {
        assert_eq!(span(at(1_000_000_000), at(3_500_000_999)), "2.500000");
        assert_eq!(span(at(0), at(0)), "0.000000");
        assert_eq!(span(at(i64::MIN), at(i64::MAX)), "18446744073.709551");
        assert_eq!(span(at(2_000_000_000), at(1_000_000_000)), "-1.000000");
    }
}
