//! Where the two configurations diverge: the first packet, or the first deadline, of which they do not make
//! the same for a client at a door.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

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

/// What one of them makes of a packet, or of time, at a door.
pub(super) type Told = (Named, Explanation);

/// All clients at doors for which the two have diverged.
#[derive(Debug, Default)]
pub(super) struct Divergences {
    /// Those that somebody wants to know of.
    wanted: Vec<Rc<Divergence>>,
    /// Those who have not come together again.
    diverged: HashMap<(IpAddr, Named), (Rc<Divergence>, Option<DivergenceId>)>,
}

impl Divergences {
    /// Returns whether no client has diverged at any door, or all have come together again.
    pub(super) fn are_none(&self) -> bool {
        self.diverged.is_empty()
    }

    /// Takes what the two made of a step.
    pub(super) fn take(&mut self, old: &[Told], new: &[Told]) {
        let says_nothing = old.is_empty() && new.is_empty();
        if says_nothing || (self.are_none() && are_agreed(old, new)) {
            return;
        }
        for (key, divergence) in by_client(old, new) {
            if divergence.is_agreed() {
                if divergence.comes_together() {
                    self.diverged.remove(&key);
                }
            } else if self.diverged.len() < Explainer::PAIRS {
                self.diverged.entry(key).or_insert_with(|| (Rc::new(divergence), None));
            }
        }
    }

    /// Returns where the two have diverged for a client at a door, unless they have come together again,
    /// and remembers it for ever.
    pub(super) fn of(&mut self, client: IpAddr, door: Named) -> Option<DivergenceId> {
        let (divergence, id) = self.diverged.get_mut(&(client, door))?;
        Some(*id.get_or_insert_with(|| {
            self.wanted.push(Rc::clone(divergence));
            DivergenceId(self.wanted.len().saturating_sub(1))
        }))
    }

    /// Returns what [`Divergences::of`] remembered.
    pub(super) fn get(&self, id: DivergenceId) -> Option<&Divergence> {
        self.wanted.get(id.0).map(Rc::as_ref)
    }
}

/// Returns whether both say the same, one after another.
fn are_agreed(old: &[Told], new: &[Told]) -> bool {
    let said = |(door, one): &Told| (one.client, *door, said(one));
    old.len() == new.len() && old.iter().map(said).eq(new.iter().map(said))
}

/// Returns what the two said last of each client at a door, in order.
fn by_client(old: &[Told], new: &[Told]) -> Vec<((IpAddr, Named), Divergence)> {
    let of_old = old.iter().map(|(door, one)| ((one.client, *door), false, one));
    let of_new = new.iter().map(|(door, one)| ((one.client, *door), true, one));
    let mut all: Vec<_> = of_old.chain(of_new).collect();
    all.sort_by_key(|(key, ..)| *key);
    let mut divergences: Vec<((IpAddr, Named), Divergence)> = Vec::new();
    for (key, is_new, one) in all {
        if divergences.last().is_none_or(|(last, _)| *last != key) {
            divergences.push((key, Divergence { old: None, new: None }));
        }
        let Some((_, divergence)) = divergences.last_mut() else { continue };
        *(if is_new { &mut divergence.new } else { &mut divergence.old }) = Some(*one);
    }
    divergences
}

impl Divergence {
    /// Returns whether both say the same.
    fn is_agreed(&self) -> bool {
        self.old.as_ref().map(said) == self.new.as_ref().map(said)
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

/// Returns what it says, as far as both can say the same.
fn said(one: &Explanation) -> (&'static str, Option<Stage>) {
    (one.verdict.name(), stage(&one.verdict))
}

/// Returns whether a verdict is about an attempt; others only follow from it.
pub(super) const fn is_of_attempt(verdict: &Verdict) -> bool {
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
