//! What a `knockd.conf` says, and where.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::directives::Directive;
use crate::lex::{Piece, Span};
use crate::names::{FileName, InterfaceName, TableName, UserName};
use knock_engine::{
    Admission, Admits, Command, Commands, DerivedSequence, Door, DoorName, DoorSequence, FlagRule,
    OnReknock, OneTimeSequences, OpenPorts, OpeningLimits, PerMinute, Port, Prefix, Protocol,
    Seconds, Sequence, SignedDoor, Signing, Sources, Target, UserKey, Users,
};
use knock_signed::{DEFAULT_PORT, PortSpan, SequenceKey};

/// A `knockd.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The section `[options]`.
    pub options: Options,
    /// The other sections, in the order of the file: at most [`knock_engine::Doors::MAX`].
    pub doors: Vec<DoorConfig>,
    /// The files that it includes; none if it is only a text.
    pub included: Vec<PathBuf>,
    /// The keys of users, if a door has `Signed`; none until the files are read.
    pub keys: Vec<UserKey>,
}

impl Config {
    /// Returns what decides about signed packets, if a door hears them.
    #[must_use]
    pub fn signing(&self) -> Option<Signing> {
        self.doors.iter().find(|door| door.signed.is_some())?;
        let Options { server_name, .. } = &self.options;
        let name = server_name.as_ref()?.value.as_bytes();
        let (port, skew) = (self.options.knock_port(), self.options.clock_skew());
        Signing::new(port, name, skew, self.keys.clone())
    }
}

/// A value, and where the configuration gives it.
#[derive(Clone, PartialEq, Eq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// The place of the directive's name.
    pub at: Span,
    /// The first byte of the value, counted from the start of the line.
    pub(crate) value_start: usize,
    /// The byte after the last one of the value.
    pub(crate) value_end: usize,
}

impl<T> Given<T> {
    /// Returns the value as it is written in `text`, the text of the configuration.
    pub(crate) fn value_in<'a>(&self, text: &'a [u8]) -> Piece<'a> {
        Piece::of(text, &Span { start: self.value_start, end: self.value_end, ..self.at })
    }

    /// Returns the place of the value in `text`, the text of the configuration.
    #[must_use]
    pub fn value_at(&self, text: &[u8]) -> Span {
        self.value_in(text).span()
    }
}

/// The value, and the line and the column of its directive.
impl<T: fmt::Debug> fmt::Debug for Given<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(out)?;
        write!(out, " at {}:{}", self.at.line, self.at.column)
    }
}

/// The section `[options]`; `None` where a directive is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `UseSyslog`; knockd 0.8 takes it from any section.
    pub use_syslog: bool,
    /// `LogFile`.
    pub log_file: Option<Given<FileName>>,
    /// `PidFile`.
    pub pid_file: Option<Given<FileName>>,
    /// `Interface`: in the order of the file, each once, `any` alone.
    pub interfaces: Option<Given<Vec<InterfaceName>>>,
    /// `User`: the user that the unprivileged process of the daemon switches to.
    pub user: Option<Given<UserName>>,
    /// `LogTime`.
    pub log_time: Option<Given<LogTime>>,
    /// `CommandLimit`: how long a command may run, at least 1 second.
    pub command_limit: Option<Given<Seconds>>,
    /// `StateDir`: the folder in which the daemon remembers which doors are open.
    pub state_dir: Option<Given<FileName>>,
    /// `LeaseFile`: another file for that.
    pub lease_file: Option<Given<FileName>>,
    /// `ControlSocket`: where the daemon is asked what it does.
    pub control_socket: Option<Given<FileName>>,
    /// `OnStateError`.
    pub on_state_error: Option<Given<OnStateError>>,
    /// `OnStop`.
    pub on_stop: Option<Given<OnStop>>,
    /// `Firewall`: where the ports of doors are opened.
    pub firewall: Option<Given<Firewall>>,
    /// `Guard`.
    pub guard: Option<Given<Guard>>,
    /// `Server_Name`.
    pub server_name: Option<Given<String>>,
    /// `Key_Dir`: the folder with the keys of users.
    pub key_dir: Option<Given<FileName>>,
    /// `Knock_Port`: the UDP port of signed packets.
    pub knock_port: Option<Given<Port>>,
    /// `Clock_Skew`: 1 to 60 seconds.
    pub clock_skew: Option<Given<Seconds>>,
}

