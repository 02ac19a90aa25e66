//! Random numbers from a seed.

/// A stream of numbers that depends only on a seed (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let choices = (high - low).unsigned_abs() + 1;
        low.checked_add_unsigned(self.next() % choices).expect("it is at most `high`")
    }

    /// Returns a number below `count`, which is not 0.
    pub(super) fn below(&mut self, count: usize) -> usize {
        let count = i64::try_from(count).expect("lists are short");
        usize::try_from(self.between(0, count - 1)).expect("it is at least 0")
    }

    /// Returns a number from 1 to the greatest.
    pub(super) fn number(&mut self) -> u32 {
        u32::try_from(self.between(1, u32::MAX.into())).expect("it is at most that")
    }

    pub(super) fn port(&mut self, low: u16, high: u16) -> u16 {
        u16::try_from(self.between(low.into(), high.into())).expect("it is at most `high`")
    }

    /// Returns true in that many of a hundred cases.
    pub(super) fn percent(&mut self, chance: i64) -> bool {
        self.between(0, 99) < chance
    }

    pub(super) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Picks by weight.
    pub(super) fn weighted<T: Clone>(&mut self, from: &[(i64, T)]) -> T {
        let mut left = self.between(0, from.iter().map(|(weight, _)| weight).sum::<i64>() - 1);
        for (weight, one) in from {
            if left < *weight {
                return one.clone();
            }
            left -= weight;
        }
        unreachable!("the number was below the sum of the weights")
    }
}
