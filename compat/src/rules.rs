//! One type for all rule sets of a replay.

use std::fmt;
use std::net::IpAddr;

use knock_engine::{
    CommandStatus, Deadline, DoorId, Doors, Event, Knock, KnockRules, Limits, LinkType, Listening,
    MarkId, Packet, RuleSet, RunId, Timestamp,
};
use knock_signed::PACKET_BYTES;

use crate::Site;
use crate::decode::decode as decode_fixed;
use crate::difference::{Difference, FixedUpTo};
use crate::effect::Knockd08Effect;
use crate::filter::{Refusal, refusal};
use crate::machine::Knockd08Rules;
use crate::span::Span;
use crate::undecodable::Undecodable;

/// What decides how packets open doors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rules {
    /// The rules in the manual of knockd, with its known bugs fixed.
    #[default]
    Knock,
    /// The rules of knockd 0.8, bugs included. Where the real program has no limit, those of [`Limits`]
    /// apply.
    Knockd08,
    /// knockd 0.8 with the differences up to this one fixed, in the order of their numbers: used to
    /// find out which of them changes a transcript.
    FixedUpTo(Difference),
}

impl Rules {
    /// Returns why the program with these rules would not start; never for [`Rules::Knock`].
    /// [`Rules::FixedUpTo`] starts, but may hear nothing.
    #[must_use]
    pub fn refusal(self, doors: &Doors, listening: &Listening) -> Option<Refusal> {
        match self {
            Self::Knock | Self::FixedUpTo(_) => None,
            Self::Knockd08 => refusal(doors, listening),
        }
    }

    /// Makes an engine with these rules, for a replay: it has heard nothing yet, and presumes that used
    /// one-time sequences are marked.
    #[must_use]
    pub fn engine(self, doors: Doors, listening: Listening, limits: &Limits) -> Engine {
        let fixed = match self {
            Self::Knock => {
                let rules = AnyRules::Knock(KnockRules::new(limits));
                return Engine::with_rules(doors, listening, rules).presuming_marks();
            }
            Self::Knockd08 => FixedUpTo(None),
            Self::FixedUpTo(last) => FixedUpTo(Some(last)),
        };
        let machine = Knockd08Rules::new(Span::one(fixed), limits, &doors, &listening);
        Engine::with_rules(doors, listening, AnyRules::Knockd08(machine)).presuming_marks()
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Knock => out.write_str("knock"),
            Self::Knockd08 => out.write_str("knockd-0.8"),
            Self::FixedUpTo(last) => write!(out, "knockd-0.8+{}", last.number()),
        }
    }
}

/// An engine under any of the [`Rules`].
pub type Engine = knock_engine::Engine<AnyRules, Knockd08Effect>;

/// The machine of any of the [`Rules`].
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are few, and the larger one is the common one"
)]
pub enum AnyRules {
    /// That of knock.
    Knock(KnockRules),
    /// That of knockd 0.8, with differences fixed.
    Knockd08(Knockd08Rules),
}

/// How a rule set sees frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    fixed: Option<FixedUpTo>,
    /// Where signed packets go.
    signed: Option<Knock>,
}

impl Sight {
    /// Returns how an engine sees frames.
    #[must_use]
    pub fn of(engine: &Engine) -> Self {
        let fixed = match engine.rules() {
            AnyRules::Knock(_) => None,
            AnyRules::Knockd08(rules) => Some(rules.fixed()),
        };
        Self { fixed, signed: engine.doors().signed_knock() }
    }

    /// Returns how the rules of knock see frames.
    #[must_use]
    pub fn of_knock(doors: &Doors) -> Self {
        Self { fixed: None, signed: doors.signed_knock() }
    }

    /// Decodes a frame.
    ///
    /// # Errors
    /// [`Undecodable`] if it carries nothing that could be a knock.
    #[inline]
    pub fn decode(
        self,
        listening: &Listening,
        link: LinkType,
        frame: &[u8],
    ) -> Result<Packet, Undecodable> {
        match self.fixed {
            None => match knock_engine::decode(link, frame) {
                Ok(packet) => Ok(packet),
                Err(why) => Err(why.into()),
            },
            Some(fixed) => decode_fixed(fixed, listening, link, frame),
        }
    }