impl Options {
    /// Returns the directives that are given with a value, and the place of each.
    pub(crate) fn given(&self) -> impl Iterator<Item = (Directive, Span)> {
        let Self {
            use_syslog: _,
            log_file,
            pid_file,
            interfaces,
            user,
            log_time,
            command_limit,
            state_dir,
            lease_file,
            control_socket,
            on_state_error,
            on_stop,
            firewall,
            guard,
            server_name,
            key_dir,
            knock_port,
            clock_skew,
        } = self;
        [
            (Directive::LogFile, at(log_file.as_ref())),
            (Directive::PidFile, at(pid_file.as_ref())),
            (Directive::Interface, at(interfaces.as_ref())),
            (Directive::User, at(user.as_ref())),
            (Directive::LogTime, at(log_time.as_ref())),
            (Directive::CommandLimit, at(command_limit.as_ref())),
            (Directive::StateDir, at(state_dir.as_ref())),
            (Directive::LeaseFile, at(lease_file.as_ref())),
            (Directive::ControlSocket, at(control_socket.as_ref())),
            (Directive::OnStateError, at(on_state_error.as_ref())),
            (Directive::OnStop, at(on_stop.as_ref())),
            (Directive::Firewall, at(firewall.as_ref())),
            (Directive::Guard, at(guard.as_ref())),
            (Directive::ServerName, at(server_name.as_ref())),
            (Directive::KeyDir, at(key_dir.as_ref())),
            (Directive::KnockPort, at(knock_port.as_ref())),
            (Directive::ClockSkew, at(clock_skew.as_ref())),
        ]
        .into_iter()
        .filter_map(|(directive, at)| Some((directive, at?)))
    }

    /// Returns the interfaces; none if the directive is absent.
    #[must_use]
    pub fn interfaces(&self) -> &[InterfaceName] {
        self.interfaces.as_ref().map_or(&[], |given| &given.value)
    }

    /// Returns how long a command may run.
    #[must_use]
    pub fn command_limit(&self) -> Seconds {
        value(self.command_limit.as_ref()).unwrap_or(Directive::CommandLimit.default_seconds())
    }

    /// Returns the form of time stamps.
    #[must_use]
    pub fn log_time(&self) -> LogTime {
        self.log_time.as_ref().map_or_else(LogTime::default, |given| given.value)
    }

    /// Returns what happens to a door that cannot be remembered.
    #[must_use]
    pub fn on_state_error(&self) -> OnStateError {
        value(self.on_state_error.as_ref()).unwrap_or_default()
    }

    /// Returns what happens to open doors when a signal ends the daemon.
    #[must_use]
    pub fn on_stop(&self) -> OnStop {
        value(self.on_stop.as_ref()).unwrap_or_default()
    }

    /// Returns where the ports of doors are opened, if there is a firewall for that.
    #[must_use]
    pub fn firewall(&self) -> Option<&Firewall> {
        self.firewall.as_ref().map(|given| &given.value)
    }

    /// Returns the folder with the keys of users.
    #[must_use]
    pub fn key_dir(&self) -> &Path {
        self.key_dir.as_ref().map_or(Path::new("/etc/knockd/keys.d"), |given| {
            Path::new(OsStr::from_bytes(given.value.as_bytes()))
        })
    }

    /// Returns the UDP port of signed packets.
    #[must_use]
    pub fn knock_port(&self) -> Port {
        value(self.knock_port.as_ref()).unwrap_or(Port(DEFAULT_PORT))
    }

