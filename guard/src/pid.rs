//! Files that hold a process ID: what holds anything else is never written over or removed.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use crate::target::NotWritten;

/// More than a process ID takes, in bytes.
const TEXT_MAX: u64 = 32;

/// Writes a process ID into a file, which is new or empty or holds another one.
///
/// # Errors
/// [`NotWritten`]; the file is as it was.
pub fn write_pid(path: &Path, id: u32) -> Result<File, NotWritten> {
    let mut file = open(path, OFlag::O_CREAT)?;
    if !holds_pid(&file)? {
        return Err(NotWritten::NotAPid);
    }
    file.set_len(0)?;
    writeln!(file, "{id}")?;
    Ok(file)
}

/// Fails if a file is there and holds something else than a process ID.
///
/// # Errors
/// [`NotWritten`].
pub fn check_pid_file(path: &Path) -> Result<(), NotWritten> {
    match open(path, OFlag::empty()) {
        Ok(file) if holds_pid(&file)? => Ok(()),
        Ok(_) => Err(NotWritten::NotAPid),
        Err(NotWritten::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(why),
    }
}

/// Removes the file that this process has opened, if it is still at its place and still holds this
/// process ID.
pub fn remove_pid_file(path: &Path, file: &File, id: u32) {
    let mut text = [0; 32];
    let length = file.read_at(&mut text, 0).unwrap_or(0);
    let holds_it = text.get(..length).is_some_and(|text| text == format!("{id}\n").as_bytes());
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return };
    if holds_it && (ours.dev(), ours.ino()) == (there.dev(), there.ino()) {
        // It means nothing to the next daemon, even if it stays.
        let _ = fs::remove_file(path);
    }
}

/// Opens a regular file, and no link to one.
fn open(path: &Path, create: OFlag) -> Result<File, NotWritten> {
    let flags = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mode = Mode::from_bits_truncate(0o644);
    let file = match nix::fcntl::open(path, flags | OFlag::O_CLOEXEC | create, mode) {
        Ok(file) => File::from(file),
        // A symbolic link, a folder, or a pipe or socket that nothing reads.
        Err(Errno::ELOOP | Errno::EISDIR | Errno::ENXIO) => return Err(NotWritten::NotAFile),
        Err(error) => return Err(error.into()),
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(NotWritten::NotAFile) }
}

/// Returns whether a file is empty, as after a crash, or holds a process ID and nothing else.
fn holds_pid(file: &File) -> io::Result<bool> {
    let mut text = Vec::new();
    let length = file.take(TEXT_MAX).read_to_end(&mut text)?;
    // What is written next begins at the start.
    let mut file = file;
    io::Seek::rewind(&mut file)?;
    let text = text.trim_ascii();
    let is_short = u64::try_from(length).is_ok_and(|length| length < TEXT_MAX);
    Ok(length == 0 || (is_short && !text.is_empty() && text.iter().all(u8::is_ascii_digit)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn only_a_number_is_written_over() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("pid");
        for text in ["", "4194304\n", "7", "  12  \n"] {
            fs::write(&path, text).unwrap();
            check_pid_file(&path).unwrap();
            write_pid(&path, 42).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "42\n", "{text:?}");
        }
        for text in ["[options]\n", "7 7\n", " \n", "-1\n", "1\n2\n", &"1".repeat(64), "\u{fc}"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(check_pid_file(&path), Err(NotWritten::NotAPid)), "{text:?}");
            assert!(matches!(write_pid(&path, 42), Err(NotWritten::NotAPid)), "{text:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::remove_file(&path).unwrap();
        check_pid_file(&path).unwrap();
        symlink("other", &path).unwrap();
        assert!(matches!(write_pid(&path, 42), Err(NotWritten::NotAFile)));
        assert!(!folder.path().join("other").exists());
    }

    #[test]
    fn only_the_own_number_is_removed() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("pid");
        let file = write_pid(&path, 42).unwrap();
        // The same file, by an editor that writes in place.
        for text in ["43\n", "42\nmore", ""] {
            fs::write(&path, text).unwrap();
            remove_pid_file(&path, &file, 42);
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::write(&path, "42\n").unwrap();
        remove_pid_file(&path, &file, 42);
        assert!(!path.exists());
    }
}
