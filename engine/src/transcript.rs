//! The only place where effects become text.

use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::IpAddr;

use knock_signed::Refusal;

use crate::address::{self, Bytes, write_decimal};
use crate::command::Phase;
use crate::doors::{DoorId, Doors};
use crate::effect::{Effect, Note, Obstacle, OwnEffect, Skip};
use crate::packet::Knock;
use crate::run::CommandStatus;
use crate::sequence::Stage;
use crate::signing::KeyNumber;
use crate::time::Seconds;

pub use crate::effect::Channel;

const RELOAD_REFUSED: &str = "reload rejected: too many doors of earlier configurations still wait for their stop \
                              commands; reload again when more are closed";

/// Appends the text of an effect to `out`, without a newline, and returns where it belongs.
pub fn write<X: OwnEffect>(effect: &Effect<X>, doors: &Doors, out: &mut Vec<u8>) -> Channel {
    let mut line = Line { doors, out };
    match *effect {
        Effect::StageReached { client, door, stage } => {
            line.client_at(client, door).text("Stage ").number(stage);
            Channel::Transcript
        }
        Effect::SequenceTimedOut { client, door, stage } => {
            line.client_at(client, door).text("sequence timeout (stage ").number(stage).text(")");
            Channel::Transcript
        }
        Effect::Opened { client, door } => line.event(client, door, "OPEN SESAME"),
        Effect::Admit { client, door, lasts } => {
            line.admit(client, door, lasts);
            Channel::Transcript
        }
        Effect::Closing { client, door } => line.event(client, door, "closing, as asked"),
        Effect::AdmissionEnded { client, door } => {
            line.door(door).text(": ").address(client).text(": admission ended");
            Channel::Transcript
        }
        Effect::RunCommand { run: _, client, door, phase } => {
            line.door(door).text(": running command: ").command(client, door, phase);
            Channel::Transcript
        }
        Effect::CommandTimedOut { client, door } => line.event(client, door, "command timeout"),
        Effect::CommandFailed { door, status } => {
            line.door(door).failed(status);
            Channel::Message
        }
        Effect::MarkOneTime { mark: _, client: _, door, line: number, offset: _ } => {
            line.door(door).used_up(number);
            Channel::Note
        }
        Effect::MarkPeriod { mark: _, client, door, sequence: _, period: _ } => {
            line.client_at(client, door).text("the sequence of this period is used");
            Channel::Note
        }
        Effect::MarkMoment { mark: _, client, door, key, moment: _, closes: _ } => {
            line.client_at(client, door).text("signed packet").user(Some(key));
            Channel::Transcript
        }
        Effect::NotSigned { client, why, key } => line.not_signed(client, why, key),
        Effect::DoorDisabled { door } => {
            line.door(door).text(": no one-time sequence is left, the door is disabled");
            Channel::Message
        }
        Effect::OpeningRefused { client, door, why } => line.client_at(client, door).refused(why),
        Effect::OpeningSkipped { client, door, why, again } => {
            line.client_at(client, door).text(omission(why));
            if again { Channel::Note } else { Channel::Message }
        }
        Effect::VoidedOften { client, door, knock, packets, millis } => {
            line.client_at(client, door).voided_often(knock, packets, millis);
            Channel::Message
        }
        Effect::ReloadRefused => {
            line.text(RELOAD_REFUSED);
            Channel::Message
        }
        Effect::Note(ref note) => {
            write_note(note, &mut line);
            Channel::Note
        }
        Effect::Own(ref own) => own.write(doors, line.out),
    }
}

const fn refusal(why: Obstacle) -> (&'static str, Channel) {
    match why {
        Obstacle::Limit => {
            ("not opened: busy, too many commands and open doors are pending", Channel::Message)
        }
        // The driver knows the cause, and has reported it.
        Obstacle::NotMarked => {
            ("not opened: its sequence could not be marked as used", Channel::Note)
        }
    }
}

const fn omission(why: Skip) -> &'static str {
    match why {
        Skip::Merged => "merged with the opening that waits for the running command",
        Skip::AlreadyOpen => "already open, ignored",
        Skip::AtMax => "already admitted for as long as Open_Max allows, ignored",
        Skip::ClientLimit => "limit of openings reached (Client_Openings_Per_Minute), ignored",
        Skip::DoorLimit => "limit of openings reached (Openings_Per_Minute), ignored",
        Skip::Cooldown => "opened again too soon (Seq_Cooldown), ignored",
        Skip::PeriodUsed => "opened with this sequence already (Sequence_Period), ignored",
    }
}

