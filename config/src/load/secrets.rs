//! Files with a secret, which only their owner may read.

use std::path::Path;

use knock_guard::{Modes, SecretError, read_secret};
use zeroize::Zeroizing;

use super::files::{Secret, Unreadable};

/// The largest file with a secret, in bytes: room for comments.
const FILE_BYTES_MAX: usize = 4_096;

/// Returns the text of a file with the sequence of a door.
///
/// # Errors
/// [`Unreadable`].
pub(super) fn read_sequence(path: &Path, modes: Modes) -> Result<Vec<u8>, Unreadable> {
    read(path, modes, Secret::Sequence).map(|text| text.to_vec())
}

/// Returns the text of a file with a secret.
pub(super) fn read(
    path: &Path,
    modes: Modes,
    secret: Secret,
) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    read_secret(path, modes, FILE_BYTES_MAX).map_err(|error| match error {
        SecretError::Open(error) => error.into(),
        SecretError::Exposed { mode } => Unreadable::Exposed { secret, mode },
        SecretError::NotAFile => Unreadable::NotAFile,
        SecretError::TooLarge => Unreadable::LargeSecret(secret),
    })
}