    /// Returns the event that a frame is.
    ///
    /// # Errors
    /// As [`Sight::decode`].
    #[inline]
    pub fn event(
        self,
        listening: &Listening,
        link: LinkType,
        frame: &[u8],
    ) -> Result<Event, Undecodable> {
        let packet = self.decode(listening, link, frame)?;
        Ok(Event::captured(link, frame, packet, self.signed))
    }
}

impl AnyRules {
    fn machine(&self) -> &dyn RuleSet<Knockd08Effect> {
        match self {
            Self::Knock(rules) => rules,
            Self::Knockd08(rules) => rules,
        }
    }
}

/// Decodes a frame as an engine's rule set sees it.
///
/// # Errors
/// [`Undecodable`] if it carries nothing that could be a knock.
#[inline]
pub fn decode(engine: &Engine, link: LinkType, frame: &[u8]) -> Result<Packet, Undecodable> {
    Sight::of(engine).decode(engine.listening(), link, frame)
}

impl RuleSet<Knockd08Effect> for AnyRules {
    fn adapt(&self, doors: Doors) -> Doors {
        self.machine().adapt(doors)
    }

    #[inline]
    fn anticipate(&self, clients: impl Iterator<Item = IpAddr>) {
        match self {
            Self::Knock(rules) => RuleSet::<Knockd08Effect>::anticipate(rules, clients),
            Self::Knockd08(rules) => rules.anticipate(clients),
        }
    }

    #[inline]
    fn packet(&mut self, at: Timestamp, stamp: Timestamp, packet: &Packet, site: &mut Site) {
        match self {
            Self::Knock(rules) => rules.packet(at, stamp, packet, site),
            Self::Knockd08(rules) => rules.packet(at, stamp, packet, site),
        }
    }

    fn signed_packet(
        &mut self,
        times: (Timestamp, Timestamp),
        packet: &Packet,
        payload: &[u8; PACKET_BYTES],
        site: &mut Site,
    ) {
        match self {
            Self::Knock(rules) => rules.signed_packet(times, packet, payload, site),
            Self::Knockd08(rules) => rules.signed_packet(times, packet, payload, site),
        }
    }

    fn command_ended(&mut self, at: Timestamp, run: RunId, status: CommandStatus, site: &mut Site) {
        match self {
            Self::Knock(rules) => rules.command_ended(at, run, status, site),
            Self::Knockd08(rules) => rules.command_ended(at, run, status, site),
        }
    }

    fn marked(&mut self, at: Timestamp, mark: MarkId, is_marked: bool, site: &mut Site) {
        match self {
            Self::Knock(rules) => rules.marked(at, mark, is_marked, site),
            Self::Knockd08(rules) => rules.marked(at, mark, is_marked, site),
        }
    }

    fn admission_lost(&mut self, client: IpAddr, door: DoorId) {
        match self {
            Self::Knock(rules) => RuleSet::<Knockd08Effect>::admission_lost(rules, client, door),
            Self::Knockd08(rules) => rules.admission_lost(client, door),
        }
    }

    #[inline]
    fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Knock(rules) => RuleSet::<Knockd08Effect>::due(rules),
            Self::Knockd08(rules) => rules.due(),
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.machine().deadline()
    }

    #[inline]
    fn fire(&mut self, until: Timestamp, site: &mut Site) -> Option<Timestamp> {
        match self {
            Self::Knock(rules) => rules.fire(until, site),
            Self::Knockd08(rules) => rules.fire(until, site),
        }
    }

    fn doors_leave(&mut self, at: Timestamp, leaving: &[DoorId], site: &mut Site) {
        match self {
            Self::Knock(rules) => rules.doors_leave(at, leaving, site),
            Self::Knockd08(rules) => rules.doors_leave(at, leaving, site),
        }
    }

    fn held(&self, hold: &mut dyn FnMut(DoorId)) {
        self.machine().held(hold);
    }

    fn live_attempts(&self) -> usize {
        self.machine().live_attempts()
    }
}