    /// Returns how far the clock of a client may be off.
    #[must_use]
    pub fn clock_skew(&self) -> Seconds {
        value(self.clock_skew.as_ref()).unwrap_or(Directive::ClockSkew.default_seconds())
    }

    /// Returns what happens to packets for guarded ports.
    #[must_use]
    pub fn guard(&self) -> Guard {
        value(self.guard.as_ref()).unwrap_or_default()
    }
}

/// The format of the time in each line of a log file: `LogTime`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogTime {
    /// `minutes`, the default: `[YYYY-MM-DD HH:MM]`, as in knockd 0.8.
    #[default]
    Minutes,
    /// `iso`: with seconds and zone.
    Iso,
}

impl LogTime {
    /// Each with its word.
    pub(crate) const WORDS: &[(&str, Self)] = &[("minutes", Self::Minutes), ("iso", Self::Iso)];
}

/// What happens to a door that is to open but cannot be remembered: `OnStateError`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnStateError {
    /// `shut`, the default: it stays shut.
    #[default]
    Shut,
    /// `open`: it opens all the same.
    Open,
}

impl OnStateError {
    /// Each with its word.
    pub(crate) const WORDS: &[(&str, Self)] = &[("shut", Self::Shut), ("open", Self::Open)];
}

/// What happens to open doors when a signal ends the daemon: `OnStop`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnStop {
    /// `close`, the default: they are closed.
    #[default]
    Close,
    /// `keep`: they stay open, and the next start closes them when they are due.
    Keep,
}

impl OnStop {
    /// Each with its word.
    pub(crate) const WORDS: &[(&str, Self)] = &[("close", Self::Close), ("keep", Self::Keep)];
}

/// Where the ports of doors are opened: `Firewall`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Firewall {
    /// `nft`: a table of its own guards the ports.
    Guard,
    /// `nft inet TABLE`: the sets are in this table of the administrator's.
    Admit(TableName),
}

/// What happens to packets for guarded ports from clients that are not let in: `Guard`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Guard {
    /// `drop`, the default: nothing.
    #[default]
    Drop,
    /// `reject`: they are answered as at a closed port.
    Reject,
}

impl Guard {
    /// Each with its word.
    pub(crate) const WORDS: &[(&str, Self)] = &[("drop", Self::Drop), ("reject", Self::Reject)];
}

/// A section that is a door; `None` where a directive is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorConfig {
    /// The name of the section.
    pub name: DoorName,
    /// The place of the name.
    pub name_at: Span,
    /// `Sequence`, `Sequence_File`, `One_Time_Sequences` or `Sequence_Key`; without any of them, `signed` is present in a
    /// configuration without errors.
    pub knocks: Option<Given<Knocks>>,
    /// `Sequence_Knocks`: 4 to 32.
    pub sequence_knocks: Option<Given<u8>>,
    /// `Sequence_Ports`.
    pub sequence_ports: Option<Given<SequencePorts>>,
    /// `Sequence_Period`: 10 seconds to 1 day.
    pub sequence_period: Option<Given<Seconds>>,
    /// `Signed`.
    pub signed: Option<Given<Users>>,
    /// `Admit`.
    pub admit: Option<Given<Admits>>,
    /// `Seq_Timeout`.
    pub seq_timeout: Option<Given<Seconds>>,
    /// `TCPFlags`: each line combined with those above it.
    pub flags: Vec<Given<FlagRule>>,
    /// `Target`.
    pub target: Option<Given<Target>>,
    /// `Allow`: the prefixes of each line.
    pub allow: Vec<Given<Vec<Prefix>>>,
    /// `Deny`: the prefixes of each line.
    pub deny: Vec<Given<Vec<Prefix>>>,
    /// `Start_Command`.
    pub start: Option<Given<Command>>,
    /// `Start_Command_6`.
    pub start_6: Option<Given<Command>>,
    /// `Stop_Command`.
    pub stop: Option<Given<Command>>,
    /// `Stop_Command_6`.
    pub stop_6: Option<Given<Command>>,
    /// `Cmd_Timeout`.
    pub cmd_timeout: Option<Given<Seconds>>,
    /// `Open`.
    pub open: Option<Given<OpenPorts>>,
    /// `Open_For`: at least 1 second.
    pub open_for: Option<Given<Seconds>>,
    /// `Open_Max`: not less than `Open_For`.
    pub open_max: Option<Given<Seconds>>,
    /// `On_Reknock`.
    pub on_reknock: Option<Given<OnReknock>>,
    /// `Seq_Cooldown`.
    pub seq_cooldown: Option<Given<Seconds>>,
    /// `Openings_Per_Minute`.
    pub openings_per_minute: Option<Given<PerMinute>>,
    /// `Client_Openings_Per_Minute`.
    pub client_openings_per_minute: Option<Given<PerMinute>>,
}

