//! The properties of the world in a run.

use super::client::{MILLI, SECOND};
use super::queue::Network;
use super::rng::Rng;

/// The time at which every run begins: 2025-01-01.
pub(super) const BEGINNING: i64 = 1_735_689_600 * SECOND;

/// The properties of the world in this run.
#[derive(Debug)]
pub(super) struct RunParameters {
    pub(super) network: Network,
    /// Every command succeeds at the moment it starts, and every line is marked at once, as in a replay.
    pub(super) answers_at_once: bool,
    /// The driver wakes when something is due, like a live one; else it waits for the next event.
    pub(super) wakes: bool,
    /// The largest delay of packets on their way to the engine, in nanoseconds.
    pub(super) lag_max_ns: i64,
    /// When clients stop.
    pub(super) end_ns: i64,
    pub(super) limit: u32,
}

impl RunParameters {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let limits = [(46, 100_000), (2, 1), (4, 3), (10, 50), (14, 200), (14, 600), (10, 2000)];
        Self {
            network: Network {
                loss: rng.between(0, 15),
                duplication: rng.between(0, 15),
                delay_max_ns: rng.pick(&[10 * MILLI, 300 * MILLI, 4 * SECOND]),
            },
            answers_at_once: rng.percent(25),
            wakes: rng.percent(60),
            lag_max_ns: rng.pick(&[0, 0, 3 * MILLI, SECOND]),
            end_ns: BEGINNING + rng.between(200, 900) * SECOND,
            limit: rng.weighted(&limits),
        }
    }
}
