//! The loop around an explainer.

use std::io;
use std::mem;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use knock_compat::Sight;
use knock_engine::{Doors, Limits, Listening, TimedEffect, Timestamp};

use super::apart::{self, Follower};
use super::beside::{ATTEMPTS, Beside, TwoSights};
use super::company::{Company, Given, Nobody};
use super::explainer::Explainer;
use super::explanation::Explanation;
use super::places::Places;
use super::words::Words;
use crate::args::Whom;
use crate::session::drive::{anticipating_each, in_pieces};
use crate::session::incoming::{Incoming, What, WithPackets};
use crate::session::load::Configuration;
use crate::session::names::CaptureNames;
use crate::session::reader::{Decoder, Reader};
use crate::session::threads;

/// Who gets each explanation, with the number of its pair of client and door and what puts it into words.
type Take<'a> = dyn FnMut(u32, &Explanation, &Words<'_>) -> io::Result<()> + 'a;

/// An explainer at work, with what its explanations need to be put into words.
pub(crate) struct Explaining<'a> {
    explainer: Explainer,
    /// knockd 0.8, if it is wanted as well.
    beside: Option<Beside>,
    /// The doors as they were in the beginning: their names and commands stay.
    doors: &'a Doors,
    listening: Listening,
    places: &'a Places,
    captures: CaptureNames,
}

impl<'a> Explaining<'a> {
    pub(crate) fn new(
        whom: Whom,
        limits: &Limits,
        config: &'a Configuration,
        reader: &Reader,
    ) -> Self {
        let Configuration { doors, places, .. } = config;
        let (listening, captures) = (reader.listening(), reader.names());
        let explainer = Explainer::new(doors.clone(), listening.clone(), limits, whom);
        Self { explainer, beside: None, doors, listening, places, captures }
    }

    /// Returns the same with another limit than [`Explainer::PAIRS`].
    pub(crate) fn with_pairs(self, pairs: usize) -> Self {
        Self { explainer: self.explainer.with_pairs(pairs), ..self }
    }

    /// Lets knockd 0.8 have all packets, too, with at most [`ATTEMPTS`] attempts.
    pub(crate) fn beside_knockd_08(self, limits: &Limits) -> Self {
        let limits = Limits { attempts: limits.attempts.min(ATTEMPTS), ..*limits };
        let (listening, whom) = (self.listening.clone(), self.explainer.whom());
        let beside = Beside::new(self.doors, listening, &limits, whom);
        Self { beside: Some(beside), ..self }
    }

    /// Says whose rules explain, and what knockd 0.8 would have done otherwise, if it was wanted.
    pub(crate) fn rules(&self) -> Option<String> {
        self.beside.as_ref().map(|beside| beside.line(self.doors))
    }

    /// Explains all that is read. `see` gets every effect, also of clients that are not followed, and
    /// `take` each explanation with the number of its pair of client and door; its first error ends all.
    pub(crate) fn run(
        &mut self,
        reader: &mut Reader,
        mut see: impl FnMut(&TimedEffect),
        mut take: impl FnMut(u32, &Explanation, &Words<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        // knockd 0.8 looks at packets to all ports, and so does a client that tries others.
        reader.begin(None);
        let knock = WithPackets(Sight::of_knock(self.doors));
        let mut beside = self.beside.take();
        let result = match beside.as_ref().and_then(Beside::sight).zip(beside.as_mut()) {
            Some((knockd_08, beside)) => thread::scope(|scope| {
                let Some(mut running) = beside.begin(scope)? else { return Ok(()) };
                let decoder = TwoSights { knock, knockd_08 };
                self.run_with(&mut running, decoder, reader, &mut see, &mut take)?;
                running.wait();
                Ok(())
            }),
            None => self.run_with(&mut Nobody::new(), knock, reader, &mut see, &mut take),
        };
        self.beside = beside;
        result
    }

    /// Explains all that is read, in company.
    fn run_with<D: Decoder<Input: Given> + Copy + Send>(
        &mut self,
        company: &mut impl Company<D::Input>,
        decoder: D,
        reader: &mut Reader,
        see: &mut impl FnMut(&TimedEffect),
        take: &mut Take<'_>,
    ) -> io::Result<()> {
        if !reader.is_live()
            && self.doors.stay_the_same()
            && let Some(result) = self.run_apart(company, decoder, reader, see, take)
        {
            return result;
        }
        let mut piece = |inputs: &mut Vec<D::Input>| -> io::Result<()> {
            let piece = Arc::new(mem::replace(inputs, company.spare()));
            company.begin(&piece);
            self.piece(&piece, company, see, take)?;
            company.end(piece);
            Ok(())
        };
        in_pieces(reader, decoder, &mut piece)?;
        piece(&mut vec![D::Input::time(Timestamp::MAX)])
    }

    /// Does the same with the engine on a thread of its own; `None` if there is none to be had.
    fn run_apart<D: Decoder<Input: Given> + Send>(
        &mut self,
        company: &mut impl Company<D::Input>,
        decoder: D,
        reader: &mut Reader,
        see: &mut impl FnMut(&TimedEffect),
        take: &mut Take<'_>,
    ) -> Option<io::Result<()>> {
        let Self { explainer, beside: _, doors, listening, places, captures } = self;
        let (doors, places, captures) = (*doors, *places, &*captures);
        let (engine, observer) = explainer.parts();
        thread::scope(|scope| {
            let (mut engine_end, observer_end) = apart::ends();
            let work = move || {
                // An error means that the observer has stopped: nothing is left to do.
                let _ = in_pieces(reader, decoder, |inputs| engine_end.play(engine, inputs))
                    .and_then(|()| engine_end.end(engine));
            };
            let engine = threads::start(scope, work).ok()?;
            let follower = Follower::new(observer, doors, listening);
            let result =
                follower.follow_all(&observer_end, company, see, &mut |pair, one, listening| {
                    take(pair, one, &Words { doors, listening, places, captures })
                });
            // The engine may be waiting for room.
            drop(observer_end);
            engine.join().unwrap_or_else(|panic| resume_unwind(panic));
            Some(result)
        })
    }

    /// Explains some of what is read.
    fn piece<T: Given>(
        &mut self,
        inputs: &[T],
        company: &mut impl Company<T>,
        see: &mut impl FnMut(&TimedEffect),
        take: &mut Take<'_>,
    ) -> io::Result<()> {
        let anticipate = |explaining: &Self, next: &[T]| {
            explaining.explainer.anticipate(next.iter().map(Given::as_knock));
        };
        anticipating_each(self, inputs, anticipate, |explaining, place, input| {
            let see = |timed: &TimedEffect| {
                company.happens(place, timed);
                see(timed);
            };
            explaining.step(input.as_knock(), see, take)
        })
    }

    fn step(
        &mut self,
        incoming: &Incoming,
        see: impl FnMut(&TimedEffect),
        take: &mut Take<'_>,
    ) -> io::Result<()> {
        let Self { explainer, beside: _, doors, listening, places, captures } = self;
        if let What::Addresses(new) = &incoming.what {
            listening.clone_from(new);
        }
        let words = Words { doors, listening, places, captures };
        let mut result = Ok(());
        explainer.step(incoming, see, &mut |pair, one| {
            if result.is_ok() {
                result = take(pair, one, &words);
            }
        });
        result
    }

    /// Returns the explainer as it is now, and what puts it into words.
    pub(crate) fn now(&self) -> (&Explainer, Words<'_>) {
        let Self { explainer, beside: _, doors, listening, places, captures } = self;
        (explainer, Words { doors, listening, places, captures })
    }
}
