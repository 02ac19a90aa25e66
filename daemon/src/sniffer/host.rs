//! The host of the engine: its clock, its effects, and the recording of what it is given.

use std::convert::Infallible;
use std::net::IpAddr;

use knock_engine::{
    CommandStatus, CommandsEnd, Doors, Effect, Engine, Event, Listening, LiveAttempt, MarkId,
    Packet, RunId, Timestamp, decode, filter,
};

use super::captures::{Capture, Frame};
use super::outbox::Outbox;
use super::recording::{RecordedCapture, Recording};
use super::timeline::{Clocks, Timeline};
use crate::wire::{CaptureNumber, ListedAttempt, Loss, Message, SeenPacket};

/// The engine, and all that its events depend on.
///
/// Every event goes through here, so that times never run backwards for the engine, and every effect
/// reaches the outbox.
pub(super) struct EngineHost {
    engine: Engine,
    timeline: Timeline,
    /// How far the time of day is ahead of it, as the engine knows.
    day_ahead: i64,
    /// The time of the last event.
    last: Timestamp,
    /// The time up to which the engine has all packets.
    complete: Timestamp,
    ipv4_only: bool,
    recording: Option<Recording>,
    /// Whether doors or addresses have changed since the kernel's filter was made.
    filter_outdated: bool,
    /// How many one-time sequences were used since the filter was made.
    used_sequences: usize,
    /// Whether the engine has refused the last reload.
    reload_refused: bool,
}

/// A packet for the engine.
pub(super) struct DecodedPacket {
    packet: Packet,
    /// The packet, with what it says if it may be a signed one.
    event: Event,
    /// The length of its frame on the wire.
    length: u32,
    /// The frame, if packets are recorded.
    frame: Vec<u8>,
}

impl EngineHost {
    /// Begins at the present time.
    pub(super) fn new(engine: Engine, recording: Option<Recording>, ipv4_only: bool) -> Self {
        let mut timeline = Timeline::new(Clocks::look());
        let now = timeline.now(Clocks::look());
        Self {
            engine,
            timeline,
            day_ahead: 0,
            last: now,
            complete: now,
            ipv4_only,
            recording,
            filter_outdated: false,
            used_sequences: 0,
            reload_refused: false,
        }
    }

    /// Returns the present time.
    pub(super) fn now(&mut self) -> Timestamp {
        self.timeline.now(Clocks::look())
    }

    /// Returns the time of a capture's stamp.
    pub(super) fn time_of(&mut self, stamp: i64) -> Timestamp {
        self.timeline.packet(stamp, Clocks::look)
    }

    /// Returns the time up to which the engine has all packets.
    pub(super) const fn complete(&self) -> Timestamp {
        self.complete
    }

