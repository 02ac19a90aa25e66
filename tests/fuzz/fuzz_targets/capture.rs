//! Reads captures: the bytes of a file, plain or compressed.
//!
//! The same bytes are read from a file in memory, from streams that give them in odd pieces, and
//! compressed once more: packets and errors must be the same.

#![no_main]

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};

use flate2::write::GzEncoder;
use knock_capture::{
    ADDRESSES_MAX, BLOCK_LENGTH_MAX, Capture, CaptureError, Fault, Head, PACKET_LENGTH_MAX,
};
use knock_engine::decode;
use libfuzzer_sys::fuzz_target;

/// The most packets to read from one capture: a few compressed bytes can be millions of packets.
const PACKETS_MAX: u64 = 20_000;

fuzz_target!(|data: &[u8]| {
    let from_file = Reading::new(file(data));
    let from_stream = Reading::new(stream(data, Pieces::Whole));
    let length = u64::try_from(data.len()).unwrap();
    let plain = compare(from_file, from_stream, str::to_owned);
    if let Some(Finished { whole, bytes_read }) = plain {
        assert!(bytes_read <= length, "{bytes_read} bytes read of {length}");
        assert!(!whole || is_compressed(data) || bytes_read == length, "{bytes_read} of {length}");
    }
    compare_passing_over(data);
    let in_pieces = Reading::new(stream(data, Pieces::Odd(length | 1)));
    compare(Reading::new(stream(data, Pieces::Whole)), in_pieces, str::to_owned);
    if !is_compressed(data) {
        let compressed = Reading::new(stream(&compress(data), Pieces::Whole));
        compare(Reading::new(file(data)), compressed, |text| {
            text.replace(" of the decompressed data", "")
        });
    }
});

/// A capture that is being read, or could not be opened.
struct Reading {
    capture: Option<Capture>,
    error: Option<CaptureError>,
}

/// The result of reading a capture as far as possible.
struct Finished {
    /// Whether it was read without an error.
    whole: bool,
    bytes_read: u64,
}

impl Reading {
    fn new(opened: Result<Capture, CaptureError>) -> Self {
        match opened {
            Ok(capture) => Self { capture: Some(capture), error: None },
            Err(error) => Self { capture: None, error: Some(error) },
        }
    }

    /// Moves on to the next packet, with its bytes.
    fn next(&mut self) -> Option<Head> {
        self.capture.as_mut()?.advance();
        self.peek()
    }

    fn peek(&mut self) -> Option<Head> {
        match self.capture.as_mut()?.peek() {
            Ok(head) => head,
            Err(error) => {
                assert!(self.error.is_none(), "two errors: {error}, {:?}", self.error);
                self.error = Some(error);
                let again = self.capture.as_mut()?.peek();
                assert_eq!(again.expect("an error is returned once"), None);
                None
            }
        }
    }

    fn frame(&self) -> &[u8] {
        self.capture.as_ref().map(Capture::frame).unwrap_or_default()
    }

    fn finished(&self) -> Finished {
        let bytes_read = self.capture.as_ref().map_or(0, Capture::bytes_read);
        Finished { whole: self.error.is_none(), bytes_read }
    }
}

/// Reads two captures in parallel. `normalised` turns the text of an error of the second one into that
/// of the first. Returns how the first one ended; `None` if it has too many packets.
fn compare(
    mut first: Reading,
    mut second: Reading,
    normalised: impl Fn(&str) -> String,
) -> Option<Finished> {
    for number in 1..=PACKETS_MAX {
        let head = first.next();
        assert_eq!(head, second.next(), "packet {number}");
        let Some(head) = head else {
            let first_error = first.error.as_ref().map(text);
            let second_error = second.error.as_ref().map(text).map(|text| normalised(&text));
            assert_eq!(first_error, second_error);
            return Some(first.finished());
        };
        assert_eq!(head.number, number);
        assert_eq!(first.frame(), second.frame());
        let length = u32::try_from(first.frame().len()).unwrap();
        assert!(length <= BLOCK_LENGTH_MAX.max(PACKET_LENGTH_MAX));
        let _ = decode(head.link, first.frame());
        compare_addresses(&mut first, &mut second);
    }
    None
}

