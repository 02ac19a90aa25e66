//! The record with which every message begins.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use knock_engine::{Knock, Port, Protocol};

/// The size of every record.
pub(super) const RECORD_BYTES: usize = 64;

/// Bytes that no sniffer sends that works as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidMessage;

impl fmt::Display for InvalidMessage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("invalid message")
    }
}

impl std::error::Error for InvalidMessage {}

/// The first byte of a record.
pub(super) mod kind {
    pub(in crate::wire) const LISTENING: u8 = 1;
    pub(in crate::wire) const SEEN_PACKET: u8 = 2;
    pub(in crate::wire) const LOST: u8 = 3;
    pub(in crate::wire) const ADOPTED: u8 = 4;
    pub(in crate::wire) const TEXT: u8 = 5;
    pub(in crate::wire) const ENDED: u8 = 6;
    pub(in crate::wire) const STALE: u8 = 7;
    pub(in crate::wire) const CAPTURE_FAILED: u8 = 8;
    pub(in crate::wire) const SETTLED: u8 = 9;
    pub(in crate::wire) const ALIVE: u8 = 10;
    pub(in crate::wire) const RECORDING_ROTATED: u8 = 11;
    pub(in crate::wire) const ATTEMPT: u8 = 12;
    pub(in crate::wire) const ATTEMPTS_END: u8 = 13;
    pub(in crate::wire) const STAGE_REACHED: u8 = 16;
    pub(in crate::wire) const SEQUENCE_TIMED_OUT: u8 = 17;
    pub(in crate::wire) const OPENED: u8 = 18;
    pub(in crate::wire) const RUN_COMMAND: u8 = 19;
    pub(in crate::wire) const COMMAND_TIMED_OUT: u8 = 20;
    pub(in crate::wire) const COMMAND_FAILED: u8 = 21;
    pub(in crate::wire) const MARK_ONE_TIME: u8 = 22;
    pub(in crate::wire) const DOOR_DISABLED: u8 = 23;
    pub(in crate::wire) const OPENING_REFUSED: u8 = 24;
    pub(in crate::wire) const RELOAD_REFUSED: u8 = 25;
    pub(in crate::wire) const OPENING_SKIPPED: u8 = 26;
    pub(in crate::wire) const VOIDED_OFTEN: u8 = 27;
    pub(in crate::wire) const ADMIT: u8 = 28;
    pub(in crate::wire) const ADMISSION_ENDED: u8 = 29;
    pub(in crate::wire) const MARK_PERIOD: u8 = 30;
    pub(in crate::wire) const MARK_MOMENT: u8 = 31;
    pub(in crate::wire) const RETRANSMISSION: u8 = 32;
    pub(in crate::wire) const OTHER_FLAGS: u8 = 33;
    pub(in crate::wire) const VOIDED: u8 = 34;
    pub(in crate::wire) const SECOND_TRY: u8 = 38;
    pub(in crate::wire) const EVICTED: u8 = 35;
    pub(in crate::wire) const SEQUENCE_CHANGED: u8 = 36;
    pub(in crate::wire) const DOOR_CHANGED: u8 = 37;
    pub(in crate::wire) const NOT_SIGNED: u8 = 39;
    pub(in crate::wire) const CLOSING: u8 = 40;
    pub(in crate::wire) const REFUSED: u8 = 41;
}

/// The fields of a record. Each kind of message uses some of them; the others are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) kind: u8,
    /// A stage, a status, a phase, a loss or a refusal.
    pub(super) small: u8,
    pub(super) door: u16,
    /// A run, an offset, a count or what names the sequences of a door.
    pub(super) number: u64,
    /// The number of a mark.
    pub(super) mark: u64,
    /// A line, a period, a length, or how many bytes follow the record.
    pub(super) length: u32,
    pub(super) client: Option<IpAddr>,
    pub(super) destination: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) source_port: u16,
    pub(super) is_udp: bool,
}

impl Fields {
    /// Returns the fields as a record.
    pub(super) fn bytes(&self) -> [u8; RECORD_BYTES] {
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
            &self.mark.to_be_bytes(),
        ];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`InvalidMessage`] if a field has an impossible value.
    pub(super) fn read(bytes: [u8; RECORD_BYTES]) -> Result<Self, InvalidMessage> {
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
        let mark = u64::from_be_bytes(rest.take()?);
        let is_udp = match is_udp {
            0 => false,
            1 => true,
            _ => return Err(InvalidMessage),
        };
        Ok(Self {
            kind,
            small,
            door,
            number,
            mark,
            length,
            client,
            destination,
            port,
            source_port,
            is_udp,
        })
    }

    /// Returns the port and the protocol.
    pub(super) const fn knock(&self) -> Knock {
        let protocol = if self.is_udp { Protocol::Udp } else { Protocol::Tcp };
        Knock { port: Port(self.port), protocol }
    }

    /// Returns these fields with a port and a protocol.
    pub(super) const fn with_knock(self, knock: Knock) -> Self {
        let is_udp = matches!(knock.protocol, Protocol::Udp);
        Self { port: knock.port.0, is_udp, ..self }
    }
}

/// The rest of a record, which is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], InvalidMessage> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(InvalidMessage)?;
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

fn address(family: u8, bytes: [u8; 16]) -> Result<Option<IpAddr>, InvalidMessage> {
    match family {
        0 => Ok(None),
        4 => {
            let [.., a, b, c, d] = bytes;
            Ok(Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d))))
        }
        6 => Ok(Some(IpAddr::V6(Ipv6Addr::from(bytes)))),
        _ => Err(InvalidMessage),
    }
}
