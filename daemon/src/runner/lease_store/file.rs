//! The file of leases on disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, Flock, FlockArg, OFlag, fcntl};

use super::storage::Storage;
use crate::locked_file::is_at;

/// The permissions of the file.
pub(super) const MODE: u32 = 0o600;

/// The permissions of its folder, if that is created.
const FOLDER_MODE: u32 = 0o700;

/// The file, locked while the daemon runs.
pub(super) struct LeaseFile {
    path: PathBuf,
    file: Flock<File>,
    /// What the file was like after the last write.
    seen: Option<Stamp>,
    /// The file that is about to take its place.
    new: Option<Flock<File>>,
}

/// Changes whenever anybody changes the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl LeaseFile {
    /// Takes a file that this process has locked and read to its end.
    pub(super) fn new(path: PathBuf, file: Flock<File>) -> Self {
        let seen = file.metadata().ok().map(|metadata| Stamp::of(&metadata));
        Self { path, file, seen, new: None }
    }

    /// Returns whether it was opened for writing, which a read-only disk refuses.
    pub(super) fn can_be_written(&self) -> bool {
        let flags = fcntl(self.file.as_fd(), FcntlArg::F_GETFL).unwrap_or_default();
        OFlag::from_bits_retain(flags) & OFlag::O_ACCMODE == OFlag::O_RDWR
    }

    /// Returns the file that this process has locked.
    pub(super) fn into_lock(self) -> Flock<File> {
        self.file
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn new_path(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        name.into()
    }

    fn see(&mut self) -> io::Result<()> {
        self.seen = Some(Stamp::of(&self.file.metadata()?));
        Ok(())
    }
}

impl Storage for LeaseFile {
    fn is_intact(&self) -> bool {
        let there = fs::symlink_metadata(&self.path);
        there.is_ok_and(|there| self.seen == Some(Stamp::of(&there)))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.see()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write_new(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.new = None;
        make_folder_of(&self.path)?;
        let path = self.new_path();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path)?;
        let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, error)| io::Error::from(error))?;
        if let Err(error) = file.write_all(bytes) {
            // A part of it would only take room that the disk does not have.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        self.new = Some(file);
        Ok(())
    }

    fn sync_new(&mut self) -> io::Result<()> {
        self.new.as_ref().map_or(Ok(()), |new| new.sync_all())
    }

    fn replace(&mut self) -> io::Result<()> {
        let Some(new) = self.new.take() else { return Ok(()) };
        refuse_if_taken(&self.path, &self.file)?;
        fs::rename(self.new_path(), &self.path)?;
        self.file = new;
        self.see()
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        sync_folder_of(&self.path)
    }

    fn remove(&mut self) -> io::Result<()> {
        // Another file there is not this daemon's.
        if is_at(&self.file, &self.path) { fs::remove_file(&self.path) } else { Ok(()) }
    }
}

/// Refuses to replace a file that another daemon has created where this one's was removed.
fn refuse_if_taken(path: &Path, own: &File) -> io::Result<()> {
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(()) };
    let own = own.metadata()?;
    if (there.dev(), there.ino()) == (own.dev(), own.ino()) || !there.is_file() {
        return Ok(());
    }
    match File::open(path).map(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock)) {
        Ok(Err(_)) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "another knockd is using it"))
        }
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

/// Creates the folder of a file if there is none.
///
/// # Errors
/// Of the system call.
pub(in crate::runner) fn make_folder_of(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    sync_folder_of(folder)
}

/// Waits until the entries of a file's folder would survive a power cut.
pub(in crate::runner) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems cannot sync folders.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        done => done,
    }
}
