//! What the sniffer says, and what commands do.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use chrono::Local;
use knock_engine::transcript::{self, Channel};
use knock_engine::{CommandStatus, DoorId, Effect, Note, Phase, Protocol, RunId};
use nix::sys::signal::Signal;

use super::commands::{self, News};
use super::end::Ending;
use super::lease_file::OpenDoor;
use super::output::{Kind, Line};
use super::{Exit, Runner, State};
use crate::wire::{Gravity, Loss, Order, Report, Sighting};

/// How often it is told that more was lost.
const LOSSES_EVERY: Duration = Duration::from_mins(1);

/// While so many commands run or wait, nothing more is asked of the sniffer, which keeps what it has to
/// say: the memory of a process with privileges does not grow with what strangers do.
const COMMANDS_MAX: usize = 16_384;

/// The status of a command that could not be started: what a shell says of one it does not find.
const NOT_STARTED: CommandStatus = CommandStatus(127);

impl Runner {
    /// Takes what the sniffer says.
    pub(super) fn take_reports(&mut self) {
        if self.heeds_sniffer() {
            self.sniffer.read();
        }
        loop {
            match self.sniffer.next(&self.doors) {
                Ok(Some(report)) => self.take_report(report),
                Ok(None) => break,
                Err(error) => {
                    self.broken(&error);
                    return;
                }
            }
        }
        self.tell_of_losses(false);
        if self.sniffer.has_ended() {
            self.end_without_sniffer();
        }
    }

    /// Returns whether there is room for what the sniffer asks. Once the end has begun, that takes none.
    pub(super) fn heeds_sniffer(&self) -> bool {
        self.commands.len() < COMMANDS_MAX || matches!(self.state, State::Ending(_))
    }

    fn take_report(&mut self, report: Report) {
        match report {
            Report::Listening => self.begin_work(),
            Report::Ended => {}
            Report::Effect(effect) => self.take_effect(&effect),
            Report::Sighting(sighting) => self.output.text(Kind::Debug, seen(&sighting)),
            Report::Lost(loss, count) => self.losses.hear(loss, count),
            Report::Adopted(ids) => self.adopt(&ids),
            Report::Stale => self.read_again(),
            Report::Words(gravity, words) => self.pass_on(gravity, &words),
        }
    }

    fn pass_on(&mut self, gravity: Gravity, words: &[u8]) {
        let shown: String = String::from_utf8_lossy(words)
            .chars()
            .map(|character| if character.is_control() { '\u{fffd}' } else { character })
            .collect();
        let gravity = match gravity {
            Gravity::Warning => "warning",
            Gravity::Error => "error",
        };
        self.output.text(Kind::Message, format!("knockd: {gravity}: {shown}"));
    }

    fn take_effect(&mut self, effect: &Effect) {
        if matches!(effect, Effect::RunCommand { .. }) && !matches!(self.state, State::Listening) {
            // All doors are about to be closed: none is opened now, and this one will be closed.
            return;
        }
        self.print(effect);
        match *effect {
            Effect::RunCommand { run, client, door, phase } => {
                self.run(run, client, door, phase);
            }
            Effect::MarkOneTime { door, line, offset } => {
                self.marks = self.marks.saturating_add(1);
                if let Err(why) = self.one_time.mark(door, line, offset) {
                    let name = self.doors.door(door).name.clone();
                    let text = format!(
                        "{name}: line {line} could not be marked as used ({why}): knockd would take \
                         its sequence again after a restart or a reload"
                    );
                    self.output.text(Kind::Message, text);
                }
            }
            Effect::ReloadRefused => self.forget_reload(),
            Effect::StageReached { .. }
            | Effect::SequenceTimedOut { .. }
            | Effect::Opened { .. }
            | Effect::CommandTimedOut { .. }
            | Effect::CommandFailed { .. }
            | Effect::DoorDisabled { .. }
            | Effect::OpeningRefused { .. }
            | Effect::OpeningSkipped { .. }
            | Effect::Note(_) => {}
            Effect::Own(never) => match never {},
        }
    }

