//! Effects of the engine as records.

use std::net::IpAddr;

use knock_engine::{CommandStatus, DoorId, Doors, Effect, Note, Phase, RunId, Skip, Stage};

use super::record::{Fields, NotAReport, kind};

/// Returns an effect as a record.
pub(super) fn fields_of(effect: &Effect) -> Fields {
    let about = |kind, client: Option<IpAddr>, door: DoorId, small: u8| Fields {
        kind,
        client,
        // An id has 16 bits.
        door: u16::try_from(door.index()).unwrap_or(u16::MAX),
        small,
        ..Fields::default()
    };
    match *effect {
        Effect::StageReached { client, door, stage } => {
            about(kind::STAGE_REACHED, Some(client), door, stage.get())
        }
        Effect::SequenceTimedOut { client, door, stage } => {
            about(kind::SEQUENCE_TIMED_OUT, Some(client), door, stage.get())
        }
        Effect::Opened { client, door } => about(kind::OPENED, Some(client), door, 0),
        Effect::RunCommand { run, client, door, phase } => {
            let phase = match phase {
                Phase::Start => 0,
                Phase::Stop => 1,
            };
            Fields { number: run.to_bits(), ..about(kind::RUN_COMMAND, Some(client), door, phase) }
        }
        Effect::CommandTimedOut { client, door } => {
            about(kind::COMMAND_TIMED_OUT, Some(client), door, 0)
        }
        Effect::CommandFailed { door, status } => about(kind::COMMAND_FAILED, None, door, status.0),
        Effect::MarkOneTime { door, line, offset } => {
            Fields { number: offset, length: line, ..about(kind::MARK_ONE_TIME, None, door, 0) }
        }
        Effect::DoorDisabled { door } => about(kind::DOOR_DISABLED, None, door, 0),
        Effect::OpeningRefused { client, door } => {
            about(kind::OPENING_REFUSED, Some(client), door, 0)
        }
        Effect::OpeningSkipped { client, door, why, again } => {
            let why = match why {
                Skip::Merged => 0,
                Skip::AlreadyOpen => 1,
                Skip::Cooldown => 2,
            };
            let again = u64::from(again);
            Fields { number: again, ..about(kind::OPENING_SKIPPED, Some(client), door, why) }
        }
        Effect::ReloadRefused => Fields { kind: kind::RELOAD_REFUSED, ..Fields::default() },
        Effect::Note(Note::Retransmission { client, knock }) => {
            Fields { kind: kind::RETRANSMISSION, client: Some(client), ..Fields::default() }
                .with_knock(knock)
        }
        Effect::Note(Note::OtherFlags { client, door, stage }) => {
            about(kind::OTHER_FLAGS, Some(client), door, stage.get())
        }
        Effect::Note(Note::Voided { client, door, stage, knock }) => {
            about(kind::VOIDED, Some(client), door, stage.get()).with_knock(knock)
        }
        Effect::Note(Note::Evicted { client, door, stage }) => {
            about(kind::EVICTED, Some(client), door, stage.get())
        }
        Effect::Note(Note::SequenceChanged { client, door, stage }) => {
            about(kind::SEQUENCE_CHANGED, Some(client), door, stage.get())
        }
        Effect::Note(Note::DoorChanged { client, door, stage }) => {
            about(kind::DOOR_CHANGED, Some(client), door, stage.get())
        }
        Effect::Own(never) => match never {},
    }
}

/// Returns the effect that a record is. The door it names is one of `doors`.
///
/// # Errors
/// [`NotAReport`] if it is none.
pub(super) fn effect(fields: &Fields, doors: &Doors) -> Result<Effect, NotAReport> {
    let client = || fields.client.ok_or(NotAReport);
    let door = || doors.with_index(usize::from(fields.door)).ok_or(NotAReport);
    let stage = || Stage::new(fields.small).ok_or(NotAReport);
    Ok(match fields.kind {
        kind::STAGE_REACHED => {
            Effect::StageReached { client: client()?, door: door()?, stage: stage()? }
        }
        kind::SEQUENCE_TIMED_OUT => {
            Effect::SequenceTimedOut { client: client()?, door: door()?, stage: stage()? }
        }
        kind::OPENED => Effect::Opened { client: client()?, door: door()? },
        kind::RUN_COMMAND => {
            let phase = match fields.small {
                0 => Phase::Start,
                1 => Phase::Stop,
                _ => return Err(NotAReport),
            };
            let run = RunId::from_bits(fields.number);
            Effect::RunCommand { run, client: client()?, door: door()?, phase }
        }
        kind::COMMAND_TIMED_OUT => Effect::CommandTimedOut { client: client()?, door: door()? },
        kind::COMMAND_FAILED => {
            Effect::CommandFailed { door: door()?, status: CommandStatus(fields.small) }
        }
        kind::MARK_ONE_TIME => {
            Effect::MarkOneTime { door: door()?, line: fields.length, offset: fields.number }
        }
        kind::DOOR_DISABLED => Effect::DoorDisabled { door: door()? },
        kind::OPENING_REFUSED => Effect::OpeningRefused { client: client()?, door: door()? },
        kind::OPENING_SKIPPED => {
            let why = match fields.small {
                0 => Skip::Merged,
                1 => Skip::AlreadyOpen,
                2 => Skip::Cooldown,
                _ => return Err(NotAReport),
            };
            let again = match fields.number {
                0 => false,
                1 => true,
                _ => return Err(NotAReport),
            };
            Effect::OpeningSkipped { client: client()?, door: door()?, why, again }
        }
        kind::RELOAD_REFUSED => Effect::ReloadRefused,
        kind::RETRANSMISSION => {
            Effect::Note(Note::Retransmission { client: client()?, knock: fields.knock() })
        }
        kind::OTHER_FLAGS => {
            Effect::Note(Note::OtherFlags { client: client()?, door: door()?, stage: stage()? })
        }
        kind::VOIDED => Effect::Note(Note::Voided {
            client: client()?,
            door: door()?,
            stage: stage()?,
            knock: fields.knock(),
        }),
        kind::EVICTED => {
            Effect::Note(Note::Evicted { client: client()?, door: door()?, stage: stage()? })
        }
        kind::SEQUENCE_CHANGED => Effect::Note(Note::SequenceChanged {
            client: client()?,
            door: door()?,
            stage: stage()?,
        }),
        kind::DOOR_CHANGED => {
            Effect::Note(Note::DoorChanged { client: client()?, door: door()?, stage: stage()? })
        }
        _ => return Err(NotAReport),
    })
}
