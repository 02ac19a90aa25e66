//! Distinguishes a retransmission from a new knock.

use core::fmt;
use core::hash::{Hash, Hasher as _};
use core::net::IpAddr;
use core::num::NonZeroU32;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

use crate::packet::{Packet, Port, TcpFlags, Transport};

/// What a TCP retransmission has in common with the knock it repeats.
///
/// Sequence number 0 proves nothing, because hand-made packets have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint {
    source_port: Port,
    destination_port: Port,
    sequence_number: NonZeroU32,
}

impl Fingerprint {
    /// Returns the fingerprint of a SYN; `None` for packets whose retransmissions cannot be recognized.
    #[must_use]
    pub fn of(packet: &Packet) -> Option<Self> {
        let Transport::Tcp(header) = packet.transport else { return None };
        if !header.flags?.contains(TcpFlags::SYN) {
            return None;
        }
        Some(Self {
            source_port: packet.source_port,
            destination_port: packet.destination_port,
            sequence_number: NonZeroU32::new(header.sequence_number?)?,
        })
    }
}

/// Hashes clients and their knocks under a seed, so that an attacker cannot choose source addresses
/// that collide.
#[derive(Clone)]
pub(super) struct ClientHasher {
    seed: u64,
    /// Mixed with the upper half of an address. If it were not secret, an attacker could choose an upper
    /// half that makes the product 0 for every lower half.
    shared: SharedSeed,
}

impl fmt::Debug for ClientHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The seed must stay secret.
        f.debug_struct("ClientHasher").finish_non_exhaustive()
    }
}

/// A hash, short enough to store beside its entry: a growing table then need not fetch every entry from
/// memory to hash it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShortHash(u32);

impl ClientHasher {
    pub(super) fn new(seed: u64) -> Self {
        // Numbers of few bits hash badly, and 0 not at all.
        let seed = seed ^ 0x243f_6a88_85a3_08d3;
        Self { seed, shared: SharedSeed::from_u64(seed) }
    }

    pub(super) fn client(&self, client: IpAddr) -> ShortHash {
        let mut hasher = self.hasher();
        hasher.write_u128(bits(client));
        ShortHash::from(hasher.finish())
    }

    pub(super) fn knock(&self, client: IpAddr, fingerprint: Fingerprint) -> ShortHash {
        let mut hasher = self.hasher();
        hasher.write_u128(bits(client));
        fingerprint.hash(&mut hasher);
        ShortHash::from(hasher.finish())
    }

    fn hasher(&self) -> FoldHasher<'_> {
        FoldHasher::with_seed(self.seed, &self.shared)
    }
}

impl ShortHash {
    pub(super) const ZERO: Self = Self(0);

    pub(super) const fn mixed_with(self, bits: u32) -> Self {
        Self(self.0 ^ bits)
    }

    /// Returns the place, from 0, in a table of so many places: a larger hash is never before a smaller one.
    pub(super) fn place_among(self, places: usize) -> usize {
        let places = u64::try_from(places).unwrap_or(u64::MAX);
        let scaled = u64::from(self.0).wrapping_mul(places) >> u32::BITS;
        usize::try_from(scaled).unwrap_or(usize::MAX)
    }

    #[cfg(test)]
    pub(super) fn new(hash: u32) -> Self {
        Self(hash)
    }
}

