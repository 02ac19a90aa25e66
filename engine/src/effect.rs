//! What the engine is told and what it wants done or known.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt::Debug;
use core::net::IpAddr;

use crate::command::Phase;
#[cfg(doc)]
use crate::door::OnReknock;
use crate::door::Stage;
use crate::doors::{DoorId, Doors};
use crate::listening::Listening;
use crate::packet::{Knock, Packet};
use crate::time::Timestamp;
use crate::transcript::Channel;

/// What the engine is told, always with the time at which it happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A packet was captured.
    Packet(Packet),
    /// A command that the engine asked for has ended.
    CommandEnded {
        /// The number that came with [`Effect::RunCommand`].
        run: RunId,
        /// How it ended.
        status: CommandStatus,
    },
    /// Nothing happened but time.
    DeadlineReached,
    /// The local addresses are other ones from now on.
    AddressesChanged(Listening),
    /// The configuration was read anew.
    ///
    /// Attempts at doors that are the same as before go on, those at others end. Leases stay, with
    /// the stop command and the command timeout they began with.
    ///
    /// Print what was polled before the next reload but one: an id that no door, lease or waiting
    /// effect has any more is given to another door.
    Reloaded(Box<Doors>),
}

/// A command that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// Its place among the commands that run.
    pub(crate) place: u32,
    /// Tells it from those that had the place before.
    pub(crate) serial: u32,
}

impl RunId {
    /// Takes what [`RunId::to_bits`] returned: for a driver whose parts talk over a socket.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self::from_serial(bits)
    }

    /// Returns the number as one that a driver can send to another process.
    #[must_use]
    #[expect(clippy::as_conversions, reason = "there is no other way to widen in a const fn")]
    pub const fn to_bits(self) -> u64 {
        ((self.serial as u64) << 32) | self.place as u64
    }

    /// Makes the number of a command from one that no other command has had lately.
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "takes the lower half"
    )]
    pub(crate) const fn from_serial(serial: u64) -> Self {
        Self { place: serial as u32, serial: (serial >> 32) as u32 }
    }
}

/// How a command ended: 0 for success, else its exit status as a shell tells it, 1 to 255 (128 plus
/// the number of the signal that killed it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandStatus(pub u8);

impl CommandStatus {
    /// The command did what it should.
    pub const SUCCESS: Self = Self(0);
}

/// An effect and the time it belongs to: that of the packet or of the deadline that caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedEffect<X = Infallible> {
    /// When.
    pub at: Timestamp,
    /// What.
    pub effect: Effect<X>,
}

/// What the engine wants done or known, in the order of the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect<X = Infallible> {
    /// An attempt of `client` has made this many knocks of the door's sequence.
    StageReached {
        /// Who knocked.
        client: IpAddr,
        /// Where.
        door: DoorId,
        /// How far it is.
        stage: Stage,
    },
    /// An attempt took longer than the door's `seq_timeout` and is over.
    SequenceTimedOut {
        /// Who knocked.
        client: IpAddr,
        /// Where.
        door: DoorId,
        /// How far it came.
        stage: Stage,
    },
    /// The sequence is complete: the door opens for `client`. Its start command follows, as soon as no
    /// other command of the client and door runs.
    Opened {
        /// For whom.
        client: IpAddr,
        /// Which door.
        door: DoorId,
    },
    /// A command is to be run now. No other of the client and door runs: under the rules of knock the
    /// next one comes when [`Event::CommandEnded`] was the answer.
    RunCommand {
        /// What the answer is to name.
        run: RunId,
        /// What `%IP%` stands for.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// Which of its commands.
        phase: Phase,
    },
    /// The door's `cmd_timeout` is over; its stop command follows, as soon as no other command of the
    /// client and door runs.
    CommandTimedOut {
        /// For whom the door was open.
        client: IpAddr,
        /// Which door.
        door: DoorId,
    },
    /// A command ended with a status other than 0. The stop command is run all the same.
    CommandFailed {
        /// The door.
        door: DoorId,
        /// How the command ended.
        status: CommandStatus,
    },
    /// A one-time sequence has opened its door: its line is to be marked as used.
    MarkOneTime {
        /// The door.
        door: DoorId,
        /// The number of the line, from 1.
        line: u32,
        /// Where in the file the `#` is to be written.
        offset: u64,
    },
    /// The last one-time sequence of the door is used up: nothing opens it any more.
    DoorDisabled {
        /// The door.
        door: DoorId,
    },
    /// The sequence was complete, but as many commands and leases as the limit allows are pending,
    /// so the door stays shut.
    OpeningRefused {
        /// Who knocked.
        client: IpAddr,
        /// Where.
        door: DoorId,
    },
    /// The sequence was complete, but the opening changes nothing.
    OpeningSkipped {
        /// Who knocked.
        client: IpAddr,
        /// Where.
        door: DoorId,
        /// Why.
        why: Skip,
        /// Whether it was said before, since the last opening that changed something.
        again: bool,
    },
    /// The configuration that was read anew is not used: too many doors of earlier ones still wait for
    /// their stop commands. The one before stays.
    ReloadRefused,
    /// Why something else did not happen; for whoever asks why a knock failed.
    Note(Note),
    /// What only this rule set has. Under [`KnockRules`](crate::KnockRules) no such value exists, and
    /// the arm of a `match` is `Effect::Own(never) => match never {}`.
    Own(X),
}

