//! What an effect is, without its particulars.

/// What an effect is, without its particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EffectKind {
    /// [`Effect::StageReached`](crate::Effect::StageReached).
    StageReached,
    /// [`Effect::SequenceTimedOut`](crate::Effect::SequenceTimedOut).
    SequenceTimedOut,
    /// [`Effect::Opened`](crate::Effect::Opened).
    Opened,
    /// [`Effect::Admit`](crate::Effect::Admit).
    Admitted,
    /// [`Effect::Closing`](crate::Effect::Closing).
    Closing,
    /// [`Effect::AdmissionEnded`](crate::Effect::AdmissionEnded).
    AdmissionEnded,
    /// [`Effect::RunCommand`](crate::Effect::RunCommand) with the start command.
    StartCommand,
    /// [`Effect::RunCommand`](crate::Effect::RunCommand) with the stop command.
    StopCommand,
    /// [`Effect::CommandTimedOut`](crate::Effect::CommandTimedOut).
    CommandTimedOut,
    /// [`Effect::CommandFailed`](crate::Effect::CommandFailed).
    CommandFailed,
    /// [`Effect::MarkOneTime`](crate::Effect::MarkOneTime).
    MarkOneTime,
    /// [`Effect::MarkPeriod`](crate::Effect::MarkPeriod).
    MarkPeriod,
    /// [`Effect::MarkMoment`](crate::Effect::MarkMoment).
    MarkMoment,
    /// [`Effect::NotSigned`](crate::Effect::NotSigned).
    NotSigned,
    /// [`Effect::DoorDisabled`](crate::Effect::DoorDisabled).
    DoorDisabled,
    /// [`Effect::OpeningRefused`](crate::Effect::OpeningRefused).
    OpeningRefused,
    /// [`Effect::OpeningSkipped`](crate::Effect::OpeningSkipped) because of [`Skip::Merged`](crate::Skip::Merged).
    Merged,
    /// [`Effect::OpeningSkipped`](crate::Effect::OpeningSkipped) because of [`Skip::AlreadyOpen`](crate::Skip::AlreadyOpen).
    AlreadyOpen,
    /// [`Effect::OpeningSkipped`](crate::Effect::OpeningSkipped) because of [`Skip::Cooldown`](crate::Skip::Cooldown).
    Cooldown,
    /// [`Effect::OpeningSkipped`](crate::Effect::OpeningSkipped) because of [`Skip::AtMax`](crate::Skip::AtMax).
    AtMax,
    /// [`Effect::OpeningSkipped`](crate::Effect::OpeningSkipped) because of [`Skip::ClientLimit`](crate::Skip::ClientLimit).
    ClientLimit,
    /// [`Effect::OpeningSkipped`](crate::Effect::OpeningSkipped) because of [`Skip::DoorLimit`](crate::Skip::DoorLimit).
    DoorLimit,
    /// [`Effect::OpeningSkipped`](crate::Effect::OpeningSkipped) because of [`Skip::PeriodUsed`](crate::Skip::PeriodUsed).
    PeriodUsed,
    /// [`Effect::VoidedOften`](crate::Effect::VoidedOften).
    VoidedOften,
    /// [`Effect::ReloadRefused`](crate::Effect::ReloadRefused).
    ReloadRefused,
    /// [`Note::Retransmission`](crate::Note::Retransmission).
    Retransmission,
    /// [`Note::OtherFlags`](crate::Note::OtherFlags).
    OtherFlags,
    /// [`Note::SecondTry`](crate::Note::SecondTry).
    SecondTry,
    /// [`Note::Voided`](crate::Note::Voided).
    Voided,
    /// [`Note::Evicted`](crate::Note::Evicted).
    Evicted,
    /// [`Note::SequenceChanged`](crate::Note::SequenceChanged).
    SequenceChanged,
    /// [`Note::DoorChanged`](crate::Note::DoorChanged).
    DoorChanged,
    /// [`Effect::Own`](crate::Effect::Own), with the name that its rule set gives it.
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
                | Self::AtMax
                | Self::ClientLimit
                | Self::DoorLimit
                | Self::PeriodUsed
                | Self::SequenceTimedOut
                | Self::Voided
                | Self::Evicted
                | Self::SequenceChanged
                | Self::DoorChanged
        )
    }

    /// Returns whether an attempt goes on or runs out of time: of these there are most, and each is a line of
    /// the transcript.
    #[must_use]
    pub const fn is_step(self) -> bool {
        matches!(self, Self::StageReached | Self::SequenceTimedOut)
    }

    /// Returns the name for programs; a part of the interface of those that print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StageReached => "stage",
            Self::SequenceTimedOut => "sequence-timeout",
            Self::Opened => "opened",
            Self::Admitted => "admitted",
            Self::Closing => "closing",
            Self::AdmissionEnded => "admission-ended",
            Self::StartCommand => "start-command",
            Self::StopCommand => "stop-command",
            Self::CommandTimedOut => "command-timeout",
            Self::CommandFailed => "command-failed",
            Self::MarkOneTime => "one-time-used",
            Self::MarkPeriod => "sequence-used",
            Self::MarkMoment => "signed",
            Self::NotSigned => "not-signed",
            Self::DoorDisabled => "disabled",
            Self::OpeningRefused => "refused",
            Self::Merged => "merged",
            Self::AlreadyOpen => "already-open",
            Self::Cooldown => "cooldown",
            Self::AtMax => "at-max",
            Self::ClientLimit => "client-limit",
            Self::DoorLimit => "door-limit",
            Self::PeriodUsed => "period-used",
            Self::VoidedOften => "voided-often",
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
