//! Files with keys.

use std::path::Path;

use knock_guard::Modes;
use knock_signed::SequenceKey;

use super::files::{Secret, Unreadable};
use super::key_text::parse;
use super::secrets::read;

/// Reads a file with a key, which only its owner may read, and returns what sequences are derived from.
///
/// # Errors
/// [`Unreadable`].
pub fn read_sequence_key(path: &Path, modes: Modes) -> Result<SequenceKey, Unreadable> {
    match parse(&read(path, modes, Secret::Key)?) {
        Ok(key) => Ok(key.for_sequences()),
        Err(fault) => Err(Unreadable::NotAKey(fault)),
    }
}
