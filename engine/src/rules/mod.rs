//! The rule sets: what an admitted packet does.
//!
//! Each is a machine of its own behind [`RuleSet`], so that one may be fast and the other faithful
//! to a fault without either being full of switches.

pub(crate) mod knock;

use alloc::collections::VecDeque;
use core::fmt::Debug;

use crate::doors::Doors;
use crate::effect::{CommandStatus, Deadline, Effect, RunId, TimedEffect};
use crate::listening::Listening;
use crate::packet::Packet;
use crate::time::Timestamp;

/// A rule set with all it remembers. Time never runs backwards from one call to the next.
pub(crate) trait RuleSet: Debug + Send {
    /// Fetches into the cache what an admitted packet will need. Changes nothing.
    fn anticipate(&self, packet: &Packet);

    /// Handles a packet that was admitted.
    fn packet(&mut self, at: Timestamp, packet: &Packet, site: &mut Site);

    /// Handles the end of a command. A number that is not running is ignored.
    fn command_ended(&mut self, at: Timestamp, run: RunId, status: CommandStatus, site: &mut Site);

    /// Returns when something is due next.
    fn due(&self) -> Option<Timestamp>;

    /// Returns what is due next.
    fn deadline(&self) -> Option<Deadline>;

    /// Does what is due next.
    fn fire(&mut self, site: &mut Site);

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
}
