//! Lengths of time on the command line.

use std::fmt;
use std::time::Duration;

/// The longest length of time that the command line accepts.
const LONGEST: Duration = Duration::from_hours(24);

/// What a number without a unit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Thousandths of a second.
    Milliseconds,
    /// Seconds.
    Seconds,
}

/// Why a text is not a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurationError {
    /// It is not a number with or without a unit.
    NoDuration,
    /// It is zero, where there must be some time.
    Zero,
    /// It is more than a day.
    TooLong,
}

impl fmt::Display for DurationError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NoDuration => "not a length of time, such as 500ms, 5s, 1.5s or 2m",
            Self::Zero => "too short: it must be longer than zero",
            Self::TooLong => "more than a day (24h)",
        })
    }
}

impl std::error::Error for DurationError {}

/// Reads a number with a unit (`ms`, `s`, `m`, `h`), or without one, which then counts `plain`.
///
/// # Errors
/// [`DurationError`] if it is not a length of time, or longer than a day.
pub fn parse(text: &str, plain: Unit) -> Result<Duration, DurationError> {
    let unit_at = text.find(|character: char| character != '.' && !character.is_ascii_digit());
    let (number, unit) = text.split_at(unit_at.unwrap_or(text.len()));
    let nanos_in_unit: u64 = match (unit, plain) {
        ("ms", _) | ("", Unit::Milliseconds) => 1_000_000,
        ("s", _) | ("", Unit::Seconds) => 1_000_000_000,
        ("m", _) => 60_000_000_000,
        ("h", _) => 3_600_000_000_000,
        _ => return Err(DurationError::NoDuration),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    // `.5` is half a second, but `.` alone is none.
    let whole = if whole.is_empty() && number.len() > 1 { "0" } else { whole };
    if [whole, fraction].iter().any(|digits| !is_decimal(digits)) {
        return Err(DurationError::NoDuration);
    }
    let whole: u64 = whole.parse().map_err(|_| DurationError::TooLong)?;
    let whole = whole.checked_mul(nanos_in_unit).ok_or(DurationError::TooLong)?;
    let duration = Duration::from_nanos(whole).saturating_add(part(fraction, nanos_in_unit));
    if duration > LONGEST { Err(DurationError::TooLong) } else { Ok(duration) }
}

fn is_decimal(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the part of a unit that the digits after the point are, cut to whole nanoseconds.
fn part(digits: &str, nanos_in_unit: u64) -> Duration {
    let mut place = nanos_in_unit;
    let mut nanos = 0_u64;
    for digit in digits.chars().filter_map(|digit| digit.to_digit(10)) {
        place = place.div_euclid(10);
        nanos = nanos.saturating_add(place.saturating_mul(u64::from(digit)));
    }
    Duration::from_nanos(nanos)
}

/// Prints a length of time as people write it: `100 ms`, `5 s`, `1.5 s`.
#[derive(Clone, Copy, Debug)]
pub struct Shown(pub Duration);

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(duration) = *self;
        let millis = duration.as_millis();
        if millis < 1000 {
            return write!(out, "{millis} ms");
        }
        let fraction = format!("{:03}", duration.subsec_millis());
        match fraction.trim_end_matches('0') {
            "" => write!(out, "{} s", duration.as_secs()),
            fraction => write!(out, "{}.{fraction} s", duration.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_a_unit_or_the_usual_one() {
        for (text, millis) in [
            ("0", 0),
            ("250", 250),
            ("250ms", 250),
            ("1.5ms", 1),
            ("5s", 5000),
            ("1.5s", 1500),
            ("0.25s", 250),
            ("2m", 120_000),
            ("24h", 86_400_000),
        ] {
            let parsed = parse(text, Unit::Milliseconds).unwrap();
            assert_eq!(parsed.as_millis(), millis, "{text}");
        }
        assert_eq!(parse("5", Unit::Seconds), Ok(Duration::from_secs(5)));
        for half in ["0.5", ".5", ".5s", "500ms"] {
            assert_eq!(parse(half, Unit::Seconds), Ok(Duration::from_millis(500)), "{half}");
        }
        assert_eq!(parse("1.0000000009s", Unit::Seconds), Ok(Duration::from_secs(1)));
    }

    #[test]
    fn what_is_not_a_length_of_time_is_refused() {
        for text in
            ["", "s", "-1", "+1", "1 s", "1d", "1e3", ".", ".s", "5.", "1.2.3", "abc", "1sec"]
        {
            assert_eq!(parse(text, Unit::Seconds), Err(DurationError::NoDuration), "{text}");
        }
        for text in ["86401", "25h", "24.1h", "18446744073709551616", "99999999999999999999h"] {
            assert_eq!(parse(text, Unit::Seconds), Err(DurationError::TooLong), "{text}");
        }
    }

    #[test]
    fn a_length_of_time_is_printed_as_people_write_it() {
        for (millis, shown) in
            [(0, "0 ms"), (100, "100 ms"), (5000, "5 s"), (1500, "1.5 s"), (61_005, "61.005 s")]
        {
            assert_eq!(Shown(Duration::from_millis(millis)).to_string(), shown);
        }
    }
}
