//! Days of the calendar.

use std::fmt;

use knock_engine::Timestamp;

/// A day from 1970-01-01 to [`Day::LAST`], in universal time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    year: i64,
    month: i64,
    of_month: i64,
}

impl Day {
    /// The last day whose end a [`Timestamp`] can be.
    pub const LAST: Self = Self { year: 2262, month: 4, of_month: 10 };

    /// Reads `2027-01-31`; `None` if that is no day, or out of range.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |place: usize, byte: u8| {
            if [4, 7].contains(&place) { byte == b'-' } else { byte.is_ascii_digit() }
        };
        let is_form =
            text.len() == 10 && text.bytes().enumerate().all(|(at, byte)| is_digit(at, byte));
        let number = |from, to| text.get(from..to)?.parse::<i64>().ok();
        let day = Self { year: number(0, 4)?, month: number(5, 7)?, of_month: number(8, 10)? };
        let is_one = is_form
            && (1..=12).contains(&day.month)
            && (1..=day.days_of_month()).contains(&day.of_month)
            && day.year >= 1970
            && day <= Self::LAST;
        is_one.then_some(day)
    }

    /// Returns the moment at which the day is over.
    #[must_use]
    pub fn end(self) -> Timestamp {
        const NANOS: i64 = 86_400_000_000_000;
        Timestamp::from_nanos(self.number().saturating_add(1).saturating_mul(NANOS))
    }

    /// Returns how many days it is after 1970-01-01.
    fn number(self) -> i64 {
        let years: i64 = (1970..self.year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
        let months: i64 = (1..self.month).map(|month| Self { month, ..self }.days_of_month()).sum();
        years.saturating_add(months).saturating_add(self.of_month).saturating_sub(1)
    }

    const fn days_of_month(self) -> i64 {
        match self.month {
            2 if is_leap(self.year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

const fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

impl fmt::Display for Day {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, of_month } = self;
        write!(out, "{year:04}-{month:02}-{of_month:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_when_the_next_one_begins() {
        let end = |text| Day::parse(text).unwrap().end().as_nanos() / 1_000_000_000;
        // By `date -u -d "2027-02-01" +%s` and so on.
        assert_eq!(end("1970-01-01"), 86_400);
        assert_eq!(end("2027-01-31"), 1_801_440_000);
        assert_eq!(end("2028-02-29"), 1_835_481_600);
        assert_eq!(end("2100-12-31"), 4_133_980_800);
        assert_eq!(Day::LAST.end().as_nanos(), 9_223_286_400_000_000_000);
    }

    #[test]
    fn only_days_of_the_calendar_are_read() {
        for text in ["2027-01-31", "2000-02-29", "1970-01-01", "2262-04-10"] {
            assert_eq!(Day::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "2027-1-31",
            "2027-01-32",
            "2027-00-01",
            "2027-13-01",
            "2027-02-29",
            "2100-02-29",
            "1969-12-31",
            "2262-04-11",
            "2027/01/31",
            "+027-01-31",
            "2027-01-31 ",
            "31.01.2027",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }
}
