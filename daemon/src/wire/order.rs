//! Orders from the runner to the sniffer.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroU64};

use knock_config::FileName;
use knock_config::Files;
use knock_engine::filter::Framing;
use knock_engine::{
    CommandStatus, DoorName, MarkId, PeriodOfDoor, RunId, Timestamp, User as KeyOwner, UserKey,
};
use knock_signed::{KeyId, Moment, PacketKey, SequenceId, SequenceKey};

use super::secret_bytes::SecretBytes;
use crate::user::User;

/// An order to the sniffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Begin with this task. Always the first order, and only once.
    Begin(Box<Task>),
    /// A command has ended.
    CommandEnded { run: RunId, status: CommandStatus },
    /// A sequence was marked as used, or could not be.
    Marked { mark: MarkId, is_marked: bool },
    /// Begin to read from another packet socket, whose descriptor comes with the order.
    Capture(NewCapture),
    /// End a capture.
    EndCapture(CaptureNumber),
    /// Report when all orders before this one have taken effect.
    Settle(u32),
    /// The local addresses have changed to these.
    Addresses(Vec<IpAddr>),
    /// The client is not let in at the door whose id has this index, or no longer.
    AdmissionLost { door: u16, client: IpAddr },
    /// Answer with `Message::Alive`.
    AreYouThere,
    /// Send the attempts: a `Message::Attempt` for each, and `Message::AttemptsEnd`.
    ListAttempts,
    /// Reload the configuration. When the files were read, this many one-time sequences had been marked
    /// as used since the start; if the sniffer has asked for more by now, the files are stale.
    Reload {
        marks: u64,
        /// As in a task.
        every_line: bool,
        files: Files,
        /// For a sniffer that had no keys of signed packets so far; others know better.
        moments: UsedMoments,
    },
}

/// The number of a capture, of those since the start. A later one has a higher number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CaptureNumber(pub(crate) u32);

/// What the sniffer must know of a packet socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewCapture {
    pub(crate) number: CaptureNumber,
    /// The name of the interface.
    pub(crate) name: Vec<u8>,
    pub(crate) framing: Framing,
    /// The size of the ring.
    pub(crate) blocks: u32,
}

/// What the sniffer is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent options")]
pub(crate) struct Task {
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) ipv4_only: bool,
    /// Whether all lines of the transcript are printed or logged, and not only openings.
    pub(crate) every_line: bool,
    /// Whether packets are reported, and the reasons why they do not count.
    pub(crate) debug: bool,
    /// Whether standard output is the recording.
    pub(crate) records: bool,
    /// From how many bytes on it continues in another file, whose descriptor comes with the order; `None`
    /// if it has no limit.
    pub(crate) record_max: Option<NonZeroU64>,
    pub(crate) max_attempts: NonZeroU32,
    /// The user and the group to become; `None` to stay the present user.
    pub(crate) becomes: Option<User>,
    pub(crate) files: Files,
    /// Derived sequences that were used: by these clients or, where there is none, by any.
    pub(crate) used: Vec<(PeriodOfDoor, Option<IpAddr>)>,
    pub(crate) moments: UsedMoments,
}

/// What signed packets have used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsedMoments {
    /// Moments up to it are refused of keys that nothing is known of.
    pub(crate) floor: Moment,
    /// The last moments of each key.
    pub(crate) used: Vec<(KeyId, Moment)>,
}

/// Bytes that are not an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidOrder;

impl fmt::Display for InvalidOrder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the process that runs commands sent an invalid order")
    }
}

impl std::error::Error for InvalidOrder {}

/// The first byte of an order; the length of what follows comes next, in four bytes.
mod kind {
    pub(super) const BEGIN: u8 = 1;
    pub(super) const COMMAND_ENDED: u8 = 2;
    pub(super) const ADDRESSES: u8 = 3;
    pub(super) const RELOAD: u8 = 4;
    pub(super) const ARE_YOU_THERE: u8 = 15;
    pub(super) const MARKED: u8 = 32;
    pub(super) const CAPTURE: u8 = 5;
    pub(super) const END_CAPTURE: u8 = 6;
    pub(super) const SETTLE: u8 = 7;
    pub(super) const ADMISSION_LOST: u8 = 9;
    pub(super) const LIST_ATTEMPTS: u8 = 8;
}