    /// Writes the line of an effect.
    pub(super) fn print(&mut self, effect: &Effect) {
        let mut text = Vec::new();
        let kind = match transcript::write(effect, &self.doors, &mut text) {
            Channel::Transcript if is_only_progress(effect) => Kind::Transcript,
            Channel::Transcript => Kind::Opening,
            Channel::Message => Kind::Message,
            Channel::Note if self.args.debug => Kind::Debug,
            Channel::Note => return,
        };
        self.output.line(Line { kind, text, client: client_in(effect) });
    }

    fn run(&mut self, run: RunId, client: IpAddr, id: DoorId, phase: Phase) {
        let door = self.doors.door(id);
        let command = match phase {
            Phase::Start => door.commands.start_for(client),
            Phase::Stop => door.commands.stop_for(client),
        };
        // More open doors no engine has that works.
        let leases_max = usize::try_from(self.args.max_attempts.get()).unwrap_or(usize::MAX);
        let is_lease = phase == Phase::Start && door.commands.stop_for(client).is_some();
        let has_room = !is_lease || self.leases.len() < leases_max;
        let Some(command) = command.filter(|_| has_room) else {
            self.sniffer.tell(&Order::CommandEnded { run, status: NOT_STARTED });
            return;
        };
        let mut line = Vec::new();
        command.expand(client, &mut line);
        let door_name = door.name.as_bytes().to_vec();
        let closes = match phase {
            Phase::Start => {
                if let Some(lease) = self.leases.begin(id, door, client) {
                    let (number, mut stop) = (lease.number, Vec::new());
                    lease.stop.expand(client, &mut stop);
                    self.remember(number, OpenDoor { name: door_name.clone(), client, stop });
                }
                None
            }
            Phase::Stop => self.leases.end(id, client).map(|lease| lease.number),
        };
        let order = commands::Order {
            run: Some(run),
            door: Some(id),
            door_name,
            client,
            phase,
            line,
            closes,
            postponed: false,
        };
        let mut news = Vec::new();
        self.commands.submit(order, &mut news);
        for one in news {
            self.tell_of_command(one);
        }
    }

    /// Tells the engine and the log what a command did.
    pub(super) fn tell_of_command(&mut self, news: News) {
        let about = |name: &[u8], text: &str| [name, b": ", text.as_bytes()].concat();
        match news {
            News::Ended(order, status) => {
                self.tell_of_end(&order, status);
                // Whatever it has done, it is not done again, unless it was killed for lack of time.
                if let Some(number) = order.closes
                    && !matches!(self.state, State::Ending(Ending::GivenUp(_)))
                {
                    self.forget(number);
                }
            }
            News::NotStarted(order, error) => {
                let text = format!("command cannot be started: {error}");
                self.output.text(Kind::Message, about(&order.door_name, &text));
                self.tell_of_end(&order, NOT_STARTED);
            }
            News::Postponed(order, error) => {
                let text =
                    format!("command cannot be started: {error}; knockd tries again until it can");
                self.output.text(Kind::Message, about(&order.door_name, &text));
            }
            News::Long(order) => {
                let text = about(&order.door_name, "command has been running for 60 seconds: ");
                self.output.text(Kind::Message, [text, order.line].concat());
            }
            News::Limited(order, signal) => {
                let what = if signal == Signal::SIGKILL { "killed" } else { "asked to end" };
                let text = format!("command ran longer than CommandLimit and was {what}: ");
                let text = about(&order.door_name, &text);
                self.output.text(Kind::Message, [text, order.line].concat());
            }
            News::Said { door_name, text } => {
                let text = [&door_name[..], b": output: ", &text].concat();
                self.output.text(Kind::Message, text);
            }
        }
    }

    fn tell_of_end(&mut self, order: &commands::Order, status: CommandStatus) {
        if let Some(run) = order.run {
            self.sniffer.tell(&Order::CommandEnded { run, status });
        }
        // Otherwise the engine says so. It is told nothing any more once the end has begun.
        let nobody_says = order.run.is_none() || matches!(self.state, State::Ending(_));
        if nobody_says && status != CommandStatus::SUCCESS {
            self.tell_of_failure(order, status);
        }
        let is_end = matches!(self.state, State::Ending(_));
        if order.phase == Phase::Stop && is_end && status != CommandStatus::SUCCESS {
            self.exit = Exit::Failed;
        }
    }

