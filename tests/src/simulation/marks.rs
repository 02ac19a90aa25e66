//! Lines of one-time sequences that are to be marked, in the world's own record.

use std::collections::{BTreeMap, VecDeque};

use super::broken::{Broken, Invariant, ensure};
use super::lease::Lessee;
use super::record::DoorNumber;

/// For whom a door opens when a line is marked.
#[derive(Debug)]
pub(super) struct Marks {
    /// Whether the engine presumes that every line is marked.
    is_presumed: bool,
    asked: u64,
    waiting: BTreeMap<u64, Lessee>,
    /// Answers that the engine must follow in this step.
    answered: VecDeque<(Lessee, bool)>,
}

impl Marks {
    pub(super) fn new(is_presumed: bool) -> Self {
        Self { is_presumed, asked: 0, waiting: BTreeMap::new(), answered: VecDeque::new() }
    }

    /// Returns how many lines are being marked.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Returns whether a door waits for a line.
    pub(super) fn hold(&self, door: DoorNumber) -> bool {
        self.waiting.values().any(|&(_, other)| other == door)
    }

    /// Returns whether the engine opens a door before the line is marked.
    pub(super) fn are_presumed(&self) -> bool {
        self.is_presumed
    }

    /// A line is to be marked. Returns its number.
    pub(super) fn ask(&mut self, lessee: Lessee) -> u64 {
        let number = self.asked;
        self.asked += 1;
        self.waiting.insert(number, lessee);
        number
    }

    /// A line is marked, or cannot be. Returns for whom.
    pub(super) fn answer(&mut self, number: u64, is_marked: bool) -> Lessee {
        let lessee = self.waiting.remove(&number).expect("each line is answered once");
        self.answered.push_back((lessee, is_marked));
        lessee
    }

    /// The engine follows an answer.
    pub(super) fn follow(&mut self, lessee: Lessee, is_marked: bool) -> Result<(), Broken> {
        let next = self.answered.pop_front();
        ensure(next == Some((lessee, is_marked)), Invariant::OnlyKnocksOpen, || {
            format!("{lessee:?} has a line marked: {is_marked}, where {next:?} comes next")
        })
    }

    /// Ends a step.
    pub(super) fn check(&self) -> Result<(), Broken> {
        ensure(self.answered.is_empty(), Invariant::HonestGetIn, || {
            format!("nothing followed from the answers {:?}", self.answered)
        })
    }
}
