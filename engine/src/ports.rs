//! Sets of ports.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// A set of ports as 65,536 bits: 8 KiB, which stay in the first-level cache.
#[derive(Clone, Debug)]
pub(crate) struct PortSet(Vec<u64>);

impl PortSet {
    pub(crate) fn new() -> Self {
        Self(vec![0; 1024])
    }

    pub(crate) fn insert(&mut self, port: u16) {
        if let Some(word) = self.0.get_mut(usize::from(port >> 6)) {
            *word |= 1 << (port & 63);
        }
    }

    pub(crate) fn remove(&mut self, port: u16) {
        if let Some(word) = self.0.get_mut(usize::from(port >> 6)) {
            *word &= !(1 << (port & 63));
        }
    }

    pub(crate) fn contains(&self, port: u16) -> bool {
        self.0.get(usize::from(port >> 6)).is_some_and(|word| (word >> (port & 63)) & 1 == 1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    pub(crate) fn remove_all(&mut self, other: &Self) {
        for (word, less) in self.0.iter_mut().zip(&other.0) {
            *word &= !less;
        }
    }

    /// Returns the ports in order, consecutive ones as one range.
    pub(crate) fn ranges(&self) -> Vec<RangeInclusive<u16>> {
        let mut ranges: Vec<RangeInclusive<u16>> = Vec::new();
        for port in self.iter() {
            match ranges.last_mut() {
                Some(last) if last.end().checked_add(1) == Some(port) => {
                    *last = *last.start()..=port;
                }
                _ => ranges.push(port..=port),
            }
        }
        ranges
    }

    fn iter(&self) -> impl Iterator<Item = u16> {
        let words = self.0.iter().zip((0..=u16::MAX).step_by(64));
        let set = words.filter(|&(&word, _)| word != 0);
        set.flat_map(|(word, first)| {
            (first..=first | 63).filter(move |port| (word >> (port & 63)) & 1 == 1)
        })
    }
}

/// Joins the ranges that are nearest to one another until there are at most this many.
pub(crate) fn joined(ranges: &[RangeInclusive<u16>], most: usize) -> Vec<RangeInclusive<u16>> {
    let gap = |pair: &[RangeInclusive<u16>]| match pair {
        [one, other] => other.start().saturating_sub(*one.end()),
        _ => 0,
    };
    let mut gaps: Vec<(u16, usize)> =
        ranges.windows(2).enumerate().map(|(at, pair)| (gap(pair), at)).collect();
    gaps.sort_unstable_by(|one, other| other.cmp(one));
    let kept: BTreeSet<usize> =
        gaps.iter().take(most.saturating_sub(1)).map(|&(_, at)| at).collect();
    let mut out = Vec::new();
    let mut start = None;
    for (at, range) in ranges.iter().enumerate() {
        let first = *start.get_or_insert(*range.start());
        if kept.contains(&at) || at.saturating_add(1) == ranges.len() {
            out.push(first..=*range.end());
            start = None;
        }
    }
    out
}

impl Default for PortSet {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ports: &[u16]) -> PortSet {
        let mut set = PortSet::new();
        for &port in ports {
            set.insert(port);
        }
        set
    }

    #[test]
    fn neighbours_are_one_range() {
        assert_eq!(set(&[]).ranges(), []);
        let ports = set(&[65_535, 0, 63, 64, 65, 7000, 65_534, 7002]);
        assert_eq!(ports.ranges(), [0..=0, 63..=65, 7000..=7000, 7002..=7002, 65_534..=65_535]);
    }

    #[test]
    fn sets_can_be_added_and_taken_away() {
        let mut ports = set(&[1, 2, 900]);
        ports.add_all(&set(&[2, 3]));
        assert_eq!(ports.ranges(), [1..=3, 900..=900]);
        ports.remove_all(&set(&[2, 900, 901]));
        assert_eq!(ports.ranges(), [1..=1, 3..=3]);
        assert!(!ports.is_empty());
        ports.remove_all(&set(&[1, 3]));
        assert!(ports.is_empty());
    }
}
