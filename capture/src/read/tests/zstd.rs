//! Frames of zstd: what the real one makes, and what nobody should.
//!
//! The files in `zstd/` are the same 13,604 bytes, compressed by zstd 1.5.4 with the options in their names:
//! text, numbers without a pattern, zeros, and text again. `ruzstd` decodes them independently.

use std::collections::VecDeque;
use std::io::{self, Read};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use ruzstd::decoding::StreamingDecoder;

use super::compressed::zstd;
use super::forge::pcap;
use super::{Capture, drain, stream};
use crate::read::zstd::Zstd;

const SINGLE: [&[u8]; 4] = [
    include_bytes!("zstd/level-1.zst"),
    include_bytes!("zstd/level-19.zst"),
    include_bytes!("zstd/level-22-small-window.zst"),
    include_bytes!("zstd/stream-small-window.zst"),
];
const THREE_FRAMES: &[u8] = include_bytes!("zstd/three-frames.zst");

#[test]
fn what_the_real_zstd_makes_is_decompressed() {
    let (content, error) = theirs(SINGLE[0]);
    assert_eq!((content.len(), error), (13_604, String::new()));
    for compressed in SINGLE.into_iter().chain([THREE_FRAMES]) {
        assert_eq!(ours(compressed), (content.clone(), String::new()));
    }
}

#[test]
fn packets_of_a_live_stream_come_as_soon_as_their_block_is_whole() {
    let capture = pcap(&[b"first", b"second", b"third"]);
    let (second, third) = (24 + 16 + 5, 24 + 16 + 5 + 16 + 6);
    // The window of 8 MiB would have room for all of them.
    let mut arrives = VecDeque::from([vec![0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3]]);
    for block in [&capture[..second], &capture[second..third], &capture[third..]] {
        arrives.push_back([&u32::to_le_bytes((block.len() as u32) << 3)[..3], block].concat());
    }
    let mut live = Capture::from_stream("test".to_owned(), Box::new(Live(arrives))).unwrap();
    for frame in [&b"first"[..], b"second", b"third"] {
        assert!(live.peek().unwrap().is_some());
        assert_eq!(live.frame(), frame);
        live.advance();
    }
}

#[test]
fn the_place_of_an_interruption_changes_nothing() {
    let frames: Vec<Vec<u8>> = (0..40).map(|number| vec![number; 50]).collect();
    let capture = pcap(&frames.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let compressed = zstd(&capture);
    assert!(compressed.len() < capture.len() / 2);
    for at in 4..compressed.len() {
        let (head, tail) = compressed.split_at(at);
        let reader =
            io::Cursor::new(head.to_vec()).chain(Once(true)).chain(io::Cursor::new(tail.to_vec()));
        let seen = drain(Capture::from_stream("test".to_owned(), Box::new(reader)));
        assert_eq!(
            (seen.frames(), seen.error()),
            (frames.iter().map(Vec::as_slice).collect(), String::new())
        );
    }
}

#[test]
fn what_keeps_a_frame_from_being_read_is_said_in_plain_words() {
    let capture = pcap(&[b"first", b"second"]);
    let header = |flags: u8| vec![0x28, 0xb5, 0x2f, 0xfd, flags, 0];
    let last =
        |bytes: &[u8]| [&u32::to_le_bytes(((bytes.len() as u32) << 3) | 1)[..3], bytes].concat();
    let cases = [
        (
            [header(0), last(&capture)[..60].to_vec()].concat(),
            "has damaged or cut zstd data after byte 0 of the decompressed data, before any whole packet: unexpected \
             end of file",
        ),
        (
            // A block of the type that is reserved.
            [header(0), vec![7, 0, 0]].concat(),
            "has damaged or cut zstd data after byte 0 of the decompressed data, before any whole packet: corrupt zstd \
             block",
        ),
        (
            // A bit that is reserved.
            [header(8), last(&capture)].concat(),
            "has damaged or cut zstd data after byte 0 of the decompressed data, before any whole packet: invalid zstd \
             frame header",
        ),
        (
            [&header(1)[..], &[77], &last(&capture)].concat(),
            "cannot be decompressed: it was compressed with the zstd dictionary 77; decompress it first, with `zstd -d \
             -D DICTIONARY`",
        ),
        (
            // The header has a length of one byte more.
            [&header(0x20)[..5], &[capture.len() as u8 + 1], &last(&capture)].concat(),
            "has damaged or cut zstd data after byte 67 of the decompressed data, after packet 2: the length of the \
             content is not that in the frame header",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(stream(&bytes).error(), format!("test: {expected}"));
    }
}

#[test]
fn a_few_bytes_that_mean_many_take_little_memory() {
    // Blocks of 128 KiB, each of one byte that is repeated: 2 GiB, from 64 KiB.
    let block = [&u32::to_le_bytes(((128 << 10) << 3) | 2)[..3], &[7]].concat();
    let frame = [vec![0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3], block.repeat(16 << 10), vec![1, 0, 0]];
    let frame = frame.concat();
    let mut zstd = Zstd::new(&frame[..]);
    let mut buffer = vec![0; 256 << 10];
    let mut all = 0_u64;
    loop {
        let length = zstd.read(&mut buffer).unwrap();
        assert!(length <= 128 << 10, "{length} bytes were decoded ahead");
        if length == 0 {
            break;
        }
        all += length as u64;
    }
    assert_eq!(all, 2 << 30);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// Up to where both decoders get, the bytes are the same. Either may be the stricter one.
    #[test]
    fn of_damaged_frames_the_bytes_are_those_of_another_decoder(
        which in 0..SINGLE.len(),
        damage in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in proptest::option::weighted(0.2, any::<Index>()),
    ) {
        let mut bytes = SINGLE[which].to_vec();
        for (place, value) in damage {
            // What begins otherwise is no frame.
            let place = 4 + place.index(bytes.len() - 4);
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(4 + cut.index(bytes.len() - 4));
        }
        let ((ours, our_error), (theirs, their_error)) = (ours(&bytes), theirs(&bytes));
        prop_assert!(theirs.starts_with(&ours) || ours.starts_with(&theirs));
        if our_error.is_empty() && their_error.is_empty() {
            prop_assert_eq!(ours, theirs);
        }
    }
}

/// Returns what is decompressed, and the error after it.
fn ours(bytes: &[u8]) -> (Vec<u8>, String) {
    let mut out = Vec::new();
    let error = Zstd::new(bytes).read_to_end(&mut out).err();
    (out, error.map(|error| error.to_string()).unwrap_or_default())
}

/// Returns the same of another decoder, of one frame.
fn theirs(mut bytes: &[u8]) -> (Vec<u8>, String) {
    let mut out = Vec::new();
    let error = match StreamingDecoder::new(&mut bytes) {
        Ok(mut decoder) => decoder.read_to_end(&mut out).err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    (out, error.unwrap_or_default())
}

/// A stream on which waiting for more than has arrived is a failure of the test.
struct Live(VecDeque<Vec<u8>>);

impl Read for Live {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.0.pop_front().expect("the reader asked for more than it needs");
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        let rest = bytes.split_off(length);
        if !rest.is_empty() {
            self.0.push_front(rest);
        }
        Ok(length)
    }
}

/// Is interrupted once, and has no bytes.
struct Once(bool);

impl Read for Once {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.0) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(0) }
    }
}
