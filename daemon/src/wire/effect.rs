//! Effects of the engine as records.

use std::net::IpAddr;

use knock_engine::{
    CommandStatus, DoorId, Doors, Effect, KeyNumber, MarkId, Note, Obstacle, Phase, RunId, Seconds,
    Skip, Stage,
};
use knock_signed::{Refusal, SequenceId};

use super::record::{Fields, InvalidMessage, kind};
use super::refusal::{numbers_of, refusal};

/// Returns the client that an effect is about.
pub(crate) fn client_of(effect: &Effect) -> Option<IpAddr> {
    fields_of(effect).client
}

/// Returns whether an effect is only a step of an attempt that has not opened anything.
pub(crate) const fn is_progress(effect: &Effect) -> bool {
    matches!(effect, Effect::StageReached { .. } | Effect::SequenceTimedOut { .. })
}

/// Returns whether an effect is a signed packet that opens nothing, and that nobody without a key can have made.
pub(crate) const fn is_authentic_refusal(effect: &Effect) -> bool {
    matches!(effect, Effect::NotSigned { why, key: Some(_), .. } if !matches!(why, Refusal::Forged))
}

/// Returns an effect as a record.
pub(super) fn fields_of(effect: &Effect) -> Fields {
    let of_door = |kind, door| Fields { kind, door: number_of(door), ..Fields::default() };
    let of = |kind, client, door| Fields { client: Some(client), ..of_door(kind, door) };
    let at =
        |kind, client, door, stage: Stage| Fields { small: stage.get(), ..of(kind, client, door) };
    match *effect {
        Effect::StageReached { client, door, stage } => {
            at(kind::STAGE_REACHED, client, door, stage)
        }
        Effect::SequenceTimedOut { client, door, stage } => {
            at(kind::SEQUENCE_TIMED_OUT, client, door, stage)
        }
        Effect::Opened { client, door } => of(kind::OPENED, client, door),
        Effect::Admit { client, door, lasts } => {
            Fields { length: lasts.get(), ..of(kind::ADMIT, client, door) }
        }
        Effect::Closing { client, door } => of(kind::CLOSING, client, door),
        Effect::AdmissionEnded { client, door } => of(kind::ADMISSION_ENDED, client, door),
        Effect::RunCommand { run, client, door, phase } => {
            let small = match phase {
                Phase::Start => 0,
                Phase::Stop => 1,
            };
            Fields { number: run.to_bits(), small, ..of(kind::RUN_COMMAND, client, door) }
        }
        Effect::CommandTimedOut { client, door } => of(kind::COMMAND_TIMED_OUT, client, door),
        Effect::CommandFailed { door, status } => {
            Fields { small: status.0, ..of_door(kind::COMMAND_FAILED, door) }
        }
        Effect::MarkOneTime { mark, client, door, line, offset } => {
            of_mark((kind::MARK_ONE_TIME, mark), (client, door), (offset, line))
        }
        Effect::MarkPeriod { mark, client, door, sequence, period } => {
            of_mark((kind::MARK_PERIOD, mark), (client, door), (sequence.to_bits(), period))
        }
        Effect::MarkMoment { mark, client, door, key, moment, closes } => {
            let fields = of_mark((kind::MARK_MOMENT, mark), (client, door), (moment, key.0.into()));
            Fields { small: closes.into(), ..fields }
        }
        Effect::NotSigned { client, why, key } => not_signed(client, why, key),
        Effect::DoorDisabled { door } => of_door(kind::DOOR_DISABLED, door),
        Effect::OpeningRefused { client, door, why } => {
            let small = match why {
                Obstacle::Limit => 0,
                Obstacle::NotMarked => 1,
            };
            Fields { small, ..of(kind::OPENING_REFUSED, client, door) }
        }
        Effect::OpeningSkipped { client, door, why, again } => {
            let small = match why {
                Skip::Merged => 0,
                Skip::AlreadyOpen => 1,
                Skip::Cooldown => 2,
                Skip::AtMax => 3,
                Skip::ClientLimit => 4,
                Skip::DoorLimit => 5,
                Skip::PeriodUsed => 6,
            };
            let number = u64::from(again);
            Fields { small, number, ..of(kind::OPENING_SKIPPED, client, door) }
        }
        Effect::VoidedOften { client, door, knock, packets, millis } => Fields {
            length: packets,
            number: millis.into(),
            ..of(kind::VOIDED_OFTEN, client, door)
        }
        .with_knock(knock),
        Effect::ReloadRefused => Fields { kind: kind::RELOAD_REFUSED, ..Fields::default() },
        Effect::Note(note) => fields_of_note(note),
        Effect::Own(never) => match never {},
    }
}

