//! Captures that are written: pcapng.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::IpAddr;

use knock_engine::{LinkType, Timestamp};
use pcap_file::pcapng::blocks::ENHANCED_PACKET_BLOCK;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::section_header::SectionHeaderBlock;
use pcap_file::pcapng::{PcapNgWriteError, PcapNgWriter, RawBlock};
use pcap_file::{DataLink, Endianness};

use crate::read::INTERFACES_MAX;

/// The code of an option with a comment.
const COMMENT: u16 = 1;
/// The code after the last option, which has no value.
const END_OF_OPTIONS: [u8; 4] = [0; 4];
/// The type of a block, and its length twice.
const AROUND_BODY: usize = 12;

/// A pcapng capture that is being written, the same bytes on every machine.
///
/// Each packet has the interface of the capture that it was read from. Times are those of the packets, in
/// nanoseconds, also from before 1970.
pub struct Writer<W: Write> {
    out: PcapNgWriter<W>,
    /// The numbers of the interfaces that the section describes.
    interfaces: HashMap<Interface, u32>,
    /// The local addresses of interfaces that are described from now on.
    addresses: Vec<IpAddr>,
    /// The block that is being made.
    body: Vec<u8>,
}

/// A packet that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Which capture it is from.
    pub capture: usize,
    /// The name of this capture.
    pub name: &'a str,
    /// When it was captured.
    pub at: Timestamp,
    /// How to decode its bytes.
    pub link: LinkType,
    /// How many bytes it had before it was cut; less than `frame` has counts as that many.
    pub original_length: u32,
    /// Its bytes.
    pub frame: &'a [u8],
    /// What people read beside it.
    pub comment: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Interface {
    capture: usize,
    link: LinkType,
    origin: Origin,
}

/// From when an interface counts, because times in packets have no sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    Epoch,
    /// Before every [`Timestamp`].
    Earliest,
}

impl Origin {
    fn of(at: Timestamp) -> Self {
        if at < Timestamp::EPOCH { Self::Earliest } else { Self::Epoch }
    }

    /// Returns how many seconds it is after 1970-01-01.
    const fn seconds(self) -> i64 {
        match self {
            Self::Epoch => 0,
            Self::Earliest => i64::MIN / 1_000_000_000 - 1,
        }
    }

    fn nanos_until(self, at: Timestamp) -> u64 {
        let origin = i128::from(self.seconds()).saturating_mul(1_000_000_000);
        u64::try_from(i128::from(at.as_nanos()).saturating_sub(origin)).unwrap_or(0)
    }
}

impl<W: Write> Writer<W> {
    /// Begins a capture.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(out: W) -> io::Result<Self> {
        let out = PcapNgWriter::with_endianness(out, Endianness::Little).map_err(cause)?;
        Ok(Self { out, interfaces: HashMap::new(), addresses: Vec::new(), body: Vec::new() })
    }

    /// Takes the local addresses, which the interfaces of packets from now on name.
    pub fn set_addresses(&mut self, addresses: Vec<IpAddr>) {
        self.interfaces.clear();
        self.addresses = addresses;
    }

    /// Writes a packet.
    ///
    /// # Errors
    /// Those of the output.
    pub fn packet(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let Packet { capture, name, at, link, original_length, frame, comment } = *packet;
        let interface = Interface { capture, link, origin: Origin::of(at) };
        let id = match self.interfaces.get(&interface) {
            Some(&id) => id,
            None => self.describe(interface, name)?,
        };
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
        let units = interface.origin.nanos_until(at).to_le_bytes();
        let [low, high] = [&units[..4], &units[4..]];
        self.body.clear();
        self.body.extend_from_slice(&id.to_le_bytes());
        self.body.extend_from_slice(high);
        self.body.extend_from_slice(low);
        self.body.extend_from_slice(&length.to_le_bytes());
        self.body.extend_from_slice(&original_length.max(length).to_le_bytes());
        self.padded(frame);
        self.comment(comment);
        let block_length = u32::try_from(self.body.len().saturating_add(AROUND_BODY));
        let block_length = block_length.map_err(io::Error::other)?;
        let block = RawBlock {
            type_: ENHANCED_PACKET_BLOCK,
            initial_len: block_length,
            body: Cow::Borrowed(&self.body),
            trailer_len: block_length,
        };
        self.out.write_raw_block(&block).map(drop).map_err(cause)
    }

    /// Writes what is still held back.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.get_mut().flush()
    }

    fn describe(&mut self, interface: Interface, name: &str) -> io::Result<u32> {
        if self.out.interfaces().len() >= INTERFACES_MAX {
            let section =
                SectionHeaderBlock { endianness: Endianness::Little, ..Default::default() };
            self.out.write_pcapng_block(section).map_err(cause)?;
            self.interfaces.clear();
        }
        let id = u32::try_from(self.out.interfaces().len()).map_err(io::Error::other)?;
        let mut options = vec![
            InterfaceDescriptionOption::IfName(Cow::Owned(cut(name).to_owned())),
            InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO),
        ];
        if interface.origin != Origin::Epoch {
            options.push(InterfaceDescriptionOption::IfTsOffset(interface.origin.seconds()));
        }
        options.extend(self.addresses.iter().map(|address| match address {
            // Whole addresses are compared, so the mask does not matter.
            IpAddr::V4(address) => InterfaceDescriptionOption::IfIpv4Addr(Cow::Owned(
                [address.octets(), [255; 4]].concat(),
            )),
            IpAddr::V6(address) => InterfaceDescriptionOption::IfIpv6Addr(Cow::Owned(
                [&address.octets()[..], &[128]].concat(),
            )),
        }));
        let linktype = DataLink::from(u32::from(interface.link.number()));
        let block = InterfaceDescriptionBlock { linktype, snaplen: 0, options };
        self.out.write_pcapng_block(block).map_err(cause)?;
        self.interfaces.insert(interface, id);
        Ok(id)
    }

    fn comment(&mut self, comment: &str) {
        let comment = cut(comment);
        if comment.is_empty() {
            return;
        }
        let length = u16::try_from(comment.len()).unwrap_or(u16::MAX);
        self.body.extend_from_slice(&COMMENT.to_le_bytes());
        self.body.extend_from_slice(&length.to_le_bytes());
        self.padded(comment.as_bytes());
        self.body.extend_from_slice(&END_OF_OPTIONS);
    }

    /// Appends bytes, and zeros up to a multiple of 4.
    fn padded(&mut self, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
    }
}

