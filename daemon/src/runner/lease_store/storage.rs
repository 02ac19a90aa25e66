//! The few operations on files that keeping leases takes.

use std::io;

/// A file, and a new one that may take its place. A power cut loses what was not synced, and may tear it.
pub(super) trait Storage {
    /// Returns whether the file is there as it was last written. Others may remove, replace or cut it.
    fn is_intact(&self) -> bool;

    /// Appends to the file. Before an error, a part may be written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Waits until what was appended would survive a power cut.
    fn sync(&mut self) -> io::Result<()>;

    /// Begins a new file with this text.
    fn write_new(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Waits until the new file's text would survive a power cut.
    fn sync_new(&mut self) -> io::Result<()>;

    /// Puts the new file in the place of the file, in one step.
    fn replace(&mut self) -> io::Result<()>;

    /// Waits until that would survive a power cut.
    fn sync_folder(&mut self) -> io::Result<()>;

    /// Removes the file.
    fn remove(&mut self) -> io::Result<()>;
}