impl From<u64> for ShortHash {
    fn from(hash: u64) -> Self {
        // The place of an entry follows from the first bits, and the last ones of a hash are better: they
        // depend on more of the address. A multiplication by an odd number hands them on to the first.
        let [_, _, _, _, high @ ..] = hash.to_le_bytes();
        Self(u32::from_le_bytes(high).wrapping_mul(0x9e37_79b1))
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use alloc::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// Returns two numbers that have the same hash.
    pub(in super::super) fn colliding(hash: impl Fn(u32) -> ShortHash) -> (u32, u32) {
        let mut seen = BTreeMap::new();
        let found = (1..1_000_000).find_map(|number| {
            let before = seen.insert(hash(number).0, number)?;
            Some((before, number))
        });
        found.expect("some hundred thousand hashes of 32 bits collide")
    }

    /// Returns a client; they come from all over the address space.
    pub(in super::super) fn client(number: u32) -> IpAddr {
        const STEP: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
        IpAddr::V6(u128::from(number).wrapping_mul(STEP).into())
    }

    pub(in super::super) fn fingerprint(sequence_number: u32) -> Fingerprint {
        Fingerprint {
            source_port: Port(40_000),
            destination_port: Port(7000),
            sequence_number: NonZeroU32::new(sequence_number).unwrap(),
        }
    }

    /// Where a table of 4,096 places puts as many IPv4 clients, IPv6 clients, and knocks of a client.
    fn places() -> [BTreeSet<usize>; 3] {
        let hasher = ClientHasher::new(0);
        let place = |hash: ShortHash| hash.place_among(4096);
        let numbers = 1..=4096_u32;
        let v4 = numbers.clone().map(|n| hasher.client(IpAddr::V4(n.into())));
        let v6 = numbers.clone().map(|n| hasher.client(IpAddr::V6((u128::from(n) << 64).into())));
        let knocks = numbers.map(|n| hasher.knock(IpAddr::from([192, 0, 2, 1]), fingerprint(n)));
        [v4.map(place).collect(), v6.map(place).collect(), knocks.map(place).collect()]
    }

    /// Addresses of one network must not all end in one chain, or every packet of a flood would take as
    /// long as all before it.
    #[test]
    fn clients_and_knocks_of_one_network_are_spread_all_over_a_table() {
        for places in places() {
            assert!(places.len() > 1000, "{} of 4096 places", places.len());
        }
    }

    /// If only the first step of a hash depends on the seed, the differences between colliding addresses
    /// are the same for every seed, and an attacker can compute them in advance.
    #[test]
    fn clients_that_collide_under_one_seed_do_not_under_another() {
        let place = |seed, client: u128| {
            ClientHasher::new(seed).client(IpAddr::V6(client.into())).place_among(4096)
        };
        let network = 0x2001_0db8_u128 << 96;
        for shift in [0, 32, 64, 80] {
            let mut seen = BTreeMap::new();
            let (mut pairs, mut still) = (0_u32, 0_u32);
            for client in (0..20_000_u128).map(|number| network | (number << shift)) {
                if let Some(other) = seen.insert(place(1, client), client) {
                    pairs += 1;
                    still += u32::from(place(2, client) == place(2, other));
                }
            }
            assert!(pairs > 10_000, "{pairs} pairs by {shift}");
            assert!(still < pairs / 20, "{still} of {pairs} pairs by {shift}");
        }
    }

    #[test]
    fn no_network_goes_to_one_place_whatever_the_seed() {
        // With the constant that foldhash mixes with the upper half of an address, every address of
        // these networks had one hash, or one of eight.
        for network in [0xc0ac_29b7_c97c_50dd_u128, 0x20ac_29b7_c97c_50dd] {
            let hasher = ClientHasher::new(1);
            let clients = (0..4096_u128).map(|number| IpAddr::V6((network << 64 | number).into()));
            let places: BTreeSet<usize> =
                clients.map(|client| hasher.client(client).place_among(4096)).collect();
            assert!(places.len() > 1000, "{} of 4096 places", places.len());
        }
    }

    #[test]
    fn the_place_of_a_client_depends_on_the_seed() {
        let client = IpAddr::from([192, 0, 2, 1]);
        let hashes = |seed| {
            let hasher = ClientHasher::new(seed);
            (hasher.client(client), hasher.knock(client, fingerprint(7)))
        };
        assert_eq!(hashes(1), hashes(1));
        assert_ne!(hashes(1).0, hashes(2).0);
        assert_ne!(hashes(1).1, hashes(2).1);
        assert_eq!(alloc::format!("{:?}", ClientHasher::new(1)), "ClientHasher { .. }");
    }
}
