//! Commands in the simulated world, and marks in files: they succeed or fail, at once, late or almost
//! never.

use knock_engine::{MarkId, RunId};

use super::client::{MILLI, SECOND};
use super::queue::{Happening, Queue};
use super::rng::Rng;
use super::tally::Tally;

/// Runs commands.
#[derive(Debug, Default)]
pub(super) struct Runner {
    /// The engine's id of each command, by number.
    runs: Vec<RunId>,
    /// The engine's id of each line to be marked, by number.
    marks: Vec<MarkId>,
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

    /// Takes the next line that the engine wants to be marked, and marks it some time.
    pub(super) fn ask_to_mark(
        &mut self,
        mark: MarkId,
        now_ns: i64,
        rng: &mut Rng,
        queue: &mut Queue,
    ) {
        let number = u64::try_from(self.marks.len()).expect("64 bits are enough");
        self.marks.push(mark);
        let takes_ns = match rng.between(0, 9) {
            0..=4 => 0,
            5..=8 => rng.between(0, 100 * MILLI),
            _ => rng.between(0, 60 * SECOND),
        };
        queue.put(now_ns + takes_ns, Happening::LineMarked(number));
    }

    /// Returns the engine's id of a line.
    pub(super) fn mark(&self, number: u64) -> MarkId {
        self.marks[usize::try_from(number).expect("64 bits are enough")]
    }

    /// Returns the engine's id of a command.
    pub(super) fn run(&self, number: u64) -> RunId {
        self.runs[usize::try_from(number).expect("64 bits are enough")]
    }
}
