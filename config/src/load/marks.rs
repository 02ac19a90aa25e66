//! Marking the lines of one-time sequences that were used.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use knock_engine::Sequence;
use knock_guard::{Distrust, Modes, OpenError};
use nix::fcntl::OFlag;

use super::files::MAX_FILE_BYTES;
use crate::file_faults::cause_for_existing;
use crate::lex::{Line, Text};
use crate::read::one_time;
use crate::text::shown;

/// When a line was marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// Just now.
    Now,
    /// Earlier, by whomever.
    Before,
}

/// Why a line was not marked.
#[derive(Debug)]
pub enum NotMarked {
    /// No line with a sequence begins there in the text that was read.
    NoSuchLine,
    /// The file does not have the line any more.
    Gone(PathBuf),
    /// The file cannot be read or written.
    Io(PathBuf, io::Error),
    /// Others can write it.
    Distrusted(Distrust),
}

impl fmt::Display for NotMarked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchLine => out.write_str("there is no such line"),
            Self::Gone(path) => {
                write!(out, "{} has changed since it was read, and lacks the line", shown(path))
            }
            Self::Io(path, error) => {
                write!(out, "{}: {}", shown(path), cause_for_existing(error))
            }
            Self::Distrusted(why) => why.fmt(out),
        }
    }
}

/// Opens a sequence file for reading and writing: a line that cannot be marked could be used again by
/// anyone who saw it.
///
/// # Errors
/// [`OpenError`].
pub fn open(path: &Path, modes: Modes) -> Result<File, OpenError> {
    let file = knock_guard::open(path, modes, OFlag::O_RDWR)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file").into())
    }
}

/// Returns the sequence on the line of a text that begins at `offset`; `None` if there is none.
#[must_use]
pub fn sequence_at(text: &[u8], line: u32, offset: u64) -> Option<Sequence> {
    Expected::new(text, line, offset).map(|line| line.sequence)
}

/// How often a file is opened that is replaced again and again.
const TRIES: usize = 5;

/// Writes `#` over the first byte of the line that begins at `offset` of `text`, wherever it is in the
/// file now: lines may have been added, removed or marked since `text` was read.
///
/// If several lines have the same sequence, the one at the same place is marked, otherwise the first.
///
/// # Errors
/// [`NotMarked`]; the file is as it was, unless the system failed while it was written.
pub fn mark(
    path: &Path,
    modes: Modes,
    text: &[u8],
    line: u32,
    offset: u64,
) -> Result<Marked, NotMarked> {
    let expected = Expected::new(text, line, offset).ok_or(NotMarked::NoSuchLine)?;
    let failed = |error| NotMarked::Io(path.to_owned(), error);
    for _ in 0..TRIES {
        let file = open(path, modes).map_err(|error| match error {
            OpenError::Distrusted(why) => NotMarked::Distrusted(why),
            OpenError::Io(error) => failed(error),
        })?;
        let marked = match expected.find(&read(&file).map_err(failed)?) {
            Place::Unmarked(offset) => {
                file.write_all_at(b"#", offset).and_then(|()| file.sync_data()).map_err(failed)?;
                Marked::Now
            }
            Place::Marked => Marked::Before,
            Place::Nowhere => return Err(NotMarked::Gone(path.to_owned())),
        };
        // An editor may have put another file in its place meanwhile.
        if is_at(&file, path).map_err(failed)? {
            return Ok(marked);
        }
    }
    Err(failed(io::Error::other("it is replaced again and again")))
}

/// A line to be marked, as it was read.
struct Expected<'a> {
    offset: u64,
    text: &'a [u8],
    sequence: Sequence,
}

/// Where a line is in a file.
enum Place {
    /// At this offset, and not marked.
    Unmarked(u64),
    /// It is marked.
    Marked,
    Nowhere,
}

impl<'a> Expected<'a> {
    fn new(text: &'a [u8], number: u32, offset: u64) -> Option<Self> {
        let is_it = |line: &Line<'_>| line.number == number && offset_of(line) == offset;
        let text = Text::new(text).lines().find(is_it)?.text;
        Some(Self { offset, text, sequence: one_time::sequence_on(text)? })
    }

    fn find(&self, text: &[u8]) -> Place {
        let lines = || Text::new(text).lines();
        let is_marked = |line: &Line<'_>| {
            let (line, expected) = (line.text.split_first(), self.text.split_first());
            line.zip(expected)
                .is_some_and(|((first, rest), (_, end))| *first == b'#' && rest == end)
        };
        let same = |line: &Line<'_>| line.text == self.text;
        let at_its_place = |line: &Line<'_>| offset_of(line) == self.offset;
        let found = lines()
            .find(|line| at_its_place(line) && same(line))
            .or_else(|| lines().find(same))
            // Most files have not changed, and a line is longer to parse than to compare.
            .or_else(|| {
                let has_it = |line: &Line<'_>| {
                    one_time::sequence_on(line.text).as_ref() == Some(&self.sequence)
                };
                lines().find(has_it)
            });
        match found {
            // With the line marked at its place, an equal line elsewhere is another use of the sequence.
            _ if lines().any(|line| at_its_place(&line) && is_marked(&line)) => Place::Marked,
            Some(line) => Place::Unmarked(offset_of(&line)),
            None if lines().any(|line| is_marked(&line)) => Place::Marked,
            None => Place::Nowhere,
        }
    }
}

