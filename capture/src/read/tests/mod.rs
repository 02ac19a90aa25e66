//! Captures of every flavour, forged byte by byte.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "the lengths of what a test forges are small"
)]

mod compressed;
mod damaged;
mod forge;
mod merge;
mod pass_over;
mod pcap;
mod pcapng;
mod streams;
mod threads;
mod zstd;

use std::io::{Read, Write};
use std::net::IpAddr;

use knock_engine::{LinkType, Timestamp};

use super::{Capture, CaptureError, Next};

/// What was read of a capture.
#[derive(Debug, Default)]
struct Seen {
    packets: Vec<SeenPacket>,
    addresses: Vec<IpAddr>,
    error: Option<CaptureError>,
}

/// A packet that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SeenPacket {
    at: Timestamp,
    link: LinkType,
    bytes: Vec<u8>,
}

impl Seen {
    fn nanos(&self) -> Vec<i64> {
        self.packets.iter().map(|packet| packet.at.as_nanos()).collect()
    }

    fn frames(&self) -> Vec<&[u8]> {
        self.packets.iter().map(|packet| &packet.bytes[..]).collect()
    }

    fn links(&self) -> Vec<LinkType> {
        self.packets.iter().map(|packet| packet.link).collect()
    }

    fn error(&self) -> String {
        self.error.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

/// Reads `bytes` as a file and as a stream of single bytes, which must agree, and returns the result.
fn read(bytes: &[u8]) -> Seen {
    let streamed = stream(bytes);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let path = file.path().display().to_string();
    let mapped = drain(Capture::open(file.path()));
    assert_eq!(streamed.packets, mapped.packets);
    assert_eq!(streamed.addresses, mapped.addresses);
    assert_eq!(streamed.error(), mapped.error().replace(&path, "test"));
    pass_over::check(file.path(), &mapped);
    streamed
}

/// Reads `bytes` as a stream of single bytes.
fn stream(bytes: &[u8]) -> Seen {
    drain(Capture::from_stream("test".to_owned(), Box::new(OneByOne(bytes.to_vec(), 0))))
}

fn drain(capture: Result<Capture, CaptureError>) -> Seen {
    let mut seen = Seen::default();
    let mut capture = match capture {
        Ok(capture) => capture,
        Err(error) => return Seen { error: Some(error), ..seen },
    };
    loop {
        match capture.peek() {
            Ok(Some(head)) => {
                let bytes = capture.frame().to_vec();
                seen.packets.push(SeenPacket { at: head.at, link: head.link, bytes });
                assert_eq!(head.number, seen.packets.len() as u64);
                capture.advance();
            }
            Ok(None) => break,
            Err(error) => {
                seen.error = Some(error);
                assert!(matches!(capture.peek(), Ok(None)), "an error is returned once");
                break;
            }
        }
    }
    assert_eq!(capture.frame(), b"");
    seen.addresses = capture.take_local_addresses();
    assert!(capture.take_local_addresses().is_empty());
    if let Some(size) = capture.size() {
        assert!(capture.bytes_read() <= size);
        assert!(seen.error.is_some() || capture.bytes_read() == size);
    }
    seen
}

/// Gives one byte at a time.
struct OneByOne(Vec<u8>, usize);

impl Read for OneByOne {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some(&byte) = self.0.get(self.1) else { return Ok(0) };
        buffer[0] = byte;
        self.1 += 1;
        Ok(1)
    }
}
