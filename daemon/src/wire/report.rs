//! From the sniffer to the runner.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use knock_engine::{
    CommandStatus, DoorId, Doors, Effect, Knock, Note, Phase, Port, Protocol, RunId, Stage,
};

/// The size of every record.
pub(crate) const RECORD_BYTES: usize = 64;

/// The most words that the sniffer can say about a failure, in bytes.
const WORDS_MAX: usize = 512;

/// What the sniffer has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// It listens, and has no privileges any more.
    Listening,
    /// It has nothing more to say.
    Ended,
    /// What the engine wants done or known.
    Effect(Effect),
    /// A packet that some door's filter lets through; only if that was asked for.
    Sighting(Sighting),
    /// Something was lost, so many of them since the start.
    Lost(Loss, u64),
    /// The doors of a configuration that was read anew have the ids with these indices.
    Adopted(Vec<u16>),
    /// Something that an administrator should know, in words.
    Words(Gravity, Vec<u8>),
}

/// How much words matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gravity {
    /// The sniffer goes on.
    Warning,
    /// It ends.
    Error,
}

/// A packet that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) source_port: Port,
    pub(crate) knock: Knock,
    /// The length of the packet on the wire, in bytes.
    pub(crate) length: u32,
}

/// What can be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loss {
    /// Packets, because the kernel's buffer was full.
    Packets,
    /// Attempts that made room for others at the limit.
    Attempts,
    /// Openings whose last knock was forgotten early at the limit.
    Openings,
    /// Lines, because they could not be printed fast enough.
    Lines,
    /// Packets that were not recorded, because the file could not be written.
    Recorded,
}

impl Loss {
    pub(crate) const ALL: [Self; 5] =
        [Self::Packets, Self::Attempts, Self::Openings, Self::Lines, Self::Recorded];

    const fn code(self) -> u8 {
        match self {
            Self::Packets => 0,
            Self::Attempts => 1,
            Self::Openings => 2,
            Self::Lines => 3,
            Self::Recorded => 4,
        }
    }
}

/// Bytes that no honest sniffer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAReport;

impl fmt::Display for NotAReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("it sent something that makes no sense")
    }
}

impl std::error::Error for NotAReport {}

/// The first byte of a record.
mod kind {
    pub(super) const LISTENING: u8 = 1;
    pub(super) const SIGHTING: u8 = 2;
    pub(super) const LOST: u8 = 3;
    pub(super) const ADOPTED: u8 = 4;
    pub(super) const WORDS: u8 = 5;
    pub(super) const ENDED: u8 = 6;
    pub(super) const STAGE_REACHED: u8 = 16;
    pub(super) const SEQUENCE_TIMED_OUT: u8 = 17;
    pub(super) const OPENED: u8 = 18;
    pub(super) const RUN_COMMAND: u8 = 19;
    pub(super) const COMMAND_TIMED_OUT: u8 = 20;
    pub(super) const COMMAND_FAILED: u8 = 21;
    pub(super) const MARK_ONE_TIME: u8 = 22;
    pub(super) const DOOR_DISABLED: u8 = 23;
    pub(super) const OPENING_REFUSED: u8 = 24;
    pub(super) const RELOAD_REFUSED: u8 = 25;
    pub(super) const RETRANSMISSION: u8 = 32;
    pub(super) const OTHER_FLAGS: u8 = 33;
    pub(super) const VOIDED: u8 = 34;
    pub(super) const EVICTED: u8 = 35;
    pub(super) const SEQUENCE_CHANGED: u8 = 36;
    pub(super) const DOOR_CHANGED: u8 = 37;
}

/// The fields that records have, each at one place. A kind uses some; the others are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fields {
    kind: u8,
    /// A stage, a status, a phase or a loss.
    small: u8,
    door: u16,
    /// A run, an offset or a count.
    number: u64,
    /// A line, a length, or how many bytes follow the record.
    length: u32,
    client: Option<IpAddr>,
    destination: Option<IpAddr>,
    port: u16,
    source_port: u16,
    is_udp: bool,
}

