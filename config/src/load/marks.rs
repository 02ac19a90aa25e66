//! Marking the lines of one-time sequences that were used.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::names::FileName;
use crate::text::{Cause, shown};

/// Why a line was not marked.
#[derive(Debug)]
pub enum NotMarked {
    /// No line that was read begins there.
    NoSuchLine,
    /// The file has changed.
    Changed(PathBuf),
    /// The file cannot be read or written.
    Io(PathBuf, io::Error),
}

impl fmt::Display for NotMarked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchLine => out.write_str("there is no such line"),
            Self::Changed(path) => {
                write!(out, "{} has changed since it was read", shown(path))
            }
            Self::Io(path, error) => write!(out, "{}: {}", shown(path), Cause(error)),
        }
    }
}

/// Returns the path for a name in the configuration.
#[must_use]
pub fn path_of(name: &FileName) -> &Path {
    Path::new(OsStr::from_bytes(name.as_bytes()))
}

/// Opens a sequence file for reading and writing: a line that cannot be marked could be used again by
/// anyone who saw it.
///
/// # Errors
/// What the system says.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Writes `#` over the first byte of a line, if it is still the line that was read in `text`.
///
/// A line that is already marked is not an error: a client and a daemon may share the file.
///
/// # Errors
/// [`NotMarked`]; the file is as it was, unless the system failed while it was written.
pub fn mark(path: &Path, text: &[u8], line: u32, offset: u64) -> Result<(), NotMarked> {
    let expected = line_at(text, line, offset).ok_or(NotMarked::NoSuchLine)?;
    let failed = |error| NotMarked::Io(path.to_owned(), error);
    let file = open(path).map_err(failed)?;
    let mut there = vec![0; expected.len()];
    match file.read_exact_at(&mut there, offset) {
        Ok(()) if there == expected => {}
        Ok(()) if is_marked(&there, expected) => return Ok(()),
        Ok(()) => return Err(NotMarked::Changed(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(NotMarked::Changed(path.to_owned()));
        }
        Err(error) => return Err(failed(error)),
    }
    file.write_all_at(b"#", offset).and_then(|()| file.sync_data()).map_err(failed)
}

fn is_marked(there: &[u8], expected: &[u8]) -> bool {
    there.split_first().is_some_and(|(first, rest)| *first == b'#' && expected.ends_with(rest))
}

/// Returns the line with this number, which must begin at this offset; `None` if none does.
fn line_at(text: &[u8], number: u32, offset: u64) -> Option<&[u8]> {
    let offset = usize::try_from(offset).ok()?;
    let (before, from) = text.split_at_checked(offset)?;
    let lines_before = before.split(|&byte| byte == b'\n').skip(1).count();
    let is_start = before.last().is_none_or(|&last| last == b'\n')
        // After a byte order mark.
        || before == b"\xef\xbb\xbf";
    if !is_start || u32::try_from(lines_before).ok()?.checked_add(1)? != number {
        return None;
    }
    from.split_inclusive(|&byte| byte == b'\n').next()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    const TEXT: &[u8] = b"# old\n 1,2\n3,4\n";

    fn sequences(folder: &TempDir) -> PathBuf {
        let path = folder.path().join("sequences");
        fs::write(&path, TEXT).unwrap();
        path
    }

    #[test]
    fn the_very_line_that_was_used_is_marked_and_nothing_else_changes() {
        let folder = TempDir::new().unwrap();
        let path = sequences(&folder);
        mark(&path, TEXT, 2, 6).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"# old\n#1,2\n3,4\n");
        mark(&path, TEXT, 3, 11).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"# old\n#1,2\n#,4\n");
    }

    #[test]
    fn a_line_that_somebody_else_marked_is_as_it_should_be() {
        let folder = TempDir::new().unwrap();
        let path = sequences(&folder);
        mark(&path, TEXT, 2, 6).unwrap();
        mark(&path, TEXT, 2, 6).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"# old\n#1,2\n3,4\n");
    }

    #[test]
    fn what_is_no_line_is_not_marked() {
        let folder = TempDir::new().unwrap();
        let path = sequences(&folder);
        for (line, offset) in [(2, 7), (1, 6), (3, 6), (2, 5), (9, 1000), (4, 15), (0, 0)] {
            let outcome = mark(&path, TEXT, line, offset);
            assert!(matches!(outcome, Err(NotMarked::NoSuchLine)), "{line} {offset}: {outcome:?}");
        }
        assert_eq!(fs::read(&path).unwrap(), TEXT);
    }

    #[test]
    fn a_file_that_has_changed_is_left_alone() {
        let folder = TempDir::new().unwrap();
        let path = sequences(&folder);
        for changed in [
            &b"# old\n 1,3\n3,4\n"[..],
            b"# old\n#1,3\n3,4\n",
            b"# old\n",
            b"",
            b"new\n 1,2\n3,4\n",
        ] {
            fs::write(&path, changed).unwrap();
            let outcome = mark(&path, TEXT, 2, 6);
            assert!(matches!(outcome, Err(NotMarked::Changed(_))), "{outcome:?}");
            assert_eq!(fs::read(&path).unwrap(), changed);
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(mark(&path, TEXT, 2, 6), Err(NotMarked::Io(..))));
        assert!(open(&path).is_err());
    }
}
