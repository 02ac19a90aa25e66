use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};

use super::forge::{End, Header, enhanced, interface, pcap, section};
use super::{Capture, Seen, drain};
use crate::Fault;

#[test]
fn a_packet_is_there_as_soon_as_its_last_byte_is() {
    let header = Header::ETHERNET;
    let packets = [header.record((1, 0), b"first"), header.record((2, 0), b"")];
    delivered_at_once(&header.bytes(), &packets);

    let end = End::Big;
    let interface = interface(end, 1, 0, &[]);
    let packets = [[interface, enhanced(end, 0, 0, b"first")].concat(), enhanced(end, 0, 0, b"")];
    delivered_at_once(&section(end), &packets);
}

#[test]
fn what_arrives_in_one_piece_is_delivered_packet_by_packet() {
    let wire = Wire::default();
    wire.arrives(&pcap(&[b"first", b"second"]));
    let mut capture = wire.capture();
    for frame in [&b"first"[..], b"second"] {
        assert!(capture.peek().unwrap().is_some());
        assert_eq!(capture.frame(), frame);
        capture.advance();
    }
}

#[test]
fn what_is_not_a_capture_is_refused_without_waiting_for_more() {
    let wire = Wire::default();
    wire.arrives(b"[opt");
    let Err(error) = Capture::from_stream("wire".to_owned(), Box::new(wire)) else { panic!() };
    assert_eq!(
        error.to_string(),
        "wire: is neither a capture nor a scenario, but other text; save packets with `tcpdump -w`"
    );
}

#[test]
fn a_claim_of_many_bytes_that_never_come_takes_no_memory() {
    let claim = [&End::Big.u32(5)[..], &End::Big.u32(16_000_000)].concat();
    let bytes = [section(End::Big), claim, vec![0; 100]].concat();
    let (seen, most_asked) = asked(bytes);
    assert!(matches!(seen.error.unwrap().fault, Fault::BlockCut { needed: 16_000_000, .. }));
    assert!(most_asked <= 65_536, "room for {most_asked} bytes");
}

#[test]
fn a_long_stream_takes_no_more_memory_than_a_short_one() {
    let frame = vec![7; 10_000];
    let (seen, most_asked) = asked(pcap(&vec![&frame[..]; 300]));
    assert_eq!(seen.packets.len(), 300);
    assert!(most_asked <= 65_536, "room for {most_asked} bytes");
}

#[test]
fn a_failure_to_read_is_reported_with_its_place() {
    let reader = io::Cursor::new(pcap(&[b"frame"])).chain(Failing);
    let seen = drain(Capture::from_stream("test".to_owned(), Box::new(reader)));
    assert_eq!(seen.frames(), [b"frame"]);
    assert_eq!(seen.error(), "test: cannot be read at byte 45, after packet 1: the cable is out");
}

#[test]
fn regular_files_are_not_live_and_have_a_size() {
    let bytes = pcap(&[b"frame"]);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let mut capture = Capture::open(file.path()).unwrap();
    assert!(!capture.is_live());
    assert_eq!(capture.size(), Some(bytes.len() as u64));
    assert_eq!(capture.bytes_read(), 24);
    assert!(capture.peek().unwrap().is_some());
    capture.advance();
    assert_eq!(capture.bytes_read(), bytes.len() as u64);
}

#[test]
fn pipes_are_live() {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(&pcap(&[b"frame"])).unwrap();
    drop(writer);
    let file = File::from(std::os::fd::OwnedFd::from(reader));
    let capture = Capture::from_file("pipe".to_owned(), file).unwrap();
    assert!(capture.is_live());
    assert_eq!(capture.size(), None);
    assert_eq!(drain(Ok(capture)).frames(), [b"frame"]);
}

#[test]
fn a_file_is_read_from_its_current_position() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"a line\n").unwrap();
    file.write_all(&pcap(&[b"frame"])).unwrap();
    file.seek(SeekFrom::Start(7)).unwrap();
    let seen = drain(Capture::from_file("test".to_owned(), file));
    assert_eq!(seen.frames(), [b"frame"]);
}

#[test]
fn a_file_that_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &std::path::Path| drain(Capture::open(path)).error.unwrap();
    let missing = error(&folder.path().join("missing.pcap"));
    assert!(
        missing.to_string().contains("missing.pcap: cannot open: there is no such file; name ")
    );
    assert!(error(folder.path()).to_string().contains("cannot open: it is a directory; name "));
}

#[test]
fn a_file_that_shrinks_is_an_error_at_the_next_mebibyte() {
    let frame = vec![7; 100_000];
    let frames = vec![&frame[..]; 30];
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&pcap(&frames)).unwrap();
    let mut capture = Capture::open(file.path()).unwrap();
    let mut packets = 0;
    file.as_file().set_len(2_000_000).unwrap();
    let error = loop {
        match capture.peek() {
            Ok(head) => assert!(head.is_some()),
            Err(error) => break error,
        }
        capture.advance();
        packets += 1;
    };
    assert_eq!(packets, 10);
    let message = "was truncated from 3000504 to 2000000 bytes while it was read, at byte 1000184, \
                   after packet 10; read a copy";
    assert!(error.to_string().ends_with(message), "{error}");
}

/// Feeds `packets` one by one, byte by byte, and looks for each as soon as it is whole.
fn delivered_at_once(header: &[u8], packets: &[Vec<u8>]) {
    let wire = Wire::default();
    wire.arrives(header);
    let mut capture = wire.capture();
    for packet in packets {
        for byte in packet {
            wire.arrives(&[*byte]);
        }
        assert!(capture.peek().unwrap().is_some());
        capture.advance();
    }
}

/// A connection on which waiting for more than has arrived is a failure of the test.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<VecDeque<Vec<u8>>>>);

impl Wire {
    fn arrives(&self, bytes: &[u8]) {
        self.0.lock().unwrap().push_back(bytes.to_vec());
    }

    fn capture(&self) -> Capture {
        Capture::from_stream("wire".to_owned(), Box::new(self.clone())).unwrap()
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut arrived = self.0.lock().unwrap();
        let mut bytes = arrived.pop_front().expect("the reader asked for more than it needs");
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        if length < bytes.len() {
            arrived.push_front(bytes.split_off(length));
        }
        Ok(length)
    }
}

/// Returns what was seen of a stream of `bytes`, and the most bytes for which there was room.
fn asked(bytes: Vec<u8>) -> (Seen, usize) {
    let most = Arc::new(Mutex::new(0));
    let reader = Asked { bytes: io::Cursor::new(bytes), most: Arc::clone(&most) };
    let seen = drain(Capture::from_stream("test".to_owned(), Box::new(reader)));
    let most = *most.lock().unwrap();
    (seen, most)
}

/// Notes the most bytes that are ever asked for.
struct Asked {
    bytes: io::Cursor<Vec<u8>>,
    most: Arc<Mutex<usize>>,
}

impl Read for Asked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = (*self.most.lock().unwrap()).max(buffer.len());
        *self.most.lock().unwrap() = most;
        self.bytes.read(buffer)
    }
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the cable is out"))
    }
}
