//! The engine: events in, effects out.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::convert::Infallible;

use crate::deadline::Deadline;
use crate::doors::{DoorId, Doors};
use crate::effect::{Effect, OwnEffect, TimedEffect, Waiting};
use crate::event::Event;
use crate::limits::Limits;
use crate::listening::Listening;
use crate::packet::Packet;
use crate::rules::{Counts, KnockRules, RuleSet, Site};
use crate::run::CommandStatus;
use crate::time::Timestamp;

/// When the commands end that the engine asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandsEnd {
    /// At once, with this status: nothing runs.
    AtOnce(CommandStatus),
    /// When the driver hands over [`Event::CommandEnded`].
    Later,
}

impl CommandsEnd {
    /// Every command succeeds right away: a replay, which runs none.
    pub const SUCCEEDED: Self = Self::AtOnce(CommandStatus::SUCCESS);
}

/// Port knocking as a state machine.
///
/// The driver hands over events with [`Engine::handle`], then takes effects from
/// [`Engine::poll_effect`] until there are none. What is due at or before the time of an event
/// happens before the event, so no driver can get the order wrong. If time runs backwards, it counts
/// as the same moment. A driver that waits for something to happen waits no longer than
/// [`Engine::poll_deadline`] says, and then hands over [`Event::DeadlineReached`].
///
/// Nothing here fails: decoding rejects bad bytes, and the configuration rejects bad text.
#[derive(Clone, Debug)]
pub struct Engine<R = KnockRules, X = Infallible> {
    site: Site<X>,
    rules: R,
    /// Everything up to here has happened.
    now: Timestamp,
    /// The last event, which waits for what is due before it.
    pending: Option<Pending>,
}

/// An event that waits for what is due before it.
#[derive(Clone, Debug)]
struct Pending {
    /// When it happens: never before an earlier event.
    at: Timestamp,
    /// The time that the driver gave.
    stamp: Timestamp,
    event: Event,
}

impl Engine {
    /// Makes an engine with the rules of knock that has heard nothing yet.
    #[must_use]
    pub fn new(doors: Doors, listening: Listening, limits: &Limits) -> Self {
        Self::with_rules(doors, listening, KnockRules::new(limits))
    }
}

impl<R: RuleSet<X>, X: OwnEffect> Engine<R, X> {
    /// Makes an engine with a rule set that has heard nothing yet.
    #[must_use]
    pub fn with_rules(doors: Doors, listening: Listening, rules: R) -> Self {
        let doors = rules.adapt(doors);
        let site = Site {
            doors,
            listening,
            counts: Counts::default(),
            clock_ahead: 0,
            presumes_marks: false,
            effects: Waiting::new(),
        };
        Self { site, rules, now: Timestamp::MIN, pending: None }
    }

    /// Returns the same engine for a driver that marks no used one-time sequences, such as a replay: it
    /// does not wait for [`Event::Marked`], and the door opens at once.
    #[must_use]
    pub fn presuming_marks(mut self) -> Self {
        self.site.presumes_marks = true;
        self
    }

    /// Hands over an event and takes all effects that follow: `take` gets each one with the engine as it
    /// is then. With [`CommandsEnd::AtOnce`] every command ends right after its effect was taken, as in
    /// a replay; otherwise the driver hands over [`Event::CommandEnded`] itself.
    ///
    /// # Errors
    /// The first error of `take`. Effects that were not taken yet stay in the queue.
    pub fn drive<E>(
        &mut self,
        at: Timestamp,
        event: Event,
        commands: CommandsEnd,
        mut take: impl FnMut(&Self, TimedEffect<X>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.handle(at, event);
        while let Some(timed) = self.poll_effect() {
            take(self, timed)?;
            if let (Effect::RunCommand { run, .. }, CommandsEnd::AtOnce(status)) =
                (timed.effect, commands)
            {
                self.handle(timed.at, Event::CommandEnded { run, status });
            }
        }
        Ok(())
    }

    /// Hands over `event`, which happened at `at`.
    ///
    /// The event is handled while its effects are polled, so that a jump in time over many deadlines
    /// does not fill the queue at once. Only an answer to an effect, such as the end of a command, is handled
    /// right away: a deadline before the waiting event may have caused that effect.
    pub fn handle(&mut self, at: Timestamp, event: Event) {
        let stamp = at;
        let at = at.max(self.now);
        let is_answer = matches!(event, Event::CommandEnded { .. } | Event::Marked { .. });
        let jumps_the_queue =
            is_answer && self.pending.as_ref().is_none_or(|pending| at <= pending.at);
        if !jumps_the_queue {
            while self.step() {}
        }
        let at = at.max(self.now);
        if is_answer {
            while self.fire_until(at) {}
        } else if self.is_due(at) {
            self.pending = Some(Pending { at, stamp, event });
            return;
        }
        self.apply(at, stamp, event);
    }

    /// Prepares for packets that will be handed over soon, for [`ANTICIPATED`](crate::ANTICIPATED) at most. This changes only
    /// the speed.
    ///
    /// Under a flood from new addresses the engine spends its time waiting for memory. A driver with
    /// several packets at hand anticipates them all, then handles one after another, so that the waits
    /// overlap.
    pub fn anticipate<'a>(&self, packets: impl IntoIterator<Item = &'a Packet>) {
        let named = packets.into_iter().filter(|packet| self.site.doors.names(packet.knock()));
        self.rules.anticipate(named.map(|packet| packet.source));
    }

