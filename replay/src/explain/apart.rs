//! An engine on a thread of its own, ahead of its observer.
//!
//! What an engine does and what is explained of it take about as long, so two processors do both in the time of one. The
//! observer gets all that happens in its order, with what made it happen, and needs nothing else of the engine as
//! long as no packet changes the doors.

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use knock_engine::{ANTICIPATED, CommandsEnd, Doors, Engine, Listening, TimedEffect, Timestamp};

use super::company::{Company, Given};
use super::explanation::Explanation;
use super::observer::{Observer, Turn};
use crate::session::drive::anticipating_each;
use crate::session::incoming::{Incoming, What};

/// Some of what an engine has done with a piece of what is read.
pub(super) struct Part<T> {
    /// The whole piece.
    inputs: Arc<Vec<T>>,
    /// What happened, each with the place of the input that it happened at.
    effects: Vec<(usize, TimedEffect)>,
    /// How many inputs of the piece are done with it.
    done: usize,
}

impl<T> Part<T> {
    /// Returns whether the engine has done with the piece.
    fn is_last(&self) -> bool {
        self.done >= self.inputs.len()
    }
}

/// The end at which an engine hands over what it does.
pub(super) struct EngineEnd<T> {
    parts: SyncSender<Part<T>>,
    /// Lists that are used up, to be filled again: new ones would have to be fetched from memory.
    used: Receiver<Used<T>>,
    spare: Vec<Vec<T>>,
    spare_effects: Vec<Vec<(usize, TimedEffect)>>,
}

/// The end at which they arrive.
pub(super) struct ObserverEnd<T> {
    parts: Receiver<Part<T>>,
    used: Sender<Used<T>>,
}

/// A list that is used up.
enum Used<T> {
    Inputs(Vec<T>),
    Effects(Vec<(usize, TimedEffect)>),
}

/// The observer has stopped.
pub(super) struct ObserverGone;

/// How many parts may wait for the observer: where clients are new to it, it takes longer than the engine, and where they are
/// too many to be followed, less long.
const WAITING: usize = 24;
/// The most effects of a part. One input may have many more, such as the last one, when all attempts time out: they come in
/// several parts.
const EFFECTS: usize = 8192;

/// Returns both ends.
pub(super) fn ends<T>() -> (EngineEnd<T>, ObserverEnd<T>) {
    let (parts, arriving) = sync_channel(WAITING);
    let (give_back, used) = channel();
    let (spare, spare_effects) = (Vec::new(), Vec::new());
    (
        EngineEnd { parts, used, spare, spare_effects },
        ObserverEnd { parts: arriving, used: give_back },
    )
}

impl<T: Given> EngineEnd<T> {
    /// Lets an engine have some of what is read, which is then replaced by an empty list.
    ///
    /// # Errors
    /// [`ObserverGone`].
    pub(super) fn play(
        &mut self,
        engine: &mut Engine,
        inputs: &mut Vec<T>,
    ) -> Result<(), ObserverGone> {
        self.take_back();
        let mut empty = self.spare.pop().unwrap_or_default();
        empty.clear();
        let piece = Arc::new(mem::replace(inputs, empty));
        let mut effects = self.spare_effects.pop().unwrap_or_default();
        let anticipate = |engine: &Engine, next: &[T]| {
            engine.anticipate(next.iter().filter_map(|input| input.as_knock().decoded()));
        };
        anticipating_each(engine, &piece, anticipate, |engine, place, input| {
            let input = input.as_knock();
            engine.drive(input.at, input.event(), CommandsEnd::SUCCEEDED, |_, timed| {
                effects.push((place, timed));
                if effects.len() < EFFECTS {
                    return Ok(());
                }
                let next = self.spare_effects.pop().unwrap_or_default();
                let effects = mem::replace(&mut effects, next);
                self.hand_over(Part { inputs: Arc::clone(&piece), effects, done: place })
            })
        })?;
        let done = piece.len();
        self.hand_over(Part { inputs: piece, effects, done })
    }

    /// Lets time run on until nothing is due.
    ///
    /// # Errors
    /// [`ObserverGone`].
    pub(super) fn end(mut self, engine: &mut Engine) -> Result<(), ObserverGone> {
        self.play(engine, &mut vec![T::time(Timestamp::MAX)])
    }

    fn hand_over(&mut self, part: Part<T>) -> Result<(), ObserverGone> {
        self.parts.send(part).map_err(|_| ObserverGone)?;
        self.take_back();
        Ok(())
    }

