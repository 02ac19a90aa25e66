//! The bytes of a capture, from a file in memory or from a stream.

use std::io::{self, Cursor, Read};

use super::error::{Compression, Fault, Place};
use super::gzip::Gzip;
use super::mapped::{Mapped, Shrunk};
use super::zstd::Zstd;

/// The smallest read from a stream, in bytes.
const CHUNK: usize = 64 * 1024;

/// The bytes of a capture, decompressed, from the reader's position on.
pub(super) struct Source {
    bytes: Bytes,
}

enum Bytes {
    Mapped(Mapped),
    Stream(Stream),
}

/// Why the bytes end too early.
#[derive(Debug)]
pub(super) enum SourceError {
    Read(io::Error),
    Decompression(Compression, io::Error),
    Shrank(Shrunk),
}

impl SourceError {
    pub(super) fn at(self, place: Place) -> Fault {
        match self {
            Self::Read(error) => Fault::CannotRead { place, error },
            Self::Decompression(compression, error) => {
                Fault::Decompression { compression, place, error }
            }
            Self::Shrank(Shrunk { was, is }) => Fault::Shrank { place, was, is },
        }
    }
}

impl Source {
    pub(super) const fn mapped(mapped: Mapped) -> Self {
        Self { bytes: Bytes::Mapped(mapped) }
    }

    /// Reads `first`, then `reader`, and decompresses both if their first bytes say so.
    pub(super) fn stream(first: Vec<u8>, reader: Box<dyn Read + Send>) -> Self {
        let compression = compression(&first);
        let counted = Counted { inner: Cursor::new(first).chain(reader), count: 0 };
        let input = match compression {
            None => Input::Plain(counted),
            Some(Compression::Gzip) => Input::Gzip(Box::new(Gzip::new(counted))),
            Some(Compression::Zstd) => Input::Zstd(Box::new(Zstd::new(counted))),
        };
        let (buffer, start, end, ended) = (Vec::new(), 0, 0, false);
        let stream = Stream { input, offset: 0, buffer, start, end, ended };
        Self { bytes: Bytes::Stream(stream) }
    }

    /// Returns the bytes at hand, at least `needed` unless the capture ends before. Reads no more from a
    /// stream than it takes to have `needed` bytes.
    #[inline]
    pub(super) fn window(&mut self, needed: usize) -> Result<&[u8], SourceError> {
        match &mut self.bytes {
            Bytes::Mapped(mapped) => mapped.window(needed).map_err(SourceError::Shrank),
            Bytes::Stream(stream) => stream.window(needed),
        }
    }

    /// Returns the bytes of the last window that were not consumed since.
    #[inline]
    pub(super) fn held(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(mapped) => mapped.held(),
            Bytes::Stream(stream) => stream.held(),
        }
    }

    /// Moves on by `length` bytes, at most what is held.
    #[inline]
    pub(super) fn consume(&mut self, length: usize) {
        match &mut self.bytes {
            Bytes::Mapped(mapped) => mapped.consume(length),
            Bytes::Stream(stream) => stream.consume(length),
        }
    }

    /// Returns whether it is a file in memory.
    pub(super) const fn is_in_memory(&self) -> bool {
        matches!(self.bytes, Bytes::Mapped(_))
    }

    /// Has a thread map what is ahead, of a file in memory.
    pub(super) fn map_ahead(&mut self) {
        if let Bytes::Mapped(mapped) = &mut self.bytes {
            mapped.map_ahead();
        }
    }

    /// Returns the position in a file in memory; `None` for a stream.
    pub(super) const fn position(&self) -> Option<usize> {
        match &self.bytes {
            Bytes::Mapped(mapped) => Some(mapped.position()),
            Bytes::Stream(_) => None,
        }
    }

    /// Returns all bytes of a file in memory, and the position; `None` for a stream.
    pub(super) fn file(&mut self) -> Option<Result<(&[u8], usize), SourceError>> {
        let Bytes::Mapped(mapped) = &mut self.bytes else { return None };
        let position = mapped.position();
        Some(mapped.file().map(|bytes| (bytes, position)).map_err(SourceError::Shrank))
    }

    /// Moves on to a position in a file in memory, of which the bytes up to `known` were read a moment ago.
    pub(super) fn jump(&mut self, position: usize, known: usize) {
        if let Bytes::Mapped(mapped) = &mut self.bytes {
            mapped.jump(position, known);
        }
    }

    /// Returns where the next packet would be, if `packets` were before it.
    pub(super) fn place(&self, packets: u64) -> Place {
        let (offset, decompressed) = match &self.bytes {
            Bytes::Mapped(mapped) => (u64::try_from(mapped.position()).unwrap_or(u64::MAX), false),
            Bytes::Stream(stream) => (stream.offset, stream.input.compression().is_some()),
        };
        Place { packet: packets.saturating_add(1), offset, decompressed }
    }

    /// Returns how many bytes of the file were read, counted as on the disk.
    pub(super) fn bytes_read(&self) -> u64 {
        match &self.bytes {
            Bytes::Mapped(mapped) => u64::try_from(mapped.position()).unwrap_or(u64::MAX),
            Bytes::Stream(stream) => stream.input.bytes_read(),
        }
    }
}

