//! New files, folders and links, where nothing was before.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::Path;

/// Creates a file that only its owner can read, where nothing is.
///
/// # Errors
/// What the system says; also that something is there.
pub fn create(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(text);
    if written.is_err() {
        // Half of it would be in the way of the next try.
        let _ = fs::remove_file(path);
    }
    written
}

/// Creates a folder and those above it that are missing, with these permissions.
///
/// # Errors
/// What the system says.
pub fn create_folders(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Creates a symbolic link where nothing is.
///
/// # Errors
/// What the system says; also that something is there.
pub fn link(target: &Path, path: &Path) -> io::Result<()> {
    symlink(target, path)
}