    fn take_back(&mut self) {
        for used in self.used.try_iter() {
            match used {
                Used::Inputs(list) => self.spare.push(list),
                Used::Effects(list) => self.spare_effects.push(list),
            }
        }
    }
}

impl<T> ObserverEnd<T> {
    /// Gives back a list of inputs.
    fn give_back(&self, inputs: Vec<T>) {
        // At the end nobody needs it any more.
        let _ = self.used.send(Used::Inputs(inputs));
    }

    /// Gives back what a part has besides its inputs, and returns these.
    fn done_with(&self, part: Part<T>) -> Arc<Vec<T>> {
        let Part { inputs, mut effects, done: _ } = part;
        effects.clear();
        let _ = self.used.send(Used::Effects(effects));
        inputs
    }
}

/// An observer that follows an engine part by part, at doors that stay as they are.
pub(super) struct Follower<'a> {
    observer: &'a mut Observer,
    doors: &'a Doors,
    /// The local addresses, as the engine had them at the next input.
    listening: &'a mut Listening,
    /// The place of the next input in its piece.
    place: usize,
    /// What the observer must know of it, if it has begun.
    turn: Turn,
    has_begun: bool,
}

impl<'a> Follower<'a> {
    /// Makes a follower of an engine with these doors, which has heard nothing.
    pub(super) fn new(
        observer: &'a mut Observer,
        doors: &'a Doors,
        listening: &'a mut Listening,
    ) -> Self {
        let turn = Turn::of(&Incoming::time(Timestamp::MIN));
        Self { observer, doors, listening, place: 0, turn, has_begun: false }
    }

    /// Takes all that the engine does, in company. `see` gets each effect, and `take` what is explained of it; its
    /// first error ends all.
    pub(super) fn follow_all<T: Given>(
        mut self,
        observer_end: &ObserverEnd<T>,
        company: &mut impl Company<T>,
        see: &mut impl FnMut(&TimedEffect),
        take: &mut dyn FnMut(u32, &Explanation, &Listening) -> io::Result<()>,
    ) -> io::Result<()> {
        for part in &observer_end.parts {
            if self.begins_a_piece() {
                company.begin(&part.inputs);
            }
            let see = |place, timed: &TimedEffect| {
                company.happens(place, timed);
                see(timed);
            };
            let mut result = Ok(());
            self.follow(&part, see, &mut |pair, one, listening| {
                if result.is_ok() {
                    result = take(pair, one, listening);
                }
            });
            result?;
            let is_last = part.is_last();
            let piece = observer_end.done_with(part);
            if is_last {
                company.end(piece);
                observer_end.give_back(company.spare());
            }
        }
        Ok(())
    }

    /// Returns whether the next part is the first one of a piece.
    const fn begins_a_piece(&self) -> bool {
        self.place == 0 && !self.has_begun
    }

    /// Takes what the engine has done next. `see` gets each effect with the place of what made it happen.
    fn follow<T: Given>(
        &mut self,
        part: &Part<T>,
        mut see: impl FnMut(usize, &TimedEffect),
        take: &mut dyn FnMut(u32, &Explanation, &Listening),
    ) {
        let mut effects = part.effects.as_slice();
        while let Some(input) = part.inputs.get(self.place) {
            if !self.has_begun {
                self.anticipate(&part.inputs);
                self.begin(input.as_knock());
            }
            let Self { observer, doors, listening, place, turn, .. } = self;
            let mut tell = |pair, one: &Explanation| take(pair, one, listening);
            while let Some(((at, timed), rest)) = effects.split_first()
                && at == place
            {
                see(*at, timed);
                observer.effect(timed, turn, doors, &mut tell);
                effects = rest;
            }
            if *place >= part.done {
                return;
            }
            observer.end(turn, doors, &mut tell);
            *place = place.saturating_add(1);
            self.has_begun = false;
        }
        self.place = 0;
    }

    fn begin(&mut self, input: &Incoming) {
        if let What::Addresses(listening) = &input.what {
            self.listening.clone_from(listening);
        }
        self.turn = Turn::of(input);
        self.observer.comes(input, &mut self.turn, self.doors, self.listening);
        self.has_begun = true;
    }

    /// Takes a look at what comes soon, some of it at once.
    fn anticipate<T: Given>(&self, inputs: &[T]) {
        if self.place.is_multiple_of(ANTICIPATED) {
            let next = inputs.iter().skip(self.place).take(ANTICIPATED);
            let packets = next.filter_map(|input| input.as_knock().decoded());
            packets.for_each(|packet| self.observer.anticipate(packet));
        }
    }
}

#[cfg(test)]
mod tests;
