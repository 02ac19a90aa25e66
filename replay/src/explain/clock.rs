//! Clients whose derived sequences are those of another time.

use std::collections::BTreeMap;

use knock_engine::{DerivedSequence, Knock, Sequence, Timestamp};

use super::track::Arrival;

/// Looks for sequences of a door among what it heard.
pub(super) struct OtherTimes<'a> {
    door: &'a [u8],
    derived: &'a DerivedSequence,
    /// The sequences that were derived, each at the beginning of its period, in seconds.
    known: BTreeMap<i64, Option<Sequence>>,
}

/// How many knocks of a sequence are no chance.
const ENOUGH: usize = 3;

/// How far a clock may be wrong, in seconds.
const AS_FAR: i64 = 24 * 60 * 60;

impl<'a> OtherTimes<'a> {
    pub(super) const fn new(door: &'a [u8], derived: &'a DerivedSequence) -> Self {
        Self { door, derived, known: BTreeMap::new() }
    }

    /// Returns by how many seconds a client's clock is ahead, if it made knocks that count at another time.
    pub(super) fn find(&mut self, arrivals: &[Arrival]) -> Option<i64> {
        let length = i64::from(self.derived.period().get());
        let periods = AS_FAR.checked_div(length)?;
        let mut tails = (0..arrivals.len()).filter_map(|from| arrivals.get(from..));
        tails.find_map(|tail| {
            let second = tail.first()?.at.as_nanos().div_euclid(1_000_000_000);
            // The neighbours count: those knocks have failed of something else.
            let mut away = (2..=periods).flat_map(|periods| [periods.saturating_neg(), periods]);
            away.find_map(|away| {
                let ahead = away.saturating_mul(length);
                let sequence = self.at(second.saturating_add(ahead))?;
                is_made(sequence.knocks(), tail).then_some(ahead)
            })
        })
    }

    fn at(&mut self, second: i64) -> Option<&Sequence> {
        let Self { door, derived, known } = self;
        let begin = second.saturating_sub(second.rem_euclid(i64::from(derived.period().get())));
        let sequence = known.entry(begin).or_insert_with(|| {
            let nanos = i128::from(begin).saturating_mul(1_000_000_000);
            derived.sequence_at(door, Timestamp::from_nanos_clamped(nanos))
        });
        sequence.as_ref()
    }
}

/// Returns whether packets begin with the first knocks of a sequence, in order.
fn is_made(knocks: &[Knock], tail: &[Arrival]) -> bool {
    let first = |count| (tail.get(..count), knocks.get(..count));
    let (Some(tail), Some(knocks)) = first(ENOUGH) else { return false };
    tail.iter().map(|arrival| arrival.knock).eq(knocks.iter().copied())
}
