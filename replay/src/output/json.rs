//! What all objects have in common that programs read.

use std::io::{self, Write};

use serde::Serialize;

use crate::session::names::{CaptureNames, PacketId};

/// A packet: the name of its capture, and its number there.
#[derive(Serialize)]
pub(crate) struct Place<'a> {
    capture: &'a str,
    number: u64,
}

impl<'a> Place<'a> {
    pub(crate) fn new(id: PacketId, captures: &'a CaptureNames) -> Self {
        Self { capture: captures.of(id), number: id.number }
    }
}

/// Writes objects, one a line.
pub(crate) struct Json<'a> {
    /// The version of the format, which each object has.
    version: u8,
    out: &'a mut dyn Write,
    /// Whether each object is waited for.
    live: bool,
}

impl<'a> Json<'a> {
    pub(crate) fn new(version: u8, live: bool, out: &'a mut dyn Write) -> Self {
        Self { version, out, live }
    }

    /// Writes an object.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) fn write(&mut self, object: &impl Serialize) -> io::Result<()> {
        let version = self.version;
        serde_json::to_writer(&mut *self.out, &Versioned { version, object })?;
        self.out.write_all(b"\n")?;
        if self.live { self.out.flush() } else { Ok(()) }
    }
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    version: u8,
    #[serde(flatten)]
    object: &'a T,
}