impl Fields {
    fn bytes(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        let (client_family, client) = address_bytes(self.client);
        let (destination_family, destination) = address_bytes(self.destination);
        let head = [self.kind, self.small, client_family, destination_family];
        let parts: [&[u8]; 10] = [
            &head,
            &self.door.to_be_bytes(),
            &self.port.to_be_bytes(),
            &self.source_port.to_be_bytes(),
            &[u8::from(self.is_udp), 0],
            &self.length.to_be_bytes(),
            &self.number.to_be_bytes(),
            &client,
            &destination,
            &[0; 8],
        ];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    fn read(bytes: [u8; RECORD_BYTES]) -> Result<Self, NotAReport> {
        let mut rest = Rest(&bytes);
        let [kind, small, client_family, destination_family] = rest.take()?;
        let door = u16::from_be_bytes(rest.take()?);
        let port = u16::from_be_bytes(rest.take()?);
        let source_port = u16::from_be_bytes(rest.take()?);
        let [is_udp, _] = rest.take()?;
        let length = u32::from_be_bytes(rest.take()?);
        let number = u64::from_be_bytes(rest.take()?);
        let client = address(client_family, rest.take()?)?;
        let destination = address(destination_family, rest.take()?)?;
        let is_udp = match is_udp {
            0 => false,
            1 => true,
            _ => return Err(NotAReport),
        };
        Ok(Self {
            kind,
            small,
            door,
            number,
            length,
            client,
            destination,
            port,
            source_port,
            is_udp,
        })
    }

    const fn knock(&self) -> Knock {
        let protocol = if self.is_udp { Protocol::Udp } else { Protocol::Tcp };
        Knock { port: Port(self.port), protocol }
    }

    const fn with_knock(self, knock: Knock) -> Self {
        let is_udp = matches!(knock.protocol, Protocol::Udp);
        Self { port: knock.port.0, is_udp, ..self }
    }
}

/// What of a record is not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], NotAReport> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(NotAReport)?;
        self.0 = rest;
        Ok(*taken)
    }
}

fn address_bytes(address: Option<IpAddr>) -> (u8, [u8; 16]) {
    match address {
        None => (0, [0; 16]),
        Some(IpAddr::V4(address)) => (4, address.to_ipv6_compatible().octets()),
        Some(IpAddr::V6(address)) => (6, address.octets()),
    }
}

fn address(family: u8, bytes: [u8; 16]) -> Result<Option<IpAddr>, NotAReport> {
    match family {
        0 => Ok(None),
        4 => {
            let [.., a, b, c, d] = bytes;
            Ok(Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d))))
        }
        6 => Ok(Some(IpAddr::V6(Ipv6Addr::from(bytes)))),
        _ => Err(NotAReport),
    }
}

impl Report {
    /// Appends the report as bytes. Effects that no engine of this daemon has are left out.
    pub(crate) fn write(&self, out: &mut VecDeque<u8>) {
        let (fields, tail): (Option<Fields>, Vec<u8>) = match self {
            Self::Listening => {
                (Some(Fields { kind: kind::LISTENING, ..Fields::default() }), vec![])
            }
            Self::Ended => (Some(Fields { kind: kind::ENDED, ..Fields::default() }), vec![]),
            Self::Effect(effect) => (fields_of(effect), vec![]),
            Self::Sighting(sighting) => (Some(fields_of_sighting(sighting)), vec![]),
            Self::Lost(loss, count) => {
                let fields = Fields {
                    kind: kind::LOST,
                    small: loss.code(),
                    number: *count,
                    ..Fields::default()
                };
                (Some(fields), vec![])
            }
            Self::Adopted(ids) => {
                let tail: Vec<u8> = ids.iter().flat_map(|id| id.to_be_bytes()).collect();
                (Some(with_tail(kind::ADOPTED, &tail)), tail)
            }
            Self::Words(gravity, words) => {
                let tail = words.get(..WORDS_MAX).unwrap_or(words).to_vec();
                let small = u8::from(*gravity == Gravity::Error);
                (Some(Fields { small, ..with_tail(kind::WORDS, &tail) }), tail)
            }
        };
        let Some(fields) = fields else { return };
        out.extend(fields.bytes());
        out.extend(tail);
    }
}

