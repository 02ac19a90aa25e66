//! Moments and the time between them, as text and numbers.

use std::ops::Range;

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

/// What [`between`] returns, as JSON has it.
pub(crate) struct SecondsText {
    /// Six digits of whole seconds, a point, and nine digits of nanoseconds.
    text: [u8; 16],
    /// Which of them are written.
    shown: Range<usize>,
}

impl SecondsText {
    /// From how many nanoseconds on: of less than a thousandth of a second, zeros are left out another way.
    const MIN: u64 = 1_000_000;
    /// Below how many nanoseconds: a number of more than 15 digits may have another of as many that is the same as a
    /// floating-point number.
    const END: u64 = 1_000_000_000_000_000;

    /// Returns the seconds from one moment to another. `None` if they are not what is usual in a capture.
    ///
    /// This is many times as fast as to look for the shortest text that means a floating-point number, which is what
    /// `serde_json` does: here it is known beforehand, if the number is the nearest one to the nanoseconds.
    pub(crate) fn between(from: Timestamp, to: Timestamp) -> Option<Self> {
        let nanos = nanos(from, to);
        if !(Self::MIN..Self::END).contains(&nanos) || !is_nearest(nanos) {
            return None;
        }
        let digits = |number: u64| u32::try_from(number).ok().map(digits::nine);
        let whole: [u8; 6] = *digits(nanos / 1_000_000_000)?.last_chunk()?;
        let fraction = digits(nanos % 1_000_000_000)?;
        let start = whole.iter().take(5).take_while(|digit| **digit == b'0').count();
        let zeros = fraction.iter().skip(1).rev().take_while(|digit| **digit == b'0').count();
        let mut text = [b'.'; 16];
        let [front @ .., _, _, _, _, _, _, _, _, _, _] = &mut text;
        *front = whole;
        *text.last_chunk_mut()? = fraction;
        Some(Self { shown: start..text.len().saturating_sub(zeros), text })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(self.shown.clone()).unwrap_or_default()
    }
}

/// Returns whether what [`seconds`] returns, which is rounded twice, is the number nearest to these nanoseconds, which
/// are below [`SecondsText::END`].
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "they have no more than 53 bits"
)]
fn is_nearest(nanos: u64) -> bool {
    let nearest = nanos as f64 / 1e9;
    seconds(nanos).to_bits() == nearest.to_bits()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// Returns seconds as text in both ways.
    fn seconds_twice(from: i64, nanos: i64) -> (Option<String>, String) {
        let (from, to) = (at(from), at(from.saturating_add(nanos)));
        let text = SecondsText::between(from, to);
        let text = text.map(|text| String::from_utf8(text.as_bytes().to_vec()).unwrap());
        (text, serde_json::to_string(&between(from, to)).unwrap())
    }

    #[test]
    fn seconds_of_the_usual_size_are_written_fast() {
        for (nanos, expected) in [
            (1_000_000, "0.001"),
            (20_000_000_000, "20.0"),
            (25_499_995_000, "25.499995"),
            (100_200_300_000_001, "100200.300000001"),
            (999_999_999_999_000, "999999.999999"),
        ] {
            let expected = expected.to_owned();
            assert_eq!(seconds_twice(7, nanos), (Some(expected.clone()), expected));
        }
        for nanos in [-1_000_000_000, 0, 1, 999_999, 1_000_000_000_000_000, i64::MAX] {
            assert_eq!(seconds_twice(0, nanos).0, None);
        }
    }

    #[test]
    fn most_seconds_are_written_fast() {
        let texts = (1..10_000).map(|number| seconds_twice(0, number * 123_457_001));
        let fast: Vec<_> = texts.filter_map(|(fast, slow)| Some((fast?, slow))).collect();
        assert!(fast.len() > 8_000, "{}", fast.len());
        assert!(fast.iter().all(|(fast, slow)| fast == slow));
    }

    proptest! {
        /// Of any size, with any number of digits after the point.
        #[test]
        fn seconds_are_as_serde_json_writes_them(
            from in any::<i64>(),
            bits in 0..64_u32,
            nanos in any::<i64>(),
            unit in 0..10_u32,
        ) {
            let unit = 10_i64.pow(unit);
            let (fast, slow) = seconds_twice(from, (nanos >> bits).div_euclid(unit).saturating_mul(unit));
            if let Some(fast) = fast {
                prop_assert_eq!(fast, slow);
            }
        }
    }
}