    /// Returns when the engine has something to do without an event.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.engine.poll_deadline().map(|deadline| deadline.at)
    }

    /// Returns the packet in a frame, if there is one, and its time.
    pub(super) fn decode(&mut self, frame: Frame<'_>) -> Option<(Timestamp, DecodedPacket)> {
        let packet = decode(frame.link, frame.captured).ok()?;
        self.engine.anticipate([&packet]);
        let recorded = self.recording.is_some().then_some(frame.captured);
        let bytes = recorded.map(<[u8]>::to_vec).unwrap_or_default();
        let event =
            Event::captured(frame.link, frame.captured, packet, self.engine.doors().signed_knock());
        let decoded = DecodedPacket { packet, event, length: frame.length, frame: bytes };
        Some((self.time_of(frame.stamp), decoded))
    }

    /// Describes a capture in the recording.
    pub(super) fn capture_begun(&mut self, capture: &Capture) {
        if let Some(recording) = &mut self.recording {
            let (name, link) = (capture.name().to_owned(), capture.link());
            let local = self.engine.listening().local().unwrap_or_default();
            recording.add(RecordedCapture { number: capture.number(), name, link }, local);
        }
    }

    /// Notes in the recording that a capture has ended.
    pub(super) fn capture_ended(&mut self, capture: CaptureNumber) {
        if let Some(recording) = &mut self.recording {
            recording.end(capture);
        }
    }

    /// Gives the engine a packet of the capture with this number.
    pub(super) fn packet(
        &mut self,
        capture: CaptureNumber,
        at: Timestamp,
        decoded: DecodedPacket,
        outbox: &mut Outbox,
    ) {
        let at = at.max(self.last);
        if (self.recording.is_some() || outbox.wants_notes())
            && decoded.event.is_heard(self.engine.doors(), self.engine.listening())
        {
            self.record(capture, at, &decoded, outbox);
        }
        self.tell_time_of_day(at, outbox);
        self.handle(at, decoded.event, outbox);
    }

    /// Tells the engine how far the time of day is ahead of the times of events, if that has changed.
    fn tell_time_of_day(&mut self, at: Timestamp, outbox: &mut Outbox) {
        let ahead = self.timeline.day_ahead();
        if ahead != self.day_ahead {
            self.day_ahead = ahead;
            self.handle(at, Event::ClockSet { ahead }, outbox);
        }
    }

    /// Records and prints a packet that some door's filter lets through.
    fn record(
        &mut self,
        capture: CaptureNumber,
        at: Timestamp,
        decoded: &DecodedPacket,
        outbox: &mut Outbox,
    ) {
        let DecodedPacket { packet, event: _, length, frame } = decoded;
        if let Some(recording) = &mut self.recording {
            recording.packet(capture, at, *length, frame);
        }
        if outbox.wants_notes() {
            outbox.push(&Message::SeenPacket(SeenPacket {
                source: packet.source,
                destination: packet.destination,
                source_port: packet.source_port,
                knock: packet.knock(),
                length: *length,
            }));
        }
    }

    /// Gives the engine what was due up to a time before which all packets were handled.
    pub(super) fn advance(&mut self, complete: Timestamp, outbox: &mut Outbox) {
        self.complete = complete;
        if self.deadline().is_some_and(|at| at <= complete) {
            self.handle(complete, Event::DeadlineReached, outbox);
        }
    }

    /// Gives the engine the end of a command.
    pub(super) fn command_ended(&mut self, run: RunId, status: CommandStatus, outbox: &mut Outbox) {
        self.handle(self.complete, Event::CommandEnded { run, status }, outbox);
    }

    /// Gives the engine the result of marking a line.
    pub(super) fn marked(&mut self, mark: MarkId, is_marked: bool, outbox: &mut Outbox) {
        self.handle(self.complete, Event::Marked { mark, is_marked }, outbox);
    }

    /// Tells the engine that a client is not let in. A door that is gone has no clients any more.
    pub(super) fn admission_lost(&mut self, door: u16, client: IpAddr, outbox: &mut Outbox) {
        if let Some(door) = self.engine.doors().with_index(door.into()) {
            self.handle(self.complete, Event::AdmissionLost { client, door }, outbox);
        }
    }

    /// Gives the engine other local addresses.
    pub(super) fn addresses_changed(&mut self, addresses: Vec<IpAddr>, outbox: &mut Outbox) {
        let listening = Listening::at(addresses).with_ipv4_only(self.ipv4_only);
        if let Some(recording) = &mut self.recording {
            recording.describe(listening.local().unwrap_or_default());
        }
        self.filter_outdated = true;
        self.handle(self.complete, Event::AddressesChanged(listening), outbox);
    }

    /// Gives the engine other doors. Unless it refuses them, their ids go to the runner.
    pub(super) fn reload(&mut self, doors: Doors, outbox: &mut Outbox) {
        self.reload_refused = false;
        self.handle(self.complete, Event::Reloaded(Box::new(doors)), outbox);
        if !self.reload_refused {
            let ids = self.engine.doors().in_order();
            let ids = ids.map(|(id, _)| u16::try_from(id.index()).unwrap_or(u16::MAX)).collect();
            outbox.push(&Message::Adopted(ids));
            self.filter_outdated = true;
        }
    }

    fn handle(&mut self, at: Timestamp, event: Event, outbox: &mut Outbox) {
        self.last = self.last.max(at);
        let Self { engine, used_sequences, filter_outdated, reload_refused, .. } = self;
        let Ok(()) = engine.drive(self.last, event, CommandsEnd::Later, |_, timed| {
            if matches!(timed.effect, Effect::MarkOneTime { .. }) {
                *used_sequences = used_sequences.saturating_add(1);
                // Compiling a filter takes time, so it has some sequences in advance, and is changed when
                // half of them are used.
                *filter_outdated |= *used_sequences >= filter::ONE_TIME_LINES / 2;
            }
            *reload_refused |= timed.effect == Effect::ReloadRefused;
            outbox.effect(timed.effect);
            Ok::<(), Infallible>(())
        });
    }

    /// Sends the attempts with the most progress, and how many there are.
    pub(super) fn list_attempts(&self, outbox: &mut Outbox) {
        for attempt in self.engine.rules().attempts(self.engine.doors(), ListedAttempt::MAX) {
            let LiveAttempt { client, door, stage, due } = attempt;
            let expires_in = u64::try_from(due.since(self.last).as_millis()).unwrap_or(u64::MAX);
            outbox.push(&Message::Attempt(ListedAttempt { client, door, stage, expires_in }));
        }
        let count = u64::try_from(self.engine.live_attempts()).unwrap_or(u64::MAX);
        outbox.push(&Message::AttemptsEnd(count));
    }

    /// Returns what a kernel's filter is made for.
    pub(super) fn listens_for(&self) -> (&Doors, &Listening) {
        (self.engine.doors(), self.engine.listening())
    }

    /// Returns what the kernel's filter is to be made for, if it is outdated. From then on it counts as
    /// made.
    pub(super) fn filter_change(&mut self) -> Option<(&Doors, &Listening)> {
        if !std::mem::take(&mut self.filter_outdated) {
            return None;
        }
        self.used_sequences = 0;
        Some(self.listens_for())
    }

    /// Writes buffered packets to the recording, and reports if it went on in another file.
    pub(super) fn flush_recording(&mut self, outbox: &mut Outbox) {
        if let Some(recording) = &mut self.recording {
            recording.flush();
            for _ in 0..recording.take_full() {
                outbox.push(&Message::RecordingRotated);
            }
        }
    }

    /// Returns how much was lost here since the start.
    pub(super) fn losses(&self) -> [(Loss, u64); 4] {
        let counts = self.engine.counts();
        let unrecorded = self.recording.as_ref().map_or(0, Recording::missed);
        [
            (Loss::Attempts, counts.evicted),
            (Loss::Knocks, counts.forgotten_knocks),
            (Loss::Recorded, unrecorded),
            (Loss::Openings, counts.refused),
        ]
    }
}