const HEADER_BYTES: usize = 5;

impl Order {
    /// Returns the order as bytes. They may contain keys, and are erased in the end.
    pub(crate) fn bytes(&self) -> SecretBytes {
        let mut out = Writer(SecretBytes::default());
        out.0.extend([0; HEADER_BYTES]);
        let kind = match self {
            Self::Begin(task) => {
                out.task(task);
                kind::BEGIN
            }
            Self::CommandEnded { run, status } => {
                out.0.extend(run.to_bits().to_be_bytes());
                out.0.push(status.0);
                kind::COMMAND_ENDED
            }
            Self::Marked { mark, is_marked } => {
                out.0.extend(mark.to_bits().to_be_bytes());
                out.0.push(u8::from(*is_marked));
                kind::MARKED
            }
            Self::Capture(NewCapture { number, name, framing, blocks }) => {
                out.0.extend(number.0.to_be_bytes());
                out.text(name);
                out.0.push(u8::from(*framing == Framing::Cooked));
                out.0.extend(blocks.to_be_bytes());
                kind::CAPTURE
            }
            Self::EndCapture(number) => {
                out.0.extend(number.0.to_be_bytes());
                kind::END_CAPTURE
            }
            Self::Settle(number) => {
                out.0.extend(number.to_be_bytes());
                kind::SETTLE
            }
            Self::Addresses(addresses) => {
                out.addresses(addresses);
                kind::ADDRESSES
            }
            Self::AdmissionLost { door, client } => {
                out.0.extend(door.to_be_bytes());
                out.addresses(&[*client]);
                kind::ADMISSION_LOST
            }
            Self::AreYouThere => kind::ARE_YOU_THERE,
            Self::ListAttempts => kind::LIST_ATTEMPTS,
            Self::Reload { marks, every_line, files, moments } => {
                out.0.extend(marks.to_be_bytes());
                out.0.push((*every_line).into());
                out.files(files);
                out.moments(moments);
                kind::RELOAD
            }
        };
        let Writer(mut bytes) = out;
        let length = bytes.as_slice().len().saturating_sub(HEADER_BYTES);
        let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(header) = bytes.as_mut_slice().first_chunk_mut() {
            *header = [kind, a, b, c, d];
        }
        bytes
    }
}

struct Writer(SecretBytes);

