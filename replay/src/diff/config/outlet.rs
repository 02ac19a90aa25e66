//! What a side did, on its way to where it is compared.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};

use super::event::CompactEvent;
use super::step::{StepTime, Steps, Trigger};
use crate::explain::Explainer;

/// The end at which a side hands over what it did.
///
/// After a flood, all attempts time out, under a shorter `seq_timeout` all before the first under a longer one. So
/// one side would do nothing until the other one is done, because what is compared next comes from that. What it
/// does meanwhile is kept here, with nothing of it that can be made again.
pub(super) struct Outlet {
    out: SyncSender<Steps>,
    /// Lists that are used up, to be filled again.
    to_fill: Receiver<Steps>,
    /// What was due before the input at a place, and had no room.
    waiting: VecDeque<CompactEvent>,
    place: usize,
    /// How many of them there may be.
    waiting_max: usize,
    /// The first ones of these, made into steps again.
    next: Option<Steps>,
    spare: Option<Steps>,
    /// Whether nobody compares any more.
    pub(super) is_alone: bool,
}

/// Where what a side did arrives.
pub(super) struct Inlet {
    done: Receiver<Steps>,
    used: Sender<Steps>,
}

/// How many lists of steps may wait to be compared: as many as may have verdicts, which are of clients that are
/// followed, and a few more.
const WAITING: usize = Explainer::PAIRS / Steps::ENOUGH + 4;
/// How many events may wait besides, which is 50 MB.
const EVENTS: usize = 1 << 20;

/// Returns both ends.
pub(super) fn outlet() -> (Outlet, Inlet) {
    of_size(WAITING, EVENTS)
}

fn of_size(lists: usize, events: usize) -> (Outlet, Inlet) {
    let (out, done) = sync_channel(lists);
    let (used, to_fill) = channel();
    let outlet = Outlet {
        out,
        to_fill,
        waiting: VecDeque::new(),
        place: 0,
        waiting_max: events,
        next: None,
        spare: None,
        is_alone: false,
    };
    (outlet, Inlet { done, used })
}

impl Outlet {
    /// Returns an empty list.
    pub(super) fn empty_list(&mut self) -> Steps {
        let spare = self.spare.take();
        let mut list = spare.or_else(|| self.to_fill.try_recv().ok()).unwrap_or_default();
        list.clear();
        list
    }

    /// Hands over some steps, now or later. Others of the same place and time must not come after them.
    pub(super) fn take(&mut self, steps: Steps) {
        self.send_waiting();
        let steps = if self.is_empty() { self.try_send(steps) } else { Some(steps) };
        let Some(steps) = steps else { return };
        if self.keep(&steps) {
            self.spare = Some(steps);
        } else {
            self.take_last(steps);
        }
    }

    /// Hands over some steps, now. Waits until there is room.
    pub(super) fn take_last(&mut self, steps: Steps) {
        while let Some(next) = self.next() {
            self.send(next);
        }
        self.send(steps);
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.next.is_none()
    }

    /// Keeps events without their steps, if there is room and these can be made again. Returns whether it did.
    fn keep(&mut self, steps: &Steps) -> bool {
        let Some((place, events)) = steps.only_due() else { return false };
        let room = self.waiting_max.saturating_sub(self.waiting.len());
        if (place != self.place && !self.is_empty()) || events.len() > room {
            return false;
        }
        self.place = place;
        // For all at once: to move them again and again costs more.
        self.waiting.reserve_exact(room);
        self.waiting.extend(events);
        true
    }

    /// Hands over what waits, as far as there is room.
    fn send_waiting(&mut self) {
        while let Some(next) = self.next() {
            self.next = self.try_send(next);
            if self.next.is_some() {
                return;
            }
        }
    }

    /// Takes out the first steps of what waits, as many as a list has.
    fn next(&mut self) -> Option<Steps> {
        if self.next.is_some() || self.waiting.is_empty() {
            return self.next.take();
        }
        let mut steps = self.empty_list();
        while let Some(event) = self.waiting.front() {
            let time = StepTime { place: self.place, trigger: Trigger::Due(event.at) };
            if !steps.is_at(time) && steps.is_enough() {
                break;
            }
            steps.begin(time);
            steps.add_event(*event);
            self.waiting.pop_front();
        }
        Some(steps)
    }

