//! Files that are written as a whole: a reader sees the old one or the new one, and nothing in between.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use crate::cause::Cause;
use crate::quote::quoted;
use crate::walk::{Passed, Place, kind, walk};

/// Who may read a file that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner only, also if the file before it had more: it shows sequences.
    Owner,
    /// Those who could read the file before it; for a new one, whom the umask lets.
    AsBefore,
    /// Everyone.
    Everyone,
}

/// Why a file is not written.
#[derive(Debug)]
pub enum NotWritten {
    /// It is read by the same run, under this name.
    IsRead(PathBuf),
    /// A link on the way belongs to another user, who could lead the program anywhere.
    ForeignLink(PathBuf),
    /// It is a link to a file that does not exist.
    BrokenLink,
    /// It is a pipe, a device or a socket.
    NotAFile,
    /// It is a pipe that nothing reads, or a socket.
    Unread,
    /// It holds something else than a process ID.
    NotAPid,
    /// In its folder, the system creates no files.
    NoNewFiles,
    /// The system refuses.
    Io(io::Error),
}

impl fmt::Display for NotWritten {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IsRead(name) => {
                write!(
                    out,
                    "it is the same file as {}, which is read: name another file",
                    quoted(name)
                )
            }
            Self::ForeignLink(path) => {
                write!(out, "the link {} belongs to another user; name another place", quoted(path))
            }
            Self::BrokenLink => out.write_str("it is a link to a file that is not there; remove it, or create that file"),
            Self::NotAFile => {
                out.write_str("what is there is no regular file; name another place")
            }
            Self::Unread => out.write_str(
                "it is a pipe that nothing reads, or a socket; start its reader first, or name a file",
            ),
            Self::NotAPid => {
                out.write_str("it holds something else than a process ID, and stays as it is")
            }
            Self::NoNewFiles => {
                out.write_str("no file can be created in this directory; name a file in another one")
            }
            Self::Io(error) => Cause(error).fmt(out),
        }
    }
}

impl std::error::Error for NotWritten {}

impl From<io::Error> for NotWritten {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(why) => why,
            Err(error) => Self::Io(error),
        }
    }
}

impl From<Errno> for NotWritten {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

impl From<NotWritten> for io::Error {
    fn from(why: NotWritten) -> Self {
        match why {
            NotWritten::Io(error) => error,
            why @ (NotWritten::IsRead(_)
            | NotWritten::ForeignLink(_)
            | NotWritten::BrokenLink
            | NotWritten::NotAFile
            | NotWritten::Unread
            | NotWritten::NotAPid
            | NotWritten::NoNewFiles) => Self::other(why),
        }
    }
}

/// A file that will be written.
#[derive(Debug)]
pub struct Target {
    place: Place,
    readers: Readers,
    /// A pipe or a device, which is written as it is.
    direct: Option<File>,
}

/// Goes to a file that is to be written. Links of other users are not followed.
pub(crate) fn go_to(path: &Path) -> Result<Place, NotWritten> {
    let user = geteuid().as_raw();
    let place = walk(path, |passed, link, stat| match passed {
        Passed::Link if ![0, user].contains(&stat.st_uid) => {
            Err(NotWritten::ForeignLink(link.to_owned()).into())
        }
        Passed::Link | Passed::Folder | Passed::LastFolder => Ok(()),
    })?;
    Ok(place)
}

/// The number of the null device.
const NULL: u64 = 0x103;

impl Target {
    /// Takes the path of a file, and tries whether it can be written. `read` are the files that the same run
    /// reads: none of them is written over, under whatever name.
    ///
    /// # Errors
    /// [`NotWritten`].
    pub fn new<'a>(
        path: &Path,
        readers: Readers,
        read: impl IntoIterator<Item = &'a Path>,
    ) -> Result<Self, NotWritten> {
        let place = go_to(path)?;
        let Some(there) = &place.there else {
            if path.is_symlink() {
                return Err(NotWritten::BrokenLink);
            }
            return Self { place, readers, direct: None }.tried();
        };
        if let Some(name) = same_file(there, read) {
            return Err(NotWritten::IsRead(name));
        }
        let is_direct =
            place.is_descriptor || kind(there) == SFlag::S_IFIFO || there.st_rdev == NULL;
        let direct = match kind(there) {
            SFlag::S_IFDIR => return Err(Errno::EISDIR.into()),
            _ if is_direct => Some(open_there(&place)?),
            SFlag::S_IFREG => None,
            _ => return Err(NotWritten::NotAFile),
        };
        Self { place, readers, direct }.tried()
    }

    /// Makes sure that there can be a new file: an error should be reported before hours of packets, not
    /// after them.
    fn tried(self) -> Result<Self, NotWritten> {
        if self.direct.is_none() {
            Beside::new(&self.place.folder)?;
        }
        Ok(self)
    }

    /// Writes the file in place of the one that may be there, which stays if that fails.
    ///
    /// # Errors
    /// What the system says, or `write`.
    pub fn write(self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        if let Some(file) = self.direct {
            // From here on, whoever reads the pipe decides how fast.
            fcntl(&file, FcntlArg::F_SETFL(OFlag::empty()))?;
            let mut out = BufWriter::new(file);
            write(&mut out)?;
            return out.flush();
        }
        let beside = self.beside()?;
        let mut out = BufWriter::new(&beside.file);
        write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        // Or a power failure could leave neither the old file nor the new one.
        beside.file.sync_all()?;
        self.replace(beside)?;
        sync(&self.place.folder)
    }

