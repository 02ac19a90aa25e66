//! Rule sets: they decide what an admitted packet does.

mod knock;

use core::convert::Infallible;
use core::fmt::Debug;
use core::net::IpAddr;

use knock_signed::PACKET_BYTES;

pub use self::knock::{Fingerprint, KnockRules, LiveAttempt, Usage, VoidReports};

use crate::deadline::Deadline;
use crate::doors::{DoorId, Doors};
use crate::effect::{Effect, TimedEffect, Waiting};
use crate::listening::Listening;
use crate::one_time::MarkId;
use crate::packet::Packet;
use crate::run::{CommandStatus, RunId};
use crate::time::Timestamp;

/// How many packets are anticipated at once, at most: as many lines of its cache as a processor waits for at the same
/// time.
pub const ANTICIPATED: usize = 16;

/// A rule set with its memory: the machine inside an [`Engine`](crate::Engine).
///
/// `X` is the type of its effects beyond the common [`Effect`]s. Time never runs backwards from one
/// call to the next, except in the stamps of packets.
pub trait RuleSet<X = Infallible>: Debug + Send {
    /// Returns the doors as the rule set changes them. Called with the first doors and those of every
    /// reload.
    #[must_use]
    fn adapt(&self, doors: Doors) -> Doors {
        doors
    }

    /// Prefetches what admitted packets of these clients will need, of [`ANTICIPATED`] at most. Changes nothing.
    fn anticipate(&self, clients: impl Iterator<Item = IpAddr>)
    where
        Self: Sized;

    /// Handles a packet, admitted or not. `stamp` is its own time, which may run backwards.
    fn packet(&mut self, at: Timestamp, stamp: Timestamp, packet: &Packet, site: &mut Site<X>);

    /// Handles a packet that may be a signed one, admitted or not; `times` are that of the event and the packet's own. A rule
    /// set that knows no signed packets has nothing to do.
    fn signed_packet(
        &mut self,
        _times: (Timestamp, Timestamp),
        _: &Packet,
        _payload: &[u8; PACKET_BYTES],
        _: &mut Site<X>,
    ) {
    }

    /// Handles the end of a command. Ignores a number that is not running.
    fn command_ended(
        &mut self,
        at: Timestamp,
        run: RunId,
        status: CommandStatus,
        site: &mut Site<X>,
    );

    /// Handles the answer to [`Effect::MarkOneTime`] or [`Effect::MarkPeriod`]. Ignores a number that is not waited for. A rule set
    /// that opens doors without waiting has nothing to do.
    fn marked(&mut self, _: Timestamp, _: MarkId, _is_marked: bool, _: &mut Site<X>) {}

    /// Handles that a client is not let in, or no longer. Ignores one that is not.
    fn admission_lost(&mut self, client: IpAddr, door: DoorId);

    /// Returns when something is due next.
    #[must_use]
    fn due(&self) -> Option<Timestamp>;

    /// Returns what is due next.
    #[must_use]
    fn deadline(&self) -> Option<Deadline>;

    /// Handles what is due next, if it is due at a moment or before. Returns when it was due.
    fn fire(&mut self, until: Timestamp, site: &mut Site<X>) -> Option<Timestamp>;

    /// Ends the attempts at doors that a reload removes.
    fn doors_leave(&mut self, at: Timestamp, leaving: &[DoorId], site: &mut Site<X>);

    /// Calls `hold` with every door that leases, commands and other entries still refer to.
    fn held(&self, hold: &mut dyn FnMut(DoorId));

    /// Returns how many attempts are live.
    #[must_use]
    fn live_attempts(&self) -> usize;
}

/// What a rule set reads and changes.
#[derive(Clone, Debug)]
pub struct Site<X = Infallible> {
    /// The doors.
    pub doors: Doors,
    /// Which destinations are local.
    pub listening: Listening,
    /// Counters of what has happened so far.
    pub counts: Counts,
    /// How many nanoseconds the time of day is ahead of the times of events.
    pub(crate) clock_ahead: i64,
    /// Whether used one-time sequences count as marked before the driver says so.
    pub presumes_marks: bool,
    /// Effects that the driver has not taken yet.
    pub(crate) effects: Waiting<TimedEffect<X>>,
}

impl<X> Site<X> {
    /// Makes those derived sequences count that do for a packet with this stamp.
    pub fn look_at_periods(&mut self, stamp: Timestamp) {
        self.doors.look_at(self.time_of_day(stamp));
    }

    /// Returns the time of day at which a packet with this stamp came.
    pub(crate) fn time_of_day(&self, stamp: Timestamp) -> Timestamp {
        Timestamp::from_nanos(stamp.as_nanos().saturating_add(self.clock_ahead))
    }

    /// Appends an effect to the one queue of the engine.
    pub fn emit(&mut self, at: Timestamp, effect: Effect<X>) {
        self.effects.push(TimedEffect { at, effect });
    }
}

/// Counters of what has happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that some door's filter let through.
    pub admitted: u64,
    /// Attempts that began.
    pub attempts: u64,
    /// Attempts that started over with a second try of their first knock.
    pub restarted: u64,
    /// Openings.
    pub opened: u64,
    /// Attempts that took too long.
    pub timed_out: u64,
    /// Attempts that a wrong packet ended.
    pub voided: u64,
    /// Packets that repeated a knock that had counted.
    pub retransmissions: u64,
    /// Attempts that were evicted at the limit.
    pub evicted: u64,
    /// Knocks that were forgotten before their time at the limit, so that a retransmission could
    /// count.
    pub forgotten_knocks: u64,
    /// Openings that were refused at the limit.
    pub refused: u64,
    /// Openings that were refused because a one-time sequence could not be marked as used.
    pub not_marked: u64,
    /// Openings that were merged with one that waits for its start command.
    pub merged: u64,
    /// Openings that were ignored because the door was open already, in a cooldown, or at a limit of
    /// openings.
    pub ignored: u64,
    /// Openings that were ignored because the client had used the sequence of the period already.
    pub repeated: u64,
    /// Packets that were no signed ones, or had no right to open a door.
    pub not_signed: u64,
    /// Cooldowns that were forgotten before their time at the limit, so that an opening could count.
    pub forgotten_cooldowns: u64,
    /// Openings that no longer counted for the limits of their door before their time, so that another
    /// could count.
    pub forgotten_openings: u64,
    /// Attempts that could not begin at the limit, under rules that do not evict; [`KnockRules`] evicts.
    pub not_begun: u64,
}