/// How many first bytes [`compression`] needs.
pub(super) const MAGIC_LENGTH: usize = 4;

/// Recognizes the compression of data by its first bytes.
pub(super) fn compression(first: &[u8]) -> Option<Compression> {
    match *first {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        // A frame, or a skippable frame, of which there are 16 kinds.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Some(Compression::Zstd)
        }
        _ => None,
    }
}

struct Stream {
    input: Input,
    /// How many bytes were consumed.
    offset: u64,
    /// The bytes read and not consumed are at `start..end`; after them is free space.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

impl Stream {
    #[inline]
    fn window(&mut self, needed: usize) -> Result<&[u8], SourceError> {
        while self.end.saturating_sub(self.start) < needed && !self.ended {
            self.read_more(needed)?;
        }
        Ok(self.held())
    }

    #[inline]
    fn held(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    #[inline]
    fn consume(&mut self, length: usize) {
        self.offset = self.offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        self.start = self.start.saturating_add(length).min(self.end);
    }

    fn read_more(&mut self, needed: usize) -> Result<(), SourceError> {
        self.make_room(needed);
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let room_length = room.len();
        match self.input.read(room) {
            Ok(0) => self.ended = true,
            Ok(length) => self.end = self.end.saturating_add(length.min(room_length)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.ended = true;
                return Err(match self.input.compression() {
                    None => SourceError::Read(error),
                    Some(compression) => SourceError::Decompression(compression, error),
                });
            }
        }
        Ok(())
    }

    /// Makes space after `end`. The buffer grows only as bytes arrive: a claim of many bytes that
    /// never come costs nothing.
    fn make_room(&mut self, needed: usize) {
        if self.start > 0 && self.start.saturating_add(needed) > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end = self.end.saturating_sub(self.start);
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.end.saturating_mul(2).max(CHUNK), 0);
        }
    }
}

type Reader = Counted<io::Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>>;

enum Input {
    Plain(Reader),
    Gzip(Box<Gzip<Reader>>),
    Zstd(Box<Zstd<Reader>>),
}

impl Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }

    const fn compression(&self) -> Option<Compression> {
        match self {
            Self::Plain(_) => None,
            Self::Gzip(_) => Some(Compression::Gzip),
            Self::Zstd(_) => Some(Compression::Zstd),
        }
    }

    fn bytes_read(&self) -> u64 {
        match self {
            Self::Plain(reader) => reader.count,
            Self::Gzip(decoder) => decoder.get_ref().count,
            Self::Zstd(decoder) => decoder.get_ref().count,
        }
    }
}

/// Counts the bytes that are read.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count = self.count.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        Ok(length)
    }
}
