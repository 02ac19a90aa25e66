//! `--write`: the knocks as a capture.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriteError, PcapWriter};
use pcap_file::{DataLink, Endianness};

use crate::plan::Plan;
use knock_capture::frame::{self, FrameError};

/// When the knocks of a seed begin: the same on every run.
pub(crate) const BEGIN: Duration = Duration::from_secs(1_000_000_000);

/// Writes the knocks of a plan, each at its time.
///
/// # Errors
/// Why they cannot be written.
pub(crate) fn write(plan: &Plan, seed: Option<u64>, output: impl Write) -> io::Result<()> {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(BEGIN);
    let (mut numbers, begin) = match seed {
        Some(seed) => (Rng::with_seed(seed), BEGIN),
        None => (Rng::new(), now()),
    };
    let mut capture = Capture::new(output)?;
    for (due, hit) in plan.schedule() {
        let destination = plan.at(hit.knock.port);
        let source = SocketAddr::new(plan.source.ip(), frame::source_port(&mut numbers).0);
        let frame = frame::frame(source, destination, hit.tcp_flags(), &mut numbers);
        capture.add(begin.saturating_add(due), frame)?;
    }
    capture.finish()
}

/// A capture that is being written.
pub(crate) struct Capture<W: Write>(PcapWriter<W>);

impl<W: Write> Capture<W> {
    pub(crate) fn new(output: W) -> io::Result<Self> {
        let header = PcapHeader {
            datalink: DataLink::ETHERNET,
            endianness: Endianness::Little,
            ..PcapHeader::default()
        };
        Ok(Self(PcapWriter::with_header(output, header).map_err(cause)?))
    }

    /// Adds a frame at a time after 1970 began.
    pub(crate) fn add(
        &mut self,
        at: Duration,
        frame: Result<Vec<u8>, FrameError>,
    ) -> io::Result<()> {
        let frame = frame.map_err(|_| io::Error::other("source and host differ in family"))?;
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
        let packet = PcapPacket::new(at, length, frame).map_err(io::Error::other)?;
        self.0.write_packet(&packet).map_err(cause).map(drop)
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.0.flush().map_err(cause)
    }
}

fn cause(error: PcapWriteError) -> io::Error {
    match error {
        PcapWriteError::Io(error) | PcapWriteError::FieldWriteFailed(_, error) => error,
        PcapWriteError::Validation(error) => io::Error::other(error),
    }
}
