//! A configuration at work, on a thread of its own.

use std::cell::RefCell;
use std::convert::Infallible;
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

use knock_config::text::ThreadFault;
use knock_engine::{TimedEffect, Timestamp};

use super::divergence::is_of_attempt;
use super::event::CompactEvent;
use super::input::Input;
use super::outlet::{Inlet, Outlet, outlet};
use super::side::SideDoors;
use super::step::{Step, StepTime, Steps, Trigger};
use crate::explain::{Explainer, Explanation};
use crate::session::drive::anticipating_each;
use crate::session::incoming::Incoming;
use crate::session::threads;

/// A thread that lets a configuration do what it does, and what it has done.
///
/// Both sides do a piece of the input at a time, and after the last piece what is due later. Whoever compares
/// them takes all steps of one piece from both before those of the next.
pub(super) struct Worker {
    pieces: Option<Sender<Arc<Vec<Input>>>>,
    inlet: Inlet,
    /// The steps that were done last, and the place of the next one.
    steps: Steps,
    place: usize,
}

impl Worker {
    /// Begins to work. `see` returns what a side sees of an input.
    ///
    /// # Errors
    /// Why there is no thread.
    pub(super) fn begin<'scope>(
        scope: &'scope Scope<'scope, '_>,
        explainer: &'scope mut Explainer,
        doors: &'scope SideDoors,
        see: fn(&Input) -> &Incoming,
    ) -> Result<Self, ThreadFault> {
        let (pieces, to_do) = channel();
        let (outlet, inlet) = outlet();
        threads::start(scope, move || {
            let recorder = Recorder::new(doors, outlet);
            Work { explainer, recorder: RefCell::new(recorder) }.run(&to_do, see);
        })?;
        Ok(Self { pieces: Some(pieces), inlet, steps: Steps::default(), place: 0 })
    }

    /// Hands over a piece.
    pub(super) fn give(&self, piece: Arc<Vec<Input>>) {
        // If the thread has ended, it has panicked, which shows when it is joined.
        let _ = self.pieces.as_ref().map(|pieces| pieces.send(piece));
    }

    /// There is no further piece.
    pub(super) fn end(&mut self) {
        self.pieces = None;
    }

    /// Goes on to the steps of the next piece, when there are no more of this one.
    pub(super) fn next_piece(&mut self) {
        self.steps.ends_piece = false;
    }

    /// Returns when the next step of this piece is; `None` if there is none. Waits for it.
    pub(super) fn next_time(&mut self) -> Option<StepTime> {
        loop {
            let time = self.steps.time(self.place);
            if time.is_some() || self.steps.ends_piece {
                return time;
            }
            self.inlet.next(&mut self.steps);
            self.place = 0;
        }
    }

    /// Returns the steps that were done last, if none of them is taken yet.
    pub(super) fn untaken(&self) -> Option<&Steps> {
        Some(&self.steps).filter(|_| self.place == 0)
    }

    /// Goes on to what comes after the steps that were done last.
    pub(super) fn skip(&mut self) {
        self.place = self.steps.len();
    }

    /// Returns the next step.
    pub(super) fn step(&self) -> Step<'_> {
        self.steps.step(self.place)
    }

    /// Goes on to the step after it.
    pub(super) fn advance(&mut self) {
        self.place = self.place.saturating_add(1);
    }
}

/// What the thread has.
struct Work<'a> {
    explainer: &'a mut Explainer,
    recorder: RefCell<Recorder<'a>>,
}

impl Work<'_> {
    fn run(&mut self, pieces: &Receiver<Arc<Vec<Input>>>, see: fn(&Input) -> &Incoming) {
        for piece in pieces {
            let anticipate = |work: &Self, next: &[Input]| {
                work.explainer.anticipate(next.iter().map(Input::seen));
            };
            let Ok(()) = anticipating_each(self, &piece, anticipate, |work, place, input| {
                work.time_until(place, input.at());
                work.step(StepTime { place, trigger: Trigger::Input }, see(input));
                Ok::<(), Infallible>(())
            });
            // Whoever reads can fill it again once the piece is compared.
            drop(piece);
            self.recorder.get_mut().end_piece();
            if self.recorder.get_mut().outlet.is_alone {
                return;
            }
        }
        self.time_until(0, Timestamp::MAX);
        self.recorder.get_mut().end_piece();
    }

    /// Does what is due up to a moment, before the input at a place.
    fn time_until(&mut self, place: usize, at: Timestamp) {
        if self.explainer.is_due(at) {
            self.step(StepTime { place, trigger: Trigger::Due(at) }, &Incoming::time(at));
        }
    }

    fn step(&mut self, time: StepTime, incoming: &Incoming) {
        let Self { explainer, recorder } = self;
        recorder.get_mut().time = time;
        let take = |timed: &TimedEffect| recorder.borrow_mut().effect(timed);
        explainer.step(incoming, take, &mut |_, one| recorder.borrow_mut().verdict(one));
    }
}

/// Takes down what happens.
struct Recorder<'a> {
    doors: &'a SideDoors,
    time: StepTime,
    steps: Steps,
    outlet: Outlet,
}

impl<'a> Recorder<'a> {
    fn new(doors: &'a SideDoors, outlet: Outlet) -> Self {
        let time = StepTime { place: 0, trigger: Trigger::Input };
        Self { doors, time, steps: Steps::default(), outlet }
    }

    fn effect(&mut self, timed: &TimedEffect) {
        // All that is due at one time is one step.
        if let Trigger::Due(at) = &mut self.time.trigger {
            *at = timed.at;
        }
        if let Some(event) = CompactEvent::new(timed, |door| self.doors.named(door)) {
            self.begin_step();
            self.steps.add_event(event);
        }
    }

    fn verdict(&mut self, one: &Explanation) {
        if is_of_attempt(&one.verdict)
            && let Some(door) = self.doors.named(one.door)
        {
            self.begin_step();
            self.steps.add_verdict((door, *one));
        }
    }

    fn begin_step(&mut self) {
        if !self.steps.is_at(self.time) && self.steps.is_enough() {
            let steps = self.full_list();
            self.outlet.take(steps);
        }
        self.steps.begin(self.time);
    }

    fn end_piece(&mut self) {
        self.steps.ends_piece = true;
        let steps = self.full_list();
        self.outlet.take_last(steps);
    }

    /// Takes out the list, and begins an empty one.
    fn full_list(&mut self) -> Steps {
        mem::replace(&mut self.steps, self.outlet.empty_list())
    }
}