fn offset_of(line: &Line<'_>) -> u64 {
    u64::try_from(line.offset).unwrap_or(u64::MAX)
}

fn read(file: &File) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = Vec::new();
    let limit = MAX_FILE_BYTES.saturating_add(1);
    let bytes = file.take(limit).read_to_end(&mut text)?;
    if u64::try_from(bytes).is_ok_and(|bytes| bytes < limit) {
        Ok(text)
    } else {
        Err(io::Error::other("it is larger than 1 MiB"))
    }
}

/// Returns whether an open file is still the one at a path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (ours, there) = (file.metadata()?, fs::metadata(path)?);
    Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino()))
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
        mark(&path, Modes::Any, TEXT, 2, 6).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"# old\n#1,2\n3,4\n");
        mark(&path, Modes::Any, TEXT, 3, 11).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"# old\n#1,2\n#,4\n");
    }

    #[test]
    fn a_line_that_somebody_else_marked_is_as_it_should_be() {
        let folder = TempDir::new().unwrap();
        let path = sequences(&folder);
        assert_eq!(mark(&path, Modes::Any, TEXT, 2, 6).unwrap(), Marked::Now);
        assert_eq!(mark(&path, Modes::Any, TEXT, 2, 6).unwrap(), Marked::Before);
        assert_eq!(fs::read(&path).unwrap(), b"# old\n#1,2\n3,4\n");
        fs::write(&path, b"# new\n# old\n#1,2\n3,4\n").unwrap();
        assert_eq!(mark(&path, Modes::Any, TEXT, 2, 6).unwrap(), Marked::Before);
    }

    #[test]
    fn what_is_no_line_is_not_marked() {
        let folder = TempDir::new().unwrap();
        let path = sequences(&folder);
        for (line, offset) in
            [(2, 7), (1, 6), (3, 6), (2, 5), (9, 1000), (4, 15), (0, 0), (1, 0), (2, 11)]
        {
            let outcome = mark(&path, Modes::Any, TEXT, line, offset);
            assert!(matches!(outcome, Err(NotMarked::NoSuchLine)), "{line} {offset}: {outcome:?}");
        }
        assert_eq!(fs::read(&path).unwrap(), TEXT);
    }

    #[test]
    fn a_line_that_has_moved_is_marked_where_it_is_now() {
        let folder = TempDir::new().unwrap();
        let path = sequences(&folder);
        for (changed, marked) in [
            ("# old\n 5,6\n 1,2\n3,4\n", "# old\n 5,6\n#1,2\n3,4\n"),
            ("5,6\n 1,2\n", "5,6\n#1,2\n"),
            (" 1,2", "#1,2"),
            // Other blanks, other names for the same protocol.
            ("\u{feff}# more comments\n\t1:tcp , 2\r\n", "\u{feff}# more comments\n#1:tcp , 2\r\n"),
            // A line in error says nothing about the others.
            ("abc\n 1,2,3\n 1,2\n", "abc\n 1,2,3\n#1,2\n"),
            // The same bytes at the same place, where no line begins.
            ("7,88,9 1,2\n 1,2\n", "7,88,9 1,2\n#1,2\n"),
            // Of equal lines, the one at the same place; otherwise the first.
            (" 1,2\n\n 1,2\n 1,2\n", " 1,2\n\n#1,2\n 1,2\n"),
            (" 1,2\n 1,2\n", "#1,2\n 1,2\n"),
        ] {
            fs::write(&path, changed).unwrap();
            assert_eq!(mark(&path, Modes::Any, TEXT, 2, 6).unwrap(), Marked::Now, "{changed:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), marked);
        }
    }

    #[test]
    fn a_line_that_is_gone_is_not_marked_and_nothing_is_written() {
        let folder = TempDir::new().unwrap();
        let path = sequences(&folder);
        for changed in ["# old\n 1,3\n3,4\n", "# old\n#1,3\n3,4\n", "# old\n", "", "7,1,2\n"] {
            fs::write(&path, changed).unwrap();
            let outcome = mark(&path, Modes::Any, TEXT, 2, 6);
            assert!(matches!(outcome, Err(NotMarked::Gone(_))), "{outcome:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), changed);
        }
    }

    #[test]
    fn a_file_that_is_no_file_is_not_marked() {
        let folder = TempDir::new().unwrap();
        let path = sequences(&folder);
        fs::write(&path, vec![b'#'; 1 << 20]).unwrap();
        assert!(matches!(mark(&path, Modes::Any, TEXT, 2, 6), Err(NotMarked::Gone(_))));
        fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
        let too_large = mark(&path, Modes::Any, TEXT, 2, 6).unwrap_err().to_string();
        assert!(too_large.ends_with(": it is larger than 1 MiB"), "{too_large}");
        let device = mark(Path::new("/dev/null"), Modes::Any, TEXT, 2, 6).unwrap_err().to_string();
        assert_eq!(device, "/dev/null: it is not a regular file");
        fs::remove_file(&path).unwrap();
        assert!(matches!(mark(&path, Modes::Any, TEXT, 2, 6), Err(NotMarked::Io(..))));
        assert!(open(&path, Modes::Any).is_err());
    }
}
