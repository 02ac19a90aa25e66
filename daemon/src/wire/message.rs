//! From the sniffer to the runner.

use std::collections::VecDeque;
use std::net::IpAddr;

use knock_engine::{DoorId, Doors, Effect, Knock, Port, Stage};
use knock_signed::Refusal;

use super::effect::{effect, fields_of, number_of};
use super::order::CaptureNumber;
use super::record::{Fields, InvalidMessage, RECORD_BYTES, kind};
use super::refusal::{numbers_of, refusal};

/// The longest text of a message, in bytes.
const TEXT_MAX: usize = 512;

/// A message of the sniffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// It listens, and has given up its privileges.
    Listening,
    /// It answers `Order::AreYouThere`.
    Alive,
    /// This is its last message.
    Ended,
    /// What the engine wants done or reported.
    Effect(Effect),
    /// A packet that some door's filter lets through; only if asked for.
    SeenPacket(SeenPacket),
    /// How many of one kind were lost since the start.
    Lost(Loss, u64),
    /// How many signed packets were refused since the start for a reason, whose particulars do not count.
    Refused(Refusal, u64),
    /// The engine has taken the doors of a reload: their ids have these indices.
    Adopted(Vec<u16>),
    /// A sequence was used after the files of a reload were read: they were not taken, and are to be
    /// read again.
    Stale,
    /// Nothing can be read from this packet socket. It was closed.
    CaptureFailed(CaptureNumber),
    /// The recording was full, and goes on in the other file.
    RecordingRotated,
    /// All orders before the one to report this have taken effect.
    Settled(u32),
    /// An attempt, as an answer to `Order::ListAttempts`.
    Attempt(ListedAttempt),
    /// All attempts were sent that are listed; so many there are.
    AttemptsEnd(u64),
    /// A text for the administrator.
    Text(Level, Vec<u8>),
}

/// How serious a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// The sniffer keeps running.
    Warning,
    /// It ends.
    Error,
}

/// A packet that some door's filter let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenPacket {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) source_port: Port,
    pub(crate) knock: Knock,
    /// The length of the packet on the wire, in bytes.
    pub(crate) length: u32,
}

/// An attempt in the list of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListedAttempt {
    pub(crate) client: IpAddr,
    pub(crate) door: DoorId,
    pub(crate) stage: Stage,
    /// Milliseconds until it times out.
    pub(crate) expires_in: u64,
}

impl ListedAttempt {
    /// How many are listed at most.
    pub(crate) const MAX: usize = 500;
}

/// What can be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loss {
    /// Packets, because the kernel's buffer was full.
    Packets,
    /// Attempts that were evicted at the limit.
    Attempts,
    /// Knocks that were forgotten early at the limit.
    Knocks,
    /// Lines, because the runner did not read them fast enough.
    Lines,
    /// Packets that were not recorded, because the file could not be written.
    Recorded,
    /// Openings that were refused at a limit.
    Openings,
}

impl Loss {
    pub(crate) const ALL: [Self; 6] =
        [Self::Packets, Self::Attempts, Self::Knocks, Self::Lines, Self::Recorded, Self::Openings];

    const fn code(self) -> u8 {
        match self {
            Self::Packets => 0,
            Self::Attempts => 1,
            Self::Knocks => 2,
            Self::Lines => 3,
            Self::Recorded => 4,
            Self::Openings => 5,
        }
    }
}