impl Writer {
    fn number(&mut self, number: usize) {
        self.0.extend(u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.number(text.len());
        self.0.extend(text);
    }

    fn addresses(&mut self, addresses: &[IpAddr]) {
        self.number(addresses.len());
        for address in addresses {
            match address {
                IpAddr::V4(address) => self.text(&address.octets()),
                IpAddr::V6(address) => self.text(&address.octets()),
            }
        }
    }

    fn files(&mut self, files: &Files) {
        // The sniffer reports nothing about lines.
        let Files { configuration, parts: _, one_time, sequences, keys, packet_keys } = files;
        self.text(configuration);
        for texts in [one_time, sequences] {
            self.number(texts.len());
            for (name, text) in texts {
                self.text(name.as_bytes());
                self.text(text);
            }
        }
        self.number(keys.len());
        for (name, key) in keys {
            self.text(name.as_bytes());
            self.0.extend(key.as_bytes());
        }
        self.number(packet_keys.len());
        for UserKey { user, key, doors, until } in packet_keys {
            self.text(user.as_bytes());
            let (KeyId(id), hint, aead) = key.parts();
            for part in [&id[..], hint, aead] {
                self.0.extend(part);
            }
            self.number(doors.len());
            for door in doors {
                self.text(door.as_bytes());
            }
            self.0.push(until.is_some().into());
            self.0.extend(until.map_or(0, Timestamp::as_nanos).to_be_bytes());
        }
    }

    fn task(&mut self, task: &Task) {
        let Task {
            addresses,
            ipv4_only,
            every_line,
            debug,
            records,
            record_max,
            max_attempts,
            becomes,
            files,
            used,
            moments,
        } = task;
        self.addresses(addresses);
        self.0.extend([*ipv4_only, *every_line, *debug, *records].map(u8::from));
        self.0.extend(record_max.map_or(0, NonZeroU64::get).to_be_bytes());
        self.0.extend(max_attempts.get().to_be_bytes());
        self.0.push(u8::from(becomes.is_some()));
        if let Some(User { user, group }) = becomes {
            self.0.extend(user.to_be_bytes());
            self.0.extend(group.to_be_bytes());
        }
        self.files(files);
        self.number(used.len());
        for (PeriodOfDoor { sequence, period }, client) in used {
            self.0.extend(sequence.to_bits().to_be_bytes());
            self.0.extend(period.to_be_bytes());
            self.addresses(client.as_slice());
        }
        self.moments(moments);
    }

    fn moments(&mut self, UsedMoments { floor, used }: &UsedMoments) {
        self.0.extend(floor.0.to_be_bytes());
        self.number(used.len());
        for (key, moment) in used {
            self.0.extend(key.0);
            self.0.extend(moment.0.to_be_bytes());
        }
    }
}

/// Parses the orders of the runner.
#[derive(Debug, Default)]
pub(crate) struct OrderReader {
    bytes: SecretBytes,
}

impl OrderReader {
    /// Adds bytes that were received.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Returns the next order, if it is complete.
    ///
    /// # Errors
    /// [`InvalidOrder`] if it cannot be parsed.
    pub(crate) fn next(&mut self) -> Result<Option<Order>, InvalidOrder> {
        let bytes = self.bytes.as_slice();
        let Some((&[kind, a, b, c, d], rest)) = bytes.split_first_chunk() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let Some(content) = rest.get(..length) else { return Ok(None) };
        let mut content = Reader(content);
        let order = match kind {
            kind::BEGIN => Order::Begin(Box::new(content.task()?)),
            kind::COMMAND_ENDED => Order::CommandEnded {
                run: RunId::from_bits(u64::from_be_bytes(content.array()?)),
                status: CommandStatus(content.byte()?),
            },
            kind::MARKED => Order::Marked {
                mark: MarkId::from_bits(u64::from_be_bytes(content.array()?)),
                is_marked: content.flag()?,
            },
            kind::CAPTURE => Order::Capture(content.capture()?),
            kind::END_CAPTURE => Order::EndCapture(CaptureNumber(content.word()?)),
            kind::SETTLE => Order::Settle(content.word()?),
            kind::ADMISSION_LOST => {
                let door = u16::from_be_bytes(content.array()?);
                let [client] = content.addresses()?.try_into().map_err(|_| InvalidOrder)?;
                Order::AdmissionLost { door, client }
            }
            kind::ADDRESSES => Order::Addresses(content.addresses()?),
            kind::ARE_YOU_THERE => Order::AreYouThere,
            kind::LIST_ATTEMPTS => Order::ListAttempts,
            kind::RELOAD => Order::Reload {
                marks: u64::from_be_bytes(content.array()?),
                every_line: content.flag()?,
                files: content.files()?,
                moments: content.moments()?,
            },
            _ => return Err(InvalidOrder),
        };
        if !content.0.is_empty() {
            return Err(InvalidOrder);
        }
        self.bytes.erase_first(HEADER_BYTES.saturating_add(length));
        Ok(Some(order))
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn chunk<const N: usize>(&mut self) -> Result<&'a [u8; N], InvalidOrder> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(InvalidOrder)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], InvalidOrder> {
        self.chunk().copied()
    }

    fn byte(&mut self) -> Result<u8, InvalidOrder> {
        self.array().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Result<bool, InvalidOrder> {
        Ok(self.byte()? != 0)
    }

    fn word(&mut self) -> Result<u32, InvalidOrder> {
        self.array().map(u32::from_be_bytes)
    }

    fn text(&mut self) -> Result<&'a [u8], InvalidOrder> {
        let length = usize::try_from(self.word()?).map_err(|_| InvalidOrder)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(InvalidOrder)?;
        self.0 = rest;
        Ok(text)
    }

    /// Reads a list. Every element takes bytes, so a wrong count stops at the end of the order.
    fn list<T>(
        &mut self,
        element: impl Fn(&mut Self) -> Result<T, InvalidOrder>,
    ) -> Result<Vec<T>, InvalidOrder> {
        let count = self.word()?;
        (0..count).map(|_| element(self)).collect()
    }