    /// Returns the next effect, in the order of the transcript; `None` when everything handed over is
    /// handled.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<TimedEffect<X>> {
        loop {
            if let Some(effect) = self.site.effects.pop() {
                return Some(effect);
            }
            if !self.step() {
                return None;
            }
        }
    }

    /// Returns what is due next, for which client and why, once all effects are polled.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Deadline> {
        self.rules.deadline()
    }

    /// Returns whether something is due at a moment or before, once all effects are polled.
    #[must_use]
    pub fn is_due(&self, at: Timestamp) -> bool {
        self.rules.due().is_some_and(|due| due <= at)
    }

    /// Returns the rule set.
    #[must_use]
    pub fn rules(&self) -> &R {
        &self.rules
    }

    /// Changes the rule set between two events.
    pub fn change_rules(&mut self, change: impl FnOnce(&mut R, &Site<X>)) {
        change(&mut self.rules, &self.site);
    }

    /// Returns what the rule set reads and changes.
    #[must_use]
    pub fn site(&self) -> &Site<X> {
        &self.site
    }

    /// Returns the doors, as the effects so far have left them.
    #[must_use]
    pub fn doors(&self) -> &Doors {
        &self.site.doors
    }

    /// Returns which destinations count.
    #[must_use]
    pub fn listening(&self) -> &Listening {
        &self.site.listening
    }

    /// Returns the counters.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.site.counts
    }

    /// Returns how many attempts are live.
    #[must_use]
    pub fn live_attempts(&self) -> usize {
        self.rules.live_attempts()
    }

    /// Handles the next deadline before or at the waiting event, or the event. Returns whether there was one.
    fn step(&mut self) -> bool {
        let Some(Pending { at, .. }) = self.pending else { return false };
        if self.fire_until(at) {
            return true;
        }
        if let Some(Pending { at, stamp, event }) = self.pending.take() {
            self.apply(at, stamp, event);
        }
        true
    }

    /// Fires the next deadline if it is due at or before `at`. Returns whether it was.
    fn fire_until(&mut self, at: Timestamp) -> bool {
        let Some(due) = self.rules.fire(at, &mut self.site) else { return false };
        self.now = self.now.max(due);
        true
    }

    #[expect(clippy::inline_always, reason = "an event is copied for a call")]
    #[inline(always)]
    fn apply(&mut self, at: Timestamp, stamp: Timestamp, event: Event) {
        self.now = at;
        match event {
            // Not moved out of the event: in a flood, copies cost as much as rules.
            Event::Packet(ref packet) => self.rules.packet(at, stamp, packet, &mut self.site),
            Event::SignedPacket(ref packet, ref payload) => {
                // A sequence may have its port, too.
                self.rules.packet(at, stamp, packet, &mut self.site);
                self.rules.signed_packet((at, stamp), packet, payload, &mut self.site);
            }
            Event::CommandEnded { run, status } => {
                self.rules.command_ended(at, run, status, &mut self.site);
            }
            Event::Marked { mark, is_marked } => {
                self.rules.marked(at, mark, is_marked, &mut self.site);
            }
            Event::AdmissionLost { client, door } => self.rules.admission_lost(client, door),
            Event::DeadlineReached => {}
            Event::ClockSet { ahead } => self.site.clock_ahead = ahead,
            Event::AddressesChanged(listening) => self.site.listening = listening,
            Event::Reloaded(doors) => self.reload(at, self.rules.adapt(*doors)),
        }
    }

    #[cold]
    fn reload(&mut self, at: Timestamp, new: Doors) {
        let unchanged = self.site.doors.unchanged(&new);
        // Effects still in the queue are printed later, with the doors of that time.
        let mut held: BTreeSet<DoorId> =
            self.site.effects.iter().filter_map(|timed| timed.effect.door()).collect();
        self.rules.held(&mut |door| {
            held.insert(door);
        });
        let Some(ids) = self.site.doors.ids_for(&unchanged, held) else {
            self.site.emit(at, Effect::ReloadRefused);
            return;
        };
        let stay: BTreeSet<DoorId> = unchanged.into_iter().flatten().collect();
        let leaving: Vec<DoorId> =
            self.site.doors.in_order().map(|(id, _)| id).filter(|id| !stay.contains(id)).collect();
        self.rules.doors_leave(at, &leaving, &mut self.site);
        self.site.doors.replace(new, ids);
    }
}
