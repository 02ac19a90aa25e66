//! The time at which a packet is made.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use knock_config::keys::Day;
use knock_signed::Moment;

/// Returns the present time.
pub(crate) fn now() -> Moment {
    moment(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Returns the moment so long after 1970 began.
pub(crate) fn moment(since_epoch: Duration) -> Moment {
    Moment(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

/// Reads a time: seconds since 1970, or `2026-11-30T01:02:03Z`, both with up to nine decimals.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn parse_time(text: &str) -> Result<Moment, &'static str> {
    parse(text).ok_or("not a time, such as 1795999999.5 or 2026-11-30T01:02:03Z")
}

fn parse(text: &str) -> Option<Moment> {
    let plain = text.strip_suffix('Z').unwrap_or(text);
    let (whole, decimals) = plain.split_once('.').unwrap_or((plain, "0"));
    let seconds = match (whole.split_once('T'), text.ends_with('Z')) {
        (Some((day, time)), true) => seconds_of_day(day)?.checked_add(seconds_of_time(time)?)?,
        (None, false) => number(whole)?,
        (Some(_), false) | (None, true) => return None,
    };
    if !(1..=9).contains(&decimals.len()) {
        return None;
    }
    let nanos = number(&format!("{decimals:0<9}"))?;
    Some(Moment(seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?))
}

fn seconds_of_day(day: &str) -> Option<u64> {
    let end = Day::parse(day)?.end().as_nanos();
    (u64::try_from(end).ok()? / 1_000_000_000).checked_sub(86_400)
}

fn seconds_of_time(time: &str) -> Option<u64> {
    let fields: Vec<&str> = time.split(':').collect();
    let &[hour, minute, second] = fields.as_slice() else { return None };
    let within = |text: &str, limit| number(text).filter(|it| text.len() == 2 && *it < limit);
    let (hour, minute) = (within(hour, 24)?, within(minute, 60)?);
    hour.checked_mul(60)?.checked_add(minute)?.checked_mul(60)?.checked_add(within(second, 60)?)
}

fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_seconds_or_as_a_date() {
        let nanos = |text| parse_time(text).map(|Moment(nanos)| nanos);
        assert_eq!(nanos("0"), Ok(0));
        assert_eq!(nanos("1764460800.5"), Ok(1_764_460_800_500_000_000));
        assert_eq!(nanos("1.000000001"), Ok(1_000_000_001));
        // By `date -u -d 2026-11-30T01:02:03Z +%s`.
        assert_eq!(nanos("2026-11-30T01:02:03Z"), Ok(1_796_000_523_000_000_000));
        assert_eq!(nanos("2026-11-30T01:02:03.25Z"), Ok(1_796_000_523_250_000_000));
        for bad in [
            "",
            "-1",
            "+1",
            "1Z",
            "1.0000000001",
            "1.",
            "now",
            "2026-11-30",
            "2026-11-30T01:02:03",
            "2026-11-30T24:00:00Z",
            "2026-11-30T1:02:03Z",
            "2026-02-29T00:00:00Z",
            "99999999999999",
        ] {
            assert!(nanos(bad).is_err(), "{bad}");
        }
    }
}
