//! pcapng files: blocks, in sections that each have their own byte order and interfaces.
//!
//! The reader takes only what it needs from each block: real captures have options that are not
//! valid UTF-8, have a wrong length, or run past their block, and their packets are still good.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use byteorder_slice::{BigEndian, LittleEndian};
use knock_engine::{LinkType, Timestamp};
use pcap_file::pcapng::RawBlock;
use pcap_file::pcapng::blocks::{
    ENHANCED_PACKET_BLOCK, INTERFACE_DESCRIPTION_BLOCK, PACKET_BLOCK, SECTION_HEADER_BLOCK,
    SIMPLE_PACKET_BLOCK,
};

use super::error::{BlockFault, Fault, Format};
use super::fields::{Fields, Order};
use super::interface::Interface;
use super::skim::{Step, Walk, is_near};
use super::source::Source;
use super::{ADDRESSES_MAX, BLOCK_LENGTH_MAX, Head, INTERFACES_MAX, Record};

/// The type of a section header, the same in both byte orders.
const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// The byte-order magic of a section header, in big-endian order.
const BYTE_ORDER: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];
/// The type and length before a block's body.
const HEAD: usize = 8;
/// The type and length before a block's body, and the length after it.
const BLOCK_LENGTH_MIN: usize = 12;

/// Returns whether a capture that begins with `first` is a pcapng file.
pub(super) fn recognises(first: &[u8]) -> bool {
    first.starts_with(&SECTION)
}

/// A pcapng file, in one of its sections.
pub(super) struct PcapNg {
    order: Order,
    interfaces: Vec<Interface>,
    addresses: Vec<IpAddr>,
    /// The time of the last packet, which a packet without a time gets too.
    last: Timestamp,
}

/// How many bytes a packet has in the file, and how many it had before it was cut.
#[derive(Clone, Copy)]
struct Lengths {
    captured: u32,
    original: u32,
}

/// What a block means to the reader.
enum Meaning {
    Packet { at: Timestamp, link: LinkType, start: usize, length: usize, original_length: u32 },
    Nothing,
}

/// Why a block cannot be used; without its place, which the caller adds.
enum Bad {
    Block(BlockFault),
    Version { major: u16, minor: u16 },
}

impl From<BlockFault> for Bad {
    fn from(fault: BlockFault) -> Self {
        Self::Block(fault)
    }
}

impl PcapNg {
    /// Reads the first section header, so that a file of an unknown version is refused at once.
    pub(super) fn open(source: &mut Source) -> Result<Self, Fault> {
        let mut this = Self {
            order: Order::Big,
            interfaces: Vec::new(),
            addresses: Vec::new(),
            last: Timestamp::EPOCH,
        };
        this.block(source, 0)?;
        Ok(this)
    }

    /// Returns the addresses that interfaces have named since the last call.
    pub(super) fn take_addresses(&mut self) -> Vec<IpAddr> {
        std::mem::take(&mut self.addresses)
    }

    /// Notes the time of a packet that was passed over.
    pub(super) const fn passed(&mut self, at: Timestamp) {
        self.last = at;
    }

    /// Finds the next packet, number `packets + 1`, and leaves its block to be consumed. Inlined, it would take registers
    /// from those of pcap files.
    #[inline(never)]
    pub(super) fn next(
        &mut self,
        source: &mut Source,
        packets: u64,
    ) -> Result<Option<Record>, Fault> {
        loop {
            let Some((meaning, total)) = self.block(source, packets)? else { return Ok(None) };
            if let Meaning::Packet { at, link, start, length, original_length } = meaning {
                self.last = at;
                let number = packets.saturating_add(1);
                let head = Head { at, link, number, original_length };
                let frame = start..start.saturating_add(length);
                return Ok(Some(Record { head, frame, total }));
            }
        }
    }

