//! Where tests are.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use knock_config::file_faults::ReadFault;
use knock_config::text::shown;
use walkdir::{DirEntry, WalkDir};

/// The most files and folders that are looked at, all folders of tests together.
const ENTRIES_MAX: usize = 100_000;

/// How captures and scenarios end.
const CAPTURES: [&str; 4] = ["scenario", "pcap", "pcapng", "cap"];

/// What may follow that.
const COMPRESSED: [&str; 2] = ["gz", "zst"];

/// The name of the configuration of a folder.
const CONFIG: &str = "knockd.conf";

/// Files that have their name in common: a test, if all is well.
#[derive(Debug)]
pub(super) struct Found {
    /// The folder of tests that it was found in, as the command line names it.
    pub(super) root: PathBuf,
    /// The path of the files without the extension: the name of the test.
    pub(super) stem: PathBuf,
    /// Captures and scenarios; a test has one.
    pub(super) captures: Vec<PathBuf>,
    pub(super) assert: Option<PathBuf>,
    pub(super) expect: Option<PathBuf>,
    /// The nearest configuration, in its folder or one above it.
    pub(super) config: Option<PathBuf>,
}

impl Found {
    /// Returns the name of the test, fit to be printed.
    pub(super) fn name(&self) -> String {
        shown(self.stem.strip_prefix(".").unwrap_or(&self.stem))
    }
}

/// Why tests cannot be found.
#[derive(Debug)]
pub(super) enum NotFound {
    /// This is no folder.
    NoFolder(PathBuf),
    /// A file or folder cannot be looked at.
    Unreadable(PathBuf, String),
    /// A link leads to a folder that it is in.
    Loop(PathBuf, PathBuf),
    /// There are too many files.
    TooMany(PathBuf),
    /// There is no test in this folder.
    Empty(PathBuf),
    /// No test has this in its name.
    NoneNamed(String),
}

impl NotFound {
    fn unreadable(path: PathBuf, error: &io::Error) -> Self {
        let wanted = "a folder of tests, as `knock-replay init` makes it";
        Self::Unreadable(path, ReadFault { error, wanted }.to_string())
    }
}

/// What is wrong and the way out: in lower case, without a full stop.
impl std::fmt::Display for NotFound {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoFolder(path) => write!(
                out,
                "{} is not a folder: name the folder of a test, and the test with --only",
                shown(path)
            ),
            Self::Unreadable(path, cause) => write!(out, "cannot read {}: {cause}", shown(path)),
            Self::Loop(link, folder) => write!(
                out,
                "{} is a link to {}, which it is in: remove it",
                shown(link),
                shown(folder)
            ),
            Self::TooMany(path) => write!(
                out,
                "there are more than {ENTRIES_MAX} files and folders up to {}: name folders that hold \
                 tests and nothing else",
                shown(path)
            ),
            Self::Empty(path) => write!(
                out,
                "there is no test in {}: knock-replay init makes a first one from a configuration",
                shown(path)
            ),
            Self::NoneNamed(text) => {
                write!(out, "no test has '{}' in its name", text.escape_debug())
            }
        }
    }
}

/// Finds the tests in folders, in order of their names; those with one of these texts in their names if
/// there are any. Returns the configurations in these folders, too.
pub(super) fn find(
    folders: &[PathBuf],
    only: &[String],
) -> Result<(Vec<Found>, BTreeSet<PathBuf>), NotFound> {
    let (mut found, mut configs) = (BTreeMap::new(), BTreeSet::new());
    let mut left = ENTRIES_MAX;
    for folder in folders {
        if !folder.is_dir() {
            return Err(missing(folder));
        }
        let before = found.len();
        search(folder, &mut left, &mut found, &mut configs)?;
        if found.len() == before && !found.keys().any(|stem: &PathBuf| stem.starts_with(folder)) {
            return Err(NotFound::Empty(folder.clone()));
        }
    }
    for text in only {
        if !found.values().any(|one| one.name().contains(text)) {
            return Err(NotFound::NoneNamed(text.clone()));
        }
    }
    let is_wanted = |one: &Found| {
        let name = one.name();
        only.is_empty() || only.iter().any(|text| name.contains(text))
    };
    Ok((found.into_values().filter(is_wanted).collect(), configs))
}

fn missing(folder: &Path) -> NotFound {
    match folder.metadata() {
        Ok(_) => NotFound::NoFolder(folder.to_owned()),
        Err(error) => NotFound::unreadable(folder.to_owned(), &error),
    }
}

