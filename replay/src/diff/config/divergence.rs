//! Where the two configurations diverge: the first packet, or the first deadline, of which they do not make
//! the same for a client at a door.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use knock_engine::Stage;

use super::event::Named;
use crate::explain::{Explainer, Explanation, Verdict};

/// The number of a [`Divergence`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DivergenceId(usize);

/// What becomes of a packet, or what time does, under both; `None` under one that has nothing to say of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Divergence {
    pub(super) old: Option<Explanation>,
    pub(super) new: Option<Explanation>,
}

/// All clients at doors for which the two have diverged.
#[derive(Debug, Default)]
pub(super) struct Divergences {
    /// Those that somebody wants to know of.
    wanted: Vec<Divergence>,
    /// Those who have not come together again.
    diverged: HashMap<(IpAddr, Named), (Divergence, Option<DivergenceId>)>,
}

/// What the two make of a step, by client and door.
#[derive(Debug, Default)]
pub(super) struct StepVerdicts(BTreeMap<(IpAddr, Named), Divergence>);

impl StepVerdicts {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn take_old(&mut self, door: Named, one: &Explanation) {
        if tells(&one.verdict) {
            self.of(one, door).old = Some(*one);
        }
    }

    pub(super) fn take_new(&mut self, door: Named, one: &Explanation) {
        if tells(&one.verdict) {
            self.of(one, door).new = Some(*one);
        }
    }

    fn of(&mut self, one: &Explanation, door: Named) -> &mut Divergence {
        self.0.entry((one.client, door)).or_insert(Divergence { old: None, new: None })
    }
}

impl Divergences {
    /// Takes what the two made of a step.
    pub(super) fn take(&mut self, verdicts: &StepVerdicts) {
        for (key, divergence) in &verdicts.0 {
            if divergence.is_agreed() {
                if divergence.comes_together() {
                    self.diverged.remove(key);
                }
            } else if self.diverged.len() < Explainer::PAIRS {
                self.diverged.entry(*key).or_insert((*divergence, None));
            }
        }
    }

    /// Returns where the two have diverged for a client at a door, unless they have come together again,
    /// and remembers it for ever.
    pub(super) fn of(&mut self, client: IpAddr, door: Named) -> Option<DivergenceId> {
        let (divergence, id) = self.diverged.get_mut(&(client, door))?;
        Some(*id.get_or_insert_with(|| {
            self.wanted.push(*divergence);
            DivergenceId(self.wanted.len().saturating_sub(1))
        }))
    }

    /// Returns what [`Divergences::of`] remembered.
    pub(super) fn get(&self, id: DivergenceId) -> Option<&Divergence> {
        self.wanted.get(id.0)
    }
}

impl Divergence {
    /// Returns whether both say the same.
    fn is_agreed(&self) -> bool {
        let kind = |one: &Explanation| (one.verdict.name(), stage(&one.verdict));
        self.old.as_ref().map(kind) == self.new.as_ref().map(kind)
    }

    /// Returns whether an attempt begins or ends under both: what came before is of no account then.
    fn comes_together(&self) -> bool {
        self.old.is_some_and(|one| match one.verdict {
            Verdict::Stage { stage, .. } => stage == Stage::FIRST,
            Verdict::Signed { .. }
            | Verdict::Opened
            | Verdict::SequenceTimedOut { .. }
            | Verdict::Void { .. } => true,
            Verdict::Refused
            | Verdict::Skipped(_)
            | Verdict::Command(_)
            | Verdict::Admitted { .. }
            | Verdict::Closing
            | Verdict::AdmissionEnded(_)
            | Verdict::CommandTimedOut
            | Verdict::Evicted { .. }
            | Verdict::SequenceChanged { .. }
            | Verdict::DoorChanged { .. }
            | Verdict::OneTimeUsed { .. }
            | Verdict::Disabled
            | Verdict::VoidedOften { .. }
            | Verdict::Ignored(_) => false,
        })
    }
}

/// Returns whether a verdict is about an attempt; others only follow from it.
const fn tells(verdict: &Verdict) -> bool {
    !matches!(
        verdict,
        Verdict::Admitted { .. }
            | Verdict::Closing
            | Verdict::AdmissionEnded(_)
            | Verdict::Command(_)
            | Verdict::CommandTimedOut
            | Verdict::OneTimeUsed { .. }
            | Verdict::Disabled
            | Verdict::VoidedOften { .. }
    )
}

fn stage(verdict: &Verdict) -> Option<Stage> {
    match *verdict {
        Verdict::Stage { stage, .. }
        | Verdict::SequenceTimedOut { stage, .. }
        | Verdict::Void { stage, .. } => Some(stage),
        Verdict::Signed { .. }
        | Verdict::Opened
        | Verdict::Refused
        | Verdict::Skipped(_)
        | Verdict::Command(_)
        | Verdict::Admitted { .. }
        | Verdict::Closing
        | Verdict::AdmissionEnded(_)
        | Verdict::CommandTimedOut
        | Verdict::Evicted { .. }
        | Verdict::SequenceChanged { .. }
        | Verdict::DoorChanged { .. }
        | Verdict::OneTimeUsed { .. }
        | Verdict::Disabled
        | Verdict::VoidedOften { .. }
        | Verdict::Ignored(_) => None,
    }
}
