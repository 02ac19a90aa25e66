//! Files that one daemon at a time has.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use knock_setup::text::Cause;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

/// How often it is tried to take a file that is removed or replaced meanwhile.
const TRIES: u32 = 100;

/// The longest text of a file that is told of another daemon, in bytes.
const TEXT_MAX: u64 = 64;

/// Why a file cannot be had.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another daemon has it; with the beginning of its text, if it could be read.
    Held(String),
    /// It is something else than a file: writing or removing it would hit what it stands for.
    NotAFile,
    /// It cannot be opened or locked.
    Io(io::Error),
}

impl fmt::Display for LockError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(_) => out.write_str("another knockd has it"),
            Self::NotAFile => {
                out.write_str("it is a symbolic link, a device or a pipe, not a file")
            }
            Self::Io(error) => Cause(error).fmt(out),
        }
    }
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens and locks the file at a path, which is created with these permissions if there is none.
pub(crate) fn take(path: &Path, mode: u32) -> Result<Flock<File>, LockError> {
    for _ in 0..TRIES {
        let file = open(path, mode)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            // A daemon that ends removes its file, perhaps between opening and locking.
            Ok(lock) if is_at(&lock, path) => return Ok(lock),
            Ok(_) => {}
            Err((file, Errno::EWOULDBLOCK)) => {
                let mut text = String::new();
                // Whoever has it may be about to write it.
                let _ = file.take(TEXT_MAX).read_to_string(&mut text);
                return Err(LockError::Held(text));
            }
            Err((_, error)) => return Err(LockError::Io(error.into())),
        }
    }
    Err(LockError::Io(io::Error::other("it is removed again and again")))
}

fn open(path: &Path, mode: u32) -> Result<File, LockError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => LockError::NotAFile,
            _ => LockError::Io(error),
        })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(LockError::NotAFile) }
}

/// Returns whether an open file is the one at a path.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}
