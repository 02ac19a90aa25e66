//! Commands in the simulated world: they succeed or fail, at once, late or almost never.

use knock_engine::RunId;

use super::client::{MILLI, SECOND};
use super::queue::{Happening, Queue};
use super::rng::Rng;
use super::tally::Tally;

/// Runs commands.
#[derive(Debug, Default)]
pub(super) struct Runner {
    /// The engine's id of each command, by number.
    runs: Vec<RunId>,
}

impl Runner {
    /// Takes the next command that the engine wants to run.
    pub(super) fn ask(&mut self, run: RunId) {
        self.runs.push(run);
    }

    /// Starts a command at `now_ns`.
    pub(super) fn start(
        number: u64,
        now_ns: i64,
        rng: &mut Rng,
        queue: &mut Queue,
        tally: &mut Tally,
    ) {
        let takes_ns = match rng.between(0, 99) {
            0..=2 => {
                tally.hung += 1;
                rng.between(2000 * SECOND, 9000 * SECOND)
            }
            3..=19 => rng.between(SECOND, 60 * SECOND),
            20..=39 => 0,
            _ => rng.between(0, 100 * MILLI),
        };
        queue.put(now_ns + takes_ns, Happening::CommandEnds(number));
    }

    /// Returns the engine's id of a command.
    pub(super) fn run(&self, number: u64) -> RunId {
        self.runs[usize::try_from(number).expect("64 bits are enough")]
    }
}
