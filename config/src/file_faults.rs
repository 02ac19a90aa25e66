//! Why a file that a user has named cannot be read or written, and the way out.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind};

use crate::text::Cause;

/// Why a file cannot be read, and the way out. Follows "cannot read NAME: ".
#[derive(Clone, Copy, Debug)]
pub struct ReadFault<'a> {
    /// What the system says.
    pub error: &'a io::Error,
    /// What was wanted, such as "a capture". Follows "name ".
    pub wanted: &'a str,
}

/// Why a file cannot be written, and the way out. Follows "cannot write NAME: ".
#[derive(Clone, Copy, Debug)]
pub struct WriteFault<'a>(pub &'a io::Error);

/// The usual causes.
#[derive(Clone, Copy)]
enum Usual {
    Missing,
    /// Part of the path is a file.
    FileOnTheWay,
    Directory,
    Denied,
    ReadOnly,
    Full,
    OverQuota,
}

/// Why standard output cannot be written, and the way out.
#[derive(Clone, Copy, Debug)]
pub struct OutputFault<'a>(pub &'a io::Error);

impl Usual {
    /// Returns which it is; `None` for another one, and for an error with a text of its own.
    fn of(error: &io::Error) -> Option<Self> {
        let usual = [
            (ErrorKind::NotFound, Self::Missing),
            (ErrorKind::NotADirectory, Self::FileOnTheWay),
            (ErrorKind::IsADirectory, Self::Directory),
            (ErrorKind::PermissionDenied, Self::Denied),
            (ErrorKind::ReadOnlyFilesystem, Self::ReadOnly),
            (ErrorKind::StorageFull, Self::Full),
            (ErrorKind::QuotaExceeded, Self::OverQuota),
        ];
        let mut usual = usual.into_iter().filter(|_| error.get_ref().is_none());
        usual.find_map(|(kind, usual)| (kind == error.kind()).then_some(usual))
    }

    const fn cause(self) -> &'static str {
        match self {
            Self::Missing => "there is no such file",
            Self::FileOnTheWay => "part of the path is not a directory",
            Self::Directory => "it is a directory",
            Self::Denied => "permission denied",
            Self::ReadOnly => "the file system is read-only",
            Self::Full => "the disk is full",
            Self::OverQuota => "the disk quota of this user is used up",
        }
    }
}

impl fmt::Display for ReadFault<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, wanted } = self;
        let cause = cause_for_existing(error);
        match Usual::of(error) {
            Some(Usual::Denied) => write!(out, "{cause}; run as a user who may read it"),
            Some(Usual::Missing | Usual::FileOnTheWay | Usual::Directory) => {
                write!(out, "{cause}; name {wanted}")
            }
            Some(Usual::ReadOnly | Usual::Full | Usual::OverQuota) | None => out.write_str(&cause),
        }
    }
}

/// Returns why a file that should be there cannot be read or written, without the way out.
#[must_use]
pub fn cause_for_existing(error: &io::Error) -> Cow<'static, str> {
    Usual::of(error)
        .map_or_else(|| Cause(error).to_string().into(), |usual| Cow::Borrowed(usual.cause()))
}

impl WriteFault<'_> {
    /// Returns only why.
    #[must_use]
    pub fn cause(self) -> Cow<'static, str> {
        match Usual::of(self.0) {
            Some(Usual::Missing) => Cow::Borrowed("there is no such directory"),
            Some(
                Usual::FileOnTheWay
                | Usual::Directory
                | Usual::Denied
                | Usual::ReadOnly
                | Usual::Full
                | Usual::OverQuota,
            )
            | None => cause_for_existing(self.0),
        }
    }
}

impl fmt::Display for WriteFault<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.cause())?;
        let Some(usual) = Usual::of(self.0) else { return Ok(()) };
        let way_out = match usual {
            Usual::Missing => "create it, or name a file in another one",
            Usual::FileOnTheWay => "name another place",
            Usual::Directory => "name a file in it",
            Usual::Denied => "name a place where you may write, or run as another user",
            Usual::ReadOnly => "name a place on another one",
            Usual::Full | Usual::OverQuota => "remove files, or name a place on another disk",
        };
        write!(out, "; {way_out}")
    }
}

impl fmt::Display for OutputFault<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        let way_out = match Usual::of(error) {
            Some(Usual::Full | Usual::OverQuota) => {
                "; remove files, or redirect it to another disk"
            }
            Some(
                Usual::Missing
                | Usual::FileOnTheWay
                | Usual::Directory
                | Usual::Denied
                | Usual::ReadOnly,
            )
            | None => "",
        };
        write!(out, "cannot write to standard output: {}{way_out}", WriteFault(error).cause())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_cause_is_in_our_words_with_a_way_out() {
        for code in [libc::ENOENT, libc::ENOTDIR, libc::EISDIR, libc::EACCES] {
            let error = io::Error::from_raw_os_error(code);
            let read = ReadFault { error: &error, wanted: "a capture" }.to_string();
            let written = WriteFault(&error).to_string();
            for text in [read, written] {
                let (cause, way_out) = text.split_once("; ").unwrap();
                assert!(
                    !Cause(&error).to_string().eq_ignore_ascii_case(cause) || code == libc::EACCES
                );
                assert!(way_out.contains("name ") || way_out.starts_with("run as "), "{text}");
            }
        }
    }

    #[test]
    fn a_full_disk_is_in_our_words_with_a_way_out() {
        for (code, cause) in [
            (libc::ENOSPC, "the disk is full"),
            (libc::EDQUOT, "the disk quota of this user is used up"),
        ] {
            let error = io::Error::from_raw_os_error(code);
            let way_out = "remove files, or name a place on another disk";
            assert_eq!(WriteFault(&error).to_string(), format!("{cause}; {way_out}"));
            let way_out = "remove files, or redirect it to another disk";
            let output = format!("cannot write to standard output: {cause}; {way_out}");
            assert_eq!(OutputFault(&error).to_string(), output);
        }
        let error = io::Error::from_raw_os_error(libc::EIO);
        let output = "cannot write to standard output: Input/output error";
        assert_eq!(OutputFault(&error).to_string(), output);
    }

    #[test]
    fn other_causes_are_in_the_words_of_the_system() {
        let error = io::Error::from_raw_os_error(libc::EIO);
        let read = ReadFault { error: &error, wanted: "a capture" };
        assert_eq!(read.to_string(), "Input/output error");
        assert_eq!(WriteFault(&error).to_string(), "Input/output error");
    }

    #[test]
    fn an_error_with_a_text_of_its_own_keeps_it() {
        let error = io::Error::new(ErrorKind::NotFound, "the link is broken");
        assert_eq!(WriteFault(&error).to_string(), "the link is broken");
        let read = ReadFault { error: &error, wanted: "a capture" };
        assert_eq!(read.to_string(), "the link is broken");
    }
}
