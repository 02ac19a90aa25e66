//! `knockd.conf`: its text becomes a [`Config`], or everything that is wrong with it is told.

pub(crate) mod check;
mod diagnostic;
mod directive;
mod draft;
mod fault;
pub(crate) mod lex;
mod lint;
mod suggest;
pub(crate) mod value;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use diagnostic::{Diagnostic, Diagnostics, Excerpt, Fault, Severity, Wording};
pub use directive::Directive;
pub use fault::{LineFault, ValueFault};
pub use lex::Span;
pub use lint::Lint;

use crate::door::Door;
use crate::time::Seconds;

/// Reads the text of a `knockd.conf`.
///
/// Any bytes will do. What knockd 0.8 accepts and means is accepted and means the same; what it
/// accepts and misreads is an error (`docs/differences.md`, 28 to 36). Names of doors and files and
/// commands are kept byte for byte, and comments may hold anything.
#[must_use]
pub fn parse(text: &[u8]) -> Parsed {
    check::check(text)
}

/// What [`parse`] made of a text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The configuration; `None` if and only if there is an error.
    pub config: Option<Config>,
    /// Everything that is wrong or hardly meant.
    pub diagnostics: Diagnostics,
}

/// A `knockd.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The section `[options]`.
    pub options: Options,
    /// The other sections, in the order of the file: at most [`crate::Doors::MAX`].
    pub doors: Vec<DoorConfig>,
}

/// The section `[options]`; `None` where a directive is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `UseSyslog`; knockd 0.8 takes it from any section.
    pub use_syslog: bool,
    /// `LogFile`.
    pub log_file: Option<FileName>,
    /// `PidFile`.
    pub pid_file: Option<FileName>,
    /// `Interface`: in the order of the file, none twice; empty if the directive is absent.
    pub interfaces: Vec<InterfaceName>,
    /// `User`: who the process becomes that reads packets.
    pub user: Option<UserName>,
    /// `LogTime`.
    pub log_time: LogTime,
    /// `CommandLimit`: how long a command may run.
    pub command_limit: Option<Seconds>,
}

/// A section that is a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorConfig {
    /// The door. If it has a [`OneTimeFile`], it has no sequence until that file is read.
    pub door: Door,
    /// `One_Time_Sequences`.
    pub one_time_file: Option<OneTimeFile>,
}

/// The file that a door takes its sequences from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeFile {
    /// Its name.
    pub name: FileName,
    /// Where the configuration names it.
    pub span: Span,
}

/// The name of a file as the configuration gives it, as bytes; never empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Box<[u8]>);

impl FileName {
    /// Takes the bytes of a name; `None` if there are none.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (!bytes.is_empty()).then(|| Self(bytes.into()))
    }

    /// Returns the bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileName(\"{}\")", self.0.escape_ascii())
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The time that stands in front of each line of a log file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogTime {
    /// `[2026-03-09 08:07]`, as of knockd 0.8.
    #[default]
    Minutes,
    /// `[2026-03-09T08:07:06+02:00]`: with seconds and zone.
    Iso,
}

/// The name of a user, as bytes; never empty, at most [`UserName::MAX_BYTES`], without blanks and
/// colons.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserName(Box<[u8]>);

impl UserName {
    /// The longest name that `useradd` takes.
    pub const MAX_BYTES: usize = 32;

    /// Takes the bytes of a name; `None` if no user can have it.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let is_foreign = |byte: &u8| lex::is_blank(*byte) || *byte == b':';
        let fits = (1..=Self::MAX_BYTES).contains(&bytes.len());
        (fits && !bytes.iter().any(is_foreign)).then(|| Self(bytes.into()))
    }

    /// Returns the bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserName(\"{}\")", self.0.escape_ascii())
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The name of a network interface, as bytes; never empty, at most [`InterfaceName::MAX_BYTES`],
/// without blanks, slashes and colons, as Linux has them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct InterfaceName(Box<[u8]>);

impl InterfaceName {
    /// The longest name that Linux gives an interface.
    pub const MAX_BYTES: usize = 15;

    /// Takes the bytes of a name; `None` if no interface can have it.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let is_foreign = |byte: &u8| lex::is_blank(*byte) || [b'/', b':'].contains(byte);
        let fits = (1..=Self::MAX_BYTES).contains(&bytes.len());
        (fits && !bytes.iter().any(is_foreign)).then(|| Self(bytes.into()))
    }

    /// Returns the bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InterfaceName(\"{}\")", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests;
