//! Data compressed by gzip.

use std::io::{self, BufRead, BufReader, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// The optional fields of a member's header, by the bits of its flags (RFC 1952, 2.3).
const HEADER_CHECKSUM: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0xe0;

/// Decompresses member after member.
///
/// The reader of `flate2` loses what it has decompressed in the same call before it meets damage,
/// and how much that is depends on the pieces in which the data arrives. This one returns
/// everything before the damage.
pub(super) struct Gzip<R> {
    source: BufReader<R>,
    inflate: Decompress,
    checksum: Crc,
    in_member: bool,
    /// The fault to report once all bytes before it are read.
    fault: Option<io::Error>,
}

impl<R: Read> Gzip<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source: BufReader::new(source),
            inflate: Decompress::new(false),
            checksum: Crc::new(),
            in_member: false,
            fault: None,
        }
    }

    pub(super) fn get_ref(&self) -> &R {
        self.source.get_ref()
    }

    fn begin_member(&mut self) -> io::Result<()> {
        let [a, b, method, flags, ..] = self.take::<10>()?;
        if [a, b, method] != [0x1f, 0x8b, 8] || flags & RESERVED != 0 {
            return Err(damage("invalid gzip header"));
        }
        if flags & EXTRA != 0 {
            let length = u64::from(u16::from_le_bytes(self.take()?));
            let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
            if skipped < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        for text in [NAME, COMMENT] {
            if flags & text != 0 {
                self.source.skip_until(0)?;
            }
        }
        // Not checked: it covers only fields that are skipped.
        if flags & HEADER_CHECKSUM != 0 {
            self.take::<2>()?;
        }
        self.inflate.reset(false);
        self.checksum.reset();
        self.in_member = true;
        Ok(())
    }

    fn end_member(&mut self) -> io::Result<()> {
        self.in_member = false;
        let (checksum, length) = (self.take()?, self.take()?);
        let stored = (u32::from_le_bytes(checksum), u32::from_le_bytes(length));
        if stored != (self.checksum.sum(), self.checksum.amount()) {
            return Err(damage("the checksum does not match"));
        }
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Decompresses some bytes into `buffer`, and returns how many. Stores the fault after them, if
    /// there is one.
    fn decompress(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let input = self.source.fill_buf()?;
        let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, buffer, FlushDecompress::None);
        let used = since(taken, self.inflate.total_in());
        self.source.consume(used);
        let length = since(given, self.inflate.total_out());
        self.checksum.update(buffer.get(..length).unwrap_or_default());
        match status {
            Ok(Status::StreamEnd) => self.fault = self.end_member().err(),
            Ok(Status::Ok | Status::BufError) if used == 0 && length == 0 => {
                self.fault = Some(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(Status::Ok | Status::BufError) => {}
            Err(_) => self.fault = Some(damage("corrupt deflate stream")),
        }
        Ok(length)
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            if self.in_member {
                let length = self.decompress(buffer)?;
                if length > 0 {
                    return Ok(length);
                }
            } else if self.source.fill_buf()?.is_empty() {
                return Ok(0);
            } else {
                self.begin_member()?;
            }
        }
    }
}

fn damage(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn since(before: u64, after: u64) -> usize {
    usize::try_from(after.saturating_sub(before)).unwrap_or(usize::MAX)
}
