//! Who is surely no client of a list that is full: in a flood, nearly everybody.

use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::fast::RandomState;

/// Knows of nearly all clients that are not in a list that they are not, by a bit for the hash of each that is. The bits stay
/// in the processor's cache where the list itself does not.
#[derive(Debug)]
pub(super) struct Outsiders {
    /// Set for those in the list; as many as a power of two.
    bits: Vec<u64>,
    hasher: RandomState,
}

impl Outsiders {
    /// How many bits there are for each client in the list: of sixteen outsiders, one is not recognized.
    const BITS_EACH: usize = 16;

    /// Takes the clients in the list.
    pub(super) fn of(clients: impl Iterator<Item = IpAddr>, count: usize) -> Self {
        let words = count.saturating_mul(Self::BITS_EACH).div_ceil(64).next_power_of_two();
        let mut outsiders = Self { bits: vec![0; words], hasher: RandomState::default() };
        clients.for_each(|client| outsiders.add(client));
        outsiders
    }

    /// Takes one more client in the list.
    pub(super) fn add(&mut self, client: IpAddr) {
        let (place, bit) = self.bit(client);
        if let Some(bits) = self.bits.get_mut(place) {
            *bits |= bit;
        }
    }

    /// Returns whether a client is surely not in the list.
    #[inline]
    pub(super) fn contain(&self, client: IpAddr) -> bool {
        let (place, bit) = self.bit(client);
        self.bits.get(place).is_some_and(|bits| bits & bit == 0)
    }

    #[inline]
    fn bit(&self, client: IpAddr) -> (usize, u64) {
        let hash = match client {
            IpAddr::V4(client) => self.hasher.hash_one(client.to_bits()),
            IpAddr::V6(client) => self.hasher.hash_one(client.to_bits()),
        };
        let last = self.bits.len().saturating_sub(1);
        let place = usize::try_from(hash >> 32).unwrap_or(usize::MAX) & last;
        (place, 1 << (hash % 64))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn v4(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 | number).into()
    }

    fn v6(number: u32) -> IpAddr {
        Ipv6Addr::from_bits((0x2001_0db8 << 96) | u128::from(number)).into()
    }

    #[test]
    fn nobody_in_the_list_is_an_outsider_and_nearly_everybody_else_is() {
        let listed = (0..5_000).flat_map(|number| [v4(number), v6(number)]);
        let mut outsiders = Outsiders::of(listed.clone(), 10_000);
        assert!(!listed.clone().any(|client| outsiders.contain(client)));
        let others = (5_000..25_000).flat_map(|number| [v4(number), v6(number)]);
        let recognized = others.filter(|&client| outsiders.contain(client)).count();
        assert!(recognized > 36_000, "{recognized} of 40000");
        outsiders.add(v4(30_000));
        assert!(!outsiders.contain(v4(30_000)));
    }
}