fn with_tail(kind: u8, tail: &[u8]) -> Fields {
    Fields { kind, length: u32::try_from(tail.len()).unwrap_or(u32::MAX), ..Fields::default() }
}

fn fields_of_sighting(sighting: &Sighting) -> Fields {
    Fields {
        kind: kind::SIGHTING,
        client: Some(sighting.source),
        destination: Some(sighting.destination),
        source_port: sighting.source_port.0,
        length: sighting.length,
        ..Fields::default()
    }
    .with_knock(sighting.knock)
}

/// Returns an effect as a record; `None` for one that only other rule sets have.
fn fields_of(effect: &Effect) -> Option<Fields> {
    let about = |kind, client: Option<IpAddr>, door: DoorId, small: u8| Fields {
        kind,
        client,
        // An id has 16 bits.
        door: u16::try_from(door.index()).unwrap_or(u16::MAX),
        small,
        ..Fields::default()
    };
    Some(match *effect {
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
        Effect::CommandTooLong { .. } | Effect::Crashed { .. } | Effect::FilterRefused { .. } => {
            return None;
        }
    })
}

/// Turns the bytes of a sniffer into reports, each checked.
#[derive(Debug, Default)]
pub(crate) struct ReportReader {
    bytes: VecDeque<u8>,
}

impl ReportReader {
    /// Takes bytes as they come.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Returns the next report, if it is there as a whole. A door it names is one of `doors`.
    ///
    /// # Errors
    /// [`NotAReport`] if an honest sniffer cannot have sent it.
    pub(crate) fn next(&mut self, doors: &Doors) -> Result<Option<Report>, NotAReport> {
        if self.bytes.len() < RECORD_BYTES {
            return Ok(None);
        }
        let mut record = [0; RECORD_BYTES];
        for (place, byte) in record.iter_mut().zip(&self.bytes) {
            *place = *byte;
        }
        let fields = Fields::read(record)?;
        let tail_max = match fields.kind {
            kind::ADOPTED => Doors::MAX.saturating_mul(2),
            kind::WORDS => WORDS_MAX,
            _ => 0,
        };
        let tail =
            if tail_max == 0 { 0 } else { usize::try_from(fields.length).unwrap_or(usize::MAX) };
        if tail > tail_max {
            return Err(NotAReport);
        }
        let whole = RECORD_BYTES.saturating_add(tail);
        if self.bytes.len() < whole {
            return Ok(None);
        }
        let tail: Vec<u8> = self.bytes.drain(..whole).skip(RECORD_BYTES).collect();
        report(&fields, tail, doors).map(Some)
    }
}

fn report(fields: &Fields, tail: Vec<u8>, doors: &Doors) -> Result<Report, NotAReport> {
    Ok(match fields.kind {
        kind::LISTENING => Report::Listening,
        kind::ENDED => Report::Ended,
        kind::SIGHTING => Report::Sighting(Sighting {
            source: fields.client.ok_or(NotAReport)?,
            destination: fields.destination.ok_or(NotAReport)?,
            source_port: Port(fields.source_port),
            knock: fields.knock(),
            length: fields.length,
        }),
        kind::LOST => {
            let mut all = Loss::ALL.into_iter();
            let loss = all.find(|loss| loss.code() == fields.small).ok_or(NotAReport)?;
            Report::Lost(loss, fields.number)
        }
        kind::ADOPTED => {
            let (ids, rest) = tail.as_chunks();
            if !rest.is_empty() {
                return Err(NotAReport);
            }
            Report::Adopted(ids.iter().map(|&id| u16::from_be_bytes(id)).collect())
        }
        kind::WORDS => {
            let gravity = if fields.small == 0 { Gravity::Warning } else { Gravity::Error };
            Report::Words(gravity, tail)
        }
        _ => Report::Effect(effect(fields, doors)?),
    })
}

fn effect(fields: &Fields, doors: &Doors) -> Result<Effect, NotAReport> {
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

#[cfg(test)]
mod tests;
