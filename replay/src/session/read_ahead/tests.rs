//! What comes from the thread is what the reader gives, whatever happens to its captures.

use std::io::{self, Cursor, Read, Write as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use fastrand::Rng;
use knock_capture::frame::datagram_frame;
use knock_capture::{Capture, Merge};
use knock_compat::{Rules, Sight};
use knock_engine::{Carried, Doors, Event, Limits, Listening, Port};
use tempfile::NamedTempFile;

use super::*;
use crate::session::drive::in_pieces;
use crate::session::incoming::{Incoming, What, WithPackets};
use crate::session::names::PacketId;
use crate::session::reader::{Events, ReadingDone};

/// More packets than wait at a time, and a piece that is not full.
const MANY: u32 = SIZE * 7 + 300;
/// How many packets a piece has.
#[expect(
    clippy::cast_possible_truncation,
    clippy::as_conversions,
    reason = "there is no other way in a constant"
)]
const SIZE: u32 = PIECE as u32;

/// A capture's header: pcap, microseconds, Ethernet.
const HEADER: [u8; 24] =
    [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];

#[test]
fn packets_come_in_their_order_and_none_is_lost() {
    let packets = (0..MANY).collect::<Vec<_>>();
    let (seen, done) = read_ahead(vec![capture(&packets)]);
    assert_eq!(seen, packets);
    assert!(done.errors.is_empty());
}

#[test]
fn an_error_comes_after_the_packets_before_it_and_other_captures_go_on() {
    let (even, odd): (Vec<u32>, Vec<u32>) = (0..MANY).partition(|number| number % 2 == 0);
    // The last packet of this one is cut.
    let mut cut = capture(&even[..2500]);
    cut.truncate(cut.len() - 1);
    let (seen, done) = read_ahead(vec![cut, capture(&odd)]);
    let expected = (0..MANY).filter(|number| number % 2 == 1 || *number < even[2499]);
    assert_eq!(seen, expected.collect::<Vec<_>>());
    let errors = done.errors.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("0: is cut in packet 2500 at byte "), "{errors:?}");
}

#[test]
fn a_capture_that_fails_at_once_is_an_error_without_packets() {
    let mut cut = capture(&[0]);
    cut.truncate(cut.len() - 1);
    let (seen, done) = read_ahead(vec![cut]);
    assert_eq!((seen, done.errors.len()), (vec![], 1));
}

#[test]
fn reads_that_are_interrupted_lose_nothing() {
    let packets = (0..MANY).collect::<Vec<_>>();
    let stream = Interrupted { bytes: Cursor::new(capture(&packets)), is_next: true };
    let (seen, done) = drain(reader(vec![Box::new(stream)]));
    assert_eq!((seen, done.errors.len()), (packets, 0));
}

/// Without an end of its own, it would be read for ever.
#[test]
fn the_thread_ends_early_when_nobody_wants_more() {
    for pieces in [0, 1, 3] {
        let count = Arc::new(AtomicU64::new(0));
        let endless =
            Endless { at: 0, bytes: Cursor::new(HEADER.to_vec()), count: Arc::clone(&count) };
        let mut reader = reader(vec![Box::new(endless)]);
        let seen = thread::scope(|scope| {
            let mut ahead = ReadAhead::begin(scope, &mut reader, sight());
            let mut events = Events::new();
            let mut seen = Vec::new();
            for _ in 0..pieces {
                ahead.next(&mut events);
                seen.extend(numbers(&events));
            }
            ahead.end();
            seen
        });
        assert!(reader.finish().errors.is_empty());
        assert!(seen.iter().copied().eq(0..pieces * SIZE), "{pieces}");
        // What was handed over, what waited, and one that had no room any more.
        let most = (u64::from(pieces) + 4 + 2) * u64::from(SIZE);
        let read = count.load(Ordering::Relaxed);
        assert!(read <= most + 65_536, "{read} packets were read after {pieces} pieces");
    }
}

/// An error of the one who handles packets ends the thread as well.
#[test]
fn reading_ends_at_the_first_error_of_a_step() {
    let all = (0..SIZE * 20).collect::<Vec<_>>();
    let files = [file(&capture(&all))];
    let mut reader = of_files(&files);
    let mut seen = Vec::new();
    let result = one_by_one(&mut reader, WithPackets(sight()), |incoming| {
        seen.extend(incoming.packet().map(|id| id.number));
        if seen.len() == PIECE + 500 { Err("closed") } else { Ok(()) }
    });
    assert_eq!(result, Err("closed"));
    assert!(seen.into_iter().eq(1..=u64::from(SIZE) + 500));
    // What was handed over, what waited, and one that had no room any more.
    let read = reader.finish().tally.packets();
    assert!(read <= (2 + 4 + 1) * u64::from(SIZE), "{read} packets were read");
}

/// What is known of a packet besides its ports comes with it, from whichever capture it is.
#[test]
fn packets_come_with_their_captures_and_numbers() {
    let (even, odd): (Vec<u32>, Vec<u32>) = (0..MANY).partition(|number| number % 2 == 0);
    // The last frame is cut after its Ethernet header.
    let last = [MANY, 0, 14, 100].map(u32::to_le_bytes).concat();
    let arp = [&[0; 12][..], &[0x08, 0x06]].concat();
    let odd = [capture(&odd), last, arp].concat();
    let bytes = [capture(&even), odd];
    let streams =
        bytes.clone().map(|bytes| -> Box<dyn Read + Send> { Box::new(Cursor::new(bytes)) });
    let files = bytes.each_ref().map(|bytes| file(bytes));
    // Streams are read on the same thread.
    for reader in [reader(streams.into()), of_files(&files)] {
        they_come_with_their_captures_and_numbers(reader);
    }
}

