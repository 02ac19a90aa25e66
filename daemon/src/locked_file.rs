//! Files that only one daemon at a time may use.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use knock_config::file_faults::WriteFault;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

/// How often to try again when the file is removed or replaced before it is locked.
const TRIES: u32 = 100;

/// How much is read of a file that another daemon has, in bytes.
const TEXT_MAX: u64 = 64;

/// Why a file cannot be used.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another daemon has locked it; with the beginning of its text, if it could be read.
    Held(String),
    /// It is not a regular file: writing or removing it would change something else.
    NotAFile,
    /// It cannot be opened or locked.
    Io(io::Error),
}

impl fmt::Display for LockError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(_) => out.write_str("another knockd is using it"),
            Self::NotAFile => {
                out.write_str("it is a symbolic link, a device or a pipe, not a regular file")
            }
            Self::Io(error) => WriteFault(error).cause().fmt(out),
        }
    }
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens and locks a file, and creates it with these permissions if it does not exist.
pub(crate) fn take(path: &Path, mode: u32) -> Result<Flock<File>, LockError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(mode);
    lock(path, &options)
}

/// Opens and locks a file, perhaps only for reading; `None` if it does not exist.
pub(crate) fn take_existing(path: &Path) -> Result<Option<Flock<File>>, LockError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let is_missing = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    };
    let file = lock(path, &options).or_else(|why| match why {
        LockError::Io(error) if !is_missing(&error) => lock(path, options.write(false)),
        LockError::Io(_) | LockError::Held(_) | LockError::NotAFile => Err(why),
    });
    match file {
        Err(LockError::Io(error)) if is_missing(&error) => Ok(None),
        file => file.map(Some),
    }
}

fn lock(path: &Path, options: &OpenOptions) -> Result<Flock<File>, LockError> {
    for _ in 0..TRIES {
        let file = open(path, options)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            // A daemon removes its file when it ends, perhaps just before this one locks it.
            Ok(lock) if is_at(&lock, path) => return Ok(lock),
            Ok(_) => {}
            Err((file, Errno::EWOULDBLOCK)) => {
                let mut text = String::new();
                // The other daemon may not have written it yet.
                let _ = file.take(TEXT_MAX).read_to_string(&mut text);
                return Err(LockError::Held(text));
            }
            Err((_, error)) => return Err(LockError::Io(error.into())),
        }
    }
    Err(LockError::Io(io::Error::other("another program keeps removing it")))
}

fn open(path: &Path, options: &OpenOptions) -> Result<File, LockError> {
    let file = options
        .clone()
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => LockError::NotAFile,
            _ => LockError::Io(error),
        })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(LockError::NotAFile) }
}

/// Returns whether an open file is still the one at a path.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}
