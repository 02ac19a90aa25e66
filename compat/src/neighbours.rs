//! The rule sets between knockd 0.8 and knock, those that have done the same so far as one.

use std::convert::Infallible;

use knock_engine::{CommandsEnd, Doors, Engine, Event, Limits, Listening, Packet, Timestamp};

use crate::decode::Decodings;
use crate::difference::{Difference, FixedUpTo};
use crate::effect::Knockd08Effect;
use crate::filter::{Refusal, refusal};
use crate::machine::{Knockd08Rules, NAME_BYTES};
use crate::span::Span;
use crate::{Site, TimedEffect};

/// Something that happens to rule sets.
#[derive(Clone, Copy, Debug)]
pub enum Incoming<'a> {
    /// All of them make this event of it.
    Event(&'a Event),
    /// A frame came that they may decode in different ways.
    Frame(&'a Decodings),
}

/// Rule sets that are next to one another and have done the same so far. One engine is enough for all
/// of them.
#[derive(Clone, Debug)]
pub struct Neighbours {
    engine: Engine<Knockd08Rules, Knockd08Effect>,
}

impl Neighbours {
    /// Returns all rule sets, from knockd 0.8 to the one with all differences fixed, together where they
    /// are alike with these doors.
    #[must_use]
    pub fn all(doors: &Doors, listening: &Listening, limits: &Limits) -> Vec<Self> {
        let mut spans = vec![Span::all()];
        let refusal = refusal(doors, listening).map(Refusal::difference);
        for difference in refusal.into_iter().chain(differences_of(doors)) {
            let split = |span: Span| {
                if !span.differ_in(difference) {
                    return vec![span];
                }
                let (before, after) = span.split_at(difference);
                vec![before, after]
            };
            spans = spans.into_iter().flat_map(split).collect();
        }
        let all = spans.into_iter().map(|span| {
            let rules = Knockd08Rules::new(span, limits, doors, listening);
            let engine = Engine::with_rules(doors.clone(), listening.clone(), rules);
            Self { engine: engine.presuming_marks() }
        });
        all.collect()
    }

    /// Returns the last difference that all of them fix; `None` if knockd 0.8 is among them.
    #[must_use]
    pub fn fixed(&self) -> Option<Difference> {
        let FixedUpTo(last) = self.engine.rules().span().first();
        last
    }

    /// Returns the engine that stands for all of them.
    #[must_use]
    pub const fn engine(&self) -> &Engine<Knockd08Rules, Knockd08Effect> {
        &self.engine
    }

    /// Returns when something is due next for any of them.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let common = self.engine.poll_deadline().map(|deadline| deadline.at);
        let undecided = self.engine.rules().undecided_due(self.site());
        common.into_iter().chain(undecided).min()
    }

    /// Returns a difference that makes them do different things while time passes up to `at`.
    #[must_use]
    pub fn parts_in_time(&self, at: Timestamp) -> Option<Difference> {
        self.engine.rules().parts_in_time(at, self.site())
    }

    /// Returns a difference that makes them do different things when something happens: its own time is
    /// `stamp`, and `at` is the latest so far. Time has passed up to `at`.
    #[must_use]
    pub fn parts_at(
        &self,
        at: Timestamp,
        stamp: Timestamp,
        incoming: Incoming<'_>,
    ) -> Option<Difference> {
        let rules = self.engine.rules();
        let at_packet = |packet: &Packet| rules.parts_at_packet(at, stamp, packet, self.site());
        match incoming {
            Incoming::Event(Event::Packet(packet) | Event::SignedPacket(packet, _)) => {
                at_packet(packet)
            }
            Incoming::Event(Event::Reloaded(_)) => {
                // A reload is rare, and touches nearly everything.
                Difference::ALL.into_iter().find(|&one| rules.span().differ_in(one))
            }
            Incoming::Event(
                Event::CommandEnded { .. }
                | Event::Marked { .. }
                | Event::AdmissionLost { .. }
                | Event::DeadlineReached
                | Event::ClockSet { .. }
                | Event::AddressesChanged(_),
            ) => None,
            Incoming::Frame(decodings) => self
                .parts_in_decoding(decodings)
                .or_else(|| decodings.under(rules.span().last()).and_then(at_packet)),
        }
    }

    fn parts_in_decoding(&self, decodings: &Decodings) -> Option<Difference> {
        let rules = self.engine.rules();
        decodings.differences().filter(|&one| rules.span().differ_in(one)).find(|&one| {
            let before = decodings.under(FixedUpTo::before(one));
            let after = decodings.under(FixedUpTo(Some(one)));
            let mut packets = [before, after].into_iter().flatten();
            before != after && packets.any(|packet| rules.may_hear(packet, self.site()))
        })
    }

    /// Parts them: what is left does not fix this difference, what is returned does. They must differ in
    /// it.
    #[must_use]
    pub fn split_off(&mut self, difference: Difference) -> Self {
        let mut after = self.clone();
        let (unfixed, fixed) = self.engine.rules().span().split_at(difference);
        self.engine.change_rules(|rules, site| rules.narrow(unfixed, site));
        after.engine.change_rules(|rules, site| rules.narrow(fixed, site));
        after
    }

    /// Lets something happen that does not part them. Every command succeeds at once.
    pub fn handle(
        &mut self,
        stamp: Timestamp,
        incoming: Incoming<'_>,
        mut take: impl FnMut(&Doors, TimedEffect),
    ) {
        let event = match incoming {
            Incoming::Event(event) => event.clone(),
            // None of them hears signed packets.
            Incoming::Frame(decodings) => {
                let packet = decodings.under(self.engine.rules().span().last());
                packet.map_or(Event::DeadlineReached, |packet| Event::Packet(*packet))
            }
        };
        let Ok(()) = self.engine.drive(stamp, event, CommandsEnd::SUCCEEDED, |engine, timed| {
            take(engine.doors(), timed);
            Ok::<(), Infallible>(())
        });
    }

    fn site(&self) -> &Site {
        self.engine.site()
    }
}

/// Returns the differences in how rule sets read these doors.
fn differences_of(doors: &Doors) -> impl Iterator<Item = Difference> {
    let is_long = doors.in_order().any(|(_, door)| door.name.as_bytes().len() > NAME_BYTES);
    let is_derived = doors.derived().next().is_some();
    let long = is_long.then_some(Difference::LongName);
    long.into_iter().chain(is_derived.then_some(Difference::DerivedSequences))
}