    fn tell_of_failure(&mut self, order: &commands::Order, status: CommandStatus) {
        if let Some(door) = order.door {
            self.print(&Effect::CommandFailed { door, status });
        } else {
            let text = format!(": command returned non-zero status code ({})", status.0);
            self.output.text(Kind::Message, [&order.door_name, text.as_bytes()].concat());
        }
    }

    /// Tells of what was lost, if that is due or if it is the last time.
    pub(super) fn tell_of_losses(&mut self, is_last: bool) {
        for (loss, count) in self.losses.take(is_last) {
            let text = match loss {
                Loss::Packets => format!(
                    "{count} packets were lost since the start, because they came faster than they \
                     could be read"
                ),
                Loss::Attempts => format!(
                    "{count} attempts made room for others since the start, at the limit of {}",
                    self.args.max_attempts
                ),
                Loss::Openings => format!(
                    "{count} openings were forgotten early since the start, at the limit of {}: a \
                     repeated packet could count",
                    self.args.max_attempts
                ),
                Loss::Lines => format!(
                    "{count} lines were lost since the start, because they could not be written fast \
                     enough"
                ),
                Loss::Recorded => format!(
                    "{count} packets were not recorded since the start, because the file cannot be \
                     written"
                ),
            };
            self.output.text(Kind::Message, format!("knockd: warning: {text}"));
        }
    }
}

/// Returns whether a line of the transcript tells of an attempt that has not opened anything.
const fn is_only_progress(effect: &Effect) -> bool {
    matches!(effect, Effect::StageReached { .. } | Effect::SequenceTimedOut { .. })
}

/// Returns the client with whose address the line of an effect begins.
const fn client_in(effect: &Effect) -> Option<IpAddr> {
    match *effect {
        Effect::StageReached { client, .. }
        | Effect::SequenceTimedOut { client, .. }
        | Effect::Opened { client, .. }
        | Effect::CommandTimedOut { client, .. }
        | Effect::OpeningRefused { client, .. }
        | Effect::OpeningSkipped { client, .. }
        | Effect::Note(
            Note::Retransmission { client, .. }
            | Note::OtherFlags { client, .. }
            | Note::Voided { client, .. }
            | Note::Evicted { client, .. }
            | Note::SequenceChanged { client, .. }
            | Note::DoorChanged { client, .. },
        ) => Some(client),
        Effect::RunCommand { .. }
        | Effect::CommandFailed { .. }
        | Effect::MarkOneTime { .. }
        | Effect::DoorDisabled { .. }
        | Effect::ReloadRefused => None,
        Effect::Own(never) => match never {},
    }
}

/// Returns a packet as knockd 0.8 tells of it under `-D`, but with the right month.
fn seen(sighting: &Sighting) -> Vec<u8> {
    let Sighting { source, destination, source_port, knock, length } = sighting;
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

/// What was lost, and what of that was told.
#[derive(Debug, Default)]
pub(super) struct Losses {
    counts: BTreeMap<Loss, Count>,
}

#[derive(Debug, Default)]
struct Count {
    lost: u64,
    told: u64,
    /// When more may be told.
    next: Option<Instant>,
}

impl Losses {
    fn hear(&mut self, loss: Loss, count: u64) {
        self.counts.entry(loss).or_default().lost = count;
    }

    /// Returns when there is something to tell.
    pub(super) fn due(&self) -> Option<Instant> {
        let untold = self.counts.values().filter(|count| count.lost > count.told);
        untold.filter_map(|count| count.next).min()
    }

    /// Returns what is to be told now: at once the first time, and then once in a while.
    fn take(&mut self, is_last: bool) -> Vec<(Loss, u64)> {
        let now = Instant::now();
        let mut due = Vec::new();
        for (&loss, count) in &mut self.counts {
            let is_due = is_last || count.next.is_none_or(|next| next <= now);
            if count.lost > count.told && is_due {
                count.told = count.lost;
                count.next = now.checked_add(LOSSES_EVERY);
                due.push((loss, count.lost));
            }
        }
        due
    }
}
