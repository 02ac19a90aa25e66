//! Whose turn it is among several captures.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use knock_engine::Timestamp;

/// When what is next in a capture has its turn, and the index of the capture.
pub(super) type Turn = (Timestamp, usize);

/// The turns of captures, the earliest first.
///
/// The first one is no part of the heap: with a single capture, which is nearly always, nothing is written to
/// memory that small allocations of other threads may share cache lines with.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Not later than the others; `None` only if there are none.
    first: Option<Turn>,
    others: BinaryHeap<Reverse<Turn>>,
}

impl Turns {
    /// Returns the earliest turn.
    pub(super) const fn first(&self) -> Option<Turn> {
        self.first
    }

    /// Adds the turn of a capture that has none.
    #[inline]
    pub(super) fn add(&mut self, turn: Turn) {
        match &mut self.first {
            None => self.first = Some(turn),
            Some(first) if turn < *first => {
                let later = std::mem::replace(first, turn);
                self.others.push(Reverse(later));
            }
            Some(_) => self.others.push(Reverse(turn)),
        }
    }

    /// Ends the earliest turn, and returns whose it was.
    #[inline]
    pub(super) fn end_first(&mut self) -> Option<usize> {
        let (_, index) = self.first.take()?;
        if !self.others.is_empty() {
            self.begin_next();
        }
        Some(index)
    }

    /// Begins the earliest turn of the others.
    fn begin_next(&mut self) {
        self.first = self.others.pop().map(|Reverse(turn)| turn);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn turns_come_in_the_order_of_a_sorted_list(
            steps in vec((any::<bool>(), 0..9_i64), 0..100),
        ) {
            let (mut turns, mut list) = (Turns::default(), Vec::new());
            for (index, (is_added, nanos)) in steps.into_iter().enumerate() {
                if is_added {
                    let turn = (Timestamp::from_nanos(nanos), index);
                    turns.add(turn);
                    list.push(turn);
                    list.sort();
                } else {
                    let first = (!list.is_empty()).then(|| list.remove(0).1);
                    prop_assert_eq!(turns.end_first(), first);
                }
                prop_assert_eq!(turns.first(), list.first().copied());
            }
        }
    }
}
