//! The files of a recording: the present one, and the one before.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use knock_config::file_faults::WriteFault;
use knock_config::text::{Cause, shown};
use knock_guard::NotWritten;
use nix::fcntl::{AT_FDCWD, OFlag, RenameFlags, renameat2};

use super::Runner;
use super::output::Kind;

/// Only the owner may read recordings, because they show the sequence of every door that opens.
const MODE: u32 = 0o600;

/// The files of a recording.
pub(super) struct RecordingFiles {
    pub(super) file: File,
    /// The other file, and from how many bytes on the recording continues in it; `None` if the first is no
    /// regular file, such as a pipe, which has no limit.
    pub(super) old: Option<(File, NonZeroU64)>,
}

/// Why there is no recording.
pub(super) struct RecordingError {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for RecordingError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, error } = self;
        write!(out, "cannot write the recording {}: {}", shown(path), WriteFault(error))
    }
}

impl RecordingFiles {
    /// Opens the files. What was recorded before becomes the old file.
    pub(super) fn open(path: &Path, megabytes: u32) -> Result<Self, RecordingError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| RecordingError { path, error }
        };
        let path = &real(path);
        let file = open_at_once(&mut appending(), path).map_err(failed(path))?;
        let metadata = file.metadata().map_err(failed(path))?;
        let bytes_max = NonZeroU64::new(u64::from(megabytes).saturating_mul(1_000_000));
        let Some(bytes_max) = bytes_max.filter(|_| metadata.is_file()) else {
            return Ok(Self { file, old: None });
        };
        let old_path = old(path);
        let (file, old) = if metadata.len() == 0 {
            file.set_permissions(Permissions::from_mode(MODE)).map_err(failed(path))?;
            (file, open_old(&old_path).map_err(failed(&old_path))?)
        } else {
            fs::rename(path, &old_path).map_err(failed(&old_path))?;
            file.set_permissions(Permissions::from_mode(MODE)).map_err(failed(&old_path))?;
            (appending().create_new(true).open(path).map_err(failed(path))?, file)
        };
        Ok(Self { file, old: Some((old, bytes_max)) })
    }
}

/// Opens a file that may be a pipe, without waiting for somebody who reads it, now or later. While the
/// pipe is full, writing fails.
fn open_at_once(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits()).open(path);
    file.map_err(|error| match error.raw_os_error() {
        Some(libc::ENXIO) => NotWritten::Unread.into(),
        _ => error,
    })
}

fn appending() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(MODE);
    options
}

/// Opens the old file, and keeps what is in it for now.
fn open_old(path: &Path) -> io::Result<File> {
    // As a link, it could have a file emptied that is no recording.
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(io::Error::other("it is not a regular file"));
    }
    open_at_once(&mut appending(), path)
}

/// Returns where a file is if its name is a link.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Returns the name of the old file.
pub(crate) fn old(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".1");
    PathBuf::from(name)
}

/// Exchanges the names of both files: the one that was full becomes the old one.
fn exchange(path: &Path) -> io::Result<()> {
    let old = old(path);
    match renameat2(AT_FDCWD, path, AT_FDCWD, &old, RenameFlags::RENAME_EXCHANGE) {
        // Some file systems cannot do it at once.
        Err(nix::Error::EINVAL | nix::Error::ENOSYS) => {
            let mut between = OsString::from(path);
            between.push(".new");
            fs::rename(&old, &between)?;
            fs::rename(path, &old)?;
            fs::rename(&between, path)
        }
        done => Ok(done?),
    }
}

impl Runner {
    /// Names the files of the recording as they are now: the sniffer has begun to write to the other one.
    pub(super) fn recording_rotated(&mut self) {
        let Some(path) = &self.args.record else { return };
        let path = real(path);
        if let Err(error) = exchange(&path) {
            let text = format!(
                "knockd: warning: cannot rename the recording {}, which continues in {}: {}",
                shown(&path),
                shown(&old(&path)),
                Cause(&error)
            );
            self.output.text(Kind::Notice, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn names(folder: &TempDir) -> [String; 2] {
        ["r", "r.1"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap())
    }

    #[test]
    fn an_earlier_recording_becomes_the_old_file() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("r");
        fs::write(folder.path().join("r.1"), "oldest").unwrap();
        fs::write(&path, "old").unwrap();
        let files = RecordingFiles::open(&path, 1).map_err(|why| why.to_string()).ok().unwrap();
        assert_eq!(names(&folder), ["", "old"]);
        let (old, bytes_max) = files.old.unwrap();
        assert_eq!(bytes_max.get(), 1_000_000);
        for file in [&files.file, &old] {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        exchange(&path).unwrap();
        assert_eq!(names(&folder), ["old", ""]);
        // Nothing was recorded since: the old file stays.
        fs::write(&path, "").unwrap();
        fs::write(folder.path().join("r.1"), "old").unwrap();
        drop(RecordingFiles::open(&path, 1).map_err(|why| why.to_string()).ok().unwrap());
        assert_eq!(names(&folder), ["", "old"]);
        // Nothing is written to where a link leads.
        fs::remove_file(folder.path().join("r.1")).unwrap();
        std::os::unix::fs::symlink("/dev/null", folder.path().join("r.1")).unwrap();
        let error = RecordingFiles::open(&path, 1).err().unwrap().to_string();
        assert!(error.ends_with("r.1: it is not a regular file"), "{error}");
    }

    #[test]
    fn a_pipe_has_no_limit_and_no_old_file() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let _reader = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let files = RecordingFiles::open(&path, 1).map_err(|why| why.to_string()).ok().unwrap();
        assert!(files.old.is_none() && !folder.path().join("pipe.1").exists());
    }
}
