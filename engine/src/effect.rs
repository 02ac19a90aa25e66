//! Events for the engine, and the effects that it asks for or reports.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt::Debug;
use core::net::IpAddr;

use crate::command::Phase;
#[cfg(doc)]
use crate::door::OnReknock;
use crate::doors::{DoorId, Doors};
use crate::listening::Listening;
use crate::packet::{Knock, Packet};
use crate::sequence::Stage;
use crate::time::Timestamp;

/// An input of the engine, always with the time at which it happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A packet was captured.
    Packet(Packet),
    /// A command that the engine asked for has ended. What was due before must have been handed over:
    /// an end does not wait in the queue.
    CommandEnded {
        /// The number that came with [`Effect::RunCommand`].
        run: RunId,
        /// How it ended.
        status: CommandStatus,
    },
    /// Only time has passed.
    DeadlineReached,
    /// The local addresses have changed.
    AddressesChanged(Listening),
    /// The configuration was reloaded.
    ///
    /// Attempts at unchanged doors go on, all others end. Leases stay, with the stop command and the
    /// command timeout they began with.
    ///
    /// Print every polled effect before the second reload after it: an id that no door, lease or
    /// waiting effect has any more is given to another door.
    Reloaded(Box<Doors>),
}

/// A command that the engine asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// Its place among the commands that run.
    pub(crate) place: u32,
    /// Distinguishes the command from those that had the place before.
    pub(crate) serial: u32,
}

impl RunId {
    /// Takes the result of [`RunId::to_bits`]: for a driver whose parts talk over a socket.
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

/// How a command ended: 0 for success, else its exit status as in a shell, 1 to 255 (128 plus the
/// number of the signal that killed it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandStatus(pub u8);

impl CommandStatus {
    /// The command succeeded.
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

/// An output of the engine, in the order of the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect<X = Infallible> {
    /// An attempt of `client` has made this many knocks of the door's sequence.
    StageReached {
        /// The client.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The knocks made.
        stage: Stage,
    },
    /// An attempt took longer than the door's `seq_timeout` and is over.
    SequenceTimedOut {
        /// The client.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The knocks made.
        stage: Stage,
    },
    /// The sequence is complete: the door opens for `client`. Its start command follows, as soon as no
    /// other command of the client and door runs.
    Opened {
        /// The client.
        client: IpAddr,
        /// The door.
        door: DoorId,
    },
    /// A command must run now. No other of the client and door runs: under the rules of knock the next
    /// one comes after [`Event::CommandEnded`].
    RunCommand {
        /// The number for the answer.
        run: RunId,
        /// The client, whose address replaces `%IP%`.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// Which of its commands.
        phase: Phase,
    },
    /// The door's `cmd_timeout` is over; its stop command follows, as soon as no other command of the
    /// client and door runs.
    CommandTimedOut {
        /// The client for which the door was open.
        client: IpAddr,
        /// The door.
        door: DoorId,
    },
    /// A command ended with a status other than 0. The stop command runs anyway.
    CommandFailed {
        /// The door.
        door: DoorId,
        /// How the command ended.
        status: CommandStatus,
    },
    /// A one-time sequence has opened its door: the driver must mark its line as used.
    MarkOneTime {
        /// The door.
        door: DoorId,
        /// The number of the line, from 1.
        line: u32,
        /// The offset in the file at which to write the `#`.
        offset: u64,
    },
    /// The last one-time sequence of the door is used up: nothing can open the door any more.
    DoorDisabled {
        /// The door.
        door: DoorId,
    },
    /// The sequence was complete, but as many commands and leases as the limit allows are pending,
    /// so the door stays shut.
    OpeningRefused {
        /// The client.
        client: IpAddr,
        /// The door.
        door: DoorId,
    },
    /// The sequence was complete, but the opening changes nothing.
    OpeningSkipped {
        /// The client.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// Why.
        why: Skip,
        /// Whether it was reported before, since the last opening that changed something.
        again: bool,
    },
    /// The reload was rejected: too many doors of earlier configurations still wait for their stop
    /// commands. The current configuration stays.
    ReloadRefused,
    /// Why something did not happen: helps to find out why a knock failed.
    Note(Note),
    /// An effect of this rule set only. [`KnockRules`](crate::KnockRules) has no such value, and the arm
    /// of a `match` is `Effect::Own(never) => match never {}`.
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

/// Where the text of an effect belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The transcript: the lines that knockd 0.8 prints on standard output under `-v`.
    Transcript,
    /// Messages that an administrator should see at any verbosity.
    Message,
    /// Explanations for users who ask for them.
    Note,
}

/// An effect of a rule set beyond the common ones.
pub trait OwnEffect: Copy + Debug {
    /// Returns the name for programs, which no [`EffectKind`] has.
    #[must_use]
    fn name(&self) -> &'static str;

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
    fn name(&self) -> &'static str {
        match *self {}
    }

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

/// What an effect is, without its particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EffectKind {
    /// [`Effect::StageReached`].
    StageReached,
    /// [`Effect::SequenceTimedOut`].
    SequenceTimedOut,
    /// [`Effect::Opened`].
    Opened,
    /// [`Effect::RunCommand`] with the start command.
    StartCommand,
    /// [`Effect::RunCommand`] with the stop command.
    StopCommand,
    /// [`Effect::CommandTimedOut`].
    CommandTimedOut,
    /// [`Effect::CommandFailed`].
    CommandFailed,
    /// [`Effect::MarkOneTime`].
    MarkOneTime,
    /// [`Effect::DoorDisabled`].
    DoorDisabled,
    /// [`Effect::OpeningRefused`].
    OpeningRefused,
    /// [`Effect::OpeningSkipped`] because of [`Skip::Merged`].
    Merged,
    /// [`Effect::OpeningSkipped`] because of [`Skip::AlreadyOpen`].
    AlreadyOpen,
    /// [`Effect::OpeningSkipped`] because of [`Skip::Cooldown`].
    Cooldown,
    /// [`Effect::ReloadRefused`].
    ReloadRefused,
    /// [`Note::Retransmission`].
    Retransmission,
    /// [`Note::OtherFlags`].
    OtherFlags,
    /// [`Note::SecondTry`].
    SecondTry,
    /// [`Note::Voided`].
    Voided,
    /// [`Note::Evicted`].
    Evicted,
    /// [`Note::SequenceChanged`].
    SequenceChanged,
    /// [`Note::DoorChanged`].
    DoorChanged,
    /// [`Effect::Own`], with the name that its rule set gives it.
    Own(&'static str),
}

impl EffectKind {
    /// Returns whether an attempt is over with it.
    #[must_use]
    pub const fn ends_attempt(self) -> bool {
        matches!(
            self,
            Self::Opened
                | Self::OpeningRefused
                | Self::Merged
                | Self::AlreadyOpen
                | Self::Cooldown
                | Self::SequenceTimedOut
                | Self::Voided
                | Self::Evicted
                | Self::SequenceChanged
                | Self::DoorChanged
        )
    }

