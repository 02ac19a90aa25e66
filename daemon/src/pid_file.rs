//! The file with the process ID.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use knock_config::file_faults::WriteFault;
use knock_config::text::shown;
use knock_guard::{NotWritten, remove_pid_file, write_pid};

use crate::locked_file::LockError;
use crate::run_lock::{NoLock, Patience, RunLock};

/// Where the file is, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PidPath {
    pub(crate) path: PathBuf,
    /// Whether the command line or the configuration names it.
    pub(crate) is_given: bool,
}

/// The file. It is removed, and the lock released, when this is dropped.
pub(crate) struct PidFile {
    path: PathBuf,
    file: File,
    // Released after the file is removed.
    lock: Option<RunLock>,
}

/// Why the daemon cannot start, or not use another file.
#[derive(Debug)]
pub(crate) enum PidFileError {
    /// A daemon with the same file is running.
    Running(PathBuf, Option<i32>),
    /// A daemon with the same file is ending, but it takes long.
    Ending(PathBuf, Option<i32>),
    /// The file cannot be written.
    File(PathBuf, NotWritten),
}

impl fmt::Display for PidFileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running(path, id) => write!(
                out,
                "another knockd is already running{} ({}): stop it first, or give each its own file with \
                 '-p'",
                id.map_or_else(String::new, |id| format!(", as process {id}")),
                shown(path)
            ),
            Self::Ending(path, id) => write!(
                out,
                "another knockd is still ending{} ({}): it runs the stop commands of its open doors; start \
                 again when it has ended",
                id.map_or_else(String::new, |id| format!(", as process {id}")),
                shown(path)
            ),
            Self::File(path, NotWritten::NotAFile) => {
                let why = LockError::NotAFile;
                write!(out, "cannot use {} as the pid file: {why}", shown(path))
            }
            Self::File(path, why @ NotWritten::NotAPid) => write!(
                out,
                "cannot use {} as the pid file: {why}; name another file with '-p'",
                shown(path)
            ),
            Self::File(path, NotWritten::Io(error)) => {
                let why = WriteFault(error);
                write!(out, "cannot write the pid file {}: {why}", shown(path))
            }
            Self::File(path, why) => {
                write!(out, "cannot write the pid file {}: {why}", shown(path))
            }
        }
    }
}

/// A text for the administrator.
pub(crate) type Warning = String;

/// The right to write the file: no other daemon has it.
pub(crate) struct Claim<'a> {
    path: &'a PidPath,
    lock: Option<RunLock>,
    warning: Option<Warning>,
}

impl PidPath {
    /// Makes sure that no other daemon uses the file. One that is ending is waited for, and `waits` is
    /// called once before with its process ID.
    ///
    /// # Errors
    /// [`PidFileError`] if another daemon uses the file.
    pub(crate) fn claim(
        &self,
        patience: Patience,
        waits: impl Fn(Option<i32>),
    ) -> Result<Claim<'_>, PidFileError> {
        let (lock, warning) = match RunLock::take(&self.path, patience, waits) {
            Ok(lock) => (Some(lock), None),
            Err(NoLock::Running(id)) => return Err(PidFileError::Running(self.path.clone(), id)),
            Err(NoLock::Ending(id)) => return Err(PidFileError::Ending(self.path.clone(), id)),
            Err(NoLock::Unusable(path, why)) => {
                let warning = format!(
                    "cannot lock {}: {why}; a second knockd with the same pid file is not noticed",
                    shown(&path)
                );
                (None, Some(warning))
            }
        };
        Ok(Claim { path: self, lock, warning })
    }
}

impl Claim<'_> {
    /// Writes the ID of this process into the file. Without a file, there is a warning.
    ///
    /// # Errors
    /// [`PidFileError`] if the file was named, its folder is there, and it cannot be written.
    pub(crate) fn write(self) -> Result<(Option<PidFile>, Option<Warning>), PidFileError> {
        let Self { path: PidPath { path, is_given }, lock, warning } = self;
        match write_pid(path, std::process::id()) {
            Ok(file) => Ok((Some(PidFile { path: path.clone(), file, lock }), warning)),
            Err(why) => {
                // Without its folder, knockd 0.8 starts, too.
                let is_missing = matches!(&why, NotWritten::Io(error)
                    if error.kind() == io::ErrorKind::NotFound);
                let error = PidFileError::File(path.clone(), why);
                if *is_given && !is_missing {
                    return Err(error);
                }
                Ok((None, Some(format!("{error}; knockd runs without one"))))
            }
        }
    }
}

impl PidFile {
    /// Lets a daemon that starts know that this one is ending.
    pub(crate) fn say_ending(&self) {
        if let Some(lock) = &self.lock {
            // If it cannot be written, that daemon is refused, as if this one went on.
            let _ = lock.say_ending();
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another file at this path is not this daemon's, and nor is what somebody else has written.
        remove_pid_file(&self.path, &self.file, std::process::id());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;

    fn take(path: &Path, is_given: bool) -> Result<(Option<PidFile>, Option<Warning>), String> {
        let path = PidPath { path: path.to_owned(), is_given };
        let claim = path.claim(Patience::NONE, |_| {}).map_err(|error| error.to_string())?;
        claim.write().map_err(|error| error.to_string())
    }

    #[test]
    fn the_file_has_the_process_id_while_the_daemon_runs() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("knockd.pid");
        fs::write(&path, "4194304\n").unwrap();
        let (file, warning) = take(&path, true).unwrap();
        assert_eq!((file.is_some(), warning), (true, None));
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn two_daemons_cannot_use_the_same_file() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("knockd.pid");
        let _file = take(&path, true).unwrap();
        for is_given in [true, false] {
            let error = take(&path, is_given).err().unwrap();
            let id = std::process::id();
            assert!(error.starts_with("another knockd is already running, as process "), "{error}");
            assert!(error.contains(&id.to_string()), "{error}");
        }
        assert!(path.exists());
    }

    #[test]
    fn a_daemon_that_ends_is_named_when_waiting_was_in_vain() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("knockd.pid");
        let (file, _) = take(&path, true).unwrap();
        file.as_ref().unwrap().say_ending();
        let error = take(&path, true).err().unwrap();
        assert!(error.starts_with("another knockd is still ending, as process "), "{error}");
    }

    #[test]
    fn a_missing_folder_and_a_default_file_that_cannot_be_written_are_warnings() {
        let folder = TempDir::new().unwrap();
        let missing = folder.path().join("no/knockd.pid");
        for is_given in [true, false] {
            let (file, warning) = take(&missing, is_given).unwrap();
            let expected = format!(
                "cannot write the pid file {}: there is no such directory; create it, or name a file in another one; knockd runs without one",
                missing.display()
            );
            assert_eq!((file.is_none(), warning), (true, Some(expected)));
        }
        // A folder is no file, whatever user this is.
        let error = take(folder.path(), true).err().unwrap();
        assert!(error.ends_with("not a regular file"), "{error}");
        let (file, warning) = take(folder.path(), false).unwrap();
        assert!(file.is_none() && warning.is_some());
    }

    #[test]
    fn what_is_no_file_is_neither_waited_for_nor_written() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let error = take(&path, true).err().unwrap();
        assert!(error.ends_with("not a regular file"), "{error}");
        let error = take(Path::new("/dev/null"), true).err().unwrap();
        assert!(error.ends_with("not a regular file"), "{error}");
    }

    #[test]
    fn a_file_of_another_program_is_not_removed() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("knockd.pid");
        let file = take(&path, true).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "another\n");
    }
}
