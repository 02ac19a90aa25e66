//! What all objects have in common that programs read.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat};
use knock_engine::Timestamp;
use serde::Serialize;

use crate::session::reader::{CaptureNames, PacketId};

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

/// An object with the version of its format.
#[derive(Serialize)]
pub(crate) struct Versioned<T> {
    pub(crate) version: u8,
    #[serde(flatten)]
    pub(crate) object: T,
}

/// Writes an object as a line.
pub(crate) fn write(object: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    out.write_all(b"\n")
}

/// Returns a moment with nanoseconds, which tell packets apart.
pub(crate) fn utc(at: Timestamp) -> String {
    DateTime::from_timestamp_nanos(at.as_nanos()).to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// Returns nanoseconds in seconds.
pub(crate) fn seconds(nanos: u64) -> f64 {
    std::time::Duration::from_nanos(nanos).as_secs_f64()
}

/// Returns the seconds from one moment to another, which may be before it.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> f64 {
    let forth = seconds(crate::explain::nanos(from, to));
    if to < from { -seconds(crate::explain::nanos(to, from)) } else { forth }
}