/// Why an opening changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// A start command of the client at the door already waits for its turn.
    Merged,
    /// The door is open for the client, and its `on_reknock` is [`OnReknock::Ignore`].
    AlreadyOpen,
    /// The door's `seq_cooldown` is not over.
    Cooldown,
}

/// What a rule set wants done or known beyond the common effects.
pub trait OwnEffect: Copy + Debug {
    /// Returns the client it is about, if it is about one.
    #[must_use]
    fn client(&self) -> Option<IpAddr>;

    /// Returns the door it is about, if it is about one.
    #[must_use]
    fn door(&self) -> Option<DoorId>;

    /// Appends its text to `out`, without a newline, and returns where it belongs.
    fn write(&self, doors: &Doors, out: &mut Vec<u8>) -> Channel;
}

impl OwnEffect for Infallible {
    fn client(&self) -> Option<IpAddr> {
        match *self {}
    }

    fn door(&self) -> Option<DoorId> {
        match *self {}
    }

    fn write(&self, _: &Doors, _: &mut Vec<u8>) -> Channel {
        match *self {}
    }
}

impl<X> Effect<X> {
    /// Returns whether it happens because time has come, not because of a packet.
    #[must_use]
    pub const fn is_due(&self) -> bool {
        matches!(
            self,
            Self::SequenceTimedOut { .. }
                | Self::CommandTimedOut { .. }
                | Self::RunCommand { phase: Phase::Stop, .. }
        )
    }
}

impl<X: OwnEffect> Effect<X> {
    /// Returns the client it is about, if it is about one.
    #[must_use]
    pub fn client(&self) -> Option<IpAddr> {
        match *self {
            Self::StageReached { client, .. }
            | Self::SequenceTimedOut { client, .. }
            | Self::Opened { client, .. }
            | Self::RunCommand { client, .. }
            | Self::CommandTimedOut { client, .. }
            | Self::OpeningRefused { client, .. }
            | Self::OpeningSkipped { client, .. } => Some(client),
            Self::Note(note) => Some(note.client()),
            Self::CommandFailed { .. }
            | Self::MarkOneTime { .. }
            | Self::DoorDisabled { .. }
            | Self::ReloadRefused => None,
            Self::Own(ref own) => own.client(),
        }
    }

