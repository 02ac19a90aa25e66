//! Whether only root and the user of this process can have written a file.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::{Gid, Group, Uid, User, geteuid};

use crate::characters::is_unprintable;
use crate::quote::quoted;
use crate::walk::{Passed, Place, kind, walk};

/// Whose files are believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Modes {
    /// Those that only root and the user of this process can write, in folders of which the same is true.
    Strict,
    /// All.
    #[default]
    Any,
}

/// Why a file is not opened.
#[derive(Debug)]
pub enum OpenError {
    /// Others can write it.
    Distrusted(Distrust),
    /// The system refuses.
    Io(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Errno> for OpenError {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Io(error) => error,
            OpenError::Distrusted(_) => Self::new(io::ErrorKind::PermissionDenied, error),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Distrusted(why) => why.fmt(out),
            Self::Io(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for OpenError {}

/// Who else can write a file, and how to change that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrust {
    /// The file, without links.
    path: PathBuf,
    /// Whether it is there to be read, and could be moved.
    is_there: bool,
    faults: Vec<Fault>,
    /// The user of this process.
    user: Uid,
}

/// A file or a folder that others can write.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    path: PathBuf,
    is_folder: bool,
    /// The owner, if it is a foreign one.
    owner: Option<Uid>,
    /// The group, if it can write.
    group: Option<Gid>,
    all_can_write: bool,
    /// No user removes files of others from it.
    is_sticky: bool,
}

const GROUP_WRITES: u32 = 0o020;
const ALL_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

impl Fault {
    fn of(path: &Path, stat: &FileStat, user: Uid) -> Option<Self> {
        let owner = Uid::from_raw(stat.st_uid);
        // With an access control list, the bits of the group are its mask.
        let fault = Self {
            path: path.to_owned(),
            is_folder: kind(stat) == SFlag::S_IFDIR,
            owner: (!owner.is_root() && owner != user).then_some(owner),
            group: (stat.st_mode & GROUP_WRITES != 0).then_some(Gid::from_raw(stat.st_gid)),
            all_can_write: stat.st_mode & ALL_WRITE != 0,
            is_sticky: stat.st_mode & STICKY != 0,
        };
        (fault.owner.is_some() || fault.group.is_some() || fault.all_can_write).then_some(fault)
    }

    /// Returns whether a folder of this user in it stays in its place, whoever else writes there.
    fn keeps_folders(&self) -> bool {
        self.is_sticky && self.owner.is_none()
    }

    /// Returns the same of files: where all users can write, the name of a file that is missing for a
    /// moment is anybody's.
    fn keeps_files(&self) -> bool {
        self.keeps_folders() && !self.all_can_write
    }

    /// Returns whether others need the folder as it is.
    fn must_stay(&self) -> bool {
        let home =
            |owner| User::from_uid(owner).ok().flatten().is_some_and(|user| user.dir == self.path);
        self.is_folder && (self.is_sticky || self.owner.is_some_and(home))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_folder {
            out.write_str("its folder ")?;
        }
        out.write_str(&quoted(&self.path))?;
        if let Some(owner) = self.owner {
            write!(out, " belongs to {}", user_name(owner))?;
            if self.group.is_none() && !self.all_can_write {
                return Ok(());
            }
            out.write_str(", and")?;
        }
        match self.group {
            _ if self.all_can_write => out.write_str(" can be written by every user"),
            Some(group) => write!(out, " can be written by {}", group_name(group)),
            None => Ok(()),
        }
    }
}

fn user_name(user: Uid) -> String {
    let name = User::from_uid(user).ok().flatten().map(|user| user.name);
    name.map_or_else(|| format!("user {user}"), |name| format!("user {} ({user})", plain(&name)))
}

fn group_name(group: Gid) -> String {
    let name = Group::from_gid(group).ok().flatten().map(|group| group.name);
    name.map_or_else(
        || format!("group {group}"),
        |name| format!("group {} ({group})", plain(&name)),
    )
}

/// Returns a name without characters that command a terminal or cannot be seen.
fn plain(name: &str) -> String {
    name.replace(is_unprintable, "\u{fffd}")
}

impl fmt::Display for Distrust {
    /// Prints what is wrong: each file and folder with who can write it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.faults.iter().enumerate() {
            if place > 0 {
                out.write_str("; ")?;
            }
            fault.fmt(out)?;
        }
        Ok(())
    }
}

