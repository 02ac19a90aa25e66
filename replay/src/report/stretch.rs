//! The time that a page shows at first.

use knock_engine::Timestamp;

use crate::output::time::nanos;

/// The stretch of time in which nearly everything happens, and how much is outside. A packet with a wrong
/// clock, of 1970, must not squeeze all others into a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// When the first of what comes before begins, if anything does.
    pub(super) before: Option<Timestamp>,
    /// When the last of what comes after ends.
    pub(super) after: Option<Timestamp>,
}

impl Stretch {
    /// Shorter gaps are no wrong clock, in nanoseconds: an hour.
    const GAP_LEAST: u64 = 3600 * 1_000_000_000;
    /// The stretch is at most this part of all time if something is outside.
    const PART: u64 = 20;
    /// As many moments are few.
    const FEW: usize = 4;

    /// Takes the moments at which something happened.
    pub(super) fn of(mut moments: Vec<Timestamp>) -> Self {
        // Nearly in order: that is fast, and only so with a sort that sees it.
        moments.sort();
        moments.dedup();
        let ends = |list: &[Timestamp]| Some((*list.first()?, *list.last()?));
        let (first, last) = ends(&moments).unwrap_or((Timestamp::EPOCH, Timestamp::EPOCH));
        let part = nanos(first, last) / Self::PART;
        let is_near =
            |one: &Timestamp, next: &Timestamp| nanos(*one, *next) < Self::GAP_LEAST.max(part);
        let most = moments.chunk_by(is_near).max_by_key(|near| near.len()).unwrap_or_default();
        let others = moments.len().saturating_sub(most.len());
        let is_few = others <= Self::FEW || others <= most.len() / 100;
        let is_short = ends(most).is_some_and(|(from, to)| nanos(from, to) <= part);
        let is_cut = is_few && is_short && others <= most.len() / 2;
        let (from, to) = ends(most).filter(|_| is_cut).unwrap_or((first, last));
        Self {
            from,
            to,
            before: (first < from).then_some(first),
            after: (last > to).then_some(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds.checked_mul(1_000_000_000).unwrap())
    }

    fn of(seconds: &[i64]) -> (i64, i64, bool, bool) {
        let Stretch { from, to, before, after } =
            Stretch::of(seconds.iter().map(|&one| at(one)).collect());
        let whole = |at: Timestamp| at.as_nanos() / 1_000_000_000;
        (whole(from), whole(to), before.is_some(), after.is_some())
    }

    const NOW: i64 = 1_700_000_000;

    #[test]
    fn a_stray_packet_is_outside_whether_it_is_early_or_late() {
        let (a, b, c, d) = (NOW, NOW + 5, NOW + 60, NOW + 61);
        assert_eq!(of(&[0, a, b, c, d]), (a, d, true, false));
        assert_eq!(of(&[a, b, c, d, 2 * NOW]), (a, d, false, true));
        assert_eq!(of(&[0, a, b, c, d, 9 * NOW / 2]), (a, d, true, true));
    }

    #[test]
    fn nothing_is_outside_without_a_gap_or_with_as_much_on_both_sides() {
        assert_eq!(of(&[]), (0, 0, false, false));
        assert_eq!(of(&[NOW]), (NOW, NOW, false, false));
        assert_eq!(of(&[0, 1, NOW, NOW + 1]), (0, NOW + 1, false, false));
        assert_eq!(
            of(&[0, 1, 2, 3, 1800]),
            (0, 1800, false, false),
            "half an hour is no wrong clock"
        );
        let week = [0, 86_400, 2 * 86_400, 3 * 86_400, 7 * 86_400];
        assert_eq!(of(&week), (0, 7 * 86_400, false, false));
    }
}
