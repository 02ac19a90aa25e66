use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::forge::{all, pcap};
use super::{Capture, drain, read, stream};
use crate::Fault;

#[test]
fn compressed_captures_of_every_flavour_are_the_same_packets() {
    for capture in all() {
        let plain = read(&capture).packets;
        for compressed in [gzip(&capture), zstd(&capture)] {
            let seen = read(&compressed);
            assert_eq!((&seen.packets, seen.error()), (&plain, String::new()));
        }
    }
}

#[test]
fn several_members_and_frames_are_one_capture() {
    let capture = pcap(&[b"first", b"second"]);
    let (head, tail) = capture.split_at(30);
    let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0], &b"ski"[..]].concat();
    for compressed in [
        [gzip(head), gzip(b""), gzip(tail)].concat(),
        [zstd(head), zstd(b""), zstd(tail)].concat(),
        [skippable.clone(), zstd(head), skippable.clone(), zstd(tail), skippable].concat(),
    ] {
        let seen = read(&compressed);
        assert_eq!(seen.frames(), [&b"first"[..], b"second"]);
        assert_eq!(seen.error(), "");
    }
}

#[test]
fn a_compressed_capture_that_is_cut_gives_its_first_packets_and_an_error() {
    let capture = pcap(&[b"first", b"second", b"third"]);
    let whole = read(&capture).packets;
    for compressed in [gzip(&capture), zstd(&capture)] {
        for length in 4..compressed.len() {
            let seen = stream(&compressed[..length]);
            assert!(whole.starts_with(&seen.packets));
            let fault = seen.error.unwrap().fault;
            assert!(matches!(fault, Fault::Decompression { .. }), "{fault}");
        }
    }
}

#[test]
fn packets_that_the_zstd_decoder_withholds_are_not_lost_in_a_cut() {
    let capture = pcap(&[b"first", b"second", b"third"]);
    let third = capture.len() - b"third".len() - 16;
    let compressed = zstd_blocks(&[&capture[..30], &capture[30..third], &capture[third..]]);
    assert_eq!(read(&compressed).frames(), [&b"first"[..], b"second", b"third"]);

    let seen = read(&compressed[..compressed.len() - b"third".len() - 16]);
    assert_eq!(seen.frames(), [&b"first"[..], b"second"]);
    let message = "test: has damaged or cut zstd data after byte 67 of the decompressed data, \
                   after packet 2: ";
    assert!(seen.error().starts_with(message), "{}", seen.error());
}

/// Found by fuzzing: how many packets were lost depended on the pieces in which a stream came.
#[test]
fn packets_before_damaged_gzip_data_are_not_lost() {
    let capture = pcap(&[&[7; 5000], &[8; 5000]]);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(&capture).unwrap();
    encoder.flush().unwrap();
    let mut compressed = encoder.finish().unwrap();
    // The empty last block gets a type that does not exist.
    let last = compressed.len() - 8 - 5;
    compressed[last] = 7;
    let seen = read(&compressed);
    assert_eq!(seen.frames(), [[7; 5000], [8; 5000]]);
    let message = "test: has damaged or cut gzip data after byte 10056 of the decompressed data, \
                   after packet 2: corrupt deflate stream";
    assert_eq!(seen.error(), message);
}

#[test]
fn every_field_of_a_gzip_header_is_skipped() {
    let capture = pcap(&[b"frame"]);
    let mut header = vec![0x1f, 0x8b, 8, 0b1_1111, 0, 0, 0, 0, 0, 255];
    header.extend(b"\x03\x00abcname\0comment\0\x00\x00");
    let compressed = [&header[..], &gzip(&capture)[10..]].concat();
    let seen = read(&compressed);
    assert_eq!((seen.frames(), seen.error()), (vec![&b"frame"[..]], String::new()));
    for length in 4..header.len() {
        assert!(matches!(
            stream(&compressed[..length]).error.unwrap().fault,
            Fault::Decompression { .. }
        ));
    }
}

#[test]
fn a_wrong_checksum_is_an_error_after_all_packets() {
    let capture = pcap(&[b"frame"]);
    let mut gzip = gzip(&capture);
    let checksum = gzip.len() - 8;
    gzip[checksum] ^= 1;
    let mut zstd = zstd(&capture);
    *zstd.last_mut().unwrap() ^= 1;
    for compressed in [gzip, zstd] {
        let seen = read(&compressed);
        assert_eq!(seen.frames(), [b"frame"]);
        assert!(matches!(seen.error.unwrap().fault, Fault::Decompression { .. }));
    }
}

