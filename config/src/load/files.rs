//! Files that are read as texts, and why one cannot be.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use knock_engine::UserKey;
use knock_guard::{Distrust, Modes, OpenError, quoted};
use knock_signed::SequenceKey;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::key_text::KeyFault;
use super::parts::Parts;
use crate::diagnostics::Finding;
use crate::file_faults::cause_for_existing;
use crate::lex::Span;
use crate::names::FileName;
use crate::text::shown;
use crate::wording::{Severity, Wording};

/// The largest configuration and the largest sequence file, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// The texts of a configuration and of the files it names, as they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The text of the configuration, with that of included files in its place.
    pub configuration: Vec<u8>,
    /// Which file each line of it is from.
    pub parts: Parts,
    /// The texts of the sequence files, each under the name that the configuration gives it.
    pub one_time: BTreeMap<FileName, Vec<u8>>,
    /// The texts of the files of `Sequence_File`, likewise.
    pub sequences: BTreeMap<FileName, Vec<u8>>,
    /// What sequences are derived from, of each file with a key. The keys themselves are not here.
    pub keys: BTreeMap<FileName, SequenceKey>,
    /// What packets of users are opened with, if a door has `Signed`.
    pub packet_keys: Vec<UserKey>,
}

/// Why a text that cannot be a configuration is refused, in the words of the program that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it is; follows "cannot read `NAME`: ".
    pub cause: &'static str,
    /// The way out.
    pub help: &'static str,
}

/// A secret that has a file of its own, which only its owner may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// That of `Sequence_File`.
    Sequence,
    /// A key.
    Key,
}

impl Secret {
    const fn words(self) -> &'static str {
        match self {
            Self::Sequence => "a sequence",
            Self::Key => "a key",
        }
    }
}

/// Why a file cannot be read.
#[derive(Clone, Debug)]
pub enum Unreadable {
    /// It is a directory.
    Directory,
    /// It is a pipe, a device or a socket where only a file will do.
    NotAFile,
    /// It is a pipe or a device, and was not written to its end in time.
    Late,
    /// It is not a configuration.
    Refused(Refusal),
    /// It is larger than [`MAX_FILE_BYTES`].
    TooLarge,
    /// It is larger than a file with such a secret.
    LargeSecret(Secret),
    /// There is no sequence in a file that is for one.
    NoSequence,
    /// It is not a file with a key.
    NotAKey(KeyFault),
    /// Others can read it, and it has a secret.
    Exposed {
        /// Which.
        secret: Secret,
        /// Its permissions.
        mode: u32,
    },
    /// All sequence files together are larger than [`crate::MAX_ONE_TIME_BYTES`].
    TooLargeTogether,
    /// It is not there.
    Missing,
    /// It is not among the [`Files`] that were read earlier.
    NotAmongFiles,
    /// This user may not read it.
    Denied,
    /// Others can write it.
    Distrusted(Distrust),
    /// Anything else, in the words of the system.
    Other(String),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            return Self::Missing;
        }
        if error.kind() == io::ErrorKind::PermissionDenied {
            return Self::Denied;
        }
        Self::Other(cause_for_existing(&error).into_owned())
    }
}

impl From<OpenError> for Unreadable {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Distrusted(why) => Self::Distrusted(why),
            OpenError::Io(error) => error.into(),
        }
    }
}

impl Unreadable {
    /// Returns the message, with help.
    #[must_use]
    pub fn wording(&self, name: &str, help: &str) -> Wording {
        Wording {
            message: format!("cannot read `{name}`: {}", self.cause()),
            label: String::from("named here"),
            help: Some(help.to_owned()),
            note: None,
        }
    }

    pub(super) fn finding_about_sequence(&self, file: &FileName, at: Span) -> Finding {
        let wording = self.wording(&shown(path_of(file)), &self.help_for_sequence(path_of(file)));
        Finding { severity: Severity::Error, code: None, span: Some(at), wording }
    }

    pub(super) fn finding_about_key(&self, file: &FileName, at: Span) -> Finding {
        let wording = self.wording(&shown(path_of(file)), &self.help_for_key(path_of(file)));
        Finding { severity: Severity::Error, code: None, span: Some(at), wording }
    }

    pub(super) fn finding(&self, file: &FileName, at: Span) -> Finding {
        let wording = self.wording(&shown(path_of(file)), &self.help_for_one_time());
        Finding { severity: Severity::Error, code: None, span: Some(at), wording }
    }