fn search(
    root: &Path,
    left: &mut usize,
    found: &mut BTreeMap<PathBuf, Found>,
    configs: &mut BTreeSet<PathBuf>,
) -> Result<(), NotFound> {
    let is_hidden =
        |entry: &DirEntry| entry.depth() > 0 && entry.file_name().as_bytes().starts_with(b".");
    let entries = WalkDir::new(root)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| !is_hidden(entry));
    for entry in entries {
        let (path, is_folder) = match entry {
            Ok(entry) => (entry.path().to_owned(), entry.file_type().is_dir()),
            // A link to nothing stops its test, if it is named as a file of one.
            Err(error) if is_broken_link(&error) => match error.path() {
                Some(path) => (path.to_owned(), false),
                None => continue,
            },
            Err(error) => return Err(unreadable(&error)),
        };
        *left = left.checked_sub(1).ok_or_else(|| NotFound::TooMany(path.clone()))?;
        if !is_folder && path.file_name() == Some(OsStr::new(CONFIG)) {
            configs.insert(path);
            continue;
        }
        let Some((stem, kind)) = kind(&path).filter(|_| !is_folder) else { continue };
        let one = found.entry(stem).or_insert_with_key(|stem| Found {
            root: root.to_owned(),
            stem: stem.clone(),
            captures: Vec::new(),
            assert: None,
            expect: None,
            config: nearest_config(stem, root),
        });
        match kind {
            Kind::Capture if one.captures.contains(&path) => {}
            Kind::Capture => one.captures.push(path),
            Kind::Assert => one.assert = Some(path),
            Kind::Expect => one.expect = Some(path),
        }
    }
    Ok(())
}

fn is_broken_link(error: &walkdir::Error) -> bool {
    let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    error.io_error().is_some_and(is_missing)
}

fn unreadable(error: &walkdir::Error) -> NotFound {
    let path = error.path().unwrap_or(Path::new("")).to_owned();
    match (error.loop_ancestor(), error.io_error()) {
        (Some(folder), _) => NotFound::Loop(path, folder.to_owned()),
        (None, Some(cause)) => NotFound::unreadable(path, cause),
        (None, None) => NotFound::Unreadable(path, "the system does not say why".to_owned()),
    }
}

/// What a file is to its test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Capture,
    Assert,
    Expect,
}

/// Returns a path without its extension, and the kind of file; `None` if it does not belong to a test.
fn kind(path: &Path) -> Option<(PathBuf, Kind)> {
    let extension = path.extension()?;
    if extension == "assert" {
        return Some((path.with_extension(""), Kind::Assert));
    }
    if extension == "expect" {
        return Some((path.with_extension(""), Kind::Expect));
    }
    let is_one_of = |extension: &OsStr, known: &[&str]| known.iter().any(|one| extension == *one);
    if is_one_of(extension, &CAPTURES) {
        return Some((path.with_extension(""), Kind::Capture));
    }
    let inner = path.with_extension("");
    let is_capture = is_one_of(extension, &COMPRESSED) && is_one_of(inner.extension()?, &CAPTURES);
    is_capture.then(|| (inner.with_extension(""), Kind::Capture))
}

/// Returns the configuration in the folder of a test, or in the nearest above it, up to `root`.
fn nearest_config(stem: &Path, root: &Path) -> Option<PathBuf> {
    let folders = stem.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
    // A broken link is reported, not skipped.
    folders.map(|folder| folder.join(CONFIG)).find(|config| config.symlink_metadata().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_file_is_known_by_its_extension() {
        let kind = |path: &str| {
            kind(Path::new(path)).map(|(stem, kind)| (stem.to_str().unwrap().to_owned(), kind))
        };
        let is = |stem: &str, kind| Some((stem.to_owned(), kind));
        assert_eq!(kind("a/b.assert"), is("a/b", Kind::Assert));
        assert_eq!(kind("b.expect"), is("b", Kind::Expect));
        for end in ["scenario", "pcap", "pcapng", "cap", "pcap.gz", "pcapng.zst", "scenario.gz"] {
            assert_eq!(kind(&format!("a.b/c.d.{end}")), is("a.b/c.d", Kind::Capture), "{end}");
        }
        for other in
            ["README.md", "knockd.conf", "x.gz", "x.tar.gz", "assert", "a/.expect", ".pcap"]
        {
            assert_eq!(kind(other), None, "{other}");
        }
    }
}