#[test]
fn errors_in_compressed_captures_have_their_place_in_the_decompressed_data() {
    let capture = pcap(&[b"frame", b"next"]);
    let seen = read(&gzip(&capture[..50]));
    assert_eq!(
        seen.error(),
        "test: is cut in packet 2 at byte 45 of the decompressed data: 16 bytes needed, 5 present"
    );
}

#[test]
fn what_is_compressed_must_be_a_capture() {
    assert!(matches!(read(&gzip(b"")).error.unwrap().fault, Fault::Empty));
    assert_eq!(
        read(&zstd(b"[options]\n")).error(),
        "test: is neither a capture nor a scenario, but other text; save packets with `tcpdump -w`"
    );
    assert_eq!(
        read(&gzip(&gzip(&pcap(&[])))).error(),
        "test: is not a capture but compressed (gzip, twice); decompress it first"
    );
}

#[test]
fn a_zstd_window_of_more_than_128_mebibytes_is_refused() {
    let window_of_256_mebibytes = 18 << 3;
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, window_of_256_mebibytes, 1, 0, 0];
    let seen = stream(&frame);
    assert!(matches!(seen.error.unwrap().fault, Fault::Decompression { .. }));
}

#[test]
fn the_windows_of_all_captures_have_a_common_bound() {
    // A window of 96 MiB, and a packet in a block that is not the last one.
    let capture = pcap(&[&[1; 60]]);
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (16 << 3) | 4];
    let head = (capture.len() as u32) << 3;
    frame.extend(&head.to_le_bytes()[..3]);
    frame.extend(&capture);
    frame.extend([1, 0, 0]);
    let open = || {
        let bytes = std::io::Cursor::new(frame.clone());
        Capture::from_stream("test".to_owned(), Box::new(bytes))
    };
    let mut first = open().unwrap();
    let mut second = open().unwrap();
    assert!(first.peek().unwrap().is_some() && second.peek().unwrap().is_some());
    let third = drain(open());
    let Fault::Decompression { error, .. } = third.error.unwrap().fault else { panic!() };
    assert!(error.to_string().contains("together larger than 256 MiB"), "{error}");
    // When one is closed, there is room for another.
    drop(first);
    assert_eq!(drain(open()).frames(), [vec![1; 60]]);
}

#[test]
fn a_window_that_is_too_large_is_said_and_is_no_damage() {
    // As `zstd --long=31` makes it: 2 GiB.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0];
    assert_eq!(
        read(&frame).error(),
        "test: cannot be decompressed: its zstd window has 2048 MiB, and at most 128 MiB are supported; compress it \
         again with at most `--long=27`"
    );
}

#[test]
fn progress_is_counted_in_compressed_bytes() {
    let frame = vec![7; 100_000];
    let compressed = gzip(&pcap(&[&frame]));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&compressed).unwrap();
    let mut capture = Capture::open(file.path()).unwrap();
    assert_eq!(capture.size(), Some(compressed.len() as u64));
    assert!(capture.peek().unwrap().is_some());
    assert!(capture.bytes_read() <= compressed.len() as u64);
    assert_eq!(drain(Ok(capture)).frames(), [frame]);
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// Found by fuzzing: the header was taken for another one if a read in the middle of it was interrupted.
#[test]
fn a_window_that_is_too_large_is_said_after_an_interruption_too() {
    // The whole content is the window: 8 bytes, from which on the reads are interrupted one by one.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0];
    let read = |interrupted| {
        let stream = Interrupted { bytes: frame.to_vec(), at: 0, before: interrupted };
        drain(Capture::from_stream("test".to_owned(), Box::new(stream))).error()
    };
    for at in 5..frame.len() {
        assert_eq!(read(at), stream(&frame).error(), "{at}");
    }
    assert!(stream(&frame).error().contains("its zstd window has"), "{}", stream(&frame).error());
}

/// Gives one byte at a time, and is interrupted once before the byte at a place.
struct Interrupted {
    bytes: Vec<u8>,
    at: usize,
    before: usize,
}

impl Read for Interrupted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.before {
            self.before = usize::MAX;
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = (&self.bytes[self.at..]).take(1).read(buffer)?;
        self.at += length;
        Ok(length)
    }
}

/// A frame with a window of 1 KiB and the blocks as they are.
fn zstd_blocks(blocks: &[&[u8]]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0];
    for (index, block) in blocks.iter().enumerate() {
        let last = u32::from(index + 1 == blocks.len());
        let head = ((block.len() as u32) << 3) | last;
        frame.extend(&head.to_le_bytes()[..3]);
        frame.extend(*block);
    }
    frame
}