    /// Reads a block, and consumes it if it is not a packet. Returns `None` at the end of the file.
    fn block(
        &mut self,
        source: &mut Source,
        packets: u64,
    ) -> Result<Option<(Meaning, usize)>, Fault> {
        let place = source.place(packets);
        let at = |bad: Bad| match bad {
            Bad::Block(fault) => Fault::BadBlock { place, fault },
            Bad::Version { major, minor } => {
                Fault::UnsupportedVersion { format: Format::PcapNg, place, major, minor }
            }
        };

        let window = source.window(BLOCK_LENGTH_MIN).map_err(|error| error.at(place))?;
        if window.is_empty() {
            return Ok(None);
        }
        let Some(head) = window.first_chunk() else {
            return Err(Fault::BlockCut { place, needed: BLOCK_LENGTH_MIN, had: window.len() });
        };
        let (order, total) = measure(self.order, head).map_err(|fault| at(fault.into()))?;
        let window = source.window(total).map_err(|error| error.at(place))?;
        let Some(bytes) = window.get(..total) else {
            return Err(Fault::BlockCut { place, needed: total, had: window.len() });
        };
        self.order = order;
        let meaning = self.meaning(bytes).map_err(at)?;
        match meaning {
            Meaning::Packet { .. } => {}
            Meaning::Nothing => source.consume(total),
        }
        Ok(Some((meaning, total)))
    }

    fn meaning(&mut self, bytes: &[u8]) -> Result<Meaning, Bad> {
        let parsed = match self.order {
            Order::Big => RawBlock::from_slice::<BigEndian>(bytes),
            Order::Little => RawBlock::from_slice::<LittleEndian>(bytes),
        };
        // Everything else that the crate checks was checked above.
        let (_, block) = parsed.map_err(|_| BlockFault::LengthsDiffer)?;
        let fields = Fields::new(self.order, &block.body);
        match block.type_ {
            SECTION_HEADER_BLOCK => self.section(fields)?,
            INTERFACE_DESCRIPTION_BLOCK => self.interface(fields)?,
            ENHANCED_PACKET_BLOCK => return self.enhanced_packet(fields),
            SIMPLE_PACKET_BLOCK => return self.simple_packet(fields),
            PACKET_BLOCK => return self.obsolete_packet(fields),
            _ => {}
        }
        Ok(Meaning::Nothing)
    }

    fn section(&mut self, mut fields: Fields<'_>) -> Result<(), Bad> {
        let (Some(_magic), Some(major), Some(minor)) = (fields.u32(), fields.u16(), fields.u16())
        else {
            return Err(body_cut(16, fields));
        };
        if major != 1 {
            return Err(Bad::Version { major, minor });
        }
        self.interfaces.clear();
        Ok(())
    }

    fn interface(&mut self, fields: Fields<'_>) -> Result<(), Bad> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return Err(BlockFault::TooManyInterfaces.into());
        }
        let interface = Interface::read(fields, self.order, |address: &[u8]| {
            self.addresses.extend(address_of(address));
        });
        self.interfaces.push(interface.ok_or_else(|| body_cut(8, fields))?);
        if self.addresses.len() > ADDRESSES_MAX {
            return Err(BlockFault::TooManyAddresses.into());
        }
        Ok(())
    }

    fn enhanced_packet(&self, mut fields: Fields<'_>) -> Result<Meaning, Bad> {
        let whole = fields;
        let mut read = || {
            let interface = fields.u32()?;
            let units = units(&mut fields)?;
            let lengths = Lengths { captured: fields.u32()?, original: fields.u32()? };
            Some((interface, units, lengths))
        };
        let (interface, units, lengths) = read().ok_or_else(|| body_cut(20, whole))?;
        self.packet(interface, units, lengths, whole, fields)
    }

    fn obsolete_packet(&self, mut fields: Fields<'_>) -> Result<Meaning, Bad> {
        let whole = fields;
        let mut read = || {
            let (interface, _drops) = (fields.u16()?, fields.u16()?);
            let units = units(&mut fields)?;
            let lengths = Lengths { captured: fields.u32()?, original: fields.u32()? };
            Some((interface.into(), units, lengths))
        };
        let (interface, units, lengths) = read().ok_or_else(|| body_cut(20, whole))?;
        self.packet(interface, units, lengths, whole, fields)
    }

    fn packet(
        &self,
        interface: u32,
        units: u64,
        lengths: Lengths,
        whole: Fields<'_>,
        rest: Fields<'_>,
    ) -> Result<Meaning, Bad> {
        let interface = self.described(interface)?;
        let had = rest.rest().len();
        let Lengths { captured, original: original_length } = lengths;
        let length = usize::try_from(captured).unwrap_or(usize::MAX);
        if length > had {
            return Err(BlockFault::PacketCut { claimed: captured, had }.into());
        }
        let start = HEAD.saturating_add(whole.rest().len().saturating_sub(had));
        let (at, link) = (interface.time(units), interface.link);
        Ok(Meaning::Packet { at, link, start, length, original_length })
    }

    /// Reads a packet of the first interface, without a time. Its length in the file is not stated
    /// but follows from that on the wire.
    fn simple_packet(&self, mut fields: Fields<'_>) -> Result<Meaning, Bad> {
        let interface = self.described(0)?;
        let whole = fields;
        let wire = fields.u32().ok_or_else(|| body_cut(4, whole))?;
        let captured = match interface.snap_length {
            0 => wire,
            snap_length => wire.min(snap_length),
        };
        let had = fields.rest().len();
        let length = usize::try_from(captured).unwrap_or(usize::MAX).min(had);
        let start = HEAD.saturating_add(4);
        Ok(Meaning::Packet {
            at: self.last,
            link: interface.link,
            start,
            length,
            original_length: wire,
        })
    }

    fn described(&self, interface: u32) -> Result<&Interface, Bad> {
        let index = usize::try_from(interface).unwrap_or(usize::MAX);
        let described = self.interfaces.len();
        Ok(self
            .interfaces
            .get(index)
            .ok_or(BlockFault::UnknownInterface { interface, described })?)
    }
}