fn not_signed(client: IpAddr, why: Refusal, key: Option<KeyNumber>) -> Fields {
    let (small, number) = numbers_of(why);
    // 0 for no key.
    let length = key.map_or(0, |key| u32::from(key.0).saturating_add(1));
    let client = Some(client);
    Fields { kind: kind::NOT_SIGNED, small, number, length, client, ..Fields::default() }
}

/// Returns a request to mark something as used.
fn of_mark(
    (kind, mark): (u8, MarkId),
    (client, door): (IpAddr, DoorId),
    (number, length): (u64, u32),
) -> Fields {
    let (mark, client, door) = (mark.to_bits(), Some(client), number_of(door));
    Fields { kind, door, number, mark, length, client, ..Fields::default() }
}

fn fields_of_note(note: Note) -> Fields {
    let at = |kind, client, door: DoorId, stage: Stage| Fields {
        kind,
        small: stage.get(),
        door: number_of(door),
        client: Some(client),
        ..Fields::default()
    };
    match note {
        Note::Retransmission { client, knock } => {
            Fields { kind: kind::RETRANSMISSION, client: Some(client), ..Fields::default() }
                .with_knock(knock)
        }
        Note::OtherFlags { client, door, stage } => at(kind::OTHER_FLAGS, client, door, stage),
        Note::SecondTry { client, door, stage, knock } => {
            at(kind::SECOND_TRY, client, door, stage).with_knock(knock)
        }
        Note::Voided { client, door, stage, knock } => {
            at(kind::VOIDED, client, door, stage).with_knock(knock)
        }
        Note::Evicted { client, door, stage } => at(kind::EVICTED, client, door, stage),
        Note::SequenceChanged { client, door, stage } => {
            at(kind::SEQUENCE_CHANGED, client, door, stage)
        }
        Note::DoorChanged { client, door, stage } => at(kind::DOOR_CHANGED, client, door, stage),
    }
}

/// Returns the number of a door: an id has 16 bits.
pub(super) fn number_of(door: DoorId) -> u16 {
    u16::try_from(door.index()).unwrap_or(u16::MAX)
}

/// Returns the effect in a record. Its door is one of `doors`.
///
/// # Errors
/// [`InvalidMessage`] if the record has none.
pub(super) fn effect(fields: &Fields, doors: &Doors) -> Result<Effect, InvalidMessage> {
    let client = || fields.client.ok_or(InvalidMessage);
    let door = || doors.with_index(usize::from(fields.door)).ok_or(InvalidMessage);
    let stage = || Stage::new(fields.small).ok_or(InvalidMessage);
    Ok(match fields.kind {
        kind::STAGE_REACHED => {
            Effect::StageReached { client: client()?, door: door()?, stage: stage()? }
        }
        kind::SEQUENCE_TIMED_OUT => {
            Effect::SequenceTimedOut { client: client()?, door: door()?, stage: stage()? }
        }
        kind::OPENED => Effect::Opened { client: client()?, door: door()? },
        kind::ADMIT => {
            let lasts = Seconds::new(fields.length).ok_or(InvalidMessage)?;
            Effect::Admit { client: client()?, door: door()?, lasts }
        }
        kind::CLOSING => Effect::Closing { client: client()?, door: door()? },
        kind::ADMISSION_ENDED => Effect::AdmissionEnded { client: client()?, door: door()? },
        kind::RUN_COMMAND => {
            let phase = match fields.small {
                0 => Phase::Start,
                1 => Phase::Stop,
                _ => return Err(InvalidMessage),
            };
            let run = RunId::from_bits(fields.number);
            Effect::RunCommand { run, client: client()?, door: door()?, phase }
        }
        kind::COMMAND_TIMED_OUT => Effect::CommandTimedOut { client: client()?, door: door()? },
        kind::COMMAND_FAILED => {
            Effect::CommandFailed { door: door()?, status: CommandStatus(fields.small) }
        }
        kind::MARK_ONE_TIME | kind::MARK_PERIOD | kind::MARK_MOMENT => mark(fields, doors)?,
        kind::NOT_SIGNED => {
            let key = fields.length.checked_sub(1).map(u16::try_from).transpose();
            let key = key.map_err(|_| InvalidMessage)?.map(KeyNumber);
            let why = refusal(fields.small, fields.number)?;
            Effect::NotSigned { client: client()?, why, key }
        }
        kind::DOOR_DISABLED => Effect::DoorDisabled { door: door()? },
        kind::OPENING_REFUSED => {
            let why = match fields.small {
                0 => Obstacle::Limit,
                1 => Obstacle::NotMarked,
                _ => return Err(InvalidMessage),
            };
            Effect::OpeningRefused { client: client()?, door: door()?, why }
        }
        kind::OPENING_SKIPPED => {
            let (why, again) = skip(fields)?;
            Effect::OpeningSkipped { client: client()?, door: door()?, why, again }
        }
        kind::VOIDED_OFTEN => Effect::VoidedOften {
            client: client()?,
            door: door()?,
            knock: fields.knock(),
            packets: fields.length,
            millis: u32::try_from(fields.number).map_err(|_| InvalidMessage)?,
        },
        kind::RELOAD_REFUSED => Effect::ReloadRefused,
        _ => Effect::Note(note(fields, doors)?),
    })
}

