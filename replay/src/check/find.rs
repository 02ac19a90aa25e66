//! The configurations that a command line names.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use knock_config::file_faults::ReadFault;
use knock_config::text::shown;
use walkdir::WalkDir;

/// The most files and folders that are looked at in one folder that is named.
const ENTRIES_MAX: usize = 100_000;

/// Why a folder cannot be checked as a whole.
#[derive(Debug)]
pub(super) enum NotFound {
    /// There is no configuration in it.
    Empty(PathBuf),
    /// A file or folder in it cannot be looked at.
    Unreadable(PathBuf, String),
    /// There are too many files.
    TooMany(PathBuf),
}

impl fmt::Display for NotFound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty(folder) => write!(
                out,
                "there is no file in {} whose name ends in '.conf': name the configuration itself",
                shown(folder)
            ),
            Self::Unreadable(path, cause) => write!(out, "cannot read {}: {cause}", shown(path)),
            Self::TooMany(folder) => write!(
                out,
                "there are more than {ENTRIES_MAX} files and folders in {}: name folders that hold \
                 configurations and nothing else",
                shown(folder)
            ),
        }
    }
}

/// Returns the configurations that a path stands for: itself, or, if it is a folder, every file below it
/// whose name ends in `.conf`, in order of their names. Links to folders are not followed.
pub(super) fn configurations(path: &Path) -> Result<Vec<PathBuf>, NotFound> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for (number, entry) in WalkDir::new(path).sort_by_file_name().into_iter().enumerate() {
        if number >= ENTRIES_MAX {
            return Err(NotFound::TooMany(path.to_owned()));
        }
        let entry = entry.map_err(|error| unreadable(path, &error))?;
        let is_configuration = entry.path().extension() == Some(OsStr::new("conf"));
        if is_configuration && !entry.path().is_dir() {
            found.push(entry.into_path());
        }
    }
    if found.is_empty() { Err(NotFound::Empty(path.to_owned())) } else { Ok(found) }
}

fn unreadable(root: &Path, error: &walkdir::Error) -> NotFound {
    let path = error.path().unwrap_or(root).to_owned();
    let wanted = "a configuration, or a folder with some";
    let cause = match error.io_error() {
        Some(error) => ReadFault { error, wanted }.to_string(),
        None => error.to_string(),
    };
    NotFound::Unreadable(path, cause)
}
