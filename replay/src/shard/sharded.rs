//! A replay of a shard.

use std::io;

use knock_compat::{AnyRules, Engine};
use knock_engine::Event;

use super::order::Orders;
use super::{Shard, ShardFacts};
use crate::output::transcript::Entry;
use crate::session::drive::{Played, Watch};
use crate::session::names::PacketId;
use crate::session::outgoing::Outgoing;

/// A replay of a shard. The packets of other clients are left out, but their time passes.
pub(crate) struct Sharded {
    shard: Shard,
    /// To the thread that prints objects.
    outgoing: Outgoing<Entry>,
    facts: ShardFacts,
    orders: Orders,
    /// Whether the packet that is being handled is admitted by some door, and what was due before it may still happen.
    comes: bool,
}

impl Sharded {
    pub(crate) fn new(facts: ShardFacts, outgoing: Outgoing<Entry>) -> Self {
        Self { shard: facts.shard(), outgoing, facts, orders: Orders::default(), comes: false }
    }

    /// Returns where objects go, what is known about the replay, and how many packets some door admitted, also those of other clients.
    pub(crate) fn end(self) -> (Outgoing<Entry>, ShardFacts, u64) {
        (self.outgoing, self.facts, self.orders.packets())
    }

    fn begin_packet(&mut self) {
        if std::mem::take(&mut self.comes) {
            self.orders.begin_packet();
        }
    }

    fn note_peaks(&mut self, engine: &Engine) {
        if let AnyRules::Knock(rules) = engine.rules() {
            self.facts.peaks.note(rules.usage());
        }
    }
}

impl Watch for Sharded {
    fn leaves_out(&mut self, event: &Event, engine: &Engine) -> bool {
        self.comes = event.is_heard(engine.doors(), engine.listening());
        let (Event::Packet(packet) | Event::SignedPacket(packet, _)) = event else { return false };
        self.comes && !self.shard.contains(packet.source)
    }

    fn has_done(&mut self, engine: &Engine) {
        self.note_peaks(engine);
    }

    fn happens(&mut self, played: &Played<'_>) -> io::Result<()> {
        if !played.timed.effect.is_due() {
            self.begin_packet();
        }
        let order = Some(self.orders.of(&played.timed, played.doors));
        self.outgoing.begin(played.start);
        Ok(self.outgoing.take(Entry { order, ..Entry::of(played) })?)
    }

    fn handled(&mut self, _packet: Option<PacketId>, engine: &Engine) -> io::Result<()> {
        self.begin_packet();
        self.note_peaks(engine);
        Ok(self.outgoing.complete()?)
    }
}
