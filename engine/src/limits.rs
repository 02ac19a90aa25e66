//! Limits on the engine's memory.

use core::num::NonZeroU32;

/// Limits on the engine's memory.
///
/// An attempt takes less than 200 bytes, so the default of a million takes less than 200 MB. At most
/// 68 MiB of that is reserved at the start, but not used before attempts come.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most attempts; the same limit applies to the knocks that are remembered for their
    /// retransmissions, to cooldowns, and to openings at doors that limit them.
    ///
    /// At the limit, a new attempt evicts the one with the least progress, and among those the one
    /// that has been at its stage longest; the knock, cooldown or opening that would be forgotten next is
    /// forgotten early. Each case is counted and reported.
    pub attempts: NonZeroU32,
    /// The most leases: open doors, and commands that run or wait.
    ///
    /// At this limit and at the next two, a door with a start command stays shut, which is counted and
    /// reported.
    pub leases: NonZeroU32,
    /// The most leases of one door while others need theirs: beyond it, a door never has more than are
    /// left for the others.
    pub leases_of_door: NonZeroU32,
    /// The most start commands of one door that run or wait.
    pub starts_of_door: NonZeroU32,
    /// The most clients in ten seconds that are reported because their attempts were voided again and again.
    pub void_reports: u32,
    /// The seed for hashes of client addresses. It changes no effect; a live daemon takes a random one,
    /// so that an attacker cannot flood it with addresses that collide.
    pub hash_seed: u64,
}

impl Limits {
    /// The default number of attempts.
    pub const DEFAULT_ATTEMPTS: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();

    /// The default number of leases.
    pub const DEFAULT_LEASES: NonZeroU32 = NonZeroU32::new(10_000).unwrap();

    /// The default number of leases of one door while others need theirs.
    pub const DEFAULT_LEASES_OF_DOOR: NonZeroU32 = NonZeroU32::new(100).unwrap();

    /// The default number of start commands of one door that run or wait.
    pub const DEFAULT_STARTS_OF_DOOR: NonZeroU32 = NonZeroU32::new(256).unwrap();

    /// The default number of clients in ten seconds that are reported as voided again and again.
    pub const DEFAULT_VOID_REPORTS: u32 = 10;
}

impl Limits {
    /// Returns the default limits with another number of attempts. There are no more leases than that.
    #[must_use]
    pub fn with_attempts(attempts: NonZeroU32) -> Self {
        Self { attempts, leases: attempts.min(Self::DEFAULT_LEASES), ..Self::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempts: Self::DEFAULT_ATTEMPTS,
            leases: Self::DEFAULT_LEASES,
            leases_of_door: Self::DEFAULT_LEASES_OF_DOOR,
            starts_of_door: Self::DEFAULT_STARTS_OF_DOOR,
            void_reports: Self::DEFAULT_VOID_REPORTS,
            hash_seed: 0,
        }
    }
}
