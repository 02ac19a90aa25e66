//! Errors of reading captures.

use std::fmt;
use std::io;

use knock_config::diagnostics::Source;
use knock_config::file_faults::ReadFault;
use knock_config::text::{Cause, counted};
use knock_engine::LinkType;

use super::looks::Looks;

/// A capture that cannot be read to its end. Every packet before the fault was delivered.
#[derive(Debug)]
pub struct CaptureError {
    /// The capture as the user named it: a path, fit to be printed, or "standard input".
    pub capture: String,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { capture, fault } = self;
        write!(out, "{capture}: {fault}")
    }
}

impl std::error::Error for CaptureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            Fault::CannotOpen(error)
            | Fault::CannotRead { error, .. }
            | Fault::Decompression { error, .. } => Some(error),
            Fault::Shrank { .. }
            | Fault::Empty
            | Fault::NotACapture(_)
            | Fault::Scenario(_)
            | Fault::UnsupportedVersion { .. }
            | Fault::UnsupportedLinkType(_)
            | Fault::HeaderCut { .. }
            | Fault::PacketCut { .. }
            | Fault::PacketTooLarge { .. }
            | Fault::BlockCut { .. }
            | Fault::BadBlock { .. } => None,
        }
    }
}

/// What is wrong with a capture.
#[derive(Debug)]
pub enum Fault {
    /// The file cannot be opened.
    CannotOpen(io::Error),
    /// Reading failed.
    CannotRead {
        /// Where the unreadable bytes begin.
        place: Place,
        /// Why.
        error: io::Error,
    },
    /// The compressed data is damaged, or ends in the middle.
    Decompression {
        /// How it is compressed.
        compression: Compression,
        /// Where, in the decompressed data.
        place: Place,
        /// Why.
        error: io::Error,
    },
    /// The file became shorter while it was read.
    Shrank {
        /// How far it was read.
        place: Place,
        /// The length of the file when it was opened, in bytes.
        was: u64,
        /// Its length now, in bytes.
        is: u64,
    },
    /// The capture is empty.
    Empty,
    /// The bytes are not those of a pcap or pcapng file.
    NotACapture(Looks),
    /// It is the text of a scenario, with these errors.
    Scenario(Box<Source>),
    /// A version of the format that is not known.
    UnsupportedVersion {
        /// The format.
        format: Format,
        /// Where the header or section begins.
        place: Place,
        /// The major version.
        major: u16,
        /// The minor version.
        minor: u16,
    },
    /// Every packet of the capture is of a link type that is not decoded.
    UnsupportedLinkType(LinkType),
    /// The capture ends within the header of the file.
    HeaderCut {
        /// The length of the header, in bytes.
        needed: usize,
        /// How many bytes there are.
        had: usize,
    },
    /// The capture ends within a packet: most often it was still being written, or the disk was
    /// full.
    PacketCut {
        /// Where the packet begins.
        place: Place,
        /// The length of the packet with its header, or of the header if that is cut.
        needed: usize,
        /// How many bytes of it there are.
        had: usize,
    },
    /// A packet claims to be longer than any packet can be.
    PacketTooLarge {
        /// Where the packet begins.
        place: Place,
        /// The length that it claims, in bytes.
        claimed: u32,
    },
    /// The capture ends within a block of a pcapng file, as [`Fault::PacketCut`].
    BlockCut {
        /// Where the block begins.
        place: Place,
        /// The length of the block, or of the shortest one if its beginning is cut.
        needed: usize,
        /// How many bytes of it there are.
        had: usize,
    },
    /// A block of a pcapng file contradicts the format or itself.
    BadBlock {
        /// Where the block begins.
        place: Place,
        /// What is wrong with it.
        fault: BlockFault,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CannotOpen(error) => {
                let wanted = "a capture, as `tcpdump -w` writes it, or a scenario";
                write!(out, "cannot open: {}", ReadFault { error, wanted })
            }
            Self::CannotRead { place, error } => {
                write!(out, "cannot be read at {}: {}", Near(*place), Cause(error))
            }
            Self::Decompression { error, .. } if error.kind() == io::ErrorKind::Unsupported => {
                write!(out, "cannot be decompressed: {}", Cause(error))
            }
            Self::Decompression { compression, place, error } => write!(
                out,
                "has damaged or cut {compression} data after {}: {}",
                Near(*place),
                Cause(error)
            ),
            Self::Shrank { place, was, is } => write!(
                out,
                "was truncated from {was} to {is} bytes while it was read, at {}; read a copy",
                Near(*place)
            ),
            Self::Empty => out.write_str(
                "is empty; even a capture without packets has a header, as `tcpdump -w` writes it",
            ),
            Self::NotACapture(looks) => looks.fmt(out),
            Self::Scenario(text) => {
                write!(out, "is a scenario with {}", counted(text.errors(), "error"))
            }
            Self::UnsupportedVersion { format, place, major, minor } => {
                let known = match format {
                    Format::Pcap => "2.0 to 2.4",
                    Format::PcapNg => "1.x",
                };
                write!(out, "has {format} version {major}.{minor}")?;
                if place.offset != 0 {
                    write!(out, " from {}", Near(*place))?;
                }
                write!(out, "; only {known} can be read")
            }
            Self::UnsupportedLinkType(link) => unsupported_link_type(*link, out),
            Self::HeaderCut { needed, had } => {
                write!(out, "is cut in its header: {needed} bytes needed, {had} present")
            }
            Self::PacketCut { place, needed, had } => {
                write!(out, "is cut in {place}: {needed} bytes needed, {had} present")
            }
            Self::PacketTooLarge { place, claimed } => write!(
                out,
                "is damaged: {place} claims {claimed} bytes; no packet is larger than {}",
                super::PACKET_LENGTH_MAX
            ),
            Self::BlockCut { place, needed, had } => write!(
                out,
                "is cut in the block at {}: {needed} bytes needed, {had} present",
                Near(*place)
            ),
            Self::BadBlock { place, fault } => {
                write!(out, "is damaged at {}: {fault}", Near(*place))
            }
        }
    }
}