/// Where a door's sequence comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knocks {
    /// `Sequence`: always the same.
    Fixed(Sequence),
    /// `Sequence_File`: always the same, in a file of its own.
    File {
        /// The file.
        file: FileName,
        /// The sequence in it; `None` until the file is read.
        sequence: Option<Sequence>,
    },
    /// `One_Time_Sequences`: each opens the door once.
    OneTime {
        /// The file that has them.
        file: FileName,
        /// The sequences; empty until the file is read.
        sequences: OneTimeSequences,
    },
    /// `Sequence_Key`: derived from a key and the time.
    Derived {
        /// The file that has the key.
        file: FileName,
        /// What sequences are derived from; `None` until the file is read.
        key: Option<SequenceKey>,
    },
}

/// The ports of derived sequences: `Sequence_Ports`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequencePorts {
    /// The ports.
    pub span: PortSpan,
    /// Their protocol.
    pub protocol: Protocol,
}

impl Default for SequencePorts {
    fn default() -> Self {
        const SPAN: PortSpan = PortSpan::new(20_000, 59_999).unwrap();
        Self { span: SPAN, protocol: Protocol::Tcp }
    }
}

impl DoorConfig {
    /// Returns a door with only a name.
    pub(crate) fn new(name: Piece<'_>) -> Self {
        Self {
            name: DoorName::new(name.bytes()),
            name_at: name.span(),
            knocks: None,
            sequence_knocks: None,
            sequence_ports: None,
            sequence_period: None,
            signed: None,
            admit: None,
            seq_timeout: None,
            flags: Vec::new(),
            target: None,
            allow: Vec::new(),
            deny: Vec::new(),
            start: None,
            start_6: None,
            stop: None,
            stop_6: None,
            cmd_timeout: None,
            open: None,
            open_for: None,
            open_max: None,
            on_reknock: None,
            seq_cooldown: None,
            openings_per_minute: None,
            client_openings_per_minute: None,
        }
    }

    /// Returns the door for the engine.
    #[must_use]
    pub fn door(&self) -> Door {
        Door {
            name: self.name.clone(),
            sequence: self.door_sequence(),
            signed: self.signed_door(),
            seq_timeout: self.seq_timeout(),
            flags: self.flags(),
            target: self.target(),
            sources: self.sources(),
            commands: Commands {
                start: value(self.start.as_ref()),
                start_6: value(self.start_6.as_ref()),
                stop: value(self.stop.as_ref()),
                stop_6: value(self.stop_6.as_ref()),
            },
            cmd_timeout: self.cmd_timeout(),
            admission: self.admission(),
            on_reknock: value(self.on_reknock.as_ref()).unwrap_or_default(),
            seq_cooldown: value(self.seq_cooldown.as_ref()),
            opening_limits: OpeningLimits {
                door: value(self.openings_per_minute.as_ref()),
                client: value(self.client_openings_per_minute.as_ref()),
            },
        }
    }