    /// Returns the door it is about, if it is about one.
    #[must_use]
    pub fn door(&self) -> Option<DoorId> {
        match *self {
            Self::StageReached { door, .. }
            | Self::SequenceTimedOut { door, .. }
            | Self::Opened { door, .. }
            | Self::RunCommand { door, .. }
            | Self::CommandTimedOut { door, .. }
            | Self::CommandFailed { door, .. }
            | Self::MarkOneTime { door, .. }
            | Self::DoorDisabled { door }
            | Self::OpeningRefused { door, .. }
            | Self::OpeningSkipped { door, .. } => Some(door),
            Self::Note(note) => note.door(),
            Self::ReloadRefused => None,
            Self::Own(ref own) => own.door(),
        }
    }
}

/// Why a packet did not count for an attempt, or an attempt ended without a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The packet is a TCP retransmission of a knock that counted; it is ignored.
    Retransmission {
        /// Who sent it.
        client: IpAddr,
        /// Which knock it repeats.
        knock: Knock,
    },
    /// The packet has other TCP flags than the door asks for; the attempt stays as it is.
    OtherFlags {
        /// Who sent it.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// How far the attempt is.
        stage: Stage,
    },
    /// The packet is a second, fresh try of the knock that was counted last, where another one comes
    /// next; the attempt stays as it is.
    SecondTry {
        /// Who sent it.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// How far the attempt is.
        stage: Stage,
        /// What was knocked again.
        knock: Knock,
    },
    /// The packet was not the next knock; the attempt is void.
    Voided {
        /// Who sent it.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// How far the attempt was.
        stage: Stage,
        /// What was knocked instead.
        knock: Knock,
    },
    /// The attempt made room for another at the limit.
    Evicted {
        /// Whose attempt.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// How far the attempt was.
        stage: Stage,
    },
    /// The attempt ended because the door's one-time sequence was used by another client.
    SequenceChanged {
        /// Whose attempt.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// How far the attempt was.
        stage: Stage,
    },
    /// The attempt ended because the door is another one in the configuration that was read anew.
    DoorChanged {
        /// Whose attempt.
        client: IpAddr,
        /// The door as it was.
        door: DoorId,
        /// How far the attempt was.
        stage: Stage,
    },
}

impl Note {
    /// Returns the client it is about.
    #[must_use]
    pub const fn client(&self) -> IpAddr {
        match *self {
            Self::Retransmission { client, .. }
            | Self::OtherFlags { client, .. }
            | Self::SecondTry { client, .. }
            | Self::Voided { client, .. }
            | Self::Evicted { client, .. }
            | Self::SequenceChanged { client, .. }
            | Self::DoorChanged { client, .. } => client,
        }
    }

    /// Returns the door it is about, if it is about one.
    #[must_use]
    pub const fn door(&self) -> Option<DoorId> {
        match *self {
            Self::Retransmission { .. } => None,
            Self::OtherFlags { door, .. }
            | Self::SecondTry { door, .. }
            | Self::Voided { door, .. }
            | Self::Evicted { door, .. }
            | Self::SequenceChanged { door, .. }
            | Self::DoorChanged { door, .. } => Some(door),
        }
    }
}

/// When something is due next, for whom, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Timestamp,
    /// For whom.
    pub client: IpAddr,
    /// At which door.
    pub door: DoorId,
    /// Why.
    pub why: DeadlineReason,
}

/// Why something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadlineReason {
    /// An attempt ends.
    SequenceTimeout,
    /// A lease ends.
    CommandTimeout,
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn commands_have_numbers_of_their_own_for_ever() {
        let serials = [0, 1, 1 << 31, 1 << 32, (1 << 32) + 1, 1 << 33, u64::MAX];
        let runs: BTreeSet<RunId> = serials.into_iter().map(RunId::from_serial).collect();
        assert_eq!(runs.len(), serials.len());
    }

    #[test]
    fn the_number_of_a_command_can_be_sent_to_another_process_and_back() {
        for bits in [0, 1, u64::from(u32::MAX), 1 << 32, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(RunId::from_bits(bits).to_bits(), bits);
        }
    }

    #[test]
    fn an_effect_takes_less_than_a_cache_line() {
        assert!(size_of::<TimedEffect>() <= 48, "{}", size_of::<TimedEffect>());
    }
}