fn unsupported_link_type(link: LinkType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(out, "{link} is not supported; supported are ")?;
    for (index, supported) in LinkType::SUPPORTED.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(out, "{comma}{supported}")?;
    }
    Ok(())
}

/// What is wrong with a block of a pcapng file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockFault {
    /// The section header has no byte-order magic.
    NoByteOrder,
    /// The block's length is less than 12, or not a multiple of 4.
    BadLength(u32),
    /// The block claims more than [`BLOCK_LENGTH_MAX`](super::BLOCK_LENGTH_MAX) bytes.
    TooLarge(u32),
    /// The lengths before and after the block's body differ.
    LengthsDiffer,
    /// The body is too short for the fields of such a block.
    BodyCut {
        /// How many bytes the fields take.
        needed: usize,
        /// How many bytes the body has.
        had: usize,
    },
    /// A packet claims more bytes than its block has.
    PacketCut {
        /// The length that the packet claims, in bytes.
        claimed: u32,
        /// How many bytes the block has for it.
        had: usize,
    },
    /// A packet names an interface that the section has not described.
    UnknownInterface {
        /// The number of the interface, from 0.
        interface: u32,
        /// How many interfaces the section has described.
        described: usize,
    },
    /// A section describes more than
    /// [`INTERFACES_MAX`](super::INTERFACES_MAX) interfaces.
    TooManyInterfaces,
    /// Interfaces name more than [`ADDRESSES_MAX`](super::ADDRESSES_MAX) addresses at once.
    TooManyAddresses,
}

impl fmt::Display for BlockFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoByteOrder => out.write_str("a section header without byte-order magic"),
            Self::BadLength(length) => write!(
                out,
                "a block of {length} bytes; the length must be a multiple of 4, and at least 12"
            ),
            Self::TooLarge(length) => write!(
                out,
                "a block claims {length} bytes; none is larger than {}",
                super::BLOCK_LENGTH_MAX
            ),
            Self::LengthsDiffer => out.write_str("the lengths before and after a block differ"),
            Self::BodyCut { needed, had } => {
                write!(
                    out,
                    "a block too short for its fields: {needed} bytes needed, {had} present"
                )
            }
            Self::PacketCut { claimed, had } => {
                write!(out, "the packet claims {claimed} bytes, its block has {had}")
            }
            Self::UnknownInterface { interface, described } => write!(
                out,
                "the packet names interface {interface}, but only {described} are described"
            ),
            Self::TooManyInterfaces => {
                write!(out, "more than {} interfaces in a section", super::INTERFACES_MAX)
            }
            Self::TooManyAddresses => {
                write!(out, "interfaces with more than {} addresses", super::ADDRESSES_MAX)
            }
        }
    }
}

/// Where in a capture something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of the packet that is here, or would be next, from 1.
    pub packet: u64,
    /// The byte, from 0.
    pub offset: u64,
    /// Whether the byte is counted in the decompressed data.
    pub decompressed: bool,
}

impl Place {
    const fn of(self) -> &'static str {
        if self.decompressed { " of the decompressed data" } else { "" }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "packet {} at byte {}{}", self.packet, self.offset, self.of())
    }
}

/// Prints a place where something other than a packet may be.
struct Near(Place);

impl fmt::Display for Near {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(place) = self;
        write!(out, "byte {}{}, ", place.offset, place.of())?;
        match place.packet.saturating_sub(1) {
            0 => out.write_str("before any whole packet"),
            read => write!(out, "after packet {read}"),
        }
    }
}

/// A format of capture files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The classic format of tcpdump, in microseconds or nanoseconds.
    Pcap,
    /// The block format of Wireshark.
    PcapNg,
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Pcap => "pcap",
            Self::PcapNg => "pcapng",
        })
    }
}

/// A way to compress captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// gzip, with any number of members.
    Gzip,
    /// zstd, with any number of frames.
    Zstd,
}

impl fmt::Display for Compression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}
