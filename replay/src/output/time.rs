//! Moments and the time between them, as text and numbers.

use chrono::{DateTime, Local, SecondsFormat};
use knock_engine::Timestamp;

use super::digits;
use crate::args::TimeFormat;

/// Returns a moment as text.
pub(crate) fn stamp(format: TimeFormat, at: Timestamp, start: Timestamp) -> String {
    match format {
        TimeFormat::Utc => DateTime::from_timestamp_nanos(at.as_nanos())
            .to_rfc3339_opts(SecondsFormat::Micros, true),
        // With its distance from UTC: an hour comes twice when summer time ends.
        TimeFormat::Local => DateTime::from_timestamp_nanos(at.as_nanos())
            .with_timezone(&Local)
            .to_rfc3339_opts(SecondsFormat::Micros, false),
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

/// Returns the nanoseconds from one moment to a later one.
pub(crate) fn nanos(from: Timestamp, to: Timestamp) -> u64 {
    let nanos = i128::from(to.as_nanos()).saturating_sub(i128::from(from.as_nanos()));
    u64::try_from(nanos.max(0)).unwrap_or(u64::MAX)
}

/// Returns a moment with nanoseconds, which distinguish packets.
pub(crate) fn utc(at: Timestamp) -> String {
    DateTime::from_timestamp_nanos(at.as_nanos()).to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// Moments as [`utc`] returns them, of which most are of the same second as the one before.
#[derive(Debug, Default)]
pub(crate) struct UtcText {
    /// That of `text`, since the epoch; `None` before the first.
    second: Option<i64>,
    text: Vec<u8>,
}

impl UtcText {
    const SECOND: i64 = 1_000_000_000;

    /// Returns a moment as text, which is ASCII.
    pub(crate) fn of(&mut self, at: Timestamp) -> &[u8] {
        let nanos = at.as_nanos();
        let second = Some(nanos.div_euclid(Self::SECOND));
        if self.second != second {
            (self.second, self.text) = (second, utc(at).into_bytes());
            return &self.text;
        }
        let fraction = u32::try_from(nanos.rem_euclid(Self::SECOND)).unwrap_or_default();
        if let Some((_, [place @ .., _zone])) = self.text.split_last_chunk_mut::<10>() {
            *place = digits::nine(fraction);
        }
        &self.text
    }
}

/// Returns nanoseconds in seconds.
pub(crate) fn seconds(nanos: u64) -> f64 {
    std::time::Duration::from_nanos(nanos).as_secs_f64()
}

/// Returns the seconds from one moment to another, which may be before it.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> f64 {
    let forth = seconds(nanos(from, to));
    if to < from { -seconds(nanos(to, from)) } else { forth }
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
    fn moments_of_the_same_second_are_text_as_others_are() {
        let mut text = UtcText::default();
        let seconds = [0, 1, 1, 86_399, 86_400, -1, -1, -86_400, 1_700_000_000, 1_700_000_000];
        for second in seconds {
            for nanos in [0, 1, 999_999_999, 100_000_000, 90, 123_456_789] {
                let at = at(second * 1_000_000_000 + nanos);
                assert_eq!(text.of(at), utc(at).as_bytes());
            }
        }
        for at in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX, 0].map(at) {
            assert_eq!(text.of(at), utc(at).as_bytes());
        }
    }

    #[test]
    fn relative_times_count_from_the_start() {
        assert_eq!(span(at(1_000_000_000), at(3_500_000_999)), "2.500000");
        assert_eq!(span(at(0), at(0)), "0.000000");
        assert_eq!(span(at(i64::MIN), at(i64::MAX)), "18446744073.709551");
        assert_eq!(span(at(2_000_000_000), at(1_000_000_000)), "-1.000000");
    }
}
