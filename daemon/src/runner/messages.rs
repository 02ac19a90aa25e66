//! Messages of the sniffer.

use std::net::IpAddr;
use std::time::Instant;

use chrono::Local;
use knock_config::text::masked;
use knock_engine::transcript::{self, Channel};
use knock_engine::{DoorId, Effect, Limits, PeriodOfDoor, Phase, Protocol, RunId};
use knock_signed::Moment;

use super::command_events::NOT_STARTED;
use super::commands::CommandRequest;
use super::leases::Lease;
use super::output::{About, Kind, Line, Step};
use super::totals::Total;
use super::used::What;
use super::{Runner, State};
use crate::lease_record::{Place, StoredLease};
use crate::wire::{Level, Message, Order, SeenPacket, client_of, is_authentic_refusal};

impl Runner {
    /// Reads and handles messages of the sniffer.
    pub(super) fn take_messages(&mut self) {
        if self.sniffer.read() {
            self.heartbeat.has_heard(Instant::now());
        }
        loop {
            match self.sniffer.next(&self.doors) {
                Ok(Some(message)) => self.take_message(message),
                Ok(None) => break,
                Err(error) => {
                    self.end_with_broken_sniffer(&error);
                    return;
                }
            }
        }
        self.report_losses(false);
        if self.sniffer.has_ended() {
            self.sniffer_ended();
        }
    }

    fn take_message(&mut self, message: Message) {
        match message {
            Message::Listening => self.begin_work(),
            Message::Alive => self.answered(),
            Message::Ended => {}
            Message::Effect(effect) => self.take_effect(&effect),
            Message::SeenPacket(packet) => self.output.text(Kind::Debug, seen(&packet)),
            Message::Lost(loss, count) => self.losses.set(loss, count),
            Message::Refused(why, count) => self.totals.refused.set(why, count),
            Message::Adopted(ids) => self.adopt(&ids),
            Message::Stale => self.read_again(),
            Message::RecordingRotated => self.recording_rotated(),
            Message::CaptureFailed(number) => self.capture_failed(number),
            Message::Settled(number) => self.report_settled(number),
            Message::Attempt(attempt) => self.add_attempt(&attempt),
            Message::AttemptsEnd(total) => self.answer_attempts(total),
            Message::Text(level, text) => self.print_text(level, &text),
        }
    }

    fn print_text(&mut self, level: Level, text: &[u8]) {
        let shown = masked(text);
        let level = match level {
            Level::Warning => "warning",
            Level::Error => "error",
        };
        self.output.text(Kind::Notice, format!("knockd: {level}: {shown}"));
    }

    fn take_effect(&mut self, effect: &Effect) {
        if matches!(effect, Effect::RunCommand { .. } | Effect::Admit { .. })
            && !matches!(self.state, State::Listening)
        {
            // All doors are about to be closed: none is opened now, and the others are closed anyway.
            return;
        }
        if let Effect::RunCommand { run, client, door, phase } = *effect {
            // Its line is printed when it starts.
            match phase {
                Phase::Start => self.open(run, client, door),
                Phase::Stop => self.close_asked(run, client, door),
            }
            return;
        }
        if let Effect::Admit { client, door, lasts } = *effect {
            // Its line is printed when the kernel has taken it.
            self.admit(client, door, lasts);
            return;
        }
        if let Effect::AdmissionEnded { client, door } = *effect {
            self.admission_ended(client, door);
            return;
        }
        if matches!(effect, Effect::Opened { .. }) {
            self.totals.add(Total::Openings);
        }
        self.print(effect);
        if let Effect::Closing { client, door } = *effect {
            self.close_beyond_engine(client, door);
        }
        if let Effect::MarkOneTime { mark, client, door, line, offset } = *effect {
            self.mark(mark, client, door, (line, offset));
        } else if let Effect::MarkPeriod { mark, client, door, sequence, period } = *effect {
            self.mark_period(mark, client, door, PeriodOfDoor { sequence, period });
        } else if let Effect::MarkMoment { mark, client, door, key, moment, closes } = *effect {
            let what = if closes { What::ClosingPacket } else { What::Packet };
            self.mark_moment((mark, what), (client, door), (key, Moment(moment)));
        } else if *effect == Effect::ReloadRefused {
            self.forget_reload();
        }
    }

