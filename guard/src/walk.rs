//! The way from the root folder to a file, folder by folder and link by link.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

/// How many links are followed, as by the kernel.
const LINKS_MAX: u32 = 40;

/// Something that the way leads through.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Passed {
    /// A folder; the next part of the way is a folder in it.
    Folder,
    /// A folder; the next part of the way is a link or a file in it, perhaps a file that is missing.
    LastFolder,
    /// A symbolic link.
    Link,
}

/// Where the way ends.
#[derive(Debug)]
pub(crate) struct Place {
    /// The folder, opened only as a place.
    pub(crate) folder: OwnedFd,
    pub(crate) name: OsString,
    /// The path without links.
    pub(crate) path: PathBuf,
    /// What is there; `None` if nothing is.
    pub(crate) there: Option<FileStat>,
    /// Whether it is a descriptor of a process, such as `/dev/stdin`, and not a file in a folder.
    pub(crate) is_descriptor: bool,
}

/// Goes to a file. `judge` sees all folders and links on the way, with their paths.
pub(crate) fn walk(
    path: &Path,
    mut judge: impl FnMut(Passed, &Path, &FileStat) -> io::Result<()>,
) -> io::Result<Place> {
    if path.as_os_str().is_empty() {
        return Err(Errno::ENOENT.into());
    }
    let mut rest = VecDeque::new();
    prepend(&mut rest, &std::path::absolute(path)?);
    let mut way = Way::root()?;
    let mut links = 0_u32;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            way.enter(OsStr::new(".."))?;
            way.path.pop();
            continue;
        }
        let is_last = rest.is_empty();
        let Some(there) = way.look(&name)? else {
            if !is_last {
                return Err(Errno::ENOENT.into());
            }
            judge(Passed::LastFolder, &way.path, &fstat(&way.folder)?)?;
            return Ok(way.place(name, None));
        };
        let stat = fstat(&there)?;
        let kind = kind(&stat);
        if kind == SFlag::S_IFDIR && !is_last {
            judge(Passed::Folder, &way.path, &fstat(&way.folder)?)?;
            way.folder = there;
            way.path.push(&name);
            continue;
        }
        if kind == SFlag::S_IFLNK && way.is_process()? {
            // What it leads to need not have a path at all.
            if is_last {
                return way.descriptor(name);
            }
            way.enter(&name)?;
            way.path.push(&name);
            continue;
        }
        judge(Passed::LastFolder, &way.path, &fstat(&way.folder)?)?;
        if kind != SFlag::S_IFLNK {
            return if is_last {
                Ok(way.place(name, Some(stat)))
            } else {
                Err(Errno::ENOTDIR.into())
            };
        }
        judge(Passed::Link, &way.path.join(&name), &stat)?;
        links = links.saturating_add(1);
        if links > LINKS_MAX {
            return Err(Errno::ELOOP.into());
        }
        let target = PathBuf::from(readlinkat(&way.folder, &*name)?);
        if target.is_absolute() {
            way = Way::root()?;
        }
        prepend(&mut rest, &target);
    }
    Err(Errno::EISDIR.into())
}

/// Returns the type of a file.
pub(crate) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

fn prepend(rest: &mut VecDeque<OsString>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => rest.push_front(name.to_owned()),
            Component::ParentDir => rest.push_front("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
}

/// How far the walk is.
struct Way {
    folder: OwnedFd,
    path: PathBuf,
}

const PLACE: OFlag = OFlag::O_PATH.union(OFlag::O_CLOEXEC);

impl Way {
    fn root() -> io::Result<Self> {
        let folder = nix::fcntl::open("/", PLACE.union(OFlag::O_DIRECTORY), Mode::empty())?;
        Ok(Self { folder, path: PathBuf::from("/") })
    }

    /// Opens what has this name, but does not follow a link.
    fn look(&self, name: &OsStr) -> io::Result<Option<OwnedFd>> {
        match openat(&self.folder, name, PLACE.union(OFlag::O_NOFOLLOW), Mode::empty()) {
            Ok(there) => Ok(Some(there)),
            Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Goes into a folder.
    fn enter(&mut self, name: &OsStr) -> io::Result<()> {
        self.folder = openat(&self.folder, name, PLACE.union(OFlag::O_DIRECTORY), Mode::empty())?;
        Ok(())
    }

    /// Returns whether the links of this folder are those of the kernel, which lead to processes and to
    /// their descriptors.
    fn is_process(&self) -> io::Result<bool> {
        Ok(fstatfs(self.folder.as_fd())?.filesystem_type() == PROC_SUPER_MAGIC)
    }

    fn place(self, name: OsString, there: Option<FileStat>) -> Place {
        let Self { folder, path } = self;
        Place { folder, path: path.join(&name), name, there, is_descriptor: false }
    }

    fn descriptor(self, name: OsString) -> io::Result<Place> {
        let there = fstat(openat(&self.folder, &*name, PLACE, Mode::empty())?)?;
        Ok(Place { is_descriptor: true, ..self.place(name, Some(there)) })
    }
}
