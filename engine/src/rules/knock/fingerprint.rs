//! Telling a retransmission from a fresh knock.

use core::hash::{BuildHasher as _, Hash, Hasher as _};
use core::net::IpAddr;
use core::num::NonZeroU32;

use foldhash::fast::FixedState;

use crate::packet::{Packet, Port, TcpFlags, Transport};

/// What a TCP retransmission has in common with the knock it repeats.
///
/// Sequence number 0, as hand-made packets have, proves nothing (rules.md, `knock` rules 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::rules) struct Fingerprint {
    source_port: Port,
    destination_port: Port,
    sequence_number: NonZeroU32,
}

impl Fingerprint {
    /// Returns the fingerprint of a SYN; `None` for packets that no retransmission can be told of.
    pub(in crate::rules) fn of(packet: &Packet) -> Option<Self> {
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

/// Hashes clients and their knocks under a seed, so that nobody outside can choose source addresses
/// that collide.
#[derive(Clone, Debug)]
pub(super) struct ClientHasher(FixedState);

/// A hash, short enough to be kept beside what was hashed: a table that grows then need not fetch
/// every entry from all over memory to hash it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShortHash(u32);

impl ClientHasher {
    pub(super) fn new(seed: u64) -> Self {
        Self(FixedState::with_seed(seed))
    }

    pub(super) fn client(&self, client: IpAddr) -> ShortHash {
        let mut hasher = self.0.build_hasher();
        hasher.write_u128(bits(client));
        ShortHash::from(hasher.finish())
    }

    pub(super) fn knock(&self, client: IpAddr, fingerprint: Fingerprint) -> ShortHash {
        let mut hasher = self.0.build_hasher();
        hasher.write_u128(bits(client));
        fingerprint.hash(&mut hasher);
        ShortHash::from(hasher.finish())
    }
}

impl ShortHash {
    pub(super) const ZERO: Self = Self(0);

    /// Returns the hash as a number to find a place by.
    pub(super) fn to_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    #[cfg(test)]
    pub(super) fn new(hash: u32) -> Self {
        Self(hash)
    }
}

impl From<u64> for ShortHash {
    fn from(hash: u64) -> Self {
        let [_, _, _, _, high @ ..] = hash.to_le_bytes();
        Self(u32::from_le_bytes(high))
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}
