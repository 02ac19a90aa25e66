//! Times and numbers of a scenario.

use std::time::Duration;

use chrono::DateTime;
use knock_config::Wording;
use knock_config::lex::Piece;

use super::statement::When;
use crate::lines::length;

/// The latest moment of a scenario, counted from its start: a hundred days.
pub(super) const LATEST: Duration = Duration::from_hours(24 * 100);

/// Returns whether a word looks like a time: digits with at most one point, and maybe a unit.
pub(super) fn is_time(word: Piece<'_>) -> bool {
    let bytes = word.bytes();
    let number = bytes.strip_prefix(b"+").unwrap_or(bytes);
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let (number, unit) = number.split_at_checked(digits).unwrap_or((number, b""));
    number.iter().any(u8::is_ascii_digit)
        && number.iter().position(|byte| *byte == b'.')
            == number.iter().rposition(|byte| *byte == b'.')
        && unit.iter().all(u8::is_ascii_alphabetic)
}

/// Reads the time of a line.
pub(super) fn when(word: Piece<'_>) -> Result<When, Wording> {
    match word.strip_prefix(b'+') {
        Some(rest) => length(rest).map(When::After),
        None => length(word).map(When::At),
    }
}

/// Reads a moment in the format of RFC 3339, as nanoseconds since 1970.
pub(super) fn moment(word: Piece<'_>) -> Result<Duration, Wording> {
    let text = String::from_utf8_lossy(word.bytes());
    let moment = DateTime::parse_from_rfc3339(&text).ok().and_then(|moment| {
        // A capture has 32-bit seconds since 1970, and the scenario must fit too.
        let nanos = u64::try_from(moment.timestamp_nanos_opt()?).ok()?;
        let moment = Duration::from_nanos(nanos);
        u32::try_from(moment.saturating_add(LATEST).as_secs()).ok().map(|_| moment)
    });
    moment.ok_or_else(|| {
        let shown = knock_config::Excerpt::new(word.bytes());
        Wording::new(format!("`{shown}` is not a moment from 1970 to 2105"), "expected a moment")
            .help("write it with its zone, such as `2026-03-01T12:00:00Z`")
    })
}