fn they_come_with_their_captures_and_numbers(mut reader: Reader) {
    let (mut packets, mut unreadable) = (Vec::new(), Vec::new());
    let result = one_by_one(&mut reader, WithPackets(sight()), |Incoming { what, .. }| {
        match what {
            What::Packet { id, event, .. } => {
                packets.push((id.capture, id.number, event.packet().map(|one| one.source_port)));
            }
            What::Unreadable { id, source, why, .. } => unreadable.push((id, source, why)),
            What::Addresses(_) | What::Time => return Err(what),
        }
        Ok(())
    });
    assert!(result.is_ok(), "{result:?}");
    let expected = (0..MANY).zip((1..).flat_map(|place| [(0, place), (1, place)]));
    let expected = expected
        .map(|(number, (capture, place)): (_, (usize, u64))| (capture, place, Some(port(number))));
    assert_eq!(packets, expected.collect::<Vec<_>>());
    let id = PacketId { capture: 1, number: u64::from(MANY / 2 + 1) };
    let why = knock_engine::Undecodable::NotIp(Carried::EtherType(0x0806)).into();
    assert_eq!(unreadable, [(id, None, why)]);
}

#[test]
fn a_panic_of_the_thread_is_one_of_the_program() {
    let result = std::panic::catch_unwind(|| {
        let stream = Cursor::new(capture(&[0, 1])).chain(Broken);
        drain(reader(vec![Box::new(stream)]))
    });
    let message = *result.err().expect("a panic").downcast::<&str>().unwrap();
    assert_eq!(message, "a fault of the program");
}

/// Hands over what is read, one after another.
fn one_by_one<E>(
    reader: &mut Reader,
    decoder: WithPackets,
    mut step: impl FnMut(Incoming) -> Result<(), E>,
) -> Result<(), E> {
    in_pieces(reader, decoder, |inputs| inputs.drain(..).try_for_each(&mut step))
}

/// Reads captures on a thread, to the end.
fn read_ahead(captures: Vec<Vec<u8>>) -> (Vec<u32>, ReadingDone) {
    let streams =
        captures.into_iter().map(|bytes| -> Box<dyn Read + Send> { Box::new(Cursor::new(bytes)) });
    drain(reader(streams.collect()))
}

/// Returns the numbers of the packets.
fn drain(mut reader: Reader) -> (Vec<u32>, ReadingDone) {
    let seen = thread::scope(|scope| {
        let mut ahead = ReadAhead::begin(scope, &mut reader, sight());
        let (mut seen, mut events) = (Vec::new(), Events::new());
        loop {
            ahead.next(&mut events);
            if events.is_empty() {
                ahead.end();
                return seen;
            }
            seen.extend(numbers(&events));
        }
    });
    (seen, reader.finish())
}

fn numbers(events: &Events) -> impl Iterator<Item = u32> {
    events.iter().map(|(at, event)| {
        let number = u32::try_from(at.as_nanos() / 1_000_000_000).unwrap();
        let Event::Packet(packet) = event else { panic!("{event:?}") };
        assert_eq!(packet.source_port, port(number));
        number
    })
}

fn reader(streams: Vec<Box<dyn Read + Send>>) -> Reader {
    let captures = streams
        .into_iter()
        .enumerate()
        .map(|(index, stream)| Capture::from_stream(index.to_string(), stream).expect("a header"));
    Reader::at(&[], false, Merge::new(captures.collect()))
}

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn of_files(files: &[NamedTempFile]) -> Reader {
    let captures = files.iter().map(|file| Capture::open(file.path()).expect("a header"));
    let reader = Reader::at(&[], false, Merge::new(captures.collect()));
    assert!(!reader.is_live());
    reader
}

fn sight() -> Sight {
    let doors = Doors::new(Vec::new()).unwrap();
    Sight::of(&Rules::Knock.engine(doors, Listening::everywhere(), &Limits::default()))
}

/// A packet's source port, by its number, which is also its time in seconds.
fn port(number: u32) -> Port {
    Port(u16::try_from(number % 60_000).unwrap())
}

fn capture(numbers: &[u32]) -> Vec<u8> {
    let records = numbers.iter().flat_map(|number| record(*number));
    HEADER.into_iter().chain(records).collect()
}

fn record(number: u32) -> Vec<u8> {
    let source = (IpAddr::from([10, 0, 0, 5]), port(number).0).into();
    let to = (IpAddr::from([192, 0, 2, 1]), 7000).into();
    let frame = datagram_frame(source, to, b"knock", &mut Rng::with_seed(0)).unwrap();
    let length = u32::try_from(frame.len()).unwrap();
    let header = [number, 0, length, length].map(u32::to_le_bytes).concat();
    [header, frame].concat()
}

/// Is interrupted before each of its reads, which are of a few bytes.
struct Interrupted {
    bytes: Cursor<Vec<u8>>,
    is_next: bool,
}

impl Read for Interrupted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.is_next = !self.is_next;
        if self.is_next {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = buffer.len().min(1000);
        self.bytes.read(&mut buffer[..length])
    }
}

/// A capture without an end, which counts the packets that were read.
struct Endless {
    at: u32,
    bytes: Cursor<Vec<u8>>,
    count: Arc<AtomicU64>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.bytes.read(buffer)?;
        if length > 0 || buffer.is_empty() {
            return Ok(length);
        }
        self.bytes = Cursor::new(record(self.at));
        self.at = self.at.wrapping_add(1);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.bytes.read(buffer)
    }
}

/// Has a fault.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        std::panic::panic_any("a fault of the program");
    }
}