    fn signed_door(&self) -> Option<SignedDoor> {
        let users = value(self.signed.as_ref())?;
        Some(SignedDoor { users, admits: value(self.admit.as_ref()).unwrap_or_default() })
    }

    fn door_sequence(&self) -> DoorSequence {
        match self.knocks() {
            Some(Knocks::Fixed(sequence)) => DoorSequence::Fixed(sequence.clone()),
            Some(Knocks::File { sequence, .. }) => {
                sequence.clone().map_or(DoorSequence::None, DoorSequence::Fixed)
            }
            Some(Knocks::OneTime { sequences, .. }) => DoorSequence::OneTime(sequences.clone()),
            Some(Knocks::Derived { key, .. }) => {
                let derived = key.as_ref().and_then(|key| self.derived_with(key.clone()));
                derived.map_or(DoorSequence::None, DoorSequence::Derived)
            }
            None => DoorSequence::None,
        }
    }

    /// Returns how the door derives sequences with a key.
    fn derived_with(&self, key: SequenceKey) -> Option<DerivedSequence> {
        let knocks = value(self.sequence_knocks.as_ref());
        let SequencePorts { span, protocol } = self.sequence_ports();
        let period = value(self.sequence_period.as_ref());
        DerivedSequence::new(
            key,
            knocks.unwrap_or(DerivedSequence::KNOCKS_DEFAULT),
            span,
            protocol,
            period.unwrap_or(DerivedSequence::PERIOD_DEFAULT),
        )
    }

    /// Returns the ports of derived sequences.
    #[must_use]
    pub fn sequence_ports(&self) -> SequencePorts {
        value(self.sequence_ports.as_ref()).unwrap_or_default()
    }

    /// Returns the file of the key from which sequences are derived, if they are.
    #[must_use]
    pub fn key_file(&self) -> Option<&FileName> {
        match self.knocks()? {
            Knocks::Fixed(_) | Knocks::File { .. } | Knocks::OneTime { .. } => None,
            Knocks::Derived { file, .. } => Some(file),
        }
    }

    /// Gives the door its key, if it derives sequences.
    pub fn set_key(&mut self, read: SequenceKey) {
        if let Some(Given { value: Knocks::Derived { key, .. }, .. }) = &mut self.knocks {
            *key = Some(read);
        }
    }

    fn knocks(&self) -> Option<&Knocks> {
        self.knocks.as_ref().map(|given| &given.value)
    }

    /// Returns the sequence that opens the door now, if there is one that does not depend on the time.
    #[must_use]
    pub fn sequence(&self) -> Option<&Sequence> {
        match self.knocks()? {
            Knocks::Fixed(sequence) => Some(sequence),
            Knocks::File { sequence, .. } => sequence.as_ref(),
            Knocks::OneTime { sequences, .. } => sequences.next().map(|line| &line.sequence),
            Knocks::Derived { .. } => None,
        }
    }

    /// Returns how many knocks the sequence has that opens the door now, if there is one.
    #[must_use]
    pub fn knock_count(&self) -> Option<usize> {
        if self.key_file().is_some() {
            let count = value(self.sequence_knocks.as_ref());
            return Some(count.unwrap_or(DerivedSequence::KNOCKS_DEFAULT).into());
        }
        self.sequence().map(|sequence| sequence.knocks().len())
    }

    /// Returns the file that the door takes its sequences from, if it does.
    #[must_use]
    pub fn one_time_file(&self) -> Option<&FileName> {
        match self.knocks()? {
            Knocks::Fixed(_) | Knocks::File { .. } | Knocks::Derived { .. } => None,
            Knocks::OneTime { file, .. } => Some(file),
        }
    }

