//! The file with the process ID.

use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use knock_config::text::shown;
use nix::fcntl::Flock;

use crate::locked_file::{self, LockError, is_at};

/// The file, locked while the daemon runs, so that a second daemon notices.
pub(crate) struct PidFile {
    path: PathBuf,
    lock: Flock<File>,
}

/// Why the file cannot be used.
#[derive(Debug)]
pub(crate) struct PidFileError(PathBuf, LockError);

impl fmt::Display for PidFileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(path, why) = self;
        let path = shown(path);
        match why {
            LockError::Held(number) => write!(
                out,
                "another knockd is already running, as process {} ({path}): stop it first, or give each \
                 its own file with '-p'",
                number.trim()
            ),
            LockError::NotAFile => write!(out, "cannot use {path} as the pid file: {why}"),
            LockError::Io(_) => write!(out, "cannot write the pid file {path}: {why}"),
        }
    }
}

impl PidFile {
    /// Locks the file and writes the ID of this process into it.
    pub(crate) fn take(path: &Path) -> Result<Self, PidFileError> {
        let failed = |why| PidFileError(path.to_owned(), why);
        let mut lock = locked_file::take(path, 0o644).map_err(failed)?;
        let written = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        written.map_err(|error| failed(error.into()))?;
        Ok(Self { path: path.to_owned(), lock })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another file at this path is not this daemon's.
        if is_at(&self.lock, &self.path) {
            // Without the lock it means nothing, even if it stays.
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
    fn the_file_has_the_process_id_while_the_daemon_runs() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("knockd.pid");
        fs::write(&path, "4194304 and more text than that\n").unwrap();
        let file = PidFile::take(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn two_daemons_cannot_use_the_same_file() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("knockd.pid");
        let _file = PidFile::take(&path).unwrap();
        let error = PidFile::take(&path).err().unwrap().to_string();
        let number = std::process::id().to_string();
        assert!(error.contains("another knockd") && error.contains(&number), "{error}");
        assert!(path.exists());
    }

    #[test]
    fn an_error_names_the_file() {
        let error = PidFile::take(Path::new("/no/such/folder/x")).err().unwrap().to_string();
        assert_eq!(error, "cannot write the pid file /no/such/folder/x: No such file or directory");
    }

    #[test]
    fn a_file_of_another_program_is_not_removed() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("knockd.pid");
        let file = PidFile::take(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "another\n");
    }

    #[test]
    fn of_many_daemons_only_one_at_a_time_has_the_file() {
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