impl Message {
    /// Appends the message as bytes. Effects that this daemon's engine never has are left out.
    pub(crate) fn write(&self, out: &mut VecDeque<u8>) {
        let (fields, tail): (Option<Fields>, Vec<u8>) = match self {
            Self::Listening => {
                (Some(Fields { kind: kind::LISTENING, ..Fields::default() }), vec![])
            }
            Self::Alive => (Some(Fields { kind: kind::ALIVE, ..Fields::default() }), vec![]),
            Self::Ended => (Some(Fields { kind: kind::ENDED, ..Fields::default() }), vec![]),
            Self::Stale => (Some(Fields { kind: kind::STALE, ..Fields::default() }), vec![]),
            Self::RecordingRotated => {
                (Some(Fields { kind: kind::RECORDING_ROTATED, ..Fields::default() }), vec![])
            }
            Self::CaptureFailed(number) => {
                let (kind, number) = (kind::CAPTURE_FAILED, number.0.into());
                (Some(Fields { kind, number, ..Fields::default() }), vec![])
            }
            Self::Settled(number) => {
                let (kind, number) = (kind::SETTLED, u64::from(*number));
                (Some(Fields { kind, number, ..Fields::default() }), vec![])
            }
            Self::Attempt(attempt) => (Some(fields_of_attempt(attempt)), vec![]),
            Self::AttemptsEnd(number) => {
                let (kind, number) = (kind::ATTEMPTS_END, *number);
                (Some(Fields { kind, number, ..Fields::default() }), vec![])
            }
            Self::Effect(effect) => (Some(fields_of(effect)), vec![]),
            Self::SeenPacket(packet) => (Some(fields_of_seen(packet)), vec![]),
            Self::Lost(loss, count) => {
                let fields = Fields {
                    kind: kind::LOST,
                    small: loss.code(),
                    number: *count,
                    ..Fields::default()
                };
                (Some(fields), vec![])
            }
            Self::Refused(why, count) => {
                let ((small, _), number) = (numbers_of(*why), *count);
                (Some(Fields { kind: kind::REFUSED, small, number, ..Fields::default() }), vec![])
            }
            Self::Adopted(ids) => {
                let tail: Vec<u8> = ids.iter().flat_map(|id| id.to_be_bytes()).collect();
                (Some(with_tail(kind::ADOPTED, &tail)), tail)
            }
            Self::Text(level, text) => {
                let tail = text.get(..TEXT_MAX).unwrap_or(text).to_vec();
                let small = u8::from(*level == Level::Error);
                (Some(Fields { small, ..with_tail(kind::TEXT, &tail) }), tail)
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

fn fields_of_attempt(attempt: &ListedAttempt) -> Fields {
    let ListedAttempt { client, door, stage, expires_in } = *attempt;
    Fields {
        kind: kind::ATTEMPT,
        small: stage.get(),
        door: number_of(door),
        number: expires_in,
        client: Some(client),
        ..Fields::default()
    }
}

fn fields_of_seen(packet: &SeenPacket) -> Fields {
    Fields {
        kind: kind::SEEN_PACKET,
        client: Some(packet.source),
        destination: Some(packet.destination),
        source_port: packet.source_port.0,
        length: packet.length,
        ..Fields::default()
    }
    .with_knock(packet.knock)
}

/// How much room is kept for messages when there are none, in bytes.
const ROOM_MAX: usize = 64 * 1024;

/// Parses and checks the messages of a sniffer.
#[derive(Debug, Default)]
pub(crate) struct MessageReader {
    bytes: VecDeque<u8>,
}

impl MessageReader {
    /// Adds bytes that were received.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Returns the next message, if it is complete. Its door is one of `doors`.
    ///
    /// # Errors
    /// [`InvalidMessage`] if a sniffer that works as it should cannot have sent it.
    pub(crate) fn next(&mut self, doors: &Doors) -> Result<Option<Message>, InvalidMessage> {
        if self.bytes.len() < RECORD_BYTES {
            // After a flood, much room would be kept for the next one.
            if self.bytes.capacity() > ROOM_MAX {
                self.bytes.shrink_to(ROOM_MAX);
            }
            return Ok(None);
        }
        let mut record = [0; RECORD_BYTES];
        for (place, byte) in record.iter_mut().zip(&self.bytes) {
            *place = *byte;
        }
        let fields = Fields::read(record)?;
        let tail_max = match fields.kind {
            kind::ADOPTED => Doors::MAX.saturating_mul(2),
            kind::TEXT => TEXT_MAX,
            _ => 0,
        };
        let tail =
            if tail_max == 0 { 0 } else { usize::try_from(fields.length).unwrap_or(usize::MAX) };
        if tail > tail_max {
            return Err(InvalidMessage);
        }
        let whole = RECORD_BYTES.saturating_add(tail);
        if self.bytes.len() < whole {
            return Ok(None);
        }
        let tail: Vec<u8> = self.bytes.drain(..whole).skip(RECORD_BYTES).collect();
        message(&fields, tail, doors).map(Some)
    }
}

fn message(fields: &Fields, tail: Vec<u8>, doors: &Doors) -> Result<Message, InvalidMessage> {
    Ok(match fields.kind {
        kind::LISTENING => Message::Listening,
        kind::ALIVE => Message::Alive,
        kind::ENDED => Message::Ended,
        kind::STALE => Message::Stale,
        kind::RECORDING_ROTATED => Message::RecordingRotated,
        kind::CAPTURE_FAILED => {
            let number = u32::try_from(fields.number).map_err(|_| InvalidMessage)?;
            Message::CaptureFailed(CaptureNumber(number))
        }
        kind::SETTLED => {
            Message::Settled(u32::try_from(fields.number).map_err(|_| InvalidMessage)?)
        }
        kind::ATTEMPT => Message::Attempt(ListedAttempt {
            client: fields.client.ok_or(InvalidMessage)?,
            door: doors.with_index(usize::from(fields.door)).ok_or(InvalidMessage)?,
            stage: Stage::new(fields.small).ok_or(InvalidMessage)?,
            expires_in: fields.number,
        }),
        kind::ATTEMPTS_END => Message::AttemptsEnd(fields.number),
        kind::SEEN_PACKET => Message::SeenPacket(SeenPacket {
            source: fields.client.ok_or(InvalidMessage)?,
            destination: fields.destination.ok_or(InvalidMessage)?,
            source_port: Port(fields.source_port),
            knock: fields.knock(),
            length: fields.length,
        }),
        kind::LOST => {
            let mut all = Loss::ALL.into_iter();
            let loss = all.find(|loss| loss.code() == fields.small).ok_or(InvalidMessage)?;
            Message::Lost(loss, fields.number)
        }
        kind::REFUSED => Message::Refused(refusal(fields.small, 0)?, fields.number),
        kind::ADOPTED => {
            let (ids, rest) = tail.as_chunks();
            if !rest.is_empty() {
                return Err(InvalidMessage);
            }
            Message::Adopted(ids.iter().map(|&id| u16::from_be_bytes(id)).collect())
        }
        kind::TEXT => {
            let level = if fields.small == 0 { Level::Warning } else { Level::Error };
            Message::Text(level, tail)
        }
        _ => Message::Effect(effect(fields, doors)?),
    })
}

#[cfg(test)]
mod tests;
