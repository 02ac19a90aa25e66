//! Telling a retransmission from a fresh knock.

use core::hash::{BuildHasher, Hash};
use core::num::NonZeroU32;

use foldhash::quality::FixedState;

use crate::packet::{Packet, Port, TcpFlags, Transport};

/// What a TCP retransmission has in common with the knock it repeats.
///
/// Sequence number 0, as hand-made packets have, proves nothing (rules.md, `knock` rules 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint {
    source_port: Port,
    destination_port: Port,
    sequence_number: NonZeroU32,
}

impl Fingerprint {
    /// Returns the fingerprint of a SYN; `None` for packets that no retransmission can be told of.
    pub(super) fn of(packet: &Packet) -> Option<Self> {
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

impl ClientHasher {
    pub(super) fn new(seed: u64) -> Self {
        Self(FixedState::with_seed(seed))
    }

    pub(super) fn hash(&self, key: impl Hash) -> u64 {
        self.0.hash_one(key)
    }
}
