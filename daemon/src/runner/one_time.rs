//! The files of one-time sequences, in which used sequences are marked.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;

use knock_config::Files;
use knock_config::marks::{self, NotMarked, path_of};
use knock_config::text::{Cause, shown};
use knock_config::{Config, FileName};
use knock_engine::DoorId;

/// The files, as they were read.
#[derive(Debug, Default)]
pub(super) struct OneTime {
    /// The file of each door that has one.
    files: BTreeMap<DoorId, FileName>,
    texts: BTreeMap<FileName, Vec<u8>>,
}

impl OneTime {
    /// Takes the files of a configuration. The ids are those of its doors, in order.
    pub(super) fn new(
        config: &Config,
        files: &Files,
        ids: impl IntoIterator<Item = DoorId>,
    ) -> Self {
        let named = config
            .doors
            .iter()
            .zip(ids)
            .filter_map(|(door, id)| Some((id, door.one_time_file()?.clone())));
        Self { files: named.collect(), texts: files.one_time.clone() }
    }

    /// Marks a sequence as used: writes `#` over the first byte of its line, if that has not changed.
    pub(super) fn mark(&self, door: DoorId, line: u32, offset: u64) -> Result<(), NotMarked> {
        let name = self.files.get(&door).ok_or(NotMarked::NoSuchLine)?;
        let text = self.texts.get(name).ok_or(NotMarked::NoSuchLine)?;
        marks::mark(path_of(name), text, line, offset)
    }
}

/// A file in which sequences cannot be marked as used.
#[derive(Debug)]
pub(crate) struct NotWritable(PathBuf, io::Error);

impl fmt::Display for NotWritable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(path, error) = self;
        let why = "a sequence that is not marked as used could be used again";
        write!(out, "cannot write {}: {}; {why}", shown(path), Cause(error))
    }
}

/// Checks that every file of one-time sequences can be written: a sequence that cannot be marked as used
/// could be used again, by anyone who saw it.
///
/// # Errors
/// [`NotWritable`] about the first that cannot be opened.
pub(crate) fn check_writable(config: &Config) -> Result<(), NotWritable> {
    for file in config.doors.iter().filter_map(|door| door.one_time_file()) {
        let path = path_of(file);
        marks::open(path).map_err(|error| NotWritable(path.to_owned(), error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use knock_config as config;
    use knock_engine::Doors;
    use tempfile::TempDir;

    use super::*;

    const TEXT: &[u8] = b"# old\n 1,2\n3,4\n";

    /// Two doors, of which the second takes its sequences from a file.
    fn one_time(folder: &TempDir) -> (OneTime, DoorId, PathBuf, Config) {
        let path = folder.path().join("sequences");
        fs::write(&path, TEXT).unwrap();
        let conf = format!("[a]\nsequence=9\n[b]\none_time_sequences={}\n", path.display());
        let config = config::parse(conf.as_bytes()).config.unwrap();
        let name = config.doors[1].one_time_file().unwrap().clone();
        let files =
            Files { configuration: conf.into_bytes(), one_time: [(name, TEXT.to_vec())].into() };
        let doors = config.doors.iter().map(config::DoorConfig::door).collect();
        let doors = Doors::new(doors).unwrap();
        let ids: Vec<DoorId> = doors.in_order().map(|(id, _)| id).collect();
        (OneTime::new(&config, &files, ids.iter().copied()), ids[1], path, config)
    }

    #[test]
    fn only_the_line_that_was_used_is_marked() {
        let folder = TempDir::new().unwrap();
        let (one_time, door, path, config) = one_time(&folder);
        check_writable(&config).unwrap();
        one_time.mark(door, 2, 6).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"# old\n#1,2\n3,4\n");
        one_time.mark(door, 3, 11).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"# old\n#1,2\n#,4\n");
    }

    #[test]
    fn a_line_that_the_door_does_not_have_is_not_marked() {
        let folder = TempDir::new().unwrap();
        let (one_time, door, path, _) = one_time(&folder);
        assert!(matches!(one_time.mark(door, 1, 6), Err(NotMarked::NoSuchLine)));
        let other = Doors::new(
            config::parse(b"[a]\nsequence=9\n")
                .config
                .unwrap()
                .doors
                .into_iter()
                .map(|door| door.door())
                .collect(),
        )
        .unwrap()
        .with_index(0)
        .unwrap();
        assert!(matches!(one_time.mark(other, 2, 6), Err(NotMarked::NoSuchLine)));
        assert_eq!(fs::read(&path).unwrap(), TEXT);
    }

    #[test]
    fn a_file_that_was_removed_is_not_writable() {
        let folder = TempDir::new().unwrap();
        let (one_time, door, path, config) = one_time(&folder);
        fs::remove_file(&path).unwrap();
        assert!(matches!(one_time.mark(door, 2, 6), Err(NotMarked::Io(..))));
        let expected = format!(
            "cannot write {}: No such file or directory; a sequence that is not marked as used could \
             be used again",
            path.display()
        );
        assert_eq!(check_writable(&config).unwrap_err().to_string(), expected);
    }
}
