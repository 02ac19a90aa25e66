//! The bound of rule sets.

use knock_engine::Counts;

/// Returns whether a rule set has met its bound.
pub(super) const fn is_met(counts: Counts) -> bool {
    let Counts {
        evicted,
        forgotten_knocks,
        forgotten_cooldowns,
        forgotten_openings,
        refused,
        not_begun,
        ..
    } = counts;
    evicted > 0
        || forgotten_knocks > 0
        || forgotten_cooldowns > 0
        || forgotten_openings > 0
        || refused > 0
        || not_begun > 0
}
