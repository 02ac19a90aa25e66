//! Rule sets that are next to one another.

use crate::difference::{Difference, FixedUpTo};

/// Rule sets that are next to one another: each fixes one difference more than the one before.
///
/// A machine stands for all of them as long as they do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    first: FixedUpTo,
    last: FixedUpTo,
}

impl Span {
    /// Returns the span of one rule set.
    pub(crate) const fn one(fixed: FixedUpTo) -> Self {
        Self { first: fixed, last: fixed }
    }

    /// Returns the span of all rule sets, from knockd 0.8 on.
    pub(crate) fn all() -> Self {
        Self { first: FixedUpTo(None), last: FixedUpTo(Difference::ALL.last().copied()) }
    }

    /// Returns the rule set that fixes the fewest differences.
    pub(crate) const fn first(self) -> FixedUpTo {
        self.first
    }

    /// Returns the rule set that fixes the most differences.
    pub(crate) const fn last(self) -> FixedUpTo {
        self.last
    }

    /// Returns whether there is only one.
    pub(crate) fn is_one(self) -> bool {
        self.first == self.last
    }

    /// Returns whether the last of them fixes a difference. To be asked where it makes no difference whether
    /// the others do, or where what the last one does tells what the others do.
    pub(crate) fn has(self, difference: Difference) -> bool {
        self.last.has(difference)
    }

    /// Returns whether all of them fix a difference. To be asked where what the first one does tells what
    /// the others do.
    pub(crate) fn all_have(self, difference: Difference) -> bool {
        self.first.has(difference)
    }

    /// Returns whether some of them fix a difference, and others do not.
    pub(crate) fn differ_in(self, difference: Difference) -> bool {
        self.last.has(difference) && !self.first.has(difference)
    }

    /// Returns those that do not fix a difference in which they differ, and those that do.
    pub(crate) fn split_at(self, difference: Difference) -> (Self, Self) {
        let before = Self { last: FixedUpTo::before(difference), ..self };
        (before, Self { first: FixedUpTo(Some(difference)), ..self })
    }
}
