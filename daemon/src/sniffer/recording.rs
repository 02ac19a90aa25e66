//! The recording: a capture of the packets that count.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use knock_engine::{LinkType, Timestamp};
use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::{PcapNgWriteError, PcapNgWriter};

use crate::packet_socket::SNAPLEN;
use crate::wire::CaptureNumber;

/// A pcapng capture that is written while packets come.
///
/// It has the local addresses, so that a replay knows which packets count, and the times that the engine
/// used. A full disk ends the recording, and nothing else.
pub(crate) struct Recording {
    /// `None` after a write error.
    writer: Option<PcapNgWriter<BufWriter<File>>>,
    /// How many bytes the file has.
    bytes: u64,
    rotation: Option<Rotation>,
    captures: Vec<Described>,
    /// The addresses that count.
    addresses: Vec<IpAddr>,
    /// How many descriptions of interfaces the file has.
    described: u32,
    /// How many packets were not recorded.
    missed: u64,
}

/// How a recording goes on in another file when one is full.
pub(crate) struct Rotation {
    /// The file to go on in. What is in it, which is older, is lost then.
    other: File,
    /// From how many bytes on a file is full.
    bytes_max: NonZeroU64,
    /// How many files became full since that was last asked for.
    full: u32,
}

impl Rotation {
    /// Returns the rotation to another file that is open for appending.
    pub(crate) const fn new(other: File, bytes_max: NonZeroU64) -> Self {
        Self { other, bytes_max, full: 0 }
    }
}

/// A capture that the file describes.
struct Described {
    capture: RecordedCapture,
    /// Its number in the file, as last described.
    id: u32,
    /// Whether it has ended. The packets that were read before are still to be recorded.
    has_ended: bool,
}

/// A capture as a recording describes it.
pub(crate) struct RecordedCapture {
    pub(crate) number: CaptureNumber,
    pub(crate) name: String,
    pub(crate) link: LinkType,
}

impl Recording {
    /// Begins a recording in a file.
    pub(crate) fn new(file: File, rotation: Option<Rotation>) -> Self {
        let writer = PcapNgWriter::new(BufWriter::new(file)).ok();
        Self {
            writer,
            bytes: 0,
            rotation,
            captures: Vec::new(),
            addresses: Vec::new(),
            described: 0,
            missed: 0,
        }
    }

