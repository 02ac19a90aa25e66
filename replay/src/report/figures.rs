//! Moments, lengths of time and counts, as people read them.

use chrono::DateTime;
use knock_engine::Timestamp;

use crate::output::time::seconds;

/// Returns a moment to the second.
pub(super) fn moment(at: Timestamp) -> String {
    DateTime::from_timestamp_nanos(at.as_nanos()).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Returns a length of time as people say it.
pub(super) fn duration(nanos: u64) -> String {
    let all = seconds(nanos);
    if all < 120.0 {
        format!("{} s", short(all))
    } else if all < 7200.0 {
        format!("{} min", short(all / 60.0))
    } else if all < 172_800.0 {
        format!("{} h", short(all / 3600.0))
    } else {
        format!("{} days", short(all / 86_400.0))
    }
}

/// Returns a number with one digit after the point, if that is not 0.
fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// Returns a number with commas between thousands.
pub(super) fn number(number: impl Copy + ToString) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Returns how many there are of something.
pub(super) fn counted<N: Copy + ToString + PartialEq + From<u8>>(
    count: N,
    one: &str,
    many: &str,
) -> String {
    let word = if count == N::from(1) { one } else { many };
    format!("{} {word}", number(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        assert_eq!(
            [0_u64, 999, 1000, 65_536, 1_234_567].map(number),
            ["0", "999", "1,000", "65,536", "1,234,567"]
        );
        assert_eq!(counted(1_usize, "client", "clients"), "1 client");
    }

    #[test]
    fn lengths_of_time_are_short() {
        let lengths = [31_200_000_000, 120_000_000_000, 57_343_600_000_000, 259_200_000_000_000];
        assert_eq!(lengths.map(duration), ["31.2 s", "2 min", "15.9 h", "3 days"]);
    }
}