fn write_note(note: &Note, line: &mut Line<'_>) {
    match *note {
        Note::Retransmission { client, knock } => {
            line.address(client).text(": ").knock(knock);
            line.text(" repeats an earlier knock (TCP retransmission), ignored");
        }
        Note::OtherFlags { client, door, stage } => {
            line.client_at(client, door).text("still at stage ").number(stage);
            line.text(": the packet does not have the flags that tcpflags asks for");
        }
        Note::SecondTry { client, door, stage, knock } => {
            line.client_at(client, door).text("still at stage ").number(stage);
            line.text(": ").knock(knock).text(" was tried again, ignored");
        }
        Note::Voided { client, door, stage, knock } => {
            line.client_at(client, door).text("void at stage ").number(stage);
            line.text(": ").knock(knock).text(" is not the next knock");
        }
        Note::Evicted { client, door, stage } => {
            line.client_at(client, door).text("dropped at stage ").number(stage);
            line.text(": evicted for another attempt at the limit");
        }
        Note::SequenceChanged { client, door, stage } => {
            line.client_at(client, door).text("dropped at stage ").number(stage);
            line.text(": another client used the one-time sequence");
        }
        Note::DoorChanged { client, door, stage } => {
            line.client_at(client, door).text("dropped at stage ").number(stage);
            line.text(": the reload changed or removed the door");
        }
    }
}

/// A line under construction.
struct Line<'a> {
    doors: &'a Doors,
    out: &'a mut Vec<u8>,
}

impl Line<'_> {
    #[inline]
    fn text(&mut self, text: &str) -> &mut Self {
        self.out.extend_from_slice(text.as_bytes());
        self
    }

    fn address(&mut self, client: IpAddr) -> &mut Self {
        address::write(client, self.out);
        self
    }

    fn door(&mut self, door: DoorId) -> &mut Self {
        self.out.extend_from_slice(self.doors.door(door).name.as_bytes());
        self
    }

    fn event(&mut self, client: IpAddr, door: DoorId, text: &str) -> Channel {
        self.client_at(client, door).text(text);
        Channel::Transcript
    }

    fn client_at(&mut self, client: IpAddr, door: DoorId) -> &mut Self {
        let label = self.doors.label(door);
        self.address(client).out.extend_from_slice(label);
        self
    }

    fn used_up(&mut self, number: u32) {
        self.formatted(format_args!(": one-time sequence on line {number} is used up"));
    }

    fn refused(&mut self, why: Obstacle) -> Channel {
        let (text, channel) = refusal(why);
        self.text(text);
        channel
    }

    fn not_signed(&mut self, client: IpAddr, why: Refusal, key: Option<KeyNumber>) -> Channel {
        self.address(client).text(": signed packet").user(key);
        self.formatted(format_args!(" ignored: {why}"));
        Channel::Note
    }

    /// Writes ` of USER`, if the key of a signed packet is known.
    fn user(&mut self, key: Option<KeyNumber>) -> &mut Self {
        let signing = self.doors.signing();
        if let Some(of) = key.and_then(|key| signing?.key(key)) {
            self.text(" of ").out.extend_from_slice(of.user.as_bytes());
        }
        self
    }

    fn number(&mut self, stage: Stage) -> &mut Self {
        self.byte(stage.get())
    }

    fn byte(&mut self, number: u8) -> &mut Self {
        write_decimal(number, self.out);
        self
    }

    fn command(&mut self, client: IpAddr, door: DoorId, phase: Phase) -> &mut Self {
        if let Some(command) = self.doors.door(door).commands.of(phase, client) {
            command.expand(client, self.out);
        }
        self
    }

    fn ports(&mut self, door: DoorId) -> &mut Self {
        if let Some(admission) = &self.doors.door(door).admission {
            // Writing to a vector cannot fail.
            let _ = write!(Bytes(self.out), "{}", admission.ports);
        }
        self
    }

    fn failed(&mut self, status: CommandStatus) {
        self.text(": command returned non-zero status code (").byte(status.0).text(")");
    }

    fn admit(&mut self, client: IpAddr, door: DoorId, lasts: Seconds) -> &mut Self {
        self.door(door).text(": admit ").address(client).text(" to ").ports(door);
        self.formatted(format_args!(" for {} s", lasts.get()))
    }

    fn knock(&mut self, knock: Knock) -> &mut Self {
        self.formatted(format_args!("{knock}"))
    }

    fn voided_often(&mut self, knock: Knock, packets: u32, millis: u32) -> &mut Self {
        let (seconds, tenths) = (millis / 1000, millis % 1000 / 100);
        self.formatted(format_args!(
            "voided {packets} times in {seconds}.{tenths} s by packets from the client's address, the \
             last to {knock}: forged?"
        ))
    }

    fn formatted(&mut self, arguments: core::fmt::Arguments<'_>) -> &mut Self {
        // Writing to a vector cannot fail.
        let _ = Bytes(self.out).write_fmt(arguments);
        self
    }
}
