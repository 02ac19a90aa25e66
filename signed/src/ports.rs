//! The ports of a door in a period.

use alloc::vec::Vec;

use crate::key::SequenceKey;

/// Consecutive ports, of which sequences are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSpan {
    first: u16,
    last: u16,
}

impl PortSpan {
    /// The fewest ports: with fewer, a sequence can be guessed.
    pub const LEAST: u16 = 1_000;

    /// Takes the first and the last port; `None` if there are fewer than [`PortSpan::LEAST`], or the first
    /// is 0.
    #[must_use]
    pub const fn new(first: u16, last: u16) -> Option<Self> {
        if first == 0 || last < first || last.saturating_sub(first) < Self::LEAST.saturating_sub(1)
        {
            return None;
        }
        Some(Self { first, last })
    }

    /// Returns the first port.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// Returns the last port.
    #[must_use]
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Returns whether a port is one of them.
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

/// Returns the ports of a door in a period, no two the same.
///
/// They are the first `count` of those in the span among the two-byte numbers of HMAC-SHA256(key, door ||
/// period), then of HMAC-SHA256(key, door || period || n) for n = 1, 2 and so on. The period is written with
/// eight bytes, n with four, all numbers with the highest byte first.
#[must_use]
pub fn ports(key: &SequenceKey, door: &[u8], period: u64, span: PortSpan, count: u8) -> Vec<u16> {
    let count = usize::from(count).min(usize::from(PortSpan::LEAST));
    let mut ports = Vec::with_capacity(count);
    let period = period.to_be_bytes();
    for block in 0_u32.. {
        let number = block.to_be_bytes();
        let number: &[u8] = if block == 0 { &[] } else { &number };
        let numbers = key.mac(&[door, &period, number]);
        for pair in numbers.chunks_exact(2) {
            if ports.len() == count {
                return ports;
            }
            let &[high, low] = pair else { continue };
            let port = u16::from_be_bytes([high, low]);
            if span.contains(port) && !ports.contains(&port) {
                ports.push(port);
            }
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::key::Key;

    fn key(byte: u8) -> SequenceKey {
        Key::take(&mut [byte; 32]).for_sequences()
    }

    #[test]
    fn a_span_has_at_least_1000_ports_and_not_port_0() {
        assert_eq!(PortSpan::new(0, 65_535), None);
        assert_eq!(PortSpan::new(2_000, 2_998), None);
        assert_eq!(PortSpan::new(2_000, 1_999), None);
        let span = PortSpan::new(2_000, 2_999).unwrap();
        assert_eq!((span.first(), span.last()), (2_000, 2_999));
        assert_eq!(
            [1_999, 2_000, 2_999, 3_000].map(|port| span.contains(port)),
            [false, true, true, false]
        );
        assert!(PortSpan::new(1, 65_535).is_some());
    }

    #[test]
    fn another_key_door_or_period_gives_other_ports() {
        let span = PortSpan::new(20_000, 59_999).unwrap();
        let all: BTreeSet<Vec<u16>> = [
            ports(&key(1), b"SSH", 29_000_000, span, 5),
            ports(&key(2), b"SSH", 29_000_000, span, 5),
            ports(&key(1), b"ssh", 29_000_000, span, 5),
            ports(&key(1), b"SSH", 29_000_001, span, 5),
        ]
        .into();
        assert_eq!(all.len(), 4);
    }

    proptest! {
        #[test]
        fn ports_are_distinct_and_in_the_span(
            seed: u8,
            period: u64,
            first in 1..60_000_u16,
            length in 999..5_000_u16,
            count in 1..33_u8,
        ) {
            let span = PortSpan::new(first, first.saturating_add(length)).unwrap();
            let found = ports(&key(seed), b"door", period, span, count);
            prop_assert_eq!(found.len(), usize::from(count));
            prop_assert!(found.iter().all(|&port| span.contains(port)));
            prop_assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), usize::from(count));
            let fewer = ports(&key(seed), b"door", period, span, count / 2);
            prop_assert!(found.starts_with(&fewer));
        }
    }
}