/// Reads a file plainly, and then passes over what has an odd first byte.
fn compare_passing_over(data: &[u8]) {
    let is_unwanted = |frame: &[u8]| frame.first().is_some_and(|byte| byte & 1 == 1);
    let mut plain = Reading::new(file(data));
    let mut heads = Vec::new();
    while let Some(head) = plain.next() {
        heads.push((head, is_unwanted(plain.frame())));
        if head.number == PACKETS_MAX {
            return;
        }
    }
    let mut passing = Reading::new(file(data));
    let mut next = 0;
    loop {
        if let Some(capture) = &mut passing.capture {
            capture.advance();
            capture
                .pass_over(&|_, frame: &[u8]| is_unwanted(frame))
                .expect("the file stays as it is");
        }
        let head = passing.peek();
        let upto = head.map_or(heads.len(), |head| usize::try_from(head.number).unwrap() - 1);
        assert!(heads[next..upto].iter().all(|(_, is_unwanted)| *is_unwanted));
        let passed = passing.capture.as_mut().map(Capture::take_passed).unwrap_or_default();
        assert_eq!(passed.packets, u64::try_from(upto - next).unwrap());
        let Some(head) = head else { break };
        assert_eq!(head, heads[upto].0);
        next = upto + 1;
    }
    assert_eq!(passing.error.as_ref().map(text), plain.error.as_ref().map(text));
}

/// Returns the text of an error, without the kind of something that is not a capture: that depends on the
/// bytes at hand, and a stream has few.
fn text(error: &CaptureError) -> String {
    match error.fault {
        Fault::NotACapture(_) => "not a capture".to_owned(),
        _ => error.to_string(),
    }
}

fn compare_addresses(first: &mut Reading, second: &mut Reading) {
    let addresses = first.capture.as_mut().map(Capture::take_local_addresses);
    assert_eq!(addresses, second.capture.as_mut().map(Capture::take_local_addresses));
    assert!(addresses.is_none_or(|addresses| addresses.len() <= ADDRESSES_MAX));
}

fn is_compressed(data: &[u8]) -> bool {
    matches!(
        data,
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]
    )
}

fn compress(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

thread_local! {
    static FILE: RefCell<File> = RefCell::new(
        tempfile::tempfile_in("/dev/shm").or_else(|_| tempfile::tempfile()).unwrap(),
    );
}

/// Opens a file with `data`. The previous file must not be read any more.
fn file(data: &[u8]) -> Result<Capture, CaptureError> {
    let file = FILE.with_borrow_mut(|file| {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(data)?;
        file.rewind()?;
        file.try_clone()
    });
    Capture::from_file("capture".to_owned(), file.unwrap())
}

fn stream(data: &[u8], pieces: Pieces) -> Result<Capture, CaptureError> {
    let wire = Wire { data: data.to_vec(), at: 0, pieces };
    Capture::from_stream("capture".to_owned(), Box::new(wire))
}

/// The pieces in which a stream gives its bytes.
enum Pieces {
    Whole,
    /// Up to 15 bytes, with interruptions between them; the number is the next position.
    Odd(u64),
}

/// A stream in memory.
struct Wire {
    data: Vec<u8>,
    at: usize,
    pieces: Pieces,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = match &mut self.pieces {
            Pieces::Whole => usize::MAX,
            Pieces::Odd(random) => {
                *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                match *random >> 60 {
                    0 => return Err(io::ErrorKind::Interrupted.into()),
                    length => usize::try_from(length).unwrap(),
                }
            }
        };
        let rest = &self.data[self.at..];
        let length = (&rest[..rest.len().min(most)]).read(buffer)?;
        self.at += length;
        Ok(length)
    }
}
