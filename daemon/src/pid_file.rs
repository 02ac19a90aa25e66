//! The file with the process number.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use knock_setup::text::{Cause, shown};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

/// Where it is if nobody says otherwise, as in knockd 0.8.
pub(crate) const DEFAULT: &str = "/var/run/knockd.pid";

/// The file, locked as long as the daemon runs, so that another one notices.
pub(crate) struct PidFile {
    path: PathBuf,
    _lock: Flock<File>,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum PidFileError {
    /// Another daemon has it, with this number if it could be read.
    Taken(PathBuf, String),
    /// It is something else than a file: writing or removing it would hit what it stands for.
    NotAFile(PathBuf),
    /// It cannot be written.
    Io(PathBuf, io::Error),
}

impl fmt::Display for PidFileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(path, number) => write!(
                out,
                "another knockd is running, process {number} of {}; to run two, give each its own \
                 file with '-p'",
                shown(path)
            ),
            Self::NotAFile(path) => write!(
                out,
                "cannot use {} for the process number: it is a symbolic link, a device or a pipe, \
                 not a file",
                shown(path)
            ),
            Self::Io(path, error) => write!(out, "cannot write {}: {}", shown(path), Cause(error)),
        }
    }
}

impl PidFile {
    /// Takes the file and writes the number of this process into it.
    pub(crate) fn take(path: &Path) -> Result<Self, PidFileError> {
        let failed = |error| PidFileError::Io(path.to_owned(), error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
            .open(path)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::ELOOP) => PidFileError::NotAFile(path.to_owned()),
                _ => failed(error),
            })?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(PidFileError::NotAFile(path.to_owned()));
        }
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut number = String::new();
                // Whoever has it may be about to write it.
                let _ = file.read_to_string(&mut number);
                return Err(PidFileError::Taken(path.to_owned(), number.trim().to_owned()));
            }
            Err((_, error)) => return Err(failed(error.into())),
        };
        lock.set_len(0).map_err(failed)?;
        writeln!(lock, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // It says nothing any more, even if it stays.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_number_is_there_as_long_as_the_daemon_runs() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("knockd.pid");
        fs::write(&path, "4194304 and more text than that\n").unwrap();
        let file = PidFile::take(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn two_daemons_cannot_have_the_same_file() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("knockd.pid");
        let _file = PidFile::take(&path).unwrap();
        let error = PidFile::take(&path).err().unwrap().to_string();
        let number = std::process::id().to_string();
        assert!(error.contains("another knockd") && error.contains(&number), "{error}");
        assert!(path.exists());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_with_its_name() {
        let error = PidFile::take(Path::new("/no/such/folder/x")).err().unwrap().to_string();
        assert_eq!(error, "cannot write /no/such/folder/x: No such file or directory");
    }
}