/// Returns the request to mark something as used in a record.
fn mark(fields: &Fields, doors: &Doors) -> Result<Effect, InvalidMessage> {
    let client = fields.client.ok_or(InvalidMessage)?;
    let door = doors.with_index(usize::from(fields.door)).ok_or(InvalidMessage)?;
    let mark = MarkId::from_bits(fields.mark);
    Ok(match fields.kind {
        kind::MARK_ONE_TIME => {
            Effect::MarkOneTime { mark, client, door, line: fields.length, offset: fields.number }
        }
        kind::MARK_PERIOD => Effect::MarkPeriod {
            mark,
            client,
            door,
            sequence: SequenceId::from_bits(fields.number),
            period: fields.length,
        },
        kind::MARK_MOMENT => Effect::MarkMoment {
            mark,
            client,
            door,
            key: KeyNumber(u16::try_from(fields.length).map_err(|_| InvalidMessage)?),
            moment: fields.number,
            closes: match fields.small {
                0 => false,
                1 => true,
                _ => return Err(InvalidMessage),
            },
        },
        _ => return Err(InvalidMessage),
    })
}

/// Returns the note in a record.
fn note(fields: &Fields, doors: &Doors) -> Result<Note, InvalidMessage> {
    let client = || fields.client.ok_or(InvalidMessage);
    let door = || doors.with_index(usize::from(fields.door)).ok_or(InvalidMessage);
    let stage = || Stage::new(fields.small).ok_or(InvalidMessage);
    Ok(match fields.kind {
        kind::RETRANSMISSION => Note::Retransmission { client: client()?, knock: fields.knock() },
        kind::OTHER_FLAGS => Note::OtherFlags { client: client()?, door: door()?, stage: stage()? },
        kind::SECOND_TRY => Note::SecondTry {
            client: client()?,
            door: door()?,
            stage: stage()?,
            knock: fields.knock(),
        },
        kind::VOIDED => Note::Voided {
            client: client()?,
            door: door()?,
            stage: stage()?,
            knock: fields.knock(),
        },
        kind::EVICTED => Note::Evicted { client: client()?, door: door()?, stage: stage()? },
        kind::SEQUENCE_CHANGED => {
            Note::SequenceChanged { client: client()?, door: door()?, stage: stage()? }
        }
        kind::DOOR_CHANGED => {
            Note::DoorChanged { client: client()?, door: door()?, stage: stage()? }
        }
        _ => return Err(InvalidMessage),
    })
}

/// Returns why an opening changed nothing, and whether that was said before.
const fn skip(fields: &Fields) -> Result<(Skip, bool), InvalidMessage> {
    let why = match fields.small {
        0 => Skip::Merged,
        1 => Skip::AlreadyOpen,
        2 => Skip::Cooldown,
        3 => Skip::AtMax,
        4 => Skip::ClientLimit,
        5 => Skip::DoorLimit,
        6 => Skip::PeriodUsed,
        _ => return Err(InvalidMessage),
    };
    match fields.number {
        0 => Ok((why, false)),
        1 => Ok((why, true)),
        _ => Err(InvalidMessage),
    }
}
