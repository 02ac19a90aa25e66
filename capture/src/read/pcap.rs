//! pcap files: one header, then records.

use knock_engine::{LinkType, Timestamp};
use pcap_file::Endianness;
use pcap_file::pcap::{PcapHeader, PcapTsResolution};

use super::error::{Fault, Format};
use super::fields::Order;
use super::skim::{Step, Walk, is_near};
use super::source::Source;
use super::{Head, PACKET_LENGTH_MAX, Record};

const HEADER_LENGTH: usize = 24;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// The "modified" magic of Kuznetzov's patched tcpdump, in both byte orders: records have a header
/// longer by 8 bytes, which the reader ignores.
const MODIFIED: [([u8; 4], [u8; 4]); 2] = [
    ([0xa1, 0xb2, 0xcd, 0x34], [0xa1, 0xb2, 0xc3, 0xd4]),
    ([0x34, 0xcd, 0xb2, 0xa1], [0xd4, 0xc3, 0xb2, 0xa1]),
];

const MAGICS: [[u8; 4]; 4] = [
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
];

/// Returns whether a capture that begins with `first` is a pcap file.
pub(super) fn recognises(first: &[u8]) -> bool {
    let modified = MODIFIED.iter().map(|(magic, _)| magic);
    MAGICS.iter().chain(modified).any(|magic| first.starts_with(magic))
}

/// A pcap file, after its header.
pub(super) struct Pcap {
    order: Order,
    /// The nanoseconds of one unit of a time's fraction.
    unit_nanos: i64,
    record_header: usize,
    lengths: Lengths,
    link: LinkType,
}

/// What the header of a record states.
#[derive(Clone, Copy, Debug)]
struct Stated {
    at: Timestamp,
    /// The time's fraction in nanoseconds, which can be more than a second.
    fraction: i64,
    /// The length in the file.
    captured: u32,
    /// The length on the wire.
    wire: u32,
}

/// In which order a record states the length of the packet in the file and that on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    /// The file's first: since version 2.4.
    FileFirst,
    /// The wire's first: before version 2.3.
    WireFirst,
    /// Either order: in version 2.3. The smaller one is the file's.
    Either,
}

impl Pcap {
    /// Reads the header.
    pub(super) fn open(source: &mut Source) -> Result<Self, Fault> {
        let place = source.place(0);
        let window = source.window(HEADER_LENGTH).map_err(|error| error.at(place))?;
        let had = window.len();
        let cut = || Fault::HeaderCut { needed: HEADER_LENGTH, had };
        let mut bytes: [u8; HEADER_LENGTH] = *window.first_chunk().ok_or_else(cut)?;
        let modified = modified_to_plain(&mut bytes);
        let (_, header) = PcapHeader::from_slice(&bytes).map_err(|_| cut())?;
        source.consume(HEADER_LENGTH);

        let (major, minor) = (header.version_major, header.version_minor);
        let lengths = match (major, minor) {
            (2, 0..=2) => Lengths::WireFirst,
            (2, 3) => Lengths::Either,
            (2, 4) => Lengths::FileFirst,
            _ => {
                return Err(Fault::UnsupportedVersion {
                    format: Format::Pcap,
                    place,
                    major,
                    minor,
                });
            }
        };
        let order = match header.endianness {
            Endianness::Big => Order::Big,
            Endianness::Little => Order::Little,
        };
        // The crate's own type for link types does not keep every number.
        let [.., a, b, c, d] = bytes;
        let link = LinkType::from_header_word(order.u32([a, b, c, d]));
        if !link.is_supported() {
            return Err(Fault::UnsupportedLinkType(link));
        }
        let unit_nanos = match header.ts_resolution {
            PcapTsResolution::MicroSecond => 1000,
            PcapTsResolution::NanoSecond => 1,
        };
        let record_header = if modified { 24 } else { 16 };
        Ok(Self { order, unit_nanos, record_header, lengths, link })
    }

    /// Finds the next record, the packet number `packets + 1`, and leaves it to be consumed.
    #[inline]
    pub(super) fn next(&self, source: &mut Source, packets: u64) -> Result<Option<Record>, Fault> {
        let header = self.record_header;
        let window = match source.window(header) {
            Ok(window) => window,
            Err(error) => return Err(error.at(source.place(packets))),
        };
        let mut had = window.len();
        if had == 0 {
            return Ok(None);
        }
        let Some(stated) = self.stated(window) else {
            return Err(Fault::PacketCut { place: source.place(packets), needed: header, had });
        };
        let Stated { at, captured, wire: original_length, .. } = stated;
        if captured > PACKET_LENGTH_MAX {
            return Err(Fault::PacketTooLarge { place: source.place(packets), claimed: captured });
        }
        let length = usize::try_from(captured).unwrap_or(usize::MAX);
        let total = header.saturating_add(length);
        // Nearly always, the packet is at hand with its header.
        if had < total {
            had = match source.window(total) {
                Ok(window) => window.len(),
                Err(error) => return Err(error.at(source.place(packets))),
            };
        }
        if had < total {
            return Err(Fault::PacketCut { place: source.place(packets), needed: total, had });
        }
        let number = packets.saturating_add(1);
        Ok(Some(Record {
            head: Head { at, link: self.link, number, original_length },
            frame: header..total,
            total,
        }))
    }

    /// Returns what a record's header states, or `None` if it is cut.
    #[inline]
    fn stated(&self, window: &[u8]) -> Option<Stated> {
        let header = window.get(..self.record_header)?.first_chunk()?;
        let [seconds, fraction, first, second] = self.order.four(header);
        let (captured, wire) = match self.lengths {
            Lengths::FileFirst => (first, second),
            Lengths::WireFirst => (second, first),
            Lengths::Either => (first.min(second), first.max(second)),
        };
        let fraction = i64::from(fraction).saturating_mul(self.unit_nanos);
        let nanos = i64::from(seconds).saturating_mul(NANOS_PER_SECOND).saturating_add(fraction);
        Some(Stated { at: Timestamp::from_nanos(nanos), fraction, captured, wire })
    }

    #[inline]
    fn step_of(&self, bytes: &[u8], at: usize, stated: &Stated) -> Option<Step> {
        if stated.captured > PACKET_LENGTH_MAX {
            return None;
        }
        let (start, length) = (self.record_header, usize::try_from(stated.captured).ok()?);
        let total = start.saturating_add(length);
        let is_whole = bytes.len().saturating_sub(at) >= total;
        is_whole.then_some(Step { at: stated.at, link: self.link, start, length, total })
    }
}

impl Walk for Pcap {
    #[inline]
    fn step(&self, bytes: &[u8], at: usize) -> Option<Step> {
        let stated = self.stated(bytes.get(at..)?)?;
        self.step_of(bytes, at, &stated)
    }

    fn guess(&self, bytes: &[u8], at: usize, near: Timestamp) -> Option<Step> {
        let stated = self.stated(bytes.get(at..)?)?;
        let is_likely = stated.fraction < NANOS_PER_SECOND
            && stated.captured > 0
            && stated.captured <= stated.wire
            && stated.wire <= PACKET_LENGTH_MAX
            && is_near(stated.at, near);
        is_likely.then(|| self.step_of(bytes, at, &stated)).flatten()
    }
}

/// Replaces the magic of a modified file by that of a plain one, and returns whether it did.
fn modified_to_plain(header: &mut [u8; HEADER_LENGTH]) -> bool {
    let Some(magic) = header.first_chunk_mut::<4>() else { return false };
    let Some((_, plain)) = MODIFIED.iter().find(|(modified, _)| modified == magic) else {
        return false;
    };
    *magic = *plain;
    true
}