    /// Returns the steps if there is no room.
    fn try_send(&mut self, steps: Steps) -> Option<Steps> {
        match self.out.try_send(steps) {
            Ok(()) => None,
            Err(TrySendError::Full(steps)) => Some(steps),
            Err(TrySendError::Disconnected(_)) => {
                self.is_alone = true;
                None
            }
        }
    }

    fn send(&mut self, steps: Steps) {
        self.is_alone |= self.out.send(steps).is_err();
    }
}

impl Inlet {
    /// Replaces steps, which were compared, by the next ones. Waits for them.
    pub(super) fn next(&self, steps: &mut Steps) {
        // Without a thread there is no end of the piece.
        let next = self.done.recv().unwrap_or_else(|_| Steps::end());
        // If the thread has ended, it needs no list.
        let _ = self.used.send(std::mem::replace(steps, next));
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::thread;

    use knock_engine::Timestamp;
    use proptest::prelude::*;

    use super::super::event::{EventId, EventKind, Named};
    use super::*;

    /// Returns events that are due at these times, as a list.
    fn due(place: usize, times: &[i64]) -> Steps {
        let mut steps = Steps::default();
        for (number, nanos) in times.iter().enumerate() {
            let at = Timestamp::from_nanos(*nanos);
            let client = IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(number).unwrap()));
            let id = EventId { client, door: Named::default(), kind: EventKind::SequenceTimedOut };
            steps.begin(StepTime { place, trigger: Trigger::Due(at) });
            steps.add_event(CompactEvent::due(at, id, 0));
        }
        steps
    }

    /// Returns the same with an input at the place.
    fn due_and_input(place: usize, times: &[i64]) -> Steps {
        let mut steps = due(place, times);
        steps.begin(StepTime { place, trigger: Trigger::Input });
        steps
    }

    type Seen = Vec<(StepTime, Vec<CompactEvent>)>;

    fn add_all(steps: &Steps, seen: &mut Seen) {
        for place in 0..steps.len() {
            seen.push((steps.time(place).unwrap(), steps.step(place).events.to_vec()));
        }
    }

    /// Returns what comes up to the end of the piece.
    fn receive(inlet: &Inlet) -> Seen {
        let (mut seen, mut steps) = (Vec::new(), Steps::default());
        while !steps.ends_piece {
            inlet.next(&mut steps);
            add_all(&steps, &mut seen);
        }
        seen
    }

    #[test]
    fn a_side_goes_on_with_what_is_due_while_nobody_compares() {
        let (mut outlet, inlet) = of_size(1, 8);
        let lists = [due(7, &[1, 1]), due(7, &[2, 3]), due(7, &[4]), due(7, &[5, 5, 5, 6, 7])];
        let mut expected = Vec::new();
        for list in lists {
            add_all(&list, &mut expected);
            outlet.take(list);
        }
        let sending = thread::spawn(move || outlet.take_last(Steps::end()));
        assert_eq!(receive(&inlet), expected);
        sending.join().unwrap();
    }

    #[test]
    fn a_side_notices_that_nobody_compares_any_more() {
        let (mut outlet, inlet) = of_size(1, 8);
        outlet.take(due(0, &[1]));
        outlet.take(due(0, &[2]));
        assert!(!outlet.is_alone);
        drop(inlet);
        outlet.take(due(0, &[3]));
        assert!(outlet.is_alone);
    }

    proptest! {
        /// Whether they can wait without their steps or not.
        #[test]
        fn all_steps_arrive_in_their_order(
            lists in prop::collection::vec((0..3_usize, any::<bool>(), 0..4_usize), 0..12),
            waiting_max in 0..9_usize,
        ) {
            let (mut outlet, inlet) = of_size(1, waiting_max);
            let (mut made, mut expected) = (Vec::new(), Vec::new());
            for (nanos, (place, has_input, count)) in (0..).step_by(2).zip(lists) {
                // One of the first time, and the others of a later one.
                let times: Vec<i64> = [nanos].into_iter().chain([nanos | 1; 3]).take(count).collect();
                let list = if has_input { due_and_input } else { due }(place, &times);
                add_all(&list, &mut expected);
                made.push(list);
            }
            let sending = thread::spawn(move || {
                for list in made {
                    outlet.take(list);
                }
                outlet.take_last(Steps::end());
            });
            prop_assert_eq!(receive(&inlet), expected);
            sending.join().unwrap();
        }
    }
}