    fn cause(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Distrusted(why) => {
                return format!("other users could change it: {why}").into();
            }
            Self::Exposed { secret, mode } => {
                let what = secret.words();
                return format!("it has {what}, and other users may read it (mode {mode:04o})")
                    .into();
            }
            Self::LargeSecret(secret) => {
                return format!("it is too large for a file with {}", secret.words()).into();
            }
            Self::NoSequence => "there is no sequence in it",
            Self::NotAKey(fault) => return cause_of(*fault).into(),
            Self::Directory => "it is a directory",
            Self::NotAFile => "it is not a regular file",
            Self::Late => "it is a pipe or a device, and was not written to its end in time",
            Self::Refused(Refusal { cause, help: _ }) => cause,
            Self::TooLarge => "it is larger than 1 MiB",
            Self::TooLargeTogether => {
                "the sequence files of all doors are together larger than 4 MiB"
            }
            Self::Missing => "there is no such file",
            Self::NotAmongFiles => "it was not read together with the configuration",
            Self::Denied => "permission denied",
            Self::Other(cause) => cause,
        })
    }

    pub(super) fn help_for_configuration(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Distrusted(why) => return help_for_distrust(why).into(),
            Self::Directory => "give the path of the file in it",
            Self::Refused(Refusal { cause: _, help }) => help,
            Self::NotAFile
            | Self::Late
            | Self::TooLarge
            | Self::TooLargeTogether
            | Self::LargeSecret(_)
            | Self::NoSequence
            | Self::NotAKey(_)
            | Self::Exposed { .. } => "a configuration is a text file, such as `/etc/knockd.conf`",
            Self::Missing | Self::NotAmongFiles | Self::Other(_) => {
                "check the path of the configuration"
            }
            Self::Denied => "run as a user who may read it",
        })
    }

    /// Returns the help for a file of one-time sequences.
    #[must_use]
    pub fn help_for_one_time(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Distrusted(why) => return help_for_distrust(why).into(),
            Self::Refused(Refusal { cause: _, help }) => help,
            Self::Directory | Self::NotAFile | Self::Late => {
                "name a file with a sequence on each line, such as ` 7000,8000,9000`"
            }
            Self::TooLarge | Self::TooLargeTogether => "remove the used lines",
            Self::LargeSecret(_) | Self::NoSequence | Self::NotAKey(_) | Self::Exposed { .. } => {
                "name another file"
            }
            Self::Missing => "create it, with a sequence on each line, such as ` 7000,8000,9000`",
            Self::NotAmongFiles => "read the configuration and its files again",
            Self::Denied => "run as a user who may read it",
            Self::Other(_) => "check the path",
        })
    }
}

impl Unreadable {
    /// Returns the help for a file with the sequence of a door.
    #[must_use]
    pub fn help_for_sequence(&self, path: &Path) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Distrusted(why) => return help_for_distrust(why).into(),
            Self::Exposed { .. } => {
                return format!(
                    "run `chmod 600 {}`, and write another sequence if another user may have read this one",
                    quoted(path)
                )
                .into();
            }
            Self::Missing | Self::NoSequence => {
                return format!(
                    "write a sequence of your own to it, such as `(umask 077 && echo 7000,8000,9000 > {})`",
                    quoted(path)
                )
                .into();
            }
            Self::Directory
            | Self::NotAFile
            | Self::Late
            | Self::TooLarge
            | Self::TooLargeTogether
            | Self::LargeSecret(_)
            | Self::NotAKey(_)
            | Self::Refused(_) => "name a file with one line, such as `7000,8000,9000`",
            Self::NotAmongFiles => "read the configuration and its files again",
            Self::Denied => "run as the user who owns it",
            Self::Other(_) => "check the path",
        })
    }

    /// Returns the help for a file with a key.
    #[must_use]
    pub fn help_for_key(&self, path: &Path) -> Cow<'_, str> {
        let make = || {
            let path = quoted(path);
            format!(
                "make one: `(umask 077 && echo \"key = $(head -c 32 /dev/urandom | base64)\" > {path})`"
            )
        };
        Cow::Borrowed(match self {
            Self::Distrusted(why) => return help_for_distrust(why).into(),
            Self::Exposed { .. } => {
                return format!(
                    "run `chmod 600 {}`, and make a new key if another user may have read this one",
                    quoted(path)
                )
                .into();
            }
            Self::NotAKey(KeyFault::Second { .. }) => "remove one of the keys",
            Self::Directory
            | Self::NotAFile
            | Self::Late
            | Self::TooLarge
            | Self::TooLargeTogether
            | Self::LargeSecret(_) => {
                let old = PathBuf::from(format!("{}.old", path.display()));
                let (path, old) = (quoted(path), quoted(&old));
                return format!("move it away (`mv {path} {old}`), and {}", make()).into();
            }
            Self::Missing
            | Self::NotAKey(KeyFault::Missing | KeyFault::NotAKey { .. } | KeyFault::Line { .. })
            | Self::NoSequence
            | Self::Refused(_) => return make().into(),
            Self::NotAmongFiles => "read the configuration and its files again",
            Self::Denied => "run as the user who owns it",
            Self::Other(_) => "check the path",
        })
    }
}