    /// Puts an empty file in place of the one that may be there, and returns it, for what is written little
    /// by little. A pipe is returned as it is: while it is full, writing to it fails.
    ///
    /// # Errors
    /// What the system says.
    pub fn begin(mut self) -> io::Result<File> {
        if let Some(file) = self.direct.take() {
            return Ok(file);
        }
        let beside = self.beside()?;
        self.replace(beside)
    }

    fn beside(&self) -> io::Result<Beside<'_>> {
        let beside = Beside::new(&self.place.folder)?;
        match (self.readers, &self.place.there) {
            (Readers::Owner, _) => {}
            (Readers::AsBefore, Some(there)) => {
                let (user, group) = (there.st_uid, there.st_gid);
                // Only root can give files away.
                let _ = fchown(&beside.file, Some(user), Some(group));
                fchmod(&beside.file, Mode::from_bits_truncate(there.st_mode))?;
            }
            (Readers::AsBefore, None) => fchmod(&beside.file, of_umask()?)?,
            (Readers::Everyone, _) => fchmod(&beside.file, Mode::from_bits_truncate(0o644))?,
        }
        Ok(beside)
    }

    fn replace(&self, mut beside: Beside<'_>) -> io::Result<File> {
        let folder = &self.place.folder;
        renameat(folder, &*beside.name, folder, &*self.place.name)?;
        beside.is_kept = true;
        beside.file.try_clone()
    }
}

/// Opens a pipe or a device, and does not wait for a reader.
fn open_there(place: &Place) -> Result<File, NotWritten> {
    let follow = if place.is_descriptor { OFlag::empty() } else { OFlag::O_NOFOLLOW };
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | follow;
    match openat(&place.folder, &*place.name, flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        Err(Errno::ENXIO) => Err(NotWritten::Unread),
        Err(error) => Err(error.into()),
    }
}

/// Returns which of these files a file is.
fn same_file<'a>(there: &FileStat, read: impl IntoIterator<Item = &'a Path>) -> Option<PathBuf> {
    let is_it = |path: &&Path| {
        path.metadata().is_ok_and(|input| {
            input.is_file() && (input.dev(), input.ino()) == (there.st_dev, there.st_ino)
        })
    };
    read.into_iter().find(is_it).map(Path::to_owned)
}

/// Returns the permissions that a new file has.
fn of_umask() -> io::Result<Mode> {
    // The umask itself can only be read by changing it, which other threads would notice.
    let status = std::fs::read_to_string("/proc/self/status")?;
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    let umask = umask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).unwrap_or(0o077);
    Ok(Mode::from_bits_truncate(0o666 & !umask))
}

/// Waits until the entries of a folder would survive a power cut.
pub(crate) fn sync(folder: &OwnedFd) -> io::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    // A folder that this user may write and not read cannot be synced.
    let Ok(folder) = openat(folder, ".", flags, Mode::empty()) else { return Ok(()) };
    match File::from(folder).sync_all() {
        // Some file systems cannot sync folders.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        done => done,
    }
}

/// A new file in the same folder, which only its owner can read. It is removed unless it is kept.
struct Beside<'a> {
    folder: &'a OwnedFd,
    name: OsString,
    file: File,
    is_kept: bool,
}

/// How many names are tried for it.
const NAMES_MAX: u32 = 100;

impl<'a> Beside<'a> {
    fn new(folder: &'a OwnedFd) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let flags =
            OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        for _ in 0..NAMES_MAX {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = OsString::from(format!(".knock-{}-{number}.new", std::process::id()));
            match openat(folder, &*name, flags, Mode::S_IRUSR | Mode::S_IWUSR) {
                Ok(file) => return Ok(Self { folder, name, file: file.into(), is_kept: false }),
                Err(Errno::EEXIST) => {}
                // The folder is there: it is open.
                Err(Errno::ENOENT) => return Err(NotWritten::NoNewFiles.into()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EEXIST.into())
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            // If it cannot be removed, it is in nobody's way.
            let _ = unlinkat(self.folder, &*self.name, UnlinkatFlags::NoRemoveDir);
        }
    }
}

/// Opens a file for lines that are added at its end, and creates it with these permissions if it does not
/// exist. A pipe is not waited for; while it is full, writing fails.
///
/// # Errors
/// [`NotWritten`].
pub fn append(path: &Path, mode: u32) -> Result<File, NotWritten> {
    let place = go_to(path)?;
    let follow =
        if place.is_descriptor { OFlag::empty() } else { OFlag::O_NOFOLLOW | OFlag::O_CREAT };
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let flags = flags | OFlag::O_CLOEXEC | follow;
    let file = match openat(&place.folder, &*place.name, flags, Mode::from_bits_truncate(mode)) {
        Ok(file) => File::from(file),
        Err(Errno::ENXIO) => return Err(NotWritten::Unread),
        Err(Errno::ENOENT) if follow.contains(OFlag::O_CREAT) => {
            return Err(NotWritten::NoNewFiles);
        }
        Err(error) => return Err(error.into()),
    };
    Ok(file)
}

/// Fails if a file that is to be written is one that the same run reads.
///
/// # Errors
/// [`NotWritten::IsRead`], and [`NotWritten::ForeignLink`] if it may become one.
pub fn check_not_read<'a>(
    path: &Path,
    read: impl IntoIterator<Item = &'a Path>,
) -> Result<(), NotWritten> {
    let there = match go_to(path) {
        Ok(Place { there: Some(there), .. }) => there,
        Err(why @ NotWritten::ForeignLink(_)) => return Err(why),
        // Who opens it reports what is wrong.
        Ok(Place { there: None, .. }) | Err(_) => return Ok(()),
    };
    same_file(&there, read).map_or(Ok(()), |name| Err(NotWritten::IsRead(name)))
}
