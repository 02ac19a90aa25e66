//! Data compressed by zstd.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use structured_zstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use structured_zstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Decompresses frame after frame, and of a frame block after block; skippable frames are skipped.
///
/// A block of at most 128 KiB is handed over before the next one is read, so the packets of a live stream
/// come as soon as their block is whole, and all that comes before a fault is read. Of a damaged block, nothing
/// is.
pub(super) struct Zstd<R> {
    source: Peeked<R>,
    decoder: FrameDecoder,
    in_frame: bool,
    window: Window,
}

impl<R: Read> Zstd<R> {
    pub(super) fn new(source: R) -> Self {
        let source = Peeked { ahead: Vec::new(), source: BufReader::new(source) };
        Self { source, decoder: FrameDecoder::new(), in_frame: false, window: Window(0) }
    }

    pub(super) fn get_ref(&self) -> &R {
        self.source.source.get_ref()
    }

    fn begin_frame(&mut self) -> io::Result<()> {
        if let Some(bytes) = self.source.window()? {
            self.window.grow_to(bytes)?;
        }
        match self.decoder.reset(&mut self.source) {
            Ok(()) => {
                self.in_frame = true;
                Ok(())
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let length = u64::from(length);
                let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
                if skipped < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
            }
            Err(error) => Err(fault(&error, "invalid zstd frame header")),
        }
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.in_frame = false;
        let length = self.decoder.verify_content_size();
        length.map_err(|_| damage("the length of the content is not that in the frame header"))?;
        let stored = self.decoder.get_checksum_from_data();
        if stored.is_some() && stored != self.decoder.get_calculated_checksum() {
            return Err(damage("the checksum does not match"));
        }
        Ok(())
    }
}

/// The most bytes that a frame's window may have.
const WINDOW_MAX: u64 = 128 << 20;
/// The most bytes that the windows of all captures of a process may have together.
const WINDOWS_MAX: u64 = 256 << 20;

/// Returns what kept the decoder from going on: that the data cannot be read or end too early, or else that they are
/// damaged. Its own texts are for programmers.
fn fault(error: &FrameDecoderError, otherwise: &'static str) -> io::Error {
    if let FrameDecoderError::DictNotProvided { dict_id } = error {
        return unsupported(format!(
            "it was compressed with the zstd dictionary {dict_id}; decompress it first, with \
             `zstd -d -D DICTIONARY`"
        ));
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let system = error.raw_os_error().map(io::Error::from_raw_os_error);
            return system.unwrap_or_else(|| error.kind().into());
        }
        cause = error.source();
    }
    damage(otherwise)
}

fn damage(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Returns the error of data that are whole, but cannot be decompressed here.
fn unsupported(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why)
}

/// The bytes of all windows.
static WINDOWS: AtomicU64 = AtomicU64::new(0);

/// The largest window so far of a capture: the decoder keeps its memory.
struct Window(u64);

impl Window {
    fn grow_to(&mut self, bytes: u64) -> io::Result<()> {
        if bytes > WINDOW_MAX {
            return Err(unsupported(format!(
                "its zstd window has {} MiB, and at most {} MiB are supported; compress it again with at most \
                 `--long=27`",
                bytes >> 20,
                WINDOW_MAX >> 20,
            )));
        }
        let more = bytes.saturating_sub(self.0);
        let grown = |all: u64| all.checked_add(more).filter(|all| *all <= WINDOWS_MAX);
        if WINDOWS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_err() {
            let why = "the zstd windows of all captures are together larger than 256 MiB; decompress some of \
                       them, or take fewer at a time";
            return Err(unsupported(why.to_owned()));
        }
        self.0 = self.0.max(bytes);
        Ok(())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        WINDOWS.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// A source of which some bytes can be looked at before they are read.
struct Peeked<R> {
    ahead: Vec<u8>,
    source: BufReader<R>,
}

impl<R: Read> Peeked<R> {
    /// Returns the next bytes: as many as wanted, or all that there are.
    fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while self.ahead.len() < wanted {
            let more = self.source.fill_buf()?;
            let missing = wanted.saturating_sub(self.ahead.len()).min(more.len());
            let Some(more) = more.get(..missing).filter(|more| !more.is_empty()) else { break };
            self.ahead.extend_from_slice(more);
            self.source.consume(missing);
        }
        Ok(&self.ahead)
    }

    /// Returns how long the window of the frame is that begins here, as its header says (RFC 8878,
    /// 3.1.1.1); `None` if there is none, of which the decoder reports what is wrong.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the shifts are at most 41, and sums of a few bytes"
    )]
    fn window(&mut self) -> io::Result<Option<u64>> {
        // After a read that was interrupted, more bytes are there already.
        let Some(&[0x28, 0xb5, 0x2f, 0xfd, descriptor, byte]) = self.peek(6)?.first_chunk() else {
            return Ok(None);
        };
        if descriptor & 0x20 == 0 {
            let base = 1_u64 << (10 + u32::from(byte >> 3));
            return Ok(Some(base + (base >> 3) * u64::from(byte & 7)));
        }
        // The whole content is the window.
        let begin = 5 + [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or(0);
        let length = 1_usize << (descriptor >> 6);
        let Some(content) = self.peek(begin + length)?.get(begin..) else { return Ok(None) };
        let number = content.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte));
        Ok(Some(if length == 2 { number.saturating_add(256) } else { number }))
    }
}

impl<R: Read> Read for Peeked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            return self.source.read(buffer);
        }
        let length = (&self.ahead[..]).read(buffer)?;
        self.ahead.drain(..length);
        Ok(length)
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame {
                if self.source.peek(1)?.is_empty() {
                    return Ok(0);
                }
                self.begin_frame()?;
                continue;
            }
            let length = self.decoder.read(buffer)?;
            if length > 0 {
                return Ok(length);
            }
            if self.decoder.is_finished() {
                self.end_frame()?;
            } else {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                let decoded = self.decoder.decode_blocks(&mut self.source, one);
                decoded.map_err(|error| fault(&error, "corrupt zstd block"))?;
            }
        }
    }
}
