//! Effects that the driver has not taken yet.

use alloc::vec::Vec;

/// A queue whose memory is used again whenever it is empty. That happens all the time, because a driver takes effects until
/// there are none, so there is no need for a ring. For a driver that does not, it is used again when it is full.
#[derive(Clone, Debug)]
pub(crate) struct Waiting<T> {
    all: Vec<T>,
    /// How many of them were taken.
    taken: usize,
}

impl<T> Waiting<T> {
    pub(crate) const fn new() -> Self {
        Self { all: Vec::new(), taken: 0 }
    }

    #[inline]
    pub(crate) fn push(&mut self, one: T) {
        if self.all.len() == self.all.capacity() {
            self.forget_taken();
        }
        self.all.push(one);
    }

    /// Frees the space of what was taken, if that is at least half of all.
    #[cold]
    fn forget_taken(&mut self) {
        if self.taken >= self.all.len().div_ceil(2) {
            self.all.drain(..self.taken);
            self.taken = 0;
        }
    }

    /// Takes the one that has waited longest.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T>
    where
        T: Copy,
    {
        let next = self.all.get(self.taken).copied()?;
        self.taken = self.taken.saturating_add(1);
        if self.taken == self.all.len() {
            self.all.clear();
            self.taken = 0;
        }
        Some(next)
    }

    /// Returns those that wait, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.all.iter().skip(self.taken)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::VecDeque;

    use super::*;

    #[test]
    fn what_waits_is_taken_in_the_order_in_which_it_came() {
        let (mut waiting, mut plain) = (Waiting::new(), VecDeque::new());
        for number in 0..200_u32 {
            if number % 7 < 3 + number / 50 {
                waiting.push(number);
                plain.push_back(number);
            } else {
                assert_eq!(waiting.pop(), plain.pop_front());
            }
            assert!(waiting.iter().eq(&plain), "{number}");
        }
    }

    #[test]
    fn what_was_taken_takes_no_memory() {
        let mut waiting = Waiting::new();
        for number in 0..1000 {
            waiting.push(number);
            assert_eq!(waiting.pop(), Some(number));
        }
        assert_eq!(waiting.all.capacity(), Vec::<i32>::with_capacity(4).capacity());
    }

    #[test]
    fn what_was_taken_takes_little_memory_even_if_something_always_waits() {
        let mut waiting = Waiting::new();
        waiting.push(0);
        for number in 1..10_000 {
            waiting.push(number);
            assert_eq!(waiting.pop(), Some(number - 1));
        }
        assert!(waiting.iter().eq(&[9999]));
        assert!(waiting.all.capacity() <= 8, "{}", waiting.all.capacity());
    }
}
