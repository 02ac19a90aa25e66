//! What knock does, step by step.

use std::convert::Infallible;
use std::ops::Range;

use knock_compat::{Engine, Rules, Sight, TimedEffect, Undecodable};
use knock_engine::{CommandsEnd, Counts, Doors, Event, Limits, Listening, Timestamp};

use super::bound::is_met;
use super::happening::Happening;
use super::seen::Seen;
use super::shown::is_shown;

/// Knock, which hears everything.
#[derive(Debug)]
pub(in crate::diff::rules) struct Knock {
    engine: Engine,
}

/// What knock did in some steps: with each input, and at each time when something was due before it.
#[derive(Debug, Default)]
pub(in crate::diff::rules) struct Done {
    steps: Vec<Step>,
    effects: Vec<TimedEffect>,
    /// How many steps there were up to each input, with it.
    inputs: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Step {
    /// When; `None` with the input.
    due: Option<Timestamp>,
    effects: Range<usize>,
    has_met_its_bound: bool,
}

/// What knock did in a step.
#[derive(Clone, Copy, Debug)]
pub(in crate::diff::rules) struct Shown<'a> {
    /// When something was due; `None` with the input.
    pub(super) due: Option<Timestamp>,
    /// What has lines.
    pub(super) effects: &'a [TimedEffect],
    /// Whether it had met its bound up to then.
    pub(super) has_met_its_bound: bool,
}

impl Knock {
    pub(super) fn new(doors: &Doors, listening: &Listening, limits: &Limits) -> Self {
        Self { engine: Rules::Knock.engine(doors.clone(), listening.clone(), limits) }
    }

    pub(in crate::diff::rules) fn doors(&self) -> &Doors {
        self.engine.doors()
    }

    pub(super) fn counts(&self) -> Counts {
        self.engine.counts()
    }

    /// Returns how it sees frames.
    pub(super) fn sight(&self) -> Sight {
        Sight::of(&self.engine)
    }

    /// Decodes what happens. Also returns why knock finds no port in a frame.
    pub(super) fn seen(&self, happening: &Happening<'_>) -> (Seen, Result<(), Undecodable>) {
        match happening {
            Happening::Frame(link, frame) => {
                Seen::of_frame(self.sight(), self.engine.listening(), *link, frame)
            }
            Happening::Addresses(listening) => {
                (Seen::Event(Event::AddressesChanged(listening.clone())), Ok(()))
            }
            Happening::Reloaded(doors) => {
                (Seen::Event(Event::Reloaded(Box::new((*doors).clone()))), Ok(()))
            }
            Happening::Time => (Seen::Event(Event::DeadlineReached), Ok(())),
        }
    }

    /// Prepares for what will happen soon, for [`ANTICIPATED`](knock_engine::ANTICIPATED) of it at most. This changes
    /// only the speed.
    pub(in crate::diff::rules) fn anticipate<'a>(&self, next: impl IntoIterator<Item = &'a Seen>) {
        let packet = |seen: &'a Seen| match seen {
            Seen::Event(Event::Packet(packet)) => Some(packet),
            Seen::Event(_) | Seen::Frame { .. } => None,
        };
        self.engine.anticipate(next.into_iter().filter_map(packet));
    }

    /// Lets something happen, and adds what it does.
    pub(in crate::diff::rules) fn handle(&mut self, at: Timestamp, seen: &Seen, done: &mut Done) {
        // Only packets make it meet its bound, not what is due.
        let had_met_its_bound = is_met(self.engine.counts());
        let event = seen.by_knock().clone();
        let Ok(()) = self.engine.drive(at, event, CommandsEnd::SUCCEEDED, |_, timed| {
            if is_shown(&timed) {
                done.add(Some(timed.at).filter(|due| *due < at), timed, had_met_its_bound);
            }
            Ok::<(), Infallible>(())
        });
        done.end_input(is_met(self.engine.counts()));
    }
}

impl Done {
    pub(in crate::diff::rules) fn clear(&mut self) {
        let Self { steps, effects, inputs } = self;
        steps.clear();
        effects.clear();
        inputs.clear();
    }

    fn add(&mut self, due: Option<Timestamp>, timed: TimedEffect, has_met_its_bound: bool) {
        let is_of_input = self.inputs.last().copied().unwrap_or_default() < self.steps.len();
        let end = self.effects.len().saturating_add(1);
        self.effects.push(timed);
        match self.steps.last_mut() {
            Some(step) if is_of_input && step.due == due => step.effects.end = end,
            Some(_) | None => {
                let effects = end.saturating_sub(1)..end;
                self.steps.push(Step { due, effects, has_met_its_bound });
            }
        }
    }

    /// There is always a step with the input, even if nothing was done in it.
    fn end_input(&mut self, has_met_its_bound: bool) {
        let before = self.inputs.last().copied().unwrap_or_default();
        let end = self.effects.len();
        match self.steps.get_mut(before..).and_then(<[Step]>::last_mut) {
            Some(step) if step.due.is_none() => step.has_met_its_bound = has_met_its_bound,
            Some(_) | None => {
                self.steps.push(Step { due: None, effects: end..end, has_met_its_bound });
            }
        }
        self.inputs.push(self.steps.len());
    }

    /// Returns what was done with the input at a place, and what was due before it.
    pub(in crate::diff::rules) fn of_input(&self, place: usize) -> impl Iterator<Item = Shown<'_>> {
        let start = place.checked_sub(1).and_then(|before| self.inputs.get(before));
        let start = start.copied().unwrap_or_default();
        let end = self.inputs.get(place).copied().unwrap_or_default();
        self.steps.get(start..end).unwrap_or_default().iter().map(|step| Shown {
            due: step.due,
            effects: self.effects.get(step.effects.clone()).unwrap_or_default(),
            has_met_its_bound: step.has_met_its_bound,
        })
    }
}
