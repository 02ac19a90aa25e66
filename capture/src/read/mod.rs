//! Captures: pcap and pcapng files, plain or compressed by gzip or zstd, and streams of them.
//!
//! The bytes of a capture decide its format, never its name. Packets are borrowed from a memory
//! map or from a reused buffer: reading one allocates nothing.

mod ahead;
mod error;
mod fields;
mod gzip;
mod interface;
mod looks;
mod mapped;
mod merge;
mod opener;
mod pages;
mod pcap;
mod pcapng;
mod skim;
mod source;
mod turns;
mod zstd;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use knock_engine::{LinkType, Timestamp};

pub use error::{BlockFault, CaptureError, Compression, Fault, Format, Place};
pub use looks::{Kind, Looks};
pub use merge::Merge;
pub use opener::Opener;
pub use skim::Passed;

use pcap::Pcap;
use pcapng::PcapNg;
use skim::{Reached, Skim};
use source::Source;

/// The most bytes that a packet of a pcap file can have: the limit of libpcap.
pub const PACKET_LENGTH_MAX: u32 = 262_144;
/// The most bytes that a block of a pcapng file can have: the limit of libpcap.
pub const BLOCK_LENGTH_MAX: u32 = 16 * 1024 * 1024;
/// The most interfaces that a section of a pcapng file can describe.
pub const INTERFACES_MAX: usize = 65_536;
/// The most addresses that interfaces can name before
/// [`take_local_addresses`](Capture::take_local_addresses) is called.
pub const ADDRESSES_MAX: usize = 65_536;

/// Decides which packets are of no use, always alike for the same packet.
pub type Unwanted = Arc<dyn Fn(LinkType, &[u8]) -> bool + Send + Sync>;

/// A packet without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// When it was captured.
    pub at: Timestamp,
    /// How to decode its bytes.
    pub link: LinkType,
    /// Its number in the capture, from 1.
    pub number: u64,
    /// How many bytes it had before it was cut, as the capture says.
    pub original_length: u32,
}

/// A capture that is being read, packet by packet.
///
/// It has its own cache lines, which a processor fetches in pairs: it changes with each packet, often in a thread
/// that does nothing but read.
#[repr(align(128))]
pub struct Capture {
    name: String,
    source: Source,
    reader: Reader,
    /// The next packet, if it is known.
    record: Option<Record>,
    /// How many packets were passed.
    packets: u64,
    /// Whether the end or a fault was reached.
    ended: bool,
    size: Option<u64>,
    live: bool,
    skim: Skim,
    /// What was passed over and not taken yet.
    passed: Passed,
    /// Whether the next packet is not to be passed over.
    is_next_wanted: bool,
}

/// What comes next in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A packet.
    Packet(Head),
    /// Packets that were passed over.
    Passed,
}

enum Reader {
    Pcap(Pcap),
    PcapNg(PcapNg),
}

/// A packet at the beginning of the bytes in its source.
#[derive(Clone, Debug)]
struct Record {
    head: Head,
    /// Where its bytes are.
    frame: Range<usize>,
    /// How many bytes to consume to move past it.
    total: usize,
}

