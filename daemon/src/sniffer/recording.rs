//! The recording: a capture of the packets that count.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::IpAddr;
use std::time::Duration;

use knock_engine::{LinkType, Timestamp};
use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::{PcapNgWriteError, PcapNgWriter};

/// A pcapng capture that is written while packets come.
///
/// It has the local addresses, so that a replay knows which packets count, and the times that the engine
/// used. A full disk ends the recording, and nothing else.
pub(crate) struct Recording {
    /// `None` after a write error.
    writer: Option<PcapNgWriter<BufWriter<File>>>,
    /// The number in the file of the first interface, as last described.
    first: u32,
    /// The interfaces, in the order of their numbers.
    interfaces: Vec<RecordedInterface>,
    /// How many descriptions of interfaces the file has.
    described: u32,
    /// How many packets were not recorded.
    missed: u64,
}

/// An interface as a recording describes it.
pub(crate) struct RecordedInterface {
    pub(crate) name: String,
    pub(crate) link: LinkType,
    pub(crate) snaplen: u32,
}

impl Recording {
    /// Begins a recording in a file.
    pub(crate) fn new(file: File, interfaces: Vec<RecordedInterface>) -> Self {
        let writer = PcapNgWriter::new(BufWriter::new(file)).ok();
        Self { writer, first: 0, interfaces, described: 0, missed: 0 }
    }

    /// Describes the interfaces, which from now on have these addresses.
    pub(crate) fn describe(&mut self, addresses: &[IpAddr]) {
        self.first = self.described;
        let blocks: Vec<_> =
            self.interfaces.iter().map(|interface| description(interface, addresses)).collect();
        for block in blocks {
            self.described = self.described.saturating_add(1);
            self.write(|writer| writer.write_pcapng_block(block));
        }
    }

    /// Records a packet of the interface with this number.
    pub(crate) fn packet(&mut self, interface: usize, at: Timestamp, length: u32, captured: &[u8]) {
        let number = u32::try_from(interface).unwrap_or(u32::MAX);
        let nanos = u64::try_from(at.as_nanos()).unwrap_or(0);
        let block = EnhancedPacketBlock {
            interface_id: self.first.saturating_add(number),
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
        if self.writer.as_mut().is_some_and(|writer| write(writer).is_err()) {
            self.give_up();
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
    interface: &RecordedInterface,
    addresses: &[IpAddr],
) -> InterfaceDescriptionBlock<'static> {
    let mut options = vec![
        InterfaceDescriptionOption::IfName(Cow::Owned(interface.name.clone())),
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
        linktype: DataLink::from(u32::from(interface.link.number())),
        snaplen: interface.snaplen,
        options,
    }
}
