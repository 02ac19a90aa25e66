//! The file with the process number.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use knock_setup::text::{Cause, shown};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

/// Where it is if nobody says otherwise, as in knockd 0.8.
pub(crate) const DEFAULT: &str = "/var/run/knockd.pid";

/// How often it is tried to take a file that is removed meanwhile.
const TRIES: u32 = 100;

/// The file, locked as long as the daemon runs, so that another one notices.
pub(crate) struct PidFile {
    path: PathBuf,
    lock: Flock<File>,
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
        for _ in 0..TRIES {
            let mut lock = lock(path)?;
            // A daemon that ends removes its file, perhaps between opening and locking.
            if !is_at(&lock, path) {
                continue;
            }
            lock.set_len(0).map_err(failed)?;
            writeln!(lock, "{}", std::process::id()).map_err(failed)?;
            return Ok(Self { path: path.to_owned(), lock });
        }
        Err(failed(io::Error::other("it is removed again and again")))
    }
}

/// Opens and locks what is at a path, which is created if nothing is.
fn lock(path: &Path) -> Result<Flock<File>, PidFileError> {
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
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((mut file, Errno::EWOULDBLOCK)) => {
            let mut number = String::new();
            // Whoever has it may be about to write it.
            let _ = file.read_to_string(&mut number);
            Err(PidFileError::Taken(path.to_owned(), number.trim().to_owned()))
        }
        Err((_, error)) => Err(failed(error.into())),
    }
}

/// Returns whether an open file is the one at a path.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // If somebody has put another one there, that one is not this daemon's.
        if is_at(&self.lock, &self.path) {
            // It says nothing any more, even if it stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

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

    #[test]
    fn a_file_of_somebody_else_is_not_removed() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("knockd.pid");
        let file = PidFile::take(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "another\n");
    }

    #[test]
    fn of_daemons_that_come_and_go_one_has_the_file_at_a_time() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("knockd.pid");
        let holders = AtomicUsize::new(0);
        let come_and_go = || {
            let mut taken = 0;
            while taken < 500 {
                if let Ok(file) = PidFile::take(&path) {
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                    assert!(path.exists());
                    holders.fetch_sub(1, Ordering::SeqCst);
                    drop(file);
                    taken += 1;
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(come_and_go);
            }
        });
        assert!(!path.exists());
    }
}
