//! What a configuration does in a step: with a packet, or when something is due.

use knock_engine::Timestamp;

use super::divergence::Told;
use super::event::CompactEvent;

/// When a step is, among those of both sides in a piece of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StepTime {
    /// The place of the input in the piece.
    pub(super) place: usize,
    pub(super) trigger: Trigger,
}

/// What makes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trigger {
    /// Time, before the input.
    Due(Timestamp),
    /// The input.
    Input,
}

/// What a side did in a step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step<'a> {
    /// What shows outside.
    pub(super) events: &'a [CompactEvent],
    /// What it makes of packets, as far as a later difference may come from it.
    pub(super) verdicts: &'a [Told],
}

/// What a side did in some steps, one after another; those in which there was nothing are left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    /// When, and how many events and verdicts there are up to the end of the step.
    ends: Vec<(StepTime, usize, usize)>,
    events: Vec<CompactEvent>,
    verdicts: Vec<Told>,
    /// Whether the piece of the input ends with them.
    pub(super) ends_piece: bool,
}

impl Steps {
    /// How many events or verdicts are handed over together, but for the last step.
    pub(super) const ENOUGH: usize = 2048;

    /// Returns the end of a piece without any.
    pub(super) fn end() -> Self {
        Self { ends_piece: true, ..Self::default() }
    }

    /// Begins a step, unless it is the last one that was begun.
    pub(super) fn begin(&mut self, time: StepTime) {
        if !self.is_at(time) {
            self.ends.push((time, self.events.len(), self.verdicts.len()));
        }
    }

    /// Returns whether the last step that was begun is at this time.
    pub(super) fn is_at(&self, time: StepTime) -> bool {
        self.ends.last().is_some_and(|(last, ..)| *last == time)
    }

    /// Returns whether to hand them over before another step begins.
    pub(super) const fn is_enough(&self) -> bool {
        self.events.len() >= Self::ENOUGH || self.verdicts.len() >= Self::ENOUGH
    }

    /// Adds an event to the last step that was begun.
    pub(super) fn add_event(&mut self, event: CompactEvent) {
        self.events.push(event);
        self.extend();
    }

    /// Adds a verdict to the last step that was begun.
    pub(super) fn add_verdict(&mut self, verdict: Told) {
        self.verdicts.push(verdict);
        self.extend();
    }

    fn extend(&mut self) {
        if let Some((_, events, verdicts)) = self.ends.last_mut() {
            (*events, *verdicts) = (self.events.len(), self.verdicts.len());
        }
    }

    /// Returns how many steps there are.
    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns all that shows outside.
    pub(super) fn events(&self) -> &[CompactEvent] {
        &self.events
    }

    /// Returns when the step at a place is, if there is one.
    pub(super) fn time(&self, place: usize) -> Option<StepTime> {
        self.ends.get(place).map(|(time, ..)| *time)
    }

    /// Returns the step at a place.
    pub(super) fn step(&self, place: usize) -> Step<'_> {
        let before = place.checked_sub(1).and_then(|before| self.ends.get(before));
        let (events, verdicts) =
            before.map_or((0, 0), |(_, events, verdicts)| (*events, *verdicts));
        let Some(&(_, events_end, verdicts_end)) = self.ends.get(place) else {
            return Step::default();
        };
        Step {
            events: self.events.get(events..events_end).unwrap_or_default(),
            verdicts: self.verdicts.get(verdicts..verdicts_end).unwrap_or_default(),
        }
    }

    /// Returns the events and the place, if there is nothing but events that were due before the input at one place.
    pub(super) fn only_due(&self) -> Option<(usize, &[CompactEvent])> {
        let place = self.ends.first()?.0.place;
        let is_due = |time: StepTime| time.place == place && time.trigger != Trigger::Input;
        let are_due = self.ends.iter().all(|(time, ..)| is_due(*time));
        (are_due && self.verdicts.is_empty() && !self.ends_piece)
            .then_some((place, self.events.as_slice()))
    }

    /// Removes all of them.
    pub(super) fn clear(&mut self) {
        let Self { ends, events, verdicts, ends_piece } = self;
        ends.clear();
        events.clear();
        verdicts.clear();
        *ends_piece = false;
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::super::event::{EventId, EventKind, Named};
    use super::*;

    fn event(number: u32) -> CompactEvent {
        let client = IpAddr::V4(Ipv4Addr::from_bits(number));
        let id = EventId { client, door: Named::default(), kind: EventKind::Opened };
        CompactEvent::due(Timestamp::EPOCH, id, 0)
    }

    fn at(place: usize) -> StepTime {
        StepTime { place, trigger: Trigger::Input }
    }

    #[test]
    fn what_is_due_comes_before_the_input_and_in_the_order_of_time() {
        let due = |place, nanos| {
            let trigger = Trigger::Due(Timestamp::from_nanos(nanos));
            StepTime { place, trigger }
        };
        let order = [due(0, 7), at(0), due(1, 3), due(1, 4), at(1), due(2, 0)];
        assert!(order.is_sorted());
    }

    #[test]
    fn each_step_has_what_was_added_to_it() {
        let mut steps = Steps::default();
        for (place, numbers) in [(3, 0..2), (4, 2..3), (9, 3..6)] {
            for number in numbers {
                steps.begin(at(place));
                steps.add_event(event(number));
            }
        }
        let all = [&[event(0), event(1)][..], &[event(2)], &[event(3), event(4), event(5)]];
        for (place, events) in all.into_iter().enumerate() {
            assert_eq!(steps.step(place).events, events);
        }
        let times = [steps.time(0), steps.time(1), steps.time(2), steps.time(3)];
        assert_eq!(times, [Some(at(3)), Some(at(4)), Some(at(9)), None]);
        assert!(steps.step(3).events.is_empty());
        // Nothing of them is left for the next ones.
        steps.ends_piece = true;
        steps.clear();
        assert_eq!(steps, Steps::default());
    }
}
