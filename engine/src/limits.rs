//! How much the engine remembers.

use core::num::NonZeroU32;

/// How much the engine may remember.
///
/// An attempt takes less than 200 bytes, so the default of a million takes less than 200 MB. Of that
/// at most 64 MiB are reserved from the beginning, but not used before attempts come.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most attempts; as many knocks are remembered besides, to know their retransmissions, as
    /// many cooldowns, and as many commands may run, wait, or be due some time.
    ///
    /// At the limit, the attempt with the least progress makes room for a new one, of those the one
    /// that has been at its stage longest; the knock or the cooldown that is next to be forgotten is
    /// forgotten before its time; and a door with a start command stays shut rather than leave a
    /// lease unrecorded. Each is counted and told.
    pub attempts: NonZeroU32,
    /// What hashes of client addresses depend on. It changes no effect; a live daemon takes it from
    /// a random source, so that no one can flood it with addresses that collide.
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
