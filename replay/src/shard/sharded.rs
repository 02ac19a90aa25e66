//! A replay of a shard.

use std::io;

use knock_compat::{AnyRules, Engine};
use knock_engine::Event;

use super::order::Orders;
use super::{Shard, ShardFacts};
use crate::output::transcript::Objects;
use crate::session::drive::{Played, Watch};
use crate::session::names::PacketId;

/// A replay of a shard. The packets of other clients are left out, but their time passes.
pub(crate) struct Sharded<'a> {
    shard: Shard,
    objects: Objects<'a>,
    facts: ShardFacts,
    orders: Orders,
    /// Whether the packet that is being handled is admitted by some door, and what was due before it may still happen.
    comes: bool,
}

impl<'a> Sharded<'a> {
    pub(crate) fn new(facts: ShardFacts, objects: Objects<'a>) -> Self {
        Self { shard: facts.shard(), objects, facts, orders: Orders::default(), comes: false }
    }

    /// Returns where objects go, what is known about the replay, and how many packets some door admitted, also those of other clients.
    pub(crate) fn end(self) -> (Objects<'a>, ShardFacts, u64) {
        (self.objects, self.facts, self.orders.packets())
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

impl Watch for Sharded<'_> {
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
        let order = self.orders.of(&played.timed, played.doors);
        self.objects.write(*played, Some(order))
    }

    fn handled(&mut self, _packet: Option<PacketId>, engine: &Engine) {
        self.begin_packet();
        self.note_peaks(engine);
    }
}