impl Distrust {
    /// Returns the commands that change it, as a line for a shell; `None` if others need the folder as it
    /// is, so that only another one helps.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let owner = match User::from_uid(self.user).ok().flatten() {
            Some(user) => plain(&user.name),
            None => self.user.to_string(),
        };
        let mut commands = Vec::new();
        let mut fix = |path: &Path, fault: &Fault| {
            let path = quoted(path);
            if fault.owner.is_some() {
                commands.push(format!("chown {owner}: {path}"));
            }
            if fault.group.is_some() || fault.all_can_write {
                commands.push(format!("chmod go-w {path}"));
            }
        };
        if self.faults.iter().any(Fault::must_stay) {
            if !self.is_there {
                return None;
            }
            let target = Path::new("/etc").join(self.path.file_name().unwrap_or_default());
            for fault in self.faults.iter().filter(|fault| !fault.is_folder) {
                fix(&target, fault);
            }
            let moved = format!("mv {} {}", quoted(&self.path), quoted(&target));
            commands.insert(0, moved);
            return Some(commands.join(" && "));
        }
        for fault in &self.faults {
            fix(&fault.path, fault);
        }
        Some(commands.join(" && "))
    }
}

/// Opens a file, if it is one to believe.
///
/// Every folder on the way and every folder that holds a link on the way is judged, and then the file that
/// was opened. Pipes and devices that were passed to this process as descriptors belong to whoever started
/// it.
///
/// # Errors
/// [`OpenError`].
pub fn open(path: &Path, modes: Modes, flags: OFlag) -> Result<File, OpenError> {
    let flags = flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    if modes == Modes::Any {
        return Ok(File::from(nix::fcntl::open(path, flags, Mode::empty())?));
    }
    let (place, mut faults) = judged(path, Seeks::File)?;
    let Place { folder, name, path, there, is_descriptor } = place;
    if there.is_none() {
        return Err(Errno::ENOENT.into());
    }
    let follow = if is_descriptor { OFlag::empty() } else { OFlag::O_NOFOLLOW };
    let file = openat(&folder, &*name, flags | follow, Mode::empty())?;
    let stat = fstat(&file)?;
    let kind = kind(&stat);
    let is_judged = kind == SFlag::S_IFREG || (kind == SFlag::S_IFIFO && !is_descriptor);
    if is_judged {
        faults.extend(Fault::of(&path, &stat, geteuid()));
    }
    distrust(path, true, faults)?;
    Ok(File::from(file))
}