fn cause_of(fault: KeyFault) -> String {
    match fault {
        KeyFault::Line { number } => format!("line {number} is not `key = ...`"),
        KeyFault::NotAKey { number } => {
            format!("the key in line {number} is not 32 bytes in base64")
        }
        KeyFault::Missing => "there is no line `key = ...` in it".to_owned(),
        KeyFault::Second { number } => format!("line {number} is a second key"),
    }
}

/// Returns how a file becomes one that only root can write.
#[must_use]
pub fn help_for_distrust(why: &Distrust) -> String {
    let remedy = why.remedy().map_or_else(
        || "name a file in a folder that only root can write".to_owned(),
        |commands| format!("run `{commands}`"),
    );
    format!(
        "{remedy}; with `--no-strict-modes` this is not checked, as in a container without other users"
    )
}

/// Returns the path for a name in the configuration.
#[must_use]
pub fn path_of(name: &FileName) -> &Path {
    Path::new(OsStr::from_bytes(name.as_bytes()))
}

/// How long to wait for a configuration that is a pipe or a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Until it has ended.
    Forever,
    /// So long in all.
    AtMost(Duration),
    /// Only a regular file is read.
    Never,
}

/// Reads a configuration from any kind of file but a directory, unless `refuse` rejects its text.
///
/// # Errors
/// [`Unreadable`].
pub fn read_configuration(
    path: &Path,
    modes: Modes,
    waits: Waits,
    refuse: impl FnOnce(&[u8]) -> Option<Refusal>,
) -> Result<Vec<u8>, Unreadable> {
    let file = open(path, modes)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(Unreadable::Directory);
    }
    if !kind.is_file() && waits == Waits::Never {
        return Err(Unreadable::NotAFile);
    }
    let (text, is_whole) = if kind.is_file() { read(&file)? } else { wait_for(&file, waits)? };
    if let Some(refusal) = refuse(&text) {
        return Err(Unreadable::Refused(refusal));
    }
    if is_whole { Ok(text) } else { Err(Unreadable::TooLarge) }
}

/// Reads a sequence file.
///
/// # Errors
/// [`Unreadable`].
pub fn read_one_time(path: &Path, modes: Modes) -> Result<Vec<u8>, Unreadable> {
    let file = open(path, modes)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(Unreadable::Directory);
    }
    if !kind.is_file() {
        return Err(Unreadable::NotAFile);
    }
    let (text, is_whole) = read(&file)?;
    if is_whole { Ok(text) } else { Err(Unreadable::TooLarge) }
}

/// Opens a file for reading, and does not wait for somebody who writes to a pipe.
fn open(path: &Path, modes: Modes) -> Result<File, OpenError> {
    knock_guard::open(path, modes, OFlag::O_RDONLY)
}

/// One byte more than may be read.
const LIMIT: u64 = MAX_FILE_BYTES.saturating_add(1);

/// Reads a file up to the limit. Returns whether that is all of it.
fn read(file: &File) -> Result<(Vec<u8>, bool), Unreadable> {
    let mut text = Vec::new();
    file.take(LIMIT).read_to_end(&mut text)?;
    Ok(with_wholeness(text))
}

fn with_wholeness(text: Vec<u8>) -> (Vec<u8>, bool) {
    let is_whole = u64::try_from(text.len()).is_ok_and(|bytes| bytes < LIMIT);
    (text, is_whole)
}

/// Reads a pipe or a device up to its end or the limit, as [`read`] reads a file.
fn wait_for(file: &File, waits: Waits) -> Result<(Vec<u8>, bool), Unreadable> {
    let deadline = match waits {
        Waits::Forever => None,
        Waits::AtMost(time) => Instant::now().checked_add(time),
        Waits::Never => Some(Instant::now()),
    };
    let mut text = Vec::new();
    let mut reader = file.take(LIMIT);
    // To a named pipe, nobody may have begun to write.
    let mut may_begin = file.metadata()?.file_type().is_fifo();
    loop {
        match reader.read_to_end(&mut text) {
            Ok(_) if text.is_empty() && std::mem::take(&mut may_begin) => {}
            Ok(_) => return Ok(with_wholeness(text)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        wait(file, deadline)?;
    }
}

/// Waits until there is something to read, or the end.
fn wait(file: &File, deadline: Option<Instant>) -> Result<(), Unreadable> {
    let timeout = deadline.map_or(PollTimeout::NONE, |deadline| {
        let left = deadline.saturating_duration_since(Instant::now());
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    });
    match poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], timeout) {
        Ok(0) => Err(Unreadable::Late),
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(io::Error::from(error).into()),
    }
}