    /// Returns the name for programs; a part of the interface of those that print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StageReached => "stage",
            Self::SequenceTimedOut => "sequence-timeout",
            Self::Opened => "opened",
            Self::StartCommand => "start-command",
            Self::StopCommand => "stop-command",
            Self::CommandTimedOut => "command-timeout",
            Self::CommandFailed => "command-failed",
            Self::MarkOneTime => "one-time-used",
            Self::DoorDisabled => "disabled",
            Self::OpeningRefused => "refused",
            Self::Merged => "merged",
            Self::AlreadyOpen => "already-open",
            Self::Cooldown => "cooldown",
            Self::ReloadRefused => "reload-refused",
            Self::Retransmission => "retransmission",
            Self::OtherFlags => "other-flags",
            Self::SecondTry => "second-try",
            Self::Voided => "void",
            Self::Evicted => "evicted",
            Self::SequenceChanged => "sequence-changed",
            Self::DoorChanged => "door-changed",
            Self::Own(name) => name,
        }
    }
}

impl<X> Effect<X> {
    /// Returns how far the attempt is, or was when it ended, if it is about an attempt.
    #[must_use]
    pub const fn stage(&self) -> Option<Stage> {
        match *self {
            Self::StageReached { stage, .. } | Self::SequenceTimedOut { stage, .. } => Some(stage),
            Self::Note(note) => note.stage(),
            Self::Opened { .. }
            | Self::RunCommand { .. }
            | Self::CommandTimedOut { .. }
            | Self::CommandFailed { .. }
            | Self::MarkOneTime { .. }
            | Self::DoorDisabled { .. }
            | Self::OpeningRefused { .. }
            | Self::OpeningSkipped { .. }
            | Self::ReloadRefused
            | Self::Own(_) => None,
        }
    }