    /// Prints the line of an effect.
    pub(super) fn print(&mut self, effect: &Effect) {
        // In a flood, most lines about steps go nowhere, so they are not even made.
        let step = step(effect).map(|step| {
            let door = self.doors.door(step.door).name.as_bytes();
            self.output.kind_of_step(&step, door)
        });
        if matches!(step, Some(None)) {
            return;
        }
        let mut text = Vec::new();
        let kind = match (transcript::write(effect, &self.doors, &mut text), step) {
            (_, Some(Some(kind))) => kind,
            (Channel::Transcript, _) => Kind::Opening,
            (Channel::Message, _) => Kind::Notice,
            (Channel::Note, _) if self.args.debug => Kind::Debug,
            // The sniffer sends only those of owners of keys, and few.
            (Channel::Note, _) if is_authentic_refusal(effect) => Kind::Notice,
            (Channel::Note, _) => return,
        };
        let client = client_of(effect);
        let door = effect.door().map(|id| self.doors.door(id).name.as_bytes().to_vec());
        let user = effect.user(&self.doors).map(|user| user.as_bytes().to_vec());
        let about = About { door, event: Some(effect.kind().name()), user };
        self.output.line(Line { kind, text, client, about });
    }

    fn open(&mut self, run: RunId, client: IpAddr, id: DoorId) {
        let door = self.doors.door(id);
        // A working engine never has more doors open than this.
        let limits = Limits::with_attempts(self.args.max_attempts);
        let leases_max = usize::try_from(limits.leases.get()).unwrap_or(usize::MAX);
        let is_lease = door.commands.stop_for(client).is_some();
        let has_room =
            (!is_lease || self.leases.len() < leases_max) && self.commands.has_room_for_start(id);
        let Some(command) = door.commands.start_for(client).filter(|_| has_room) else {
            if is_lease && self.leases.len() < leases_max {
                self.leases.refuse(id, client);
            }
            self.sniffer.queue(&Order::CommandEnded { run, status: NOT_STARTED });
            return;
        };
        let mut line = Vec::new();
        command.expand(client, &mut line);
        let door_name = door.name.as_bytes().to_vec();
        let request = |lease| {
            let (run, door, phase) = (Some(run), Some(id), Phase::Start);
            CommandRequest { run, door, door_name, client, phase, line, lease }
        };
        match self.leases.begin(id, door, client) {
            Some(lease) => {
                let lease = stored(lease, self.clock.place());
                self.remember(request(Some(lease.number)), lease);
            }
            None => self.run([request(None)]),
        }
    }
}

/// Returns the step of an attempt that an effect is, if it is one.
fn step(effect: &Effect) -> Option<Step> {
    if let Effect::StageReached { client, door, stage } = *effect {
        Some(Step { client, door, stage, is_timeout: false })
    } else if let Effect::SequenceTimedOut { client, door, stage } = *effect {
        Some(Step { client, door, stage, is_timeout: true })
    } else {
        None
    }
}

/// Returns what is written about a lease before its door opens.
fn stored(lease: &Lease, place: &Place) -> StoredLease {
    StoredLease {
        number: lease.number,
        door_name: lease.door_name.clone(),
        client: lease.client,
        stop: lease.stop.clone(),
        closes_after: Some(lease.closes_after),
        place: place.clone(),
        group: None,
        due: None,
        is_closing: false,
    }
}

/// Returns a packet as knockd 0.8 prints it under `-D`, but with the right month.
fn seen(packet: &SeenPacket) -> Vec<u8> {
    let SeenPacket { source, destination, source_port, knock, length } = packet;
    let protocol = match knock.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let mut text =
        format!("{}: {protocol}: ", Local::now().format("%Y-%m-%d %H:%M:%S")).into_bytes();
    knock_engine::address::write(*source, &mut text);
    text.extend(format!(":{} -> ", source_port.0).into_bytes());
    knock_engine::address::write(*destination, &mut text);
    text.extend(format!(":{} {length} bytes", knock.port.0).into_bytes());
    text
}