    /// Returns the file that has the sequence of the door, if it is not in the configuration.
    #[must_use]
    pub fn sequence_file(&self) -> Option<&FileName> {
        match self.knocks()? {
            Knocks::Fixed(_) | Knocks::OneTime { .. } | Knocks::Derived { .. } => None,
            Knocks::File { file, .. } => Some(file),
        }
    }

    /// Gives the door the sequence in its file, if it has one.
    pub fn set_sequence(&mut self, read: Sequence) {
        if let Some(Given { value: Knocks::File { sequence, .. }, .. }) = &mut self.knocks {
            *sequence = Some(read);
        }
    }

    /// Returns the file that the configuration names for the sequences of the door, if there is one.
    #[must_use]
    pub fn knocks_file(&self) -> Option<&FileName> {
        match self.knocks()? {
            Knocks::Fixed(_) => None,
            Knocks::File { file, .. }
            | Knocks::OneTime { file, .. }
            | Knocks::Derived { file, .. } => Some(file),
        }
    }

    /// Gives the door the sequences of its file, if it has one.
    pub fn set_one_time(&mut self, read: OneTimeSequences) {
        if let Some(Given { value: Knocks::OneTime { sequences, .. }, .. }) = &mut self.knocks {
            *sequences = read;
        }
    }

    /// Returns how long after the first knock the last one may come.
    #[must_use]
    pub fn seq_timeout(&self) -> Seconds {
        value(self.seq_timeout.as_ref()).unwrap_or(Directive::SeqTimeout.default_seconds())
    }

    /// Returns how long after the start command the stop command is run.
    #[must_use]
    pub fn cmd_timeout(&self) -> Seconds {
        value(self.cmd_timeout.as_ref()).unwrap_or(Directive::CmdTimeout.default_seconds())
    }

    /// Returns how long after an opening the ports of `Open` are closed again.
    #[must_use]
    pub fn open_for(&self) -> Seconds {
        value(self.open_for.as_ref()).unwrap_or(Admission::DEFAULT_LASTS)
    }

    /// Returns what the door lets its clients reach.
    #[must_use]
    pub fn admission(&self) -> Option<Admission> {
        let ports = value(self.open.as_ref())?;
        Some(Admission { ports, lasts: self.open_for(), max: value(self.open_max.as_ref()) })
    }

    /// Returns which flags TCP packets must have and must not have.
    #[must_use]
    pub fn flags(&self) -> FlagRule {
        self.flags.last().map_or_else(FlagRule::default, |given| given.value)
    }

    /// Returns which clients can knock.
    #[must_use]
    pub fn sources(&self) -> Sources {
        // No list is too long, or it would be an error.
        Sources::new(all(&self.allow), all(&self.deny)).unwrap_or_default()
    }

    /// Returns where knocks must go to.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        value(self.target.as_ref())
    }
}

fn at<T>(given: Option<&Given<T>>) -> Option<Span> {
    given.map(|given| given.at)
}

fn all(lines: &[Given<Vec<Prefix>>]) -> Vec<Prefix> {
    lines.iter().flat_map(|line| line.value.iter().copied()).collect()
}

fn value<T: Clone>(given: Option<&Given<T>>) -> Option<T> {
    given.map(|given| given.value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directives::Value;

    #[test]
    fn the_words_are_those_of_the_table_and_its_default_is_theirs() {
        check(Directive::LogTime, LogTime::WORDS);
        check(Directive::OnStateError, OnStateError::WORDS);
        check(Directive::OnStop, OnStop::WORDS);
        check(Directive::Guard, Guard::WORDS);
    }

    fn check<T: Default + PartialEq>(directive: Directive, known: &[(&str, T)]) {
        let Value::OneOf(words) = directive.value() else { panic!("words") };
        assert!(known.iter().map(|(word, _)| *word).eq(words.known.iter().copied()));
        let default = known.iter().find(|(_, form)| *form == T::default()).unwrap();
        assert_eq!(directive.default_value(), Some(default.0));
    }
}
