//! Events for which there was no room.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;

use foldhash::fast::RandomState;

use super::event::EventId;

/// Events of one side for which there was no room, as far as must be known of them: one of them may be the
/// other half of an event of the other side that is kept.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub(super) count: u64,
    /// What the other side's events are that are kept and of whose other halves none was left out: when
    /// something is left out, no more are kept.
    alone: HashSet<u64, RandomState>,
}

impl LeftOut {
    /// Leaves nothing out yet. These events of the other side are kept.
    pub(super) fn new(others: impl Iterator<Item = EventId>) -> Self {
        Self { count: 0, alone: others.map(code).collect() }
    }

    pub(super) fn add(&mut self, event: EventId) {
        self.count = self.count.saturating_add(1);
        if !self.alone.is_empty() {
            self.alone.remove(&code(event));
        }
    }

    /// Returns whether one of them may be the other half of an event of the other side.
    pub(super) fn may_have(&self, other: EventId) -> bool {
        !self.alone.contains(&code(other))
    }
}

/// Returns a number for what an event is: of IPv4 one for each, of IPv6 a hash. What has the number of another
/// is taken for it: then less is reported, and nothing that is wrong.
fn code(EventId { client, door, kind }: EventId) -> u64 {
    let number = u32::try_from(door.index()).ok().filter(|number| *number < 1 << 28);
    match (client, number) {
        (IpAddr::V4(client), Some(number)) => {
            u64::from(client.to_bits()) << 32 | u64::from(number << 4) | u64::from(kind.number())
        }
        (client, _) => {
            let mut hasher = DefaultHasher::new();
            (client, door, kind).hash(&mut hasher);
            hasher.finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::super::event::{EventKind, Named};
    use super::*;

    fn event() -> impl Strategy<Value = EventId> {
        let client = prop_oneof![
            (0..6_u32).prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
            (0..6_u128).prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        ];
        let kind = prop::sample::select(EventKind::ALL.to_vec());
        let door = prop::sample::select(vec![0, 1, 1 << 27, 1 << 28, 1 << 40]);
        (client, door.prop_map(Named::new), kind).prop_map(|(client, door, kind)| EventId {
            client,
            door,
            kind,
        })
    }

    proptest! {
        /// Whatever was left out is known, if it matters to what is kept, and nothing else.
        #[test]
        fn what_was_left_out_is_known(
            kept in prop::collection::vec(event(), 0..20),
            left_out in prop::collection::vec(event(), 0..20),
        ) {
            let mut all = LeftOut::new(kept.iter().copied());
            for one in &left_out {
                all.add(*one);
            }
            prop_assert_eq!(all.count, u64::try_from(left_out.len()).unwrap());
            let left_out: HashSet<EventId> = left_out.into_iter().collect();
            for one in kept {
                prop_assert_eq!(all.may_have(one), left_out.contains(&one));
            }
        }
    }
}