    /// Returns the files, unless the first could not be written.
    pub(crate) fn files(&self) -> Vec<BorrowedFd<'_>> {
        let Some(writer) = &self.writer else { return Vec::new() };
        let other = self.rotation.as_ref().map(|rotation| rotation.other.as_fd());
        [writer.get_ref().get_ref().as_fd()].into_iter().chain(other).collect()
    }

    /// Returns how often the recording went on in another file since this was last asked.
    pub(crate) fn take_full(&mut self) -> u32 {
        self.rotation.as_mut().map_or(0, |rotation| std::mem::take(&mut rotation.full))
    }

    /// Goes on in the other file if the present one is full.
    fn rotate_if_full(&mut self) {
        let Some(rotation) = &mut self.rotation else { return };
        if self.bytes < rotation.bytes_max.get() {
            return;
        }
        let Some(writer) = self.writer.take() else { return };
        let next = writer.into_inner().into_inner().map_err(drop).and_then(|full| {
            rotation.other.set_len(0).map_err(drop)?;
            let next = std::mem::replace(&mut rotation.other, full);
            PcapNgWriter::new(BufWriter::new(next)).map_err(drop)
        });
        self.bytes = 0;
        self.described = 0;
        match next {
            Ok(writer) => {
                rotation.full = rotation.full.saturating_add(1);
                self.writer = Some(writer);
                let addresses = std::mem::take(&mut self.addresses);
                self.describe(&addresses);
            }
            Err(()) => self.missed = self.missed.saturating_add(1),
        }
    }

    /// Adds a capture, whose packets count at these addresses.
    pub(crate) fn add(&mut self, capture: RecordedCapture, addresses: &[IpAddr]) {
        addresses.clone_into(&mut self.addresses);
        let block = description(&capture, addresses);
        self.captures.push(Described { capture, id: self.described, has_ended: false });
        self.describe_one(block);
    }

    /// Notes that a capture has ended.
    pub(crate) fn end(&mut self, capture: CaptureNumber) {
        for one in self.captures.iter_mut().filter(|one| one.capture.number == capture) {
            one.has_ended = true;
        }
    }

    /// Describes all captures again, because from now on other addresses count.
    pub(crate) fn describe(&mut self, addresses: &[IpAddr]) {
        addresses.clone_into(&mut self.addresses);
        self.captures.retain(|one| !one.has_ended);
        let mut blocks = Vec::new();
        for (one, id) in self.captures.iter_mut().zip(self.described..) {
            one.id = id;
            blocks.push(description(&one.capture, addresses));
        }
        for block in blocks {
            self.describe_one(block);
        }
    }

    fn describe_one(&mut self, block: InterfaceDescriptionBlock<'static>) {
        self.described = self.described.saturating_add(1);
        self.write(|writer| writer.write_pcapng_block(block));
    }

    /// Records a packet of the capture with this number.
    pub(crate) fn packet(
        &mut self,
        capture: CaptureNumber,
        at: Timestamp,
        length: u32,
        captured: &[u8],
    ) {
        self.rotate_if_full();
        let mut described = self.captures.iter();
        let Some(found) = described.find(|one| one.capture.number == capture) else { return };
        let interface_id = found.id;
        let nanos = u64::try_from(at.as_nanos()).unwrap_or(0);
        let block = EnhancedPacketBlock {
            interface_id,
            timestamp: Duration::from_nanos(nanos),
            // Of a packet that the kernel has reassembled, it may report less than it captured.
            original_len: length.max(u32::try_from(captured.len()).unwrap_or(u32::MAX)),
            data: Cow::Borrowed(captured),
            options: Vec::new(),
        };
        if self.writer.is_none() {
            self.missed = self.missed.saturating_add(1);
        }
        self.write(|writer| writer.write_pcapng_block(block));
    }

    /// Writes buffered packets to the file.
    pub(crate) fn flush(&mut self) {
        if self.writer.as_mut().is_some_and(|writer| writer.get_mut().flush().is_err()) {
            self.give_up();
        }
    }

    /// Returns how many packets were not recorded.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut PcapNgWriter<BufWriter<File>>) -> Result<usize, PcapNgWriteError>,
    ) {
        match self.writer.as_mut().map(write) {
            Some(Ok(length)) => {
                let length = u64::try_from(length).unwrap_or(u64::MAX);
                self.bytes = self.bytes.saturating_add(length);
            }
            Some(Err(_)) => self.give_up(),
            None => {}
        }
    }

    fn give_up(&mut self) {
        self.missed = self.missed.saturating_add(1);
        if let Some(writer) = self.writer.take() {
            // Dropping the writer would flush it again.
            let _ = writer.into_inner().into_parts();
        }
    }
}

fn description(
    capture: &RecordedCapture,
    addresses: &[IpAddr],
) -> InterfaceDescriptionBlock<'static> {
    let mut options = vec![
        InterfaceDescriptionOption::IfName(Cow::Owned(capture.name.clone())),
        InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO),
    ];
    options.extend(addresses.iter().map(|address| match address {
        // A replay compares whole addresses, so the mask does not matter.
        IpAddr::V4(address) => InterfaceDescriptionOption::IfIpv4Addr(Cow::Owned(
            [address.octets(), [255; 4]].concat(),
        )),
        IpAddr::V6(address) => InterfaceDescriptionOption::IfIpv6Addr(Cow::Owned(
            [&address.octets()[..], &[128]].concat(),
        )),
    }));
    InterfaceDescriptionBlock {
        linktype: DataLink::from(u32::from(capture.link.number())),
        snaplen: SNAPLEN,
        options,
    }
}
