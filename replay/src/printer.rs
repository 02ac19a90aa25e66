//! Lines on their way to standard output.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat};
use knock_engine::Timestamp;

use crate::args::TimeFormat;

/// Collects lines and writes them in large pieces.
pub(crate) struct Printer<'a> {
    out: &'a mut dyn Write,
    lines: Vec<u8>,
    times: Option<TimeFormat>,
    start: Option<Timestamp>,
}

impl<'a> Printer<'a> {
    const PIECE: usize = 64 * 1024;

    pub(crate) fn new(out: &'a mut dyn Write, times: Option<TimeFormat>) -> Self {
        Self { out, lines: Vec::with_capacity(2 * Self::PIECE), times, start: None }
    }

    /// Sets the moment from which relative times count, if it is not set yet.
    pub(crate) fn start_at(&mut self, start: Timestamp) {
        self.start.get_or_insert(start);
    }

    /// Starts a line with its time, if times are wanted, and returns what to append it to.
    pub(crate) fn begin_line(&mut self, at: Timestamp) -> &mut Vec<u8> {
        if let Some(format) = self.times {
            let stamp = stamp(format, at, self.start.unwrap_or(at));
            self.lines.extend_from_slice(stamp.as_bytes());
            self.lines.push(b' ');
        }
        &mut self.lines
    }

    /// Ends a line. Returns whether there is so much that it should be flushed.
    pub(crate) fn end_line(&mut self) -> bool {
        self.lines.push(b'\n');
        self.lines.len() >= Self::PIECE
    }

    /// Returns how much waits to be flushed.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Cuts what was appended since `length` off again, and returns it: it is no line of the
    /// transcript.
    pub(crate) fn take_back(&mut self, length: usize) -> Vec<u8> {
        self.lines.split_off(length)
    }

    /// Hands everything to the reader.
    ///
    /// # Errors
    /// What writing met.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        self.out.write_all(&self.lines)?;
        self.lines.clear();
        self.out.flush()
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