impl Walk for PcapNg {
    /// Only enhanced packets are walked: anything else can change what follows, and is rare.
    #[inline]
    fn step(&self, bytes: &[u8], at: usize) -> Option<Step> {
        let rest = bytes.get(at..)?;
        let head = rest.first_chunk::<BLOCK_LENGTH_MIN>()?;
        let &[t0, t1, t2, t3, ..] = head;
        if self.order.u32([t0, t1, t2, t3]) != ENHANCED_PACKET_BLOCK {
            return None;
        }
        let (_, total) = measure(self.order, head).ok()?;
        let (body, after) = rest.get(HEAD..total)?.split_last_chunk::<4>()?;
        let [_, _, _, _, length @ ..] = *head.first_chunk::<HEAD>()?;
        if *after != length {
            return None;
        }
        match self.enhanced_packet(Fields::new(self.order, body)).ok()? {
            Meaning::Packet { at, link, start, length, .. } => {
                Some(Step { at, link, start, length, total })
            }
            Meaning::Nothing => None,
        }
    }

    fn guess(&self, bytes: &[u8], at: usize, near: Timestamp) -> Option<Step> {
        self.step(bytes, at).filter(|step| is_near(step.at, near))
    }
}

/// Returns the byte order and the length of the block that begins with `head`.
fn measure(order: Order, head: &[u8; BLOCK_LENGTH_MIN]) -> Result<(Order, usize), BlockFault> {
    let &[t0, t1, t2, t3, l0, l1, l2, l3, magic @ ..] = head;
    let order = match (magic.as_slice(), [t0, t1, t2, t3] == SECTION) {
        (_, false) => order,
        (magic, true) if magic == BYTE_ORDER => Order::Big,
        (magic, true) if magic.iter().rev().eq(&BYTE_ORDER) => Order::Little,
        (_, true) => return Err(BlockFault::NoByteOrder),
    };
    let stated = order.u32([l0, l1, l2, l3]);
    if stated > BLOCK_LENGTH_MAX {
        return Err(BlockFault::TooLarge(stated));
    }
    let length = usize::try_from(stated).unwrap_or(usize::MAX);
    if length < BLOCK_LENGTH_MIN || !length.is_multiple_of(4) {
        return Err(BlockFault::BadLength(stated));
    }
    Ok((order, length))
}

/// Takes a time in two halves.
fn units(fields: &mut Fields<'_>) -> Option<u64> {
    let (high, low) = (fields.u32()?, fields.u32()?);
    Some((u64::from(high) << 32) | u64::from(low))
}

fn body_cut(needed: usize, body: Fields<'_>) -> Bad {
    BlockFault::BodyCut { needed, had: body.rest().len() }.into()
}

/// Returns the address at the beginning of an address option. A mask follows an IPv4 address, a prefix
/// length an IPv6 address.
fn address_of(option: &[u8]) -> Option<IpAddr> {
    match option.len() {
        8 => option.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into()),
        17 => option.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into()),
        _ => None,
    }
}
