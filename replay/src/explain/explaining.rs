//! The loop around an explainer.

use std::io;
use std::thread;

use knock_compat::{Sight, Undecodable};
use knock_engine::{Doors, Limits, Listening, Packet, TimedEffect, Timestamp};

use super::beside::{ATTEMPTS, Aside, Beside, Opening};
use super::explainer::Explainer;
use super::explanation::Explanation;
use super::places::Places;
use super::words::Words;
use crate::args::Whom;
use crate::session::drive::{anticipating, in_pieces};
use crate::session::incoming::{Incoming, What, WithPackets};
use crate::session::load::Configuration;
use crate::session::names::CaptureNames;
use crate::session::reader::{Decoder, Next, Reader};

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
    /// `take` each explanation; its first error ends all.
    pub(crate) fn run(
        &mut self,
        reader: &mut Reader,
        mut see: impl FnMut(TimedEffect),
        mut take: impl FnMut(&Explanation, &Words<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        // knockd 0.8 looks at packets to all ports, and so does a client that tries others.
        reader.begin(None);
        let decoder = TwoSights {
            knock: WithPackets(Sight::of_knock(self.doors)),
            knockd_08: self.beside.as_ref().and_then(Beside::sight),
        };
        thread::scope(|scope| {
            let mut aside = self.beside.as_mut().and_then(|beside| beside.begin(scope));
            let mut piece =
                |inputs: &mut _| self.piece(inputs, aside.as_mut(), &mut see, &mut take);
            in_pieces(reader, decoder, &mut piece)?;
            piece(&mut vec![(Incoming::time(Timestamp::MAX), None)])?;
            if let (Some(beside), Some(aside)) = (&mut self.beside, aside) {
                beside.end(aside);
            }
            Ok(())
        })
    }

    /// Takes some of what is read.
    fn piece(
        &mut self,
        inputs: &mut Vec<<TwoSights as Decoder>::Input>,
        mut aside: Option<&mut Aside>,
        see: &mut dyn FnMut(TimedEffect),
        take: &mut dyn FnMut(&Explanation, &Words<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        if let Some(aside) = &mut aside {
            let seen = inputs.iter().map(|(incoming, seen)| incoming.seen_by_others(*seen));
            aside.hand_over(seen.collect());
        }
        let (mut openings, mut places) = (Vec::new(), 0..);
        let anticipate = |explaining: &Self, (incoming, _): &(Incoming, _)| {
            explaining.explainer.anticipate(incoming);
        };
        anticipating(self, inputs, anticipate, |explaining, (incoming, _)| {
            let place = places.next().unwrap_or(usize::MAX);
            let mut see = |timed: TimedEffect| {
                openings.extend(Opening::of(place, &timed));
                see(timed);
            };
            explaining.step(incoming, &mut see, take)
        })?;
        if let (Some(beside), Some(aside)) = (&mut self.beside, aside) {
            aside.by_knock(openings);
            beside.count_answers(aside);
        }
        Ok(())
    }

    fn step(
        &mut self,
        incoming: Incoming,
        see: &mut dyn FnMut(TimedEffect),
        take: &mut dyn FnMut(&Explanation, &Words<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Self { explainer, beside: _, doors, listening, places, captures } = self;
        if let What::Addresses(new) = &incoming.what {
            listening.clone_from(new);
        }
        let words = Words { doors, listening, places, captures };
        let mut result = Ok(());
        explainer.step(incoming, see, &mut |one| {
            if result.is_ok() {
                result = take(one, &words);
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

/// Decodes frames as knock does and, if it is wanted, as knockd 0.8 does.
struct TwoSights {
    knock: WithPackets,
    knockd_08: Option<Sight>,
}

impl Decoder for TwoSights {
    /// What comes next, and the packet that knockd 0.8 sees in the frame.
    type Input = (Incoming, Option<Packet>);

    fn decode(
        &self,
        at: Timestamp,
        listening: &Listening,
        next: Next<'_>,
        inputs: &mut Vec<Self::Input>,
    ) -> Result<(), Undecodable> {
        let beside = match (self.knockd_08, &next) {
            (Some(sight), Next::Frame(head, frame, _)) => {
                sight.decode(listening, head.link, frame).ok()
            }
            (None, Next::Frame(..)) | (_, Next::Addresses(_) | Next::Time) => None,
        };
        let (incoming, found) = self.knock.incoming(at, listening, next);
        inputs.push((incoming, beside));
        found
    }
}
