//! Ranges of ports cut into pieces that do not overlap: a set of intervals cannot have elements that do.

use std::collections::BTreeSet;

use knock_engine::{Port, PortRange, Protocol};

/// Cuts ranges at each other's ends. The pieces are in order, do not overlap, and cover the same ports.
pub(crate) fn cut(ranges: &[PortRange]) -> Vec<PortRange> {
    let mut pieces = Vec::new();
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let mine = || ranges.iter().filter(move |range| range.protocol() == protocol);
        // Where a piece begins, or would if there were one.
        let begins = mine().map(|range| u32::from(range.first().0));
        let after = mine().map(|range| u32::from(range.last().0).saturating_add(1));
        let cuts: Vec<u32> = begins.chain(after).collect::<BTreeSet<u32>>().into_iter().collect();
        for pair in cuts.windows(2) {
            let &[begin, end] = pair else { continue };
            let port = |number| u16::try_from(number).ok().map(Port);
            let piece = port(begin)
                .zip(port(end.saturating_sub(1)))
                .and_then(|(first, last)| PortRange::new(protocol, first, last));
            pieces.extend(piece.filter(|piece| mine().any(|range| contains(*range, *piece))));
        }
    }
    pieces
}

/// Returns whether all ports of the second are in the first.
pub(crate) fn contains(range: PortRange, inner: PortRange) -> bool {
    range.protocol() == inner.protocol()
        && range.first() <= inner.first()
        && inner.last() <= range.last()
}

/// Returns the number of ports.
pub(crate) fn width(range: PortRange) -> u32 {
    u32::from(range.last().0).saturating_sub(u32::from(range.first().0)).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(protocol: Protocol, first: u16, last: u16) -> PortRange {
        PortRange::new(protocol, Port(first), Port(last)).unwrap()
    }

    #[test]
    fn ranges_are_cut_where_others_begin_and_end() {
        let tcp = |first, last| range(Protocol::Tcp, first, last);
        let pieces = cut(&[tcp(8000, 8010), tcp(8005, 8005), tcp(22, 22), tcp(8010, 65535)]);
        assert_eq!(
            pieces,
            [
                tcp(22, 22),
                tcp(8000, 8004),
                tcp(8005, 8005),
                tcp(8006, 8009),
                tcp(8010, 8010),
                tcp(8011, 65535)
            ]
        );
    }

    proptest! {
        #[test]
        fn pieces_cover_the_same_ports_and_each_range_is_some_of_them(
            ranges in proptest::collection::vec((any::<bool>(), 1_u16..40, 0_u16..9), 0..8)
        ) {
            let protocol = |tcp| if tcp { Protocol::Tcp } else { Protocol::Udp };
            let ranges: Vec<PortRange> =
                ranges.iter().map(|(tcp, first, more)| range(protocol(*tcp), *first, first.saturating_add(*more))).collect();
            let pieces = cut(&ranges);
            for pair in pieces.windows(2) {
                prop_assert!(pair[0].protocol() < pair[1].protocol() || pair[0].last() < pair[1].first());
            }
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                for port in 1..60 {
                    let one = range(protocol, port, port);
                    let within = |all: &[PortRange]| all.iter().any(|range| contains(*range, one));
                    prop_assert_eq!(within(&ranges), within(&pieces));
                }
            }
            for range in ranges {
                let ports: u32 =
                    pieces.iter().filter(|piece| contains(range, **piece)).map(|piece| width(*piece)).sum();
                prop_assert_eq!(ports, width(range));
            }
        }
    }
}
