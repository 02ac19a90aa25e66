//! Commands in the simulated world: they succeed or fail, at once, late or almost never.

use std::collections::{BTreeMap, VecDeque};

use knock_engine::RunId;

use super::client::{MILLI, SECOND};
use super::lease::Lessee;
use super::queue::{Happening, Queue};
use super::rng::Rng;
use super::tally::Tally;

/// Runs commands, those of one client and door one after another.
#[derive(Debug, Default)]
pub(super) struct Runner {
    /// The engine's id of each command, by number.
    runs: Vec<(RunId, Lessee)>,
    /// The commands of each client and door; the first one runs.
    lines: BTreeMap<Lessee, VecDeque<u64>>,
}

impl Runner {
    /// Takes a command of the engine; it runs when those before it have ended.
    pub(super) fn ask(&mut self, run: RunId, lessee: Lessee, number: u64) -> bool {
        self.runs.push((run, lessee));
        let line = self.lines.entry(lessee).or_default();
        line.push_back(number);
        line.len() == 1
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

    /// Handles the end of a command. Returns the one that runs next.
    pub(super) fn end(&mut self, number: u64) -> Option<u64> {
        let (_, lessee) = self.runs[index(number)];
        let line = self.lines.get_mut(&lessee)?;
        line.pop_front();
        let next = line.front().copied();
        if next.is_none() {
            self.lines.remove(&lessee);
        }
        next
    }

    /// Returns the engine's id of a command.
    pub(super) fn run(&self, number: u64) -> RunId {
        self.runs[index(number)].0
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("64 bits are enough")
}