    fn address(&mut self) -> Result<IpAddr, InvalidOrder> {
        let octets = self.text()?;
        if let Ok(octets) = <[u8; 4]>::try_from(octets) {
            return Ok(IpAddr::V4(Ipv4Addr::from(octets)));
        }
        let octets = <[u8; 16]>::try_from(octets).map_err(|_| InvalidOrder)?;
        Ok(IpAddr::V6(Ipv6Addr::from(octets)))
    }

    fn addresses(&mut self) -> Result<Vec<IpAddr>, InvalidOrder> {
        self.list(Self::address)
    }

    fn files(&mut self) -> Result<Files, InvalidOrder> {
        let configuration = self.text()?.to_vec();
        let [one_time, sequences] = [self.texts()?, self.texts()?];
        let keys = self.list(|reader| {
            let name = FileName::new(reader.text()?).ok_or(InvalidOrder)?;
            Ok((name, SequenceKey::from_bytes(reader.chunk()?)))
        })?;
        let keys = BTreeMap::from_iter(keys);
        let packet_keys = self.list(Self::packet_key)?;
        Ok(Files { configuration, one_time, sequences, keys, packet_keys, ..Files::default() })
    }

    fn packet_key(&mut self) -> Result<UserKey, InvalidOrder> {
        let user = KeyOwner::new(self.text()?);
        let key = PacketKey::from_parts(KeyId(self.array()?), self.chunk()?, self.chunk()?);
        let doors = self.list(|reader| Ok(DoorName::new(reader.text()?)))?;
        let is_limited = self.flag()?;
        let until = Timestamp::from_nanos(i64::from_be_bytes(self.array()?));
        Ok(UserKey { user, key, doors, until: is_limited.then_some(until) })
    }

    /// Parses texts under the names of their files.
    fn texts(&mut self) -> Result<BTreeMap<FileName, Vec<u8>>, InvalidOrder> {
        let texts = self.list(|reader| {
            Ok((FileName::new(reader.text()?).ok_or(InvalidOrder)?, reader.text()?.to_vec()))
        })?;
        Ok(BTreeMap::from_iter(texts))
    }

    fn capture(&mut self) -> Result<NewCapture, InvalidOrder> {
        Ok(NewCapture {
            number: CaptureNumber(self.word()?),
            name: self.text()?.to_vec(),
            framing: if self.flag()? { Framing::Cooked } else { Framing::Ethernet },
            blocks: self.word()?,
        })
    }

    fn task(&mut self) -> Result<Task, InvalidOrder> {
        let addresses = self.addresses()?;
        let [ipv4_only, every_line, debug, records] =
            [self.flag()?, self.flag()?, self.flag()?, self.flag()?];
        let record_max = NonZeroU64::new(u64::from_be_bytes(self.array()?));
        let max_attempts = NonZeroU32::new(self.word()?).ok_or(InvalidOrder)?;
        let becomes = if self.flag()? {
            Some(User { user: self.word()?, group: self.word()? })
        } else {
            None
        };
        Ok(Task {
            addresses,
            ipv4_only,
            every_line,
            debug,
            records,
            record_max,
            max_attempts,
            becomes,
            files: self.files()?,
            used: self.list(Self::used_period)?,
            moments: self.moments()?,
        })
    }

    fn moments(&mut self) -> Result<UsedMoments, InvalidOrder> {
        let moment = |reader: &mut Self| reader.array().map(u64::from_be_bytes).map(Moment);
        let floor = moment(self)?;
        let used = self.list(|reader| Ok((KeyId(reader.array()?), moment(reader)?)))?;
        Ok(UsedMoments { floor, used })
    }

    fn used_period(&mut self) -> Result<(PeriodOfDoor, Option<IpAddr>), InvalidOrder> {
        let sequence = SequenceId::from_bits(u64::from_be_bytes(self.array()?));
        let period = self.word()?;
        let client = match self.addresses()?.as_slice() {
            [] => None,
            [client] => Some(*client),
            _ => return Err(InvalidOrder),
        };
        Ok((PeriodOfDoor { sequence, period }, client))
    }
}

#[cfg(test)]
mod tests;