/// Returns the beginning of a text that an option has room for.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(usize::from(u16::MAX))).unwrap_or_default()
}

/// Returns why nothing could be written. What is written is always valid.
fn cause(error: PcapNgWriteError) -> io::Error {
    if let PcapNgWriteError::Io(error) = error { error } else { io::Error::other(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Capture, Head};

    /// Packets of one capture, whose bytes are their numbers.
    fn written(times: impl IntoIterator<Item = i64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes).unwrap();
        writer.set_addresses(vec![IpAddr::from([192, 0, 2, 1])]);
        for (number, nanos) in (0_usize..).zip(times) {
            let packet = Packet {
                capture: 0,
                name: "all.pcap",
                at: Timestamp::from_nanos(nanos),
                link: LinkType::Raw,
                original_length: 1500,
                frame: &number.to_le_bytes(),
                comment: "one",
            };
            writer.packet(&packet).unwrap();
        }
        writer.flush().unwrap();
        bytes
    }

    /// Reads everything back: what a packet is, and its bytes.
    fn read(bytes: Vec<u8>) -> (Vec<(Head, Vec<u8>)>, Vec<IpAddr>) {
        let mut capture =
            Capture::from_stream("test".to_owned(), Box::new(io::Cursor::new(bytes))).unwrap();
        let mut packets = Vec::new();
        while let Some(head) = capture.peek().unwrap() {
            packets.push((head, capture.frame().to_vec()));
            capture.advance();
        }
        (packets, capture.take_local_addresses())
    }

    #[test]
    fn what_is_written_is_read_again_whenever_it_was() {
        let times = [0, -1, 1_700_000_000_123_456_789, i64::MIN, i64::MAX, 1];
        let (packets, addresses) = read(written(times));
        let expected: Vec<_> = (0_usize..)
            .zip(times)
            .map(|(number, nanos)| {
                let at = Timestamp::from_nanos(nanos);
                let bytes = number.to_le_bytes().to_vec();
                let number = u64::try_from(number).unwrap() + 1;
                let head = Head { at, link: LinkType::Raw, number, original_length: 1500 };
                (head, bytes)
            })
            .collect();
        assert_eq!(packets, expected);
        // Each of the two interfaces, one for times before 1970, names it.
        assert_eq!(addresses, [IpAddr::from([192, 0, 2, 1]); 2]);
    }

    #[test]
    fn a_section_that_is_full_of_interfaces_is_followed_by_another() {
        let count = INTERFACES_MAX + 10;
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes).unwrap();
        for capture in 0..count {
            let packet = Packet {
                capture,
                name: "",
                at: Timestamp::EPOCH,
                link: LinkType::Raw,
                original_length: 0,
                frame: &capture.to_le_bytes(),
                comment: "",
            };
            writer.packet(&packet).unwrap();
        }
        let (packets, _) = read(bytes);
        assert_eq!(packets.len(), count);
        assert_eq!(packets.last().unwrap().1, (count - 1).to_le_bytes());
    }

    #[test]
    fn an_option_has_no_room_for_more_than_64_kib() {
        assert_eq!(cut(&"x".repeat(70_000)).len(), 65_535);
        // The character would be cut in two.
        assert_eq!(cut(&["x".repeat(65_534), "é".to_owned()].concat()).len(), 65_534);
    }
}
