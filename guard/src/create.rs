//! New files, folders and links, where nothing was before.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// Files, folders and links that are created together: all of them or none. What was created is removed when
/// this is dropped, unless it is kept.
#[derive(Debug, Default)]
pub struct New {
    /// In the order in which they were created.
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl New {
    /// Creates a file that only its owner can read, where nothing is.
    ///
    /// # Errors
    /// What the system says; also that something is there.
    pub fn file(&mut self, path: &Path, text: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        self.files.push(path.to_owned());
        file.write_all(text)
    }

    /// Creates a folder and those above it that are missing, with these permissions.
    ///
    /// # Errors
    /// What the system says.
    pub fn folder(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        let is_missing = |path: &&Path| *path != Path::new("") && path.symlink_metadata().is_err();
        let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
        for folder in missing.into_iter().rev() {
            DirBuilder::new().mode(mode).create(folder)?;
            self.folders.push(folder.to_owned());
        }
        Ok(())
    }

    /// Creates a symbolic link where nothing is.
    ///
    /// # Errors
    /// What the system says; also that something is there.
    pub fn link(&mut self, target: &Path, path: &Path) -> io::Result<()> {
        symlink(target, path)?;
        self.files.push(path.to_owned());
        Ok(())
    }

    /// Keeps everything.
    pub fn keep(mut self) {
        self.folders.clear();
        self.files.clear();
    }
}

impl Drop for New {
    fn drop(&mut self) {
        // What cannot be removed is in the way of the next try, which says so.
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        for folder in self.folders.iter().rev() {
            // Not if another program has put something there.
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_removed_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("old")).unwrap();
        let make = |new: &mut New| {
            new.folder(&at("old/a/b"), 0o700).unwrap();
            new.file(&at("old/a/b/file"), b"text").unwrap();
            new.link(Path::new("b/file"), &at("old/a/link")).unwrap();
            new.folder(&at("old/a"), 0o700).unwrap();
        };
        let mut new = New::default();
        make(&mut new);
        assert!(new.file(&at("old/a/link"), b"").is_err());
        drop(new);
        assert_eq!(fs::read_dir(at("old")).unwrap().count(), 0);
        let mut new = New::default();
        make(&mut new);
        new.keep();
        assert_eq!(fs::read(at("old/a/link")).unwrap(), b"text");
    }
}
