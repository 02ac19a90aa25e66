//! Opens captures, and makes those that scenarios describe.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::path::Path;

use knock_config::text::shown;

use super::error::{CaptureError, Fault};
use super::looks::Looks;
use super::mapped::Mapped;
use super::source::{self, Source, SourceError};
use super::{Capture, Reader};
use crate::scenario::{self, Signers};

/// Opens captures. It knows who signs the packets of scenarios.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opener<'a> {
    signers: Signers<'a>,
}

impl<'a> Opener<'a> {
    /// Opens captures among which are scenarios whose packets these sign.
    #[must_use]
    pub const fn new(signers: Signers<'a>) -> Self {
        Self { signers }
    }

    /// Does the same as [`Capture::open`].
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or nothing in it can be read.
    pub fn open(self, path: &Path) -> Result<Capture, CaptureError> {
        let name = shown(path);
        match File::open(path) {
            Ok(file) => self.from_file(name, file),
            Err(error) => Err(CaptureError { capture: name, fault: Fault::CannotOpen(error) }),
        }
    }

    /// Reads a capture from standard input, and waits for its header. Nothing else may read there.
    ///
    /// # Errors
    ///
    /// As [`Opener::open`].
    pub fn stdin(self) -> Result<Capture, CaptureError> {
        let name = "standard input".to_owned();
        match io::stdin().as_fd().try_clone_to_owned() {
            Ok(file) => self.from_file(name, File::from(file)),
            Err(error) => Err(CaptureError { capture: name, fault: Fault::CannotOpen(error) }),
        }
    }

    /// Does the same as [`Capture::from_file`].
    ///
    /// # Errors
    ///
    /// As [`Opener::open`].
    pub fn from_file(self, name: String, file: File) -> Result<Capture, CaptureError> {
        match source_of(file) {
            Ok((source, size, live)) => self.read(name, source, size, live),
            Err(error) => Err(CaptureError { capture: name, fault: Fault::CannotOpen(error) }),
        }
    }

    /// Does the same as [`Capture::from_stream`].
    ///
    /// # Errors
    ///
    /// If nothing in it can be read.
    pub fn from_stream(
        self,
        name: String,
        mut reader: Box<dyn Read + Send>,
    ) -> Result<Capture, CaptureError> {
        match first_bytes(&mut reader) {
            Ok(first) => self.read(name, Source::stream(first, reader), None, true),
            Err(error) => Err(CaptureError { capture: name, fault: Fault::CannotOpen(error) }),
        }
    }

    fn read(
        self,
        name: String,
        mut source: Source,
        size: Option<u64>,
        live: bool,
    ) -> Result<Capture, CaptureError> {
        let opened = match Reader::open(&mut source) {
            Err(Fault::NotACapture(_)) if may_be_a_scenario(source.held()) => {
                self.act_out(&name, &mut source).and_then(|()| Reader::open(&mut source))
            }
            opened => opened,
        };
        match opened {
            Ok(reader) => Ok(Capture::new(name, (source, reader), size, live)),
            Err(fault) => Err(CaptureError { capture: name, fault }),
        }
    }

    /// Replaces the text of a scenario by the capture that it means.
    fn act_out(self, name: &str, source: &mut Source) -> Result<(), Fault> {
        let place = source.place(0);
        let text = source.window(scenario::MAX_BYTES.saturating_add(1));
        let text = text.map_err(|error| error.at(place))?;
        let capture = scenario::capture(name, text, self.signers);
        let mut capture = io::Cursor::new(capture.map_err(Fault::Scenario)?);
        let first =
            first_bytes(&mut capture).map_err(|error| SourceError::Read(error).at(place))?;
        *source = Source::stream(first, Box::new(capture));
        Ok(())
    }
}

/// Decides by the few bytes that a pipe may have, even for files, so that both are read alike.
fn may_be_a_scenario(held: &[u8]) -> bool {
    let first = held.get(..source::MAGIC_LENGTH).unwrap_or(held);
    Looks::of(first) == Looks::Text && scenario::begins_like_one(first)
}

/// Maps `file` if it is a regular one with a plain capture from its beginning, and streams it
/// otherwise. Returns also how many bytes there are, if that is known, and whether it is live.
fn source_of(mut file: File) -> io::Result<(Source, Option<u64>, bool)> {
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Ok((Source::stream(first_bytes(&mut file)?, Box::new(file)), None, true));
    }
    // Files of /proc are regular and claim a length of 0.
    let position = file.stream_position()?;
    let size = metadata.len().checked_sub(position).filter(|size| *size > 0);
    let first = first_bytes(&mut file)?;
    if position == 0 && size.is_some() && source::compression(&first).is_none() {
        // Some network file systems have no maps, but the file can still be read.
        if let Ok(mapped) = file.try_clone().and_then(Mapped::new) {
            return Ok((Source::mapped(mapped), size, false));
        }
    }
    Ok((Source::stream(first, Box::new(file)), size, false))
}

/// Reads as many bytes as it takes to recognize the compression, fewer if there are not so many.
fn first_bytes(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(source::MAGIC_LENGTH).unwrap_or(u64::MAX);
    let mut first = Vec::with_capacity(source::MAGIC_LENGTH);
    reader.take(limit).read_to_end(&mut first)?;
    Ok(first)
}
