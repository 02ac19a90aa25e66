//! Files with secrets: nobody but their owner may read them.

use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;
use zeroize::{Zeroize as _, Zeroizing};

use crate::trust::{Modes, OpenError, open};

/// Why a file with a secret is not read.
#[derive(Debug)]
pub enum SecretError {
    /// It cannot be opened, or others can write it.
    Open(OpenError),
    /// Others can read it.
    Exposed {
        /// Its permissions.
        mode: u32,
    },
    /// It is a directory, a pipe, a device or a socket.
    NotAFile,
    /// It is larger than a secret is.
    TooLarge,
}

impl From<io::Error> for SecretError {
    fn from(error: io::Error) -> Self {
        Self::Open(error.into())
    }
}

/// The permissions of all but the owner.
const OTHERS: u32 = 0o077;

/// Reads a file of at most so many bytes that nobody but its owner may read or write. What was read is erased
/// when it is dropped.
///
/// # Errors
/// [`SecretError`].
pub fn read_secret(
    path: &Path,
    modes: Modes,
    bytes_max: usize,
) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let mut file = open(path, modes, OFlag::O_RDONLY).map_err(SecretError::Open)?;
    // That of the file that was opened, which no program exchanges any more.
    let data = file.metadata()?;
    if !data.is_file() {
        return Err(SecretError::NotAFile);
    }
    let mode = data.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(SecretError::Exposed { mode });
    }
    // With this length from the beginning, no part of it is copied to another place.
    let mut text = Zeroizing::new(vec![0; bytes_max.saturating_add(1)]);
    let mut length = 0_usize;
    while let Some(rest) = text.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => {
                text.truncate(length);
                return Ok(text);
            }
            Ok(read) => length = length.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(SecretError::TooLarge)
}

/// How much of the stack is erased, in bytes: several times what it takes to read a key and to calculate with it.
const STACK: usize = 64 << 10;

/// Erases the part of the stack that functions have used which have returned: what reads a key or calculates with one
/// leaves copies there.
#[inline(never)]
#[expect(clippy::large_stack_arrays, reason = "it is the stack that is to be erased")]
pub fn erase_stack() {
    let mut used = [0; STACK];
    used.zeroize();
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn only_what_nobody_else_can_read_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "12345678").unwrap();
        for (mode, is_read) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            match read_secret(&path, Modes::Any, 8) {
                Ok(text) => assert!(is_read && *text == b"12345678"),
                Err(SecretError::Exposed { mode: said }) => {
                    assert_eq!((said, is_read), (mode, false));
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_file_or_too_large_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "123456789").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(read_secret(&path, Modes::Any, 8), Err(SecretError::TooLarge)));
        assert_eq!(*read_secret(&path, Modes::Any, 9).unwrap(), b"123456789");
        let of_a_folder = read_secret(folder.path(), Modes::Any, 8);
        assert!(matches!(of_a_folder, Err(SecretError::NotAFile)));
        let missing = read_secret(&folder.path().join("none"), Modes::Any, 8);
        assert!(matches!(missing, Err(SecretError::Open(_))));
    }
}