    /// Returns whether time causes it, not a packet.
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
    /// Returns what it is, without its particulars.
    #[must_use]
    pub fn kind(&self) -> EffectKind {
        match *self {
            Self::StageReached { .. } => EffectKind::StageReached,
            Self::SequenceTimedOut { .. } => EffectKind::SequenceTimedOut,
            Self::Opened { .. } => EffectKind::Opened,
            Self::RunCommand { phase: Phase::Start, .. } => EffectKind::StartCommand,
            Self::RunCommand { phase: Phase::Stop, .. } => EffectKind::StopCommand,
            Self::CommandTimedOut { .. } => EffectKind::CommandTimedOut,
            Self::CommandFailed { .. } => EffectKind::CommandFailed,
            Self::MarkOneTime { .. } => EffectKind::MarkOneTime,
            Self::DoorDisabled { .. } => EffectKind::DoorDisabled,
            Self::OpeningRefused { .. } => EffectKind::OpeningRefused,
            Self::OpeningSkipped { why: Skip::Merged, .. } => EffectKind::Merged,
            Self::OpeningSkipped { why: Skip::AlreadyOpen, .. } => EffectKind::AlreadyOpen,
            Self::OpeningSkipped { why: Skip::Cooldown, .. } => EffectKind::Cooldown,
            Self::ReloadRefused => EffectKind::ReloadRefused,
            Self::Note(note) => note.kind(),
            Self::Own(ref own) => EffectKind::Own(own.name()),
        }
    }

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
        /// The client that sent the packet.
        client: IpAddr,
        /// The knock that it repeats.
        knock: Knock,
    },
    /// The packet does not have the TCP flags that the door asks for; the attempt does not change.
    OtherFlags {
        /// The client that sent the packet.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The knocks made.
        stage: Stage,
    },
    /// The packet is a second, fresh try of the knock that was counted last, where another one comes
    /// next; the attempt stays as it is.
    SecondTry {
        /// The client that sent the packet.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The knocks made.
        stage: Stage,
        /// What was knocked again.
        knock: Knock,
    },
    /// The packet was not the next knock; the attempt ends.
    Voided {
        /// The client that sent the packet.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The knocks made before.
        stage: Stage,
        /// The knock that came instead.
        knock: Knock,
    },
    /// The attempt was evicted for another one at the limit.
    Evicted {
        /// The client of the attempt.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The knocks made before.
        stage: Stage,
    },
    /// The attempt ended because the door's one-time sequence was used by another client.
    SequenceChanged {
        /// The client of the attempt.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The knocks made before.
        stage: Stage,
    },
    /// The attempt ended because a reload changed or removed its door.
    DoorChanged {
        /// The client of the attempt.
        client: IpAddr,
        /// The door before the reload.
        door: DoorId,
        /// The knocks made before.
        stage: Stage,
    },
}

impl Note {
    /// Returns what it is, without its particulars.
    #[must_use]
    pub const fn kind(&self) -> EffectKind {
        match *self {
            Self::Retransmission { .. } => EffectKind::Retransmission,
            Self::OtherFlags { .. } => EffectKind::OtherFlags,
            Self::SecondTry { .. } => EffectKind::SecondTry,
            Self::Voided { .. } => EffectKind::Voided,
            Self::Evicted { .. } => EffectKind::Evicted,
            Self::SequenceChanged { .. } => EffectKind::SequenceChanged,
            Self::DoorChanged { .. } => EffectKind::DoorChanged,
        }
    }

    /// Returns how far the attempt is, or was when it ended, if it is about one.
    #[must_use]
    pub const fn stage(&self) -> Option<Stage> {
        match *self {
            Self::Retransmission { .. } => None,
            Self::OtherFlags { stage, .. }
            | Self::SecondTry { stage, .. }
            | Self::Voided { stage, .. }
            | Self::Evicted { stage, .. }
            | Self::SequenceChanged { stage, .. }
            | Self::DoorChanged { stage, .. } => Some(stage),
        }
    }

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

/// When something is due next, for which client, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Timestamp,
    /// The client.
    pub client: IpAddr,
    /// The door.
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
    fn the_numbers_of_commands_are_never_reused() {
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
