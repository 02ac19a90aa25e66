//! What hears packets: the engine and what is around it.

use knock_engine::{Doors, Effect, Engine, Event, LinkType, Packet, Timestamp, decode, filter};

use super::outbox::Outbox;
use super::recording::Recording;
use super::timeline::{Clocks, Timeline};
use crate::wire::{Report, Sighting};

/// The engine, and the time it goes by.
pub(super) struct Ear {
    pub(super) engine: Engine,
    pub(super) timeline: Timeline,
    /// The last moment that the engine was told of.
    pub(super) last: Timestamp,
    /// The last moment up to which all packets are heard.
    pub(super) complete: Timestamp,
    pub(super) debug: bool,
    pub(super) recording: Option<Recording>,
    /// Whether the doors hear other knocks than the kernel's filter was made for.
    pub(super) changed: bool,
    /// How many one-time sequences were used since the filter was made.
    pub(super) used_sequences: usize,
    /// Whether the last reload was refused.
    pub(super) refused: bool,
}

/// A frame as it came.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) link: LinkType,
    /// Nanoseconds since the epoch, by the clock of the machine.
    pub(super) stamp: i64,
    /// How long it was on the wire.
    pub(super) length: u32,
    pub(super) captured: &'a [u8],
}

/// A packet that the engine is to be told of.
pub(super) struct Heard {
    packet: Packet,
    /// How long its frame was on the wire.
    length: u32,
    /// The frame, if it may be recorded.
    captured: Vec<u8>,
}

impl Ear {
    /// Returns the packet in a frame, if there is one, and when it came.
    pub(super) fn hear(&mut self, frame: Frame<'_>) -> Option<(Timestamp, Heard)> {
        let packet = decode(frame.link, frame.captured).ok()?;
        let kept = self.recording.is_some().then_some(frame.captured);
        let captured = kept.map(<[u8]>::to_vec).unwrap_or_default();
        Some((self.moment(frame.stamp), Heard { packet, length: frame.length, captured }))
    }

    /// Returns the moment of the timeline that a stamp stands for.
    pub(super) fn moment(&mut self, stamp: i64) -> Timestamp {
        self.timeline.packet(stamp, Clocks::look)
    }

    /// Tells the engine of a packet that came at the interface with this place among all.
    pub(super) fn packet(
        &mut self,
        place: usize,
        at: Timestamp,
        heard: &Heard,
        outbox: &mut Outbox,
    ) {
        let at = at.max(self.last);
        if (self.recording.is_some() || self.debug)
            && self.engine.doors().admit(self.engine.listening(), &heard.packet)
        {
            self.note(place, at, heard, outbox);
        }
        self.tell(at, Event::Packet(heard.packet), outbox);
    }

    /// Keeps and tells of a packet that counts.
    fn note(&mut self, place: usize, at: Timestamp, heard: &Heard, outbox: &mut Outbox) {
        let Heard { packet, length, captured } = heard;
        if let Some(recording) = &mut self.recording {
            recording.packet(place, at, *length, captured);
        }
        if self.debug {
            outbox.put(&Report::Sighting(Sighting {
                source: packet.source,
                destination: packet.destination,
                source_port: packet.source_port,
                knock: packet.knock(),
                length: *length,
            }));
        }
    }

    /// Tells the engine what happened, and passes on what it wants.
    pub(super) fn tell(&mut self, at: Timestamp, event: Event, outbox: &mut Outbox) {
        self.last = self.last.max(at);
        self.engine.handle(self.last, event);
        while let Some(timed) = self.engine.poll_effect() {
            if matches!(timed.effect, Effect::MarkOneTime { .. }) {
                self.used_sequences = self.used_sequences.saturating_add(1);
                // While a filter is changed packets are lost, so it knows some sequences ahead.
                self.changed |= self.used_sequences >= filter::ONE_TIME_LINES / 2;
            }
            self.refused |= timed.effect == Effect::ReloadRefused;
            outbox.effect(timed.effect);
        }
    }

    /// Does what is due by a moment up to which all packets are heard.
    pub(super) fn let_time_run(&mut self, complete: Timestamp, outbox: &mut Outbox) {
        self.complete = complete;
        if self.engine.poll_deadline().is_some_and(|deadline| deadline.at <= complete) {
            self.tell(complete, Event::DeadlineReached, outbox);
        }
    }

    /// Has the engine go by other doors.
    pub(super) fn reload(&mut self, at: Timestamp, doors: Doors, outbox: &mut Outbox) {
        self.refused = false;
        self.tell(at, Event::Reloaded(Box::new(doors)), outbox);
        if !self.refused {
            let ids = self.engine.doors().in_order();
            let ids = ids.map(|(id, _)| u16::try_from(id.index()).unwrap_or(u16::MAX)).collect();
            outbox.put(&Report::Adopted(ids));
            self.changed = true;
        }
    }
}
