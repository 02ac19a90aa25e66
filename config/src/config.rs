//! What a `knockd.conf` says.

use crate::lex::Span;
use crate::names::{FileName, InterfaceName, UserName};
use knock_engine::{Door, Seconds};

/// A `knockd.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The section `[options]`.
    pub options: Options,
    /// The other sections, in the order of the file: at most [`knock_engine::Doors::MAX`].
    pub doors: Vec<DoorConfig>,
}

/// The section `[options]`; `None` where a directive is absent that has no default here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `UseSyslog`; knockd 0.8 takes it from any section.
    pub use_syslog: bool,
    /// `LogFile`.
    pub log_file: Option<FileName>,
    /// `PidFile`.
    pub pid_file: Option<FileName>,
    /// `Interface`: in the order of the file, each once, `any` alone; empty if the directive is absent.
    pub interfaces: Vec<InterfaceName>,
    /// `User`: whom the process of the daemon becomes that needs no privileges. knockd 0.8 does not
    /// know it.
    pub user: Option<UserName>,
    /// `LogTime`; knockd 0.8 does not know it.
    pub log_time: LogTime,
    /// `CommandLimit`: how long a command may run, at least 1 second. knockd 0.8 does not know it.
    pub command_limit: Option<Seconds>,
    /// `LeaseFile`: where the daemon remembers which doors are open. knockd 0.8 does not know it.
    pub lease_file: Option<FileName>,
}

/// How the time stands before a line of a log file: `LogTime`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogTime {
    /// `minutes`, the default: `[YYYY-MM-DD HH:MM]`, as knockd 0.8 has it.
    #[default]
    Minutes,
    /// `iso`: with seconds and zone.
    Iso,
}

impl LogTime {
    /// Each by its word.
    pub(crate) const WORDS: &[(&str, Self)] = &[("minutes", Self::Minutes), ("iso", Self::Iso)];
}

/// A section that is a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorConfig {
    /// The door. If it has a [`OneTimeFile`], it has no sequence until that file is read.
    pub door: Door,
    /// `One_Time_Sequences`.
    pub one_time_file: Option<OneTimeFile>,
    /// Where the configuration says what.
    pub places: DoorPlaces,
}

/// Where a section says what decides over packets and commands; `None` where it does not, and a default holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorPlaces {
    /// The name of the section.
    pub name: Span,
    /// `Sequence` or `One_Time_Sequences`.
    pub sequence: Option<Span>,
    /// `Seq_Timeout`.
    pub seq_timeout: Option<Span>,
    /// `TCPFlags`: all lines, which add up.
    pub flags: Vec<Span>,
    /// `Target`.
    pub target: Option<Span>,
    /// `Start_Command`.
    pub start: Option<Span>,
    /// `Start_Command_6`.
    pub start_6: Option<Span>,
    /// `Stop_Command`.
    pub stop: Option<Span>,
    /// `Stop_Command_6`.
    pub stop_6: Option<Span>,
    /// `Cmd_Timeout`.
    pub cmd_timeout: Option<Span>,
}

/// The file that a door takes its sequences from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeFile {
    /// Its name.
    pub name: FileName,
    /// Where the configuration names it.
    pub span: Span,
}
