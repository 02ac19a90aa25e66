//! Scenarios: captures that people write and read.
//!
//! ```text
//! # A comment. The first line that says something else is a packet at 0 seconds.
//! 0        10.0.0.5 > 192.0.2.1 tcp 7000 syn
//! 0.2      10.0.0.5:40001 > 192.0.2.1:8000 tcp
//! +200ms   10.0.0.5 > 192.0.2.1 udp 53
//! +1       10.0.0.5 > 192.0.2.1 tcp 9000 fin,psh again 2 every 1s
//!
//! to 192.0.2.1
//! 10       knock 10.0.0.6 7000 8000:udp 9000:tcp:fin every 0.2s
//! +5       knock 10.0.1.1-10.0.1.100 7000 8000 9000 apart 10ms
//! +5       signed alice door SSH from 10.0.0.8 skew +40s
//! repeat 3 every 60s
//!     0    knock 10.0.0.7 7000 8000 9000
//!     +20  knock 10.0.0.7 9000 8000 7000
//! end
//! ```
//!
//! - A line begins with its time: seconds since the start of the scenario, or of the round of the
//!   `repeat` that it is in; or, with `+`, since the last packet of the line before. Without a time, a
//!   line starts at the time of that packet. Times may have a unit: `ms`, `s`, `m`, `h`.
//! - `SOURCE > DESTINATION PROTOCOL PORT` is a packet; the port may follow the address, and TCP
//!   flags the port (`syn` by default, `none` for none). `repeat N every T` sends N
//!   such packets; `again N every T` sends the same packet N times more, like a system that gets no
//!   answer: a retransmission.
//! - `knock SOURCE PORT[:PROTOCOL[:FLAGS]]...` is a knock for each port, as the client makes them: 0.1
//!   seconds apart, or `every T`; at the host of the last line `to`, or `to ADDRESS`; the default is
//!   192.0.2.1 or `2001:db8::1`.
//! - `signed USER door DOOR` is a signed packet, made with the key that a configuration has of the user, from
//!   192.0.2.10 or `from SOURCE`, to the same host as knocks or `to ADDRESS`. `skew +T` or `skew -T` makes the
//!   clock of the client wrong; `admit ADDRESS`, `server NAME` and `key N` change what the packet says;
//!   `again N every T by ADDRESS` is a replay of it by somebody else.
//! - A source may be many: `10.0.0.1-10.0.0.9` or `10.0.0.0/24`; each does the same, `apart T` later
//!   than the one before.
//! - `start 2026-03-01T12:00:00Z` says when 0 is.
//!
//! Packets with the same time come in the order of the lines. Every packet has a source port and a
//! sequence number of its own, the same in every run.

mod clients;
mod expand;
mod read;
mod sealer;
mod signed;
mod statement;
mod time;
mod value;

#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use crate::frame;
use fastrand::Rng;
use knock_config::diagnostics::{Faults, Finding, Source};
use knock_config::{Severity, Wording};
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapTsResolution, PcapWriter};
use pcap_file::{DataLink, Endianness};

pub use self::signed::Signers;

use self::expand::{Content, Packet, Packets};

/// The longest text of a scenario, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// The most packets that a scenario can have.
pub const MAX_PACKETS: usize = 1_000_000;

/// When a scenario starts by default: 9 September 2001, 01:46:40 UTC, like captures that the client
/// writes from a seed.
const START: Duration = Duration::from_secs(1_000_000_000);

/// Returns whether a text may be a scenario, by its first bytes: a pipe may have no more than four at
/// first.
///
/// A text that may be one is read as one, so that the place of what is wrong is shown.
#[must_use]
pub fn begins_like_one(first: &[u8]) -> bool {
    let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    match first.trim_ascii_start() {
        // Lines that were copied from a manual begin with blanks.
        [] => !first.is_empty(),
        // A page or an object.
        [b'<' | b'{', ..] => false,
        // A section of a configuration, but `[2001:db8::5]:7000` is an address.
        [b'[', inside @ ..] => {
            let is_of_address = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
            let inside = inside.split(|byte| *byte == b']').next().unwrap_or_default();
            !inside.is_empty() && inside.iter().all(is_of_address)
        }
        _ => true,
    }
}

/// Returns whether a text is a scenario without errors. Whether somebody can sign its packets does not matter.
#[must_use]
pub fn is_one(text: &[u8]) -> bool {
    let mut faults = Faults::default();
    let _ = read::script(text, Signers::default(), &mut faults);
    begins_like_one(text) && text.len() <= MAX_BYTES && faults.errors() == 0
}

/// Makes a capture (pcap) of the text of a scenario. `name` is that of the file, safe to print.
///
/// # Errors
/// The text with all its errors.
pub fn capture(name: &str, text: &[u8], signers: Signers<'_>) -> Result<Vec<u8>, Box<Source>> {
    if text.len() > MAX_BYTES {
        return Err(Box::new(too_long(name)));
    }
    let (packets, faults) = expand::packets(text, signers);
    let refuse = |faults: Faults| Box::new(faults.into_source(name.to_owned(), text.to_vec()));
    let Some(packets) = packets.filter(|_| faults.errors() == 0) else {
        return Err(refuse(faults));
    };
    // The packets were checked, and writing to memory does not fail.
    write(&packets).map_err(|_| refuse(faults))
}

fn too_long(name: &str) -> Source {
    let wording = Wording::new("this scenario is larger than 1 MiB", "")
        .help("use `repeat` or ranges of clients, or several scenarios");
    Source {
        name: name.to_owned(),
        text: Vec::new(),
        findings: vec![Finding { severity: Severity::Error, code: None, span: None, wording }],
        more_errors: 0,
        more_warnings: 0,
    }
}

fn write(packets: &Packets) -> io::Result<Vec<u8>> {
    let header = PcapHeader {
        datalink: DataLink::ETHERNET,
        endianness: Endianness::Little,
        ts_resolution: PcapTsResolution::NanoSecond,
        ..PcapHeader::default()
    };
    let mut out = PcapWriter::with_header(Vec::new(), header).map_err(io::Error::other)?;
    let mut numbers = Rng::with_seed(0);
    let mut frames = Vec::new();
    for Packet { source, source_port, destination, content, times } in &packets.packets {
        let port = source_port.unwrap_or_else(|| frame::source_port(&mut numbers));
        let source = (*source, port.0).into();
        let frame = match content {
            Content::Knock(flags) => frame::frame(source, *destination, *flags, &mut numbers),
            Content::Signed(sealed) => {
                frame::datagram_frame(source, *destination, &sealed[..], &mut numbers)
            }
        };
        let frame = frame.map_err(|_| io::Error::other("two families in one packet"))?;
        frames.extend(times.iter().map(|&at| (at, frame.clone())));
    }
    frames.sort_by_key(|(at, _)| *at);
    for (at, frame) in frames {
        let at = packets.start.saturating_add(at);
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
        let packet = PcapPacket::new(at, length, frame).map_err(io::Error::other)?;
        out.write_packet(&packet).map_err(io::Error::other)?;
    }
    Ok(out.into_inner())
}