impl Capture {
    /// Opens the capture at `path` and reads its header; for a pipe, waits for it. A scenario with signed packets
    /// needs an [`Opener`] that knows the keys.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or nothing in it can be read.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        Opener::default().open(path)
    }

    /// Reads a capture from an open file, from its current position.
    ///
    /// # Errors
    ///
    /// As [`Capture::open`].
    pub fn from_file(name: String, file: File) -> Result<Self, CaptureError> {
        Opener::default().from_file(name, file)
    }

    /// Reads a capture from any reader, and waits for its header; it counts as live. It never reads more
    /// than the next packet needs.
    ///
    /// # Errors
    ///
    /// If nothing in it can be read.
    pub fn from_stream(name: String, reader: Box<dyn Read + Send>) -> Result<Self, CaptureError> {
        Opener::default().from_stream(name, reader)
    }

    fn new(
        name: String,
        (source, reader): (Source, Reader),
        size: Option<u64>,
        live: bool,
    ) -> Self {
        let (record, packets, ended) = (None, 0, false);
        let (skim, passed, is_next_wanted) = (Skim::new(), Passed::default(), false);
        Self {
            name,
            source,
            reader,
            record,
            packets,
            ended,
            size,
            live,
            skim,
            passed,
            is_next_wanted,
        }
    }

    /// Returns what the next packet is, or `None` after the last one. Waits for it if the capture
    /// is live.
    ///
    /// # Errors
    ///
    /// If the capture is damaged or cut after the packets returned so far. The error is returned
    /// once; after it the capture has ended.
    #[inline]
    pub fn peek(&mut self) -> Result<Option<Head>, CaptureError> {
        if self.record.is_none() && !self.ended {
            match &mut self.reader {
                Reader::Pcap(pcap) => {
                    let next = pcap.next(&mut self.source, self.packets);
                    self.take(next)?;
                }
                Reader::PcapNg(pcapng) => {
                    let next = pcapng.next(&mut self.source, self.packets);
                    self.take(next)?;
                }
            }
        }
        Ok(self.record.as_ref().map(|record| record.head))
    }

    /// Takes what a reader has found. In each arm of its own above, so that a record is written once.
    #[inline]
    fn take(&mut self, next: Result<Option<Record>, Fault>) -> Result<(), CaptureError> {
        match next {
            Ok(Some(record)) => self.record = Some(record),
            Ok(None) => self.ended = true,
            Err(fault) => {
                self.ended = true;
                return Err(CaptureError { capture: self.name.clone(), fault });
            }
        }
        Ok(())
    }

    /// Passes over packets for which `is_unwanted` returns true, up to one that may be wanted, which
    /// [`Capture::peek`] then returns. Only of a file, plain or compressed, never its first packet, and not where it
    /// would save nothing. `is_unwanted` must always return the same for the same packet.
    ///
    /// # Errors
    ///
    /// If the file became shorter; the capture has ended then.
    #[inline]
    pub fn pass_over(
        &mut self,
        is_unwanted: &(impl Fn(LinkType, &[u8]) -> bool + ?Sized),
    ) -> Result<(), CaptureError> {
        while self.may_pass_over() {
            self.skim(is_unwanted)?;
        }
        Ok(())
    }

    #[inline]
    fn may_pass_over(&self) -> bool {
        // In a flood of packets that are wanted, the first question is the last one.
        self.source.position().is_none_or(|position| !self.skim.is_plain(position))
            && self.record.is_none()
            && !self.ended
            && self.packets > 0
            && !self.is_next_wanted
    }

    /// Returns what comes next, after passing over packets that are unwanted, some megabytes at a time;
    /// [`Next::Passed`] until [`Capture::take_passed`] is called. What is beyond those is not read before, such as the
    /// addresses of an interface.
    ///
    /// # Errors
    ///
    /// As [`Capture::peek`].
    #[inline]
    pub(crate) fn next(
        &mut self,
        is_unwanted: Option<&Unwanted>,
    ) -> Result<Option<Next>, CaptureError> {
        if let Some(is_unwanted) = is_unwanted {
            if self.may_pass_over() {
                self.skim(is_unwanted.as_ref())?;
            }
            if self.passed.packets > 0 {
                return Ok(Some(Next::Passed));
            }
        }
        self.peek().map(|head| head.map(Next::Packet))
    }

    /// Returns what was passed over since the last call.
    pub fn take_passed(&mut self) -> Passed {
        std::mem::take(&mut self.passed)
    }

    /// Returns what was passed over and not taken yet.
    pub(crate) const fn passed(&self) -> &Passed {
        &self.passed
    }

    /// Returns whether all of it is at hand, and nothing has to be read or decompressed.
    pub(crate) const fn is_in_memory(&self) -> bool {
        self.source.is_in_memory()
    }

    /// Has a thread read ahead what is in memory, or on the disk, if there is a processor for it.
    pub(crate) fn map_ahead(&mut self) {
        self.source.map_ahead();
    }

    /// Passes over what is unwanted, for some megabytes at most. Inlined, it would take registers from all packets.
    #[inline(never)]
    fn skim(
        &mut self,
        is_unwanted: &(impl Fn(LinkType, &[u8]) -> bool + ?Sized),
    ) -> Result<(), CaptureError> {
        let place = self.source.place(self.packets);
        let Reached { passed, is_to_be_read, .. } = match self.source.file() {
            None if self.live => {
                self.is_next_wanted = true;
                return Ok(());
            }
            None => {
                let bytes = self.source.held();
                let reached = match &self.reader {
                    Reader::Pcap(pcap) => self.skim.next_at_hand(pcap, bytes, is_unwanted),
                    Reader::PcapNg(pcapng) => self.skim.next_at_hand(pcapng, bytes, is_unwanted),
                };
                self.source.consume(reached.at);
                reached
            }
            Some(Ok((bytes, position))) => {
                let reached = match &self.reader {
                    Reader::Pcap(pcap) => self.skim.next(pcap, bytes, position, is_unwanted),
                    Reader::PcapNg(pcapng) => self.skim.next(pcapng, bytes, position, is_unwanted),
                };
                self.source.jump(reached.at, self.skim.known());
                reached
            }
            Some(Err(error)) => {
                self.ended = true;
                return Err(CaptureError { capture: self.name.clone(), fault: error.at(place) });
            }
        };
        self.packets = self.packets.saturating_add(passed.packets);
        if let (Reader::PcapNg(pcapng), Some(last)) = (&mut self.reader, passed.last()) {
            pcapng.passed(last);
        }
        self.passed.add(passed);
        self.is_next_wanted = is_to_be_read;
        Ok(())
    }

    /// Returns the bytes of the packet that [`Capture::peek`] returned; none before the first call.
    #[inline]
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        let bytes = |record: &Record| self.source.held().get(record.frame.clone());
        self.record.as_ref().and_then(bytes).unwrap_or_default()
    }

    /// Moves past the packet that [`Capture::peek`] returned, if there is one.
    #[inline]
    pub fn advance(&mut self) {
        if let Some(record) = self.record.take() {
            self.is_next_wanted = false;
            self.skim.read(record.head.at);
            self.source.consume(record.total);
            self.packets = self.packets.saturating_add(1);
        }
    }

    /// Returns the addresses that interface descriptions (`if_IPv4addr`, `if_IPv6addr`) have named
    /// since the last call. Only pcapng files have any.
    pub fn take_local_addresses(&mut self) -> Vec<IpAddr> {
        match &mut self.reader {
            Reader::Pcap(_) => Vec::new(),
            Reader::PcapNg(pcapng) => pcapng.take_addresses(),
        }
    }

    /// Returns whether the capture is of a kind that names addresses: pcapng.
    #[must_use]
    pub const fn may_name_addresses(&self) -> bool {
        matches!(self.reader, Reader::PcapNg(_))
    }

    /// Returns how many bytes were read, counted as on the disk: compressed ones for a compressed
    /// capture.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.source.bytes_read()
    }

    /// Returns the length of the capture on the disk in bytes, or `None` if it is not known.
    #[must_use]
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// Returns whether packets may still arrive: the capture is a pipe, a socket or a device, not a
    /// regular file.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.live
    }

    /// Returns the name of the capture in errors.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Reader {
    fn open(source: &mut Source) -> Result<Self, Fault> {
        let place = source.place(0);
        let first = source.window(source::MAGIC_LENGTH).map_err(|error| error.at(place))?;
        if first.is_empty() {
            Err(Fault::Empty)
        } else if pcap::recognises(first) {
            Ok(Self::Pcap(Pcap::open(source)?))
        } else if pcapng::recognises(first) {
            Ok(Self::PcapNg(PcapNg::open(source)?))
        } else {
            Err(Fault::NotACapture(Looks::of(source.held())))
        }
    }
}

/// Returns whether these are the first bytes of a capture, or of something compressed.
#[must_use]
pub fn begins_like_one(first: &[u8]) -> bool {
    pcap::recognises(first) || pcapng::recognises(first) || source::compression(first).is_some()
}
