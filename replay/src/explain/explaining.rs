//! The loop around an explainer.

use std::io;
use std::mem;
use std::sync::Arc;
use std::thread;

use knock_compat::Sight;
use knock_engine::{ANTICIPATED, Doors, Limits, Listening, TimedEffect, Timestamp};

use super::beside::{ATTEMPTS, Beside, Input, Opening, TwoSights};
use super::explainer::Explainer;
use super::explanation::Explanation;
use super::places::Places;
use super::words::Words;
use crate::args::Whom;
use crate::session::drive::in_pieces;
use crate::session::incoming::{Incoming, What, WithPackets};
use crate::session::load::Configuration;
use crate::session::names::CaptureNames;
use crate::session::reader::Reader;

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
            Some((knockd_08, beside)) => {
                let decoder = TwoSights { knock, knockd_08 };
                self.run_beside(beside, decoder, reader, &mut see, &mut take)
            }
            None => self.run_alone(knock, reader, &mut see, &mut take),
        };
        self.beside = beside;
        result
    }

    fn run_alone(
        &mut self,
        decoder: WithPackets,
        reader: &mut Reader,
        see: &mut impl FnMut(&TimedEffect),
        take: &mut Take<'_>,
    ) -> io::Result<()> {
        let mut piece = |inputs: &mut Vec<_>| {
            self.piece(inputs, |incoming| incoming, &mut |_, timed| see(timed), take)
        };
        in_pieces(reader, decoder, &mut piece)?;
        piece(&mut vec![Incoming::time(Timestamp::MAX)])
    }

    fn run_beside(
        &mut self,
        beside: &mut Beside,
        decoder: TwoSights,
        reader: &mut Reader,
        see: &mut impl FnMut(&TimedEffect),
        take: &mut Take<'_>,
    ) -> io::Result<()> {
        thread::scope(|scope| {
            let Some(mut aside) = beside.begin(scope)? else { return Ok(()) };
            let mut piece = |inputs: &mut Vec<Input>| -> io::Result<()> {
                // Both sides read the same, and none of it is copied.
                let inputs_of_both = Arc::new(mem::replace(inputs, aside.spare()));
                aside.hand_over(Arc::clone(&inputs_of_both));
                let mut openings = Vec::new();
                let mut see = |place, timed: &TimedEffect| {
                    openings.extend(Opening::of(place, timed));
                    see(timed);
                };
                self.piece(&inputs_of_both, Input::as_knock, &mut see, take)?;
                aside.by_knock(inputs_of_both, openings);
                beside.count_answers(&mut aside);
                Ok(())
            };
            in_pieces(reader, decoder, &mut piece)?;
            piece(&mut vec![Input::time(Timestamp::MAX)])?;
            beside.end(aside);
            Ok(())
        })
    }

    /// Explains some of what is read. `see` gets every effect with the place of what made it happen.
    fn piece<T>(
        &mut self,
        inputs: &[T],
        incoming: impl Fn(&T) -> &Incoming,
        see: &mut impl FnMut(usize, &TimedEffect),
        take: &mut Take<'_>,
    ) -> io::Result<()> {
        let mut places = 0..;
        for some in inputs.chunks(ANTICIPATED) {
            self.explainer.anticipate(some.iter().map(&incoming));
            for (input, place) in some.iter().zip(&mut places) {
                self.step(incoming(input), |timed| see(place, timed), take)?;
            }
        }
        Ok(())
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