/// Checks the folders of a file, whether it exists or not. Where a folder is missing, those above it are
/// checked.
///
/// # Errors
/// [`OpenError`].
pub fn check_folder_of(path: &Path, modes: Modes) -> Result<(), OpenError> {
    if modes == Modes::Any {
        return Ok(());
    }
    let mut path = std::path::absolute(path)?;
    let mut seeks = Seeks::File;
    loop {
        match judged(&path, seeks) {
            Ok((place, faults)) => return distrust(place.path, false, faults),
            // No one exchanges a folder that this process will create.
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.pop() => {
                seeks = Seeks::Folder;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What is at the end of a way.
#[derive(Clone, Copy, Debug)]
enum Seeks {
    File,
    Folder,
}

/// Goes to a file, and returns the folders that others can write.
fn judged(path: &Path, seeks: Seeks) -> io::Result<(Place, Vec<Fault>)> {
    let user = geteuid();
    let mut faults = Vec::new();
    let place = walk(path, |passed, path, stat| {
        let fault = match passed {
            Passed::Folder => Fault::of(path, stat, user).filter(|fault| !fault.keeps_folders()),
            Passed::LastFolder => Fault::of(path, stat, user).filter(|fault| match seeks {
                Seeks::File => !fault.keeps_files(),
                Seeks::Folder => !fault.keeps_folders(),
            }),
            // Whoever could have made or changed it can write its folder.
            Passed::Link => None,
        };
        if let Some(fault) = fault.filter(|fault| !faults.contains(fault)) {
            faults.push(fault);
        }
        Ok(())
    })?;
    Ok((place, faults))
}

fn distrust(path: PathBuf, is_there: bool, faults: Vec<Fault>) -> Result<(), OpenError> {
    if faults.is_empty() {
        return Ok(());
    }
    Err(OpenError::Distrusted(Distrust { path, is_there, faults, user: geteuid() }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::{self, Permissions};
    use std::io::Read as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use tempfile::TempDir;

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn write(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).unwrap();
        chmod(path, mode);
    }

    /// Opens a file and returns its text, or why it is not believed.
    fn read(path: &Path) -> Result<String, String> {
        match open(path, Modes::Strict, OFlag::O_RDONLY) {
            Ok(mut file) => {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                Ok(text)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_file_that_is_exchanged_all_the_time_is_never_read_where_others_can_write_it() {
        let folder = TempDir::new().unwrap();
        let [good, evil, path, next] =
            ["good", "evil", "path", "next"].map(|name| folder.path().join(name));
        fs::create_dir(&evil).unwrap();
        write(&good, "good", 0o600);
        let evil = evil.join("file");
        write(&evil, "evil", 0o666);
        symlink(&good, &path).unwrap();
        let is_over = AtomicBool::new(false);
        let is_expected = |one: &Result<String, String>| match one {
            Ok(text) => text == "good",
            Err(why) => why.contains("can be written by every user"),
        };
        let mut found = BTreeMap::<_, usize>::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    for target in [&evil, &good] {
                        symlink(target, &next).unwrap();
                        fs::rename(&next, &path).unwrap();
                    }
                }
            });
            // What is wrong is reported after the other thread has ended, or that would go on for ever.
            while found.len() < 2 || found.values().any(|times| *times < 1000) {
                let one = read(&path);
                let is_wrong = !is_expected(&one);
                *found.entry(one).or_default() += 1;
                if is_wrong {
                    break;
                }
            }
            is_over.store(true, Ordering::Relaxed);
        });
        assert!(found.keys().all(is_expected), "{found:?}");
        assert!(found.keys().any(Result::is_ok) && found.keys().any(Result::is_err), "{found:?}");
    }

    #[test]
    fn folders_and_links_are_followed_as_the_kernel_does() {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        write(&at("a/file"), "text", 0o600);
        symlink("../file", at("a/b/up")).unwrap();
        symlink(at("a/b"), at("folder")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for name in ["a/file", "a/./b/../file", "a/b/up", "folder/up", "folder/../file"] {
            assert_eq!(read(&at(name)), Ok("text".to_owned()), "{name}");
            assert_eq!(fs::read(at(name)).unwrap(), b"text");
        }
        for name in ["loop", "missing", "a/file/x", "missing/file", "a/b/up/x"] {
            let (ours, theirs) = (read(&at(name)).unwrap_err(), fs::read(at(name)).unwrap_err());
            assert_eq!(ours, theirs.to_string(), "{name}");
        }
        let inherited = fs::File::open(at("a/file")).unwrap();
        let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&inherited));
        assert_eq!(read(Path::new(&path)), Ok("text".to_owned()));
    }

    #[test]
    fn a_sticky_folder_keeps_folders_but_not_the_file_itself() {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("open/own")).unwrap();
        write(&at("open/file"), "text", 0o600);
        write(&at("open/own/file"), "text", 0o600);
        let is_believed = |name: &str| read(&at(name)).is_ok();
        for (mode, direct, below) in [
            (0o755, true, true),
            (0o777, false, false),
            (0o775, false, false),
            (0o1777, false, true),
            // As /nix/store: members of the group cannot exchange files of others.
            (0o1775, true, true),
        ] {
            chmod(&at("open"), mode);
            let found = (is_believed("open/file"), is_believed("open/own/file"));
            assert_eq!(found, (direct, below), "{mode:o}");
            // A folder that is to be created is as safe as one that is there.
            let created = check_folder_of(&at("open/new/file"), Modes::Strict).is_ok();
            assert_eq!(created, below, "{mode:o}");
        }
    }
}
