//! The effects that the engine asks for or reports.

mod kind;
mod note;
mod own;
mod waiting;

use core::convert::Infallible;
use core::net::IpAddr;

use knock_signed::{Refusal, SequenceId};

pub use self::kind::EffectKind;
pub use self::note::Note;
pub use self::own::{Channel, OwnEffect};
pub(crate) use self::waiting::Waiting;
use crate::command::Phase;
#[cfg(doc)]
use crate::door::OnReknock;
use crate::doors::{DoorId, Doors};
#[cfg(doc)]
use crate::event::Event;
use crate::one_time::MarkId;
use crate::packet::Knock;
use crate::run::{CommandStatus, RunId};
use crate::sequence::Stage;
use crate::signed_door::User;
use crate::signing::KeyNumber;
use crate::time::{Seconds, Timestamp};
#[cfg(doc)]
use crate::used_periods::PeriodOfDoor;

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
    /// The door lets `client` reach its ports from now on, for this long and no longer. If it did so
    /// already, this renews it.
    Admit {
        /// The client.
        client: IpAddr,
        /// The door, which has the ports.
        door: DoorId,
        /// For how long.
        lasts: Seconds,
    },
    /// A signed packet asks to close the door before its time is over. What the engine knows to be open closes by the effects
    /// that follow; the driver closes what it has open beyond that, such as from before a restart.
    Closing {
        /// The client.
        client: IpAddr,
        /// The door.
        door: DoorId,
    },
    /// The time of the last [`Effect::Admit`] is over, or a signed packet has asked to end it.
    AdmissionEnded {
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
    /// A client has made all knocks of a one-time sequence, which no longer opens the door. The driver
    /// must mark its line as used, and answer with [`Event::Marked`]: only then does the door
    /// open. After [`Engine::presuming_marks`](crate::Engine::presuming_marks) it is open already, and there
    /// is no answer.
    MarkOneTime {
        /// The number for the answer.
        mark: MarkId,
        /// The client.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The number of the line, from 1.
        line: u32,
        /// The offset in the file at which to write the `#`.
        offset: u64,
    },
    /// A client has made a derived sequence for the first time. The driver must write down that it is used, so that it is
    /// used after a restart as well, and answer with [`Event::Marked`]: only then does the door open. After
    /// [`Engine::presuming_marks`](crate::Engine::presuming_marks) the door opens at once, without this effect.
    MarkPeriod {
        /// The number for the answer.
        mark: MarkId,
        /// The client.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// What names the sequences of the door.
        sequence: SequenceId,
        /// The number of the period: with `sequence`, a [`PeriodOfDoor`].
        period: u32,
    },
    /// A signed packet has a right to open or close a door. The driver must write down that its key has used its moment, so
    /// that it counts as used after a restart as well, and answer with [`Event::Marked`]: only then does the door open. After
    /// [`Engine::presuming_marks`](crate::Engine::presuming_marks) the door opens at once, without this effect.
    MarkMoment {
        /// The number for the answer.
        mark: MarkId,
        /// For whom the door opens or closes.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// The place of the key in the present configuration.
        key: KeyNumber,
        /// The moment, in nanoseconds since 1970.
        moment: u64,
        /// Whether the packet asks to close the door, which does not wait for the answer.
        closes: bool,
    },
    /// A packet may be a signed one, but opens nothing.
    NotSigned {
        /// Its sender.
        client: IpAddr,
        /// Why.
        why: Refusal,
        /// The key that it was made with, if that is known.
        key: Option<KeyNumber>,
    },
    /// The last one-time sequence of the door is used up: nothing can open the door any more.
    DoorDisabled {
        /// The door.
        door: DoorId,
    },
    /// The sequence was complete, but the door stays shut.
    OpeningRefused {
        /// The client.
        client: IpAddr,
        /// The door.
        door: DoorId,
        /// Why.
        why: Obstacle,
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
    /// Packets from its own address have voided attempts of a client again and again: perhaps somebody
    /// forges them. Reported once for a client in ten seconds.
    VoidedOften {
        /// The client.
        client: IpAddr,
        /// The door of the last attempt.
        door: DoorId,
        /// Where the last packet knocked.
        knock: Knock,
        /// How many packets.
        packets: u32,
        /// The time from the first of them to the last, in milliseconds.
        millis: u32,
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

/// Why a door stays shut after a complete sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obstacle {
    /// As many commands, leases and lines to be marked as the limit allows are pending.
    Limit,
    /// The line of its one-time sequence could not be marked as used, so that a restart would accept the
    /// sequence again.
    NotMarked,
}

/// Why an opening changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// A start command of the client at the door already waits for its turn, and the opening does nothing else.
    Merged,
    /// The door is open for the client, and its `on_reknock` is [`OnReknock::Ignore`].
    AlreadyOpen,
    /// The door's `seq_cooldown` is not over.
    Cooldown,
    /// The client is let in already for as long as the maximum of the door's admission allows.
    AtMax,
    /// The client has opened the door as often in the last minute as the door allows each client.
    ClientLimit,
    /// The door has opened as often in the last minute as it allows all clients together.
    DoorLimit,
    /// The client has used the derived sequence of this period already.
    PeriodUsed,
}

impl<X> Effect<X> {
    /// Returns how far the attempt is, or was when it ended, if it is about an attempt.
    #[must_use]
    pub const fn stage(&self) -> Option<Stage> {
        match *self {
            Self::StageReached { stage, .. } | Self::SequenceTimedOut { stage, .. } => Some(stage),
            Self::Note(note) => note.stage(),
            Self::Opened { .. }
            | Self::Admit { .. }
            | Self::Closing { .. }
            | Self::AdmissionEnded { .. }
            | Self::RunCommand { .. }
            | Self::CommandTimedOut { .. }
            | Self::CommandFailed { .. }
            | Self::MarkOneTime { .. }
            | Self::MarkPeriod { .. }
            | Self::MarkMoment { .. }
            | Self::NotSigned { .. }
            | Self::DoorDisabled { .. }
            | Self::OpeningRefused { .. }
            | Self::OpeningSkipped { .. }
            | Self::VoidedOften { .. }
            | Self::ReloadRefused
            | Self::Own(_) => None,
        }
    }

    /// Returns the user with whose key a signed packet was made, if it is about one.
    #[must_use]
    pub fn user<'a>(&self, doors: &'a Doors) -> Option<&'a User> {
        let key = if let Self::MarkMoment { key, .. } = self {
            Some(*key)
        } else if let Self::NotSigned { key, .. } = self {
            *key
        } else {
            None
        };
        doors.signing()?.key(key?).map(|key| &key.user)
    }

    /// Returns whether time causes it, not a packet.
    #[must_use]
    pub const fn is_due(&self) -> bool {
        matches!(
            self,
            Self::SequenceTimedOut { .. }
                | Self::CommandTimedOut { .. }
                | Self::AdmissionEnded { .. }
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
            Self::Admit { .. } => EffectKind::Admitted,
            Self::Closing { .. } => EffectKind::Closing,
            Self::AdmissionEnded { .. } => EffectKind::AdmissionEnded,
            Self::RunCommand { phase: Phase::Start, .. } => EffectKind::StartCommand,
            Self::RunCommand { phase: Phase::Stop, .. } => EffectKind::StopCommand,
            Self::CommandTimedOut { .. } => EffectKind::CommandTimedOut,
            Self::CommandFailed { .. } => EffectKind::CommandFailed,
            Self::MarkOneTime { .. } => EffectKind::MarkOneTime,
            Self::MarkPeriod { .. } => EffectKind::MarkPeriod,
            Self::MarkMoment { .. } => EffectKind::MarkMoment,
            Self::NotSigned { .. } => EffectKind::NotSigned,
            Self::DoorDisabled { .. } => EffectKind::DoorDisabled,
            Self::OpeningRefused { .. } => EffectKind::OpeningRefused,
            Self::OpeningSkipped { why: Skip::Merged, .. } => EffectKind::Merged,
            Self::OpeningSkipped { why: Skip::AlreadyOpen, .. } => EffectKind::AlreadyOpen,
            Self::OpeningSkipped { why: Skip::Cooldown, .. } => EffectKind::Cooldown,
            Self::OpeningSkipped { why: Skip::AtMax, .. } => EffectKind::AtMax,
            Self::OpeningSkipped { why: Skip::ClientLimit, .. } => EffectKind::ClientLimit,
            Self::OpeningSkipped { why: Skip::DoorLimit, .. } => EffectKind::DoorLimit,
            Self::OpeningSkipped { why: Skip::PeriodUsed, .. } => EffectKind::PeriodUsed,
            Self::VoidedOften { .. } => EffectKind::VoidedOften,
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
            | Self::Admit { client, .. }
            | Self::Closing { client, .. }
            | Self::AdmissionEnded { client, .. }
            | Self::RunCommand { client, .. }
            | Self::CommandTimedOut { client, .. }
            | Self::MarkOneTime { client, .. }
            | Self::MarkPeriod { client, .. }
            | Self::MarkMoment { client, .. }
            | Self::NotSigned { client, .. }
            | Self::OpeningRefused { client, .. }
            | Self::OpeningSkipped { client, .. }
            | Self::VoidedOften { client, .. } => Some(client),
            Self::Note(note) => Some(note.client()),
            Self::CommandFailed { .. } | Self::DoorDisabled { .. } | Self::ReloadRefused => None,
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
            | Self::Admit { door, .. }
            | Self::Closing { door, .. }
            | Self::AdmissionEnded { door, .. }
            | Self::RunCommand { door, .. }
            | Self::CommandTimedOut { door, .. }
            | Self::CommandFailed { door, .. }
            | Self::MarkOneTime { door, .. }
            | Self::MarkPeriod { door, .. }
            | Self::MarkMoment { door, .. }
            | Self::DoorDisabled { door }
            | Self::OpeningRefused { door, .. }
            | Self::OpeningSkipped { door, .. }
            | Self::VoidedOften { door, .. } => Some(door),
            Self::Note(note) => note.door(),
            Self::NotSigned { .. } | Self::ReloadRefused => None,
            Self::Own(ref own) => own.door(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_takes_less_than_a_cache_line() {
        assert!(size_of::<TimedEffect>() <= 48, "{}", size_of::<TimedEffect>());
    }
}
