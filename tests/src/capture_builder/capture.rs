//! Capture files: classic pcap and pcapng, in either byte order, compressed or not.

use std::io::Write;
use std::net::IpAddr;

use super::Link;

/// The format of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Classic pcap with stamps of microseconds; what is finer is cut off.
    Pcap {
        /// The byte order of the file.
        big_endian: bool,
    },
    /// Classic pcap with stamps of nanoseconds.
    PcapNanos {
        /// The byte order of the file.
        big_endian: bool,
    },
    /// pcapng with stamps of nanoseconds.
    Pcapng {
        /// The byte order of the file.
        big_endian: bool,
    },
}

impl Format {
    /// Returns the format whose name in a `knocks.txt` is `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (name, big_endian) = match name.strip_suffix("-be") {
            Some(name) => (name, true),
            None => (name, false),
        };
        match name {
            "pcap" => Some(Self::Pcap { big_endian }),
            "pcap-ns" => Some(Self::PcapNanos { big_endian }),
            "pcapng" => Some(Self::Pcapng { big_endian }),
            _ => None,
        }
    }

    /// Returns whether the file is big-endian.
    #[must_use]
    pub fn is_big_endian(self) -> bool {
        match self {
            Self::Pcap { big_endian }
            | Self::PcapNanos { big_endian }
            | Self::Pcapng { big_endian } => big_endian,
        }
    }

    /// Returns the usual ending of a file name, without a dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Pcap { .. } | Self::PcapNanos { .. } => "pcap",
            Self::Pcapng { .. } => "pcapng",
        }
    }
}

/// How a capture file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// A captured frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The stamp, nanoseconds since the epoch. Classic pcap holds 0 to 2^32 s, pcapng from 0.
    pub at_ns: i64,
    /// The bytes that were captured.
    pub data: Vec<u8>,
    /// How long the frame was on the wire, in bytes.
    pub original_length: usize,
}

impl Record {
    /// Makes a record of the first `kept` bytes of a frame.
    #[must_use]
    pub fn of(at_ns: i64, frame: &[u8], kept: usize) -> Self {
        Self { at_ns, data: frame[..kept].into(), original_length: frame.len() }
    }
}

/// A capture file with one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// The link layer of the frames.
    pub link: Link,
    /// The format.
    pub format: Format,
    /// The compression.
    pub compression: Compression,
    /// The addresses of the interface, which only pcapng can hold.
    pub addresses: Vec<IpAddr>,
    /// The frames.
    pub records: Vec<Record>,
    /// How many bytes are missing at the end of the file, before compression.
    pub missing_tail: usize,
}

impl Capture {
    /// Makes a plain capture of microseconds.
    #[must_use]
    pub fn new(link: Link, records: Vec<Record>) -> Self {
        Self {
            link,
            format: Format::Pcap { big_endian: false },
            compression: Compression::None,
            addresses: vec![],
            records,
            missing_tail: 0,
        }
    }

    /// Returns a file name with the usual endings.
    #[must_use]
    pub fn file_name(&self) -> String {
        let ending = match self.compression {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        };
        format!("capture.{}{ending}", self.format.extension())
    }

    /// Returns the bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let order = Order { big_endian: self.format.is_big_endian() };
        let mut bytes = match self.format {
            Format::Pcap { .. } => self.pcap(order, 0xa1b2_c3d4, 1_000),
            Format::PcapNanos { .. } => self.pcap(order, 0xa1b2_3c4d, 1),
            Format::Pcapng { .. } => self.pcapng(order),
        };
        bytes.truncate(bytes.len().saturating_sub(self.missing_tail));
        match self.compression {
            Compression::None => bytes,
            Compression::Gzip => gzip(&bytes),
            Compression::Zstd => ruzstd::encoding::compress_to_vec(
                &bytes[..],
                ruzstd::encoding::CompressionLevel::Fastest,
            ),
        }
    }

    fn pcap(&self, order: Order, magic: u32, unit_ns: i64) -> Vec<u8> {
        let mut out = order.u32(magic).to_vec();
        out.extend(order.u16(2));
        out.extend(order.u16(4));
        out.extend([0; 8]);
        out.extend(order.u32(262_144));
        out.extend(order.u32(self.link.number().into()));
        for record in &self.records {
            let seconds = record.at_ns.div_euclid(1_000_000_000);
            let fraction = record.at_ns.rem_euclid(1_000_000_000) / unit_ns;
            out.extend(order.u32(u32::try_from(seconds).expect("the format ends in 2106")));
            out.extend(order.u32(u32::try_from(fraction).expect("below 10^9")));
            out.extend(order.length(record.data.len()));
            out.extend(order.length(record.original_length));
            out.extend(&record.data);
        }
        out
    }

    fn pcapng(&self, order: Order) -> Vec<u8> {
        let mut section = order.u32(0x1a2b_3c4d).to_vec();
        section.extend(order.u16(1));
        section.extend(order.u16(0));
        section.extend([0xff; 8]);
        let mut out = order.block(0x0a0d_0d0a, &section);
        out.extend(order.block(1, &self.interface(order)));
        for record in &self.records {
            let stamp = u64::try_from(record.at_ns).expect("the format begins in 1970");
            let mut packet = order.u32(0).to_vec();
            packet.extend(order.u32(u32::try_from(stamp >> 32).expect("32 bits are left")));
            packet.extend(order.u32(u32::try_from(stamp & 0xffff_ffff).expect("32 bits")));
            packet.extend(order.length(record.data.len()));
            packet.extend(order.length(record.original_length));
            packet.extend(padded(&record.data));
            out.extend(order.block(6, &packet));
        }
        out
    }

    fn interface(&self, order: Order) -> Vec<u8> {
        let mut out = order.u16(self.link.number()).to_vec();
        out.extend(order.u16(0));
        out.extend(order.u32(262_144));
        for address in &self.addresses {
            match address {
                IpAddr::V4(v4) => {
                    out.extend(order.option(4, &[v4.octets(), [255, 255, 255, 0]].concat()));
                }
                IpAddr::V6(v6) => out.extend(order.option(5, &[&v6.octets()[..], &[64]].concat())),
            }
        }
        // if_tsresol: the stamps count 10^-9 s.
        out.extend(order.option(9, &[9]));
        out.extend(order.option(0, &[]));
        out
    }
}

#[derive(Clone, Copy)]
struct Order {
    big_endian: bool,
}

impl Order {
    fn u16(self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn length(self, length: usize) -> [u8; 4] {
        self.u32(u32::try_from(length).expect("frames are small"))
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let total = self.length(body.len() + 12);
        [&self.u32(kind), &total, body, &total].concat()
    }

    fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len()).expect("options are short");
        [&self.u16(code)[..], &self.u16(length), &padded(value)].concat()
    }
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out.resize(bytes.len().next_multiple_of(4), 0);
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}
