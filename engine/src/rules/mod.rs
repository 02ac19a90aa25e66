//! The rule sets: what an admitted packet does.
//!
//! Each is a machine of its own behind [`RuleSet`], so that one may be fast and the other faithful
//! to a fault without either being full of switches.

pub(crate) mod bridge;
mod knock;
pub(crate) mod knockd_08;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt::{self, Debug};

use self::bridge::{BridgeRules, Mended};
use self::knock::KnockRules;
use self::knockd_08::Knockd08Rules;
pub use self::knockd_08::Refusal;

use crate::difference::Difference;
use crate::doors::{DoorId, Doors};
use crate::effect::{CommandStatus, Deadline, Effect, RunId, TimedEffect};
use crate::limits::Limits;
use crate::listening::Listening;
use crate::packet::Packet;
use crate::time::Timestamp;

/// What decides how packets open doors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rules {
    /// What the manual of knockd promises, with its known faults mended.
    #[default]
    Knock,
    /// What knockd 0.8 does, fault for fault; for replay only. Where the real program has no limit,
    /// this has that of [`Limits`].
    Knockd08,
    /// knockd 0.8 with the differences up to this one mended, in the order of their numbers; to
    /// find out which of them makes a transcript differ.
    Between(Option<Difference>),
}

impl Rules {
    /// Returns why the program whose rules these are would not start; never for [`Rules::Knock`].
    /// [`Rules::Between`] starts, but may hear nothing.
    #[must_use]
    pub fn refusal(self, doors: &Doors, listening: &Listening) -> Option<Refusal> {
        match self {
            Self::Knock | Self::Between(_) => None,
            Self::Knockd08 => knockd_08::refusal(doors, listening),
        }
    }

    pub(crate) fn machine(
        self,
        limits: &Limits,
        doors: &Doors,
        listening: &Listening,
    ) -> Box<dyn RuleSet> {
        match self {
            Self::Knock => Box::new(KnockRules::new(limits)),
            Self::Knockd08 => Box::new(Knockd08Rules::new(limits)),
            Self::Between(last) => {
                Box::new(BridgeRules::new(Mended(last), limits, doors, listening))
            }
        }
    }

    /// Returns the doors as the rule set knows them.
    pub(crate) fn adapt(self, doors: Doors) -> Doors {
        let cuts_names = match self {
            Self::Knock => false,
            Self::Knockd08 => true,
            Self::Between(last) => !Mended(last).has(Difference::LongName),
        };
        if cuts_names { doors.with_names_cut(knockd_08::NAME_BYTES) } else { doors }
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Knock => out.write_str("knock"),
            Self::Knockd08 | Self::Between(None) => out.write_str("knockd-0.8"),
            Self::Between(Some(last)) => write!(out, "knockd-0.8+{}", last.number()),
        }
    }
}

/// A rule set with all it remembers. Time never runs backwards from one call to the next, but for
/// the stamps of packets.
pub(crate) trait RuleSet: Debug + Send {
    /// Fetches into the cache what an admitted packet will need. Changes nothing.
    fn anticipate(&self, packet: &Packet);

    /// Handles a packet, admitted or not. `stamp` is its own time, which may run backwards.
    fn packet(&mut self, at: Timestamp, stamp: Timestamp, packet: &Packet, site: &mut Site);

    /// Handles the end of a command. A number that is not running is ignored.
    fn command_ended(&mut self, at: Timestamp, run: RunId, status: CommandStatus, site: &mut Site);

    /// Returns when something is due next.
    fn due(&self) -> Option<Timestamp>;

    /// Returns what is due next.
    fn deadline(&self) -> Option<Deadline>;

    /// Does what is due next.
    fn fire(&mut self, site: &mut Site);

    /// Ends the attempts at doors that are about to leave the configuration.
    fn doors_leave(&mut self, at: Timestamp, leaving: &[DoorId], site: &mut Site);

    /// Calls `hold` with every door that leases, commands and the like still refer to.
    fn held(&self, hold: &mut dyn FnMut(DoorId));

    /// Returns how many attempts are live.
    fn live_attempts(&self) -> usize;
}

/// What a rule set works on.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) doors: Doors,
    pub(crate) listening: Listening,
    pub(crate) counts: Counts,
    pub(crate) effects: VecDeque<TimedEffect>,
}

impl Site {
    pub(crate) fn emit(&mut self, at: Timestamp, effect: Effect) {
        self.effects.push_back(TimedEffect { at, effect });
    }
}

/// What has happened so far, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that some door's filter let through.
    pub admitted: u64,
    /// Attempts that began.
    pub attempts: u64,
    /// Openings.
    pub opened: u64,
    /// Attempts that took too long.
    pub timed_out: u64,
    /// Attempts that a wrong packet ended.
    pub voided: u64,
    /// Packets that repeated the last knock.
    pub retransmissions: u64,
    /// Attempts that made room for another at the limit.
    pub evicted: u64,
    /// Openings whose last knock was forgotten before its time at the limit, so that its
    /// retransmission could count.
    pub forgotten_openings: u64,
    /// Openings that were refused at the limit.
    pub refused: u64,
    /// Attempts that could not begin at the limit. Never under [`Rules::Knock`]: elsewhere no attempt
    /// can make room.
    pub not_begun: u64,
}
