//! Limits on the engine's memory.

use core::num::NonZeroU32;

/// Limits on the engine's memory.
///
/// An attempt takes less than 200 bytes, so the default of a million takes less than 200 MB. At most
/// 64 MiB of that is reserved at the start, but not used before attempts come.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most attempts; the same limit applies to the knocks that are remembered for their
    /// retransmissions, to cooldowns, and to commands that run, wait or are due, together.
    ///
    /// At the limit, a new attempt evicts the one with the least progress, and among those the one
    /// that has been at its stage longest; the knock or cooldown that would be forgotten next is
    /// forgotten early; and a door with a start command stays shut, because its lease could not be
    /// recorded. Each case is counted and reported.
    pub attempts: NonZeroU32,
    /// The seed for hashes of client addresses. It changes no effect; a live daemon takes a random one,
    /// so that an attacker cannot flood it with addresses that collide.
    pub hash_seed: u64,
}

impl Limits {
    /// The default number of attempts.
    pub const DEFAULT_ATTEMPTS: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();
}

impl Default for Limits {
    fn default() -> Self {
        Self { attempts: Self::DEFAULT_ATTEMPTS, hash_seed: 0 }
    }
}
