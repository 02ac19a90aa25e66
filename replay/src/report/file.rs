//! The file of a report: written completely or not at all, and readable only by its owner.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that will be written.
#[derive(Debug)]
pub(super) struct File {
    /// The path to write: if it is a link, the file that the link leads to.
    path: PathBuf,
}

impl File {
    /// Takes the path of a file, and tries whether it can be written.
    ///
    /// # Errors
    /// What the system says, or that something is there that is no file.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let path = match fs::metadata(path) {
            Ok(there) if there.is_dir() => return Err(io::Error::from_raw_os_error(libc::EISDIR)),
            Ok(there) if !there.is_file() => {
                return Err(io::Error::other("what is there is no regular file"));
            }
            Ok(_) => fs::canonicalize(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if path.is_symlink() {
                    return Err(io::Error::other("it is a link to a file that is not there"));
                }
                path.to_owned()
            }
            Err(error) => return Err(error),
        };
        let file = Self { path };
        // An error should be reported before hours of packets, not after them.
        file.beside()?.close()?;
        Ok(file)
    }

    /// Makes a file without a lasting name in the same folder, which only its owner can read.
    fn beside(&self) -> io::Result<NamedTempFile> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        tempfile::Builder::new()
            .prefix(".knock-replay-")
            .tempfile_in(folder.unwrap_or(Path::new(".")))
    }

    /// Writes the file in place of the one that may be there, which stays if that fails.
    ///
    /// # Errors
    /// What writing met.
    pub(super) fn write(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut new = BufWriter::new(self.beside()?);
        write(&mut new)?;
        let new = new.into_inner().map_err(io::IntoInnerError::into_error)?;
        // Or a power failure could leave neither the old file nor the new one.
        new.as_file().sync_all()?;
        new.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}
