//! Sections while they are read.

use super::diagnostic::{Diagnostics, Excerpt};
use super::directive::Directive;
use super::fault::LineFault;
use super::lex::Piece;
use super::lint::Lint;
use super::{
    DoorConfig, DoorPlaces, FileName, InterfaceName, LogTime, OneTimeFile, Options, Span, UserName,
    check, option_value, value,
};
use knock_engine::OneTimeSequences;
use knock_engine::Seconds;
use knock_engine::{Command, Commands};
use knock_engine::{Door, DoorName, DoorSequence, FlagRule, OnReknock, Sequence, Target};

/// `Seq_Timeout` where a door has none: 25 seconds.
const SEQ_TIMEOUT: Seconds = seconds(25);
/// `Cmd_Timeout` where a door has none: 10 seconds.
const CMD_TIMEOUT: Seconds = seconds(10);

const fn seconds(seconds: u32) -> Seconds {
    match Seconds::new(seconds) {
        Some(seconds) => seconds,
        None => Seconds::MAX,
    }
}

/// A directive as a line gives it.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) directive: Directive,
    /// The name in lower case.
    pub(crate) name: &'static str,
    /// The name where it stands.
    pub(crate) at: Piece<'a>,
    pub(crate) value: Piece<'a>,
}

/// What the last line of a kind says.
struct Last<'a, T> {
    given: Given<'a>,
    /// `None` if it is in error, which has been told.
    value: Option<T>,
}

type Slot<'a, T> = Option<Last<'a, T>>;

fn given<'a, T>(slot: &Slot<'a, T>) -> Option<Given<'a>> {
    slot.as_ref().map(|last| last.given)
}

/// Puts a line in its slot; the one before it, if there is one, has no effect.
fn put<'a, T>(
    slot: &mut Slot<'a, T>,
    given: Given<'a>,
    value: Option<T>,
    diagnostics: &mut Diagnostics,
) {
    if let Some(last) = slot.replace(Last { given, value }) {
        let lint = Lint::Overridden {
            name: last.given.name,
            by_name: given.name,
            by_line: given.at.line().number,
        };
        diagnostics.lint(lint, last.given.at);
    }
}

/// The directives of `[options]`.
#[derive(Default)]
pub(super) struct OptionsDraft<'a> {
    pub(super) use_syslog: bool,
    log_file: Slot<'a, FileName>,
    pid_file: Slot<'a, FileName>,
    interfaces: Slot<'a, Vec<InterfaceName>>,
    user: Slot<'a, UserName>,
    log_time: Slot<'a, LogTime>,
    command_limit: Slot<'a, Seconds>,
    lease_file: Slot<'a, FileName>,
}

impl<'a> OptionsDraft<'a> {
    /// Takes a directive of `[options]` with a value.
    pub(super) fn take(&mut self, given: Given<'a>, diagnostics: &mut Diagnostics) {
        let text = given.value;
        match given.directive {
            Directive::LogFile => {
                let name = option_value::file_name(given.directive, text, diagnostics);
                put(&mut self.log_file, given, name, diagnostics);
            }
            Directive::PidFile => {
                let name = option_value::file_name(given.directive, text, diagnostics);
                put(&mut self.pid_file, given, name, diagnostics);
            }
            Directive::Interface => {
                let names = option_value::interfaces(text, diagnostics);
                put(&mut self.interfaces, given, names, diagnostics);
            }
            Directive::User => {
                let name = option_value::user(text, diagnostics);
                put(&mut self.user, given, name, diagnostics);
            }
            Directive::LogTime => {
                let form = option_value::log_time(text, diagnostics);
                put(&mut self.log_time, given, form, diagnostics);
            }
            Directive::CommandLimit => {
                let seconds = value::seconds(given.directive, text, diagnostics);
                put(&mut self.command_limit, given, seconds, diagnostics);
            }
            Directive::LeaseFile => {
                let name = option_value::file_name(given.directive, text, diagnostics);
                put(&mut self.lease_file, given, name, diagnostics);
            }
            Directive::UseSyslog
            | Directive::Sequence
            | Directive::OneTimeSequences
            | Directive::SeqTimeout
            | Directive::TcpFlags
            | Directive::Target
            | Directive::StartCommand
            | Directive::StartCommand6
            | Directive::CmdTimeout
            | Directive::StopCommand
            | Directive::StopCommand6 => {}
        }
    }

    /// Returns where the directives stand.
    pub(super) fn placed(&self) -> check::Options<'a> {
        check::Options {
            interfaces: given(&self.interfaces),
            user: given(&self.user),
            log_time: given(&self.log_time),
            command_limit: given(&self.command_limit),
            lease_file: given(&self.lease_file),
        }
    }

    pub(super) fn finish(self) -> Options {
        Options {
            use_syslog: self.use_syslog,
            log_file: self.log_file.and_then(|last| last.value),
            pid_file: self.pid_file.and_then(|last| last.value),
            interfaces: self.interfaces.and_then(|last| last.value).unwrap_or_default(),
            user: self.user.and_then(|last| last.value),
            log_time: self.log_time.and_then(|last| last.value).unwrap_or_default(),
            command_limit: self.command_limit.and_then(|last| last.value),
            lease_file: self.lease_file.and_then(|last| last.value),
        }
    }
}

/// A door.
pub(super) struct DoorDraft<'a> {
    name: Piece<'a>,
    /// Whether every line could be read: only then is it told what the door lacks.
    pub(super) is_fully_read: bool,
    sequence: Slot<'a, Sequence>,
    one_time_file: Slot<'a, OneTimeFile>,
    seq_timeout: Slot<'a, Seconds>,
    flags: FlagRule,
    /// The last line of flags.
    flags_given: Option<Given<'a>>,
    flags_at: Vec<Span>,
    target: Slot<'a, Target>,
    start: Slot<'a, Command>,
    start_6: Slot<'a, Command>,
    stop: Slot<'a, Command>,
    stop_6: Slot<'a, Command>,
    cmd_timeout: Slot<'a, Seconds>,
}

impl<'a> DoorDraft<'a> {
    /// The longest name that knockd 0.8 keeps whole, in bytes.
    pub(super) const NAME_BYTES_IN_08: usize = 127;

    pub(super) fn new(name: Piece<'a>) -> Self {
        Self {
            name,
            is_fully_read: true,
            sequence: None,
            one_time_file: None,
            seq_timeout: None,
            flags: FlagRule::default(),
            flags_given: None,
            flags_at: Vec::new(),
            target: None,
            start: None,
            start_6: None,
            stop: None,
            stop_6: None,
            cmd_timeout: None,
        }
    }

    /// Takes a directive of doors.
    pub(super) fn take(&mut self, given: Given<'a>, diagnostics: &mut Diagnostics) {
        let text = given.value;
        let command = Some(Command::new(text.bytes()));
        match given.directive {
            Directive::Sequence => {
                refuse_second(self.one_time_file.as_ref(), given, diagnostics);
                let sequence = value::sequence(text, diagnostics);
                put(&mut self.sequence, given, sequence, diagnostics);
            }
            Directive::OneTimeSequences => {
                refuse_second(self.sequence.as_ref(), given, diagnostics);
                let file = value::required(given.directive, text, diagnostics);
                let file = file.and_then(|name| {
                    Some(OneTimeFile { name: FileName::new(name.bytes())?, span: name.span() })
                });
                put(&mut self.one_time_file, given, file, diagnostics);
            }
            Directive::SeqTimeout => {
                let seconds = value::seconds(given.directive, text, diagnostics);
                put(&mut self.seq_timeout, given, seconds, diagnostics);
            }
            Directive::CmdTimeout => {
                let seconds = value::seconds(given.directive, text, diagnostics);
                put(&mut self.cmd_timeout, given, seconds, diagnostics);
            }
            Directive::TcpFlags => {
                // Lines add up, so the rule goes on from the one before.
                self.flags = value::flags(self.flags, text, diagnostics).unwrap_or(self.flags);
                self.flags_given = Some(given);
                self.flags_at.push(given.at.span());
            }
            Directive::Target => {
                let target = value::target(text, diagnostics);
                put(&mut self.target, given, target, diagnostics);
            }
            Directive::StartCommand => put(&mut self.start, given, command, diagnostics),
            Directive::StartCommand6 => put(&mut self.start_6, given, command, diagnostics),
            Directive::StopCommand => put(&mut self.stop, given, command, diagnostics),
            Directive::StopCommand6 => put(&mut self.stop_6, given, command, diagnostics),
            Directive::UseSyslog
            | Directive::LogFile
            | Directive::PidFile
            | Directive::Interface
            | Directive::User
            | Directive::LogTime
            | Directive::CommandLimit
            | Directive::LeaseFile => {}
        }
    }

    /// Returns where the directives stand.
    pub(super) fn placed(&self) -> check::Door<'a> {
        check::Door {
            name: self.name,
            sequence: given(&self.sequence),
            seq_timeout: given(&self.seq_timeout),
            flags: self.flags_given,
            target: given(&self.target),
            start: given(&self.start),
            start_6: given(&self.start_6),
            stop: given(&self.stop),
            stop_6: given(&self.stop_6),
            cmd_timeout: given(&self.cmd_timeout),
        }
    }

    /// Ends the section; `None` if it is in error.
    pub(super) fn finish(self, diagnostics: &mut Diagnostics) -> Option<DoorConfig> {
        if self.is_fully_read {
            self.lint_commands(diagnostics);
        }
        let places = self.places();
        let one_time_file = self.one_time_file.map(|last| last.value);
        let sequence = match (self.sequence, &one_time_file) {
            (Some(sequence), _) => DoorSequence::Fixed(sequence.value?),
            (None, Some(_)) => DoorSequence::OneTime(OneTimeSequences::default()),
            (None, None) => {
                if self.is_fully_read {
                    let door = Excerpt::new(self.name.bytes());
                    diagnostics.line(LineFault::NoSequence { door }, self.name);
                }
                return None;
            }
        };
        let door = Door {
            name: DoorName::new(self.name.bytes()),
            sequence,
            seq_timeout: self.seq_timeout.map_or(Some(SEQ_TIMEOUT), |last| last.value)?,
            flags: self.flags,
            target: match self.target {
                Some(target) => Some(target.value?),
                None => None,
            },
            commands: Commands {
                start: self.start.and_then(|last| last.value),
                start_6: self.start_6.and_then(|last| last.value),
                stop: self.stop.and_then(|last| last.value),
                stop_6: self.stop_6.and_then(|last| last.value),
            },
            cmd_timeout: self.cmd_timeout.map_or(Some(CMD_TIMEOUT), |last| last.value)?,
            on_reknock: OnReknock::default(),
            seq_cooldown: None,
        };
        Some(DoorConfig { door, one_time_file: one_time_file.flatten(), places })
    }

    fn places(&self) -> DoorPlaces {
        fn place<T>(slot: &Slot<'_, T>) -> Option<Span> {
            slot.as_ref().map(|last| last.given.at.span())
        }
        DoorPlaces {
            name: self.name.span(),
            sequence: place(&self.sequence).or(place(&self.one_time_file)),
            seq_timeout: place(&self.seq_timeout),
            flags: self.flags_at.clone(),
            target: place(&self.target),
            start: place(&self.start),
            start_6: place(&self.start_6),
            stop: place(&self.stop),
            stop_6: place(&self.stop_6),
            cmd_timeout: place(&self.cmd_timeout),
        }
    }

    /// Warns of commands that run other than they look; an empty command runs nothing.
    fn lint_commands(&self, diagnostics: &mut Diagnostics) {
        let runs = |slot: &Slot<'a, Command>| {
            slot.as_ref().is_some_and(|last| !last.given.value.is_empty())
        };
        let starts = runs(&self.start);
        let starts_for_6 = if self.start_6.is_some() { runs(&self.start_6) } else { starts };
        if let Some(stop) = &self.stop {
            let directive = Directive::StopCommand;
            if !runs(&self.stop) {
                diagnostics.lint(Lint::EmptyStopCommand { directive }, stop.given.at);
            } else if !starts && (!starts_for_6 || self.stop_6.is_some()) {
                diagnostics.lint(Lint::StopWithoutStart { directive }, stop.given.at);
            }
        }
        if let Some(stop_6) = &self.stop_6 {
            let directive = Directive::StopCommand6;
            if runs(&self.stop_6) {
                if !starts_for_6 {
                    diagnostics.lint(Lint::StopWithoutStart { directive }, stop_6.given.at);
                }
            } else if !runs(&self.stop) {
                // Beside a stop command, an empty one is how the manual says to run nothing.
                diagnostics.lint(Lint::EmptyStopCommand { directive }, stop_6.given.at);
            }
        }
        if let Some(start) = &self.start_6
            && starts_for_6
            && runs(&self.stop)
            && self.stop_6.is_none()
        {
            diagnostics.lint(Lint::StopForBothFamilies, start.given.at);
        }
        let has_command =
            [&self.start, &self.start_6, &self.stop, &self.stop_6].into_iter().any(Option::is_some);
        if !has_command {
            let door = Excerpt::new(self.name.bytes());
            diagnostics.lint(Lint::NoCommand { door }, self.name);
        }
    }
}

/// Tells of a door with two kinds of sequences.
fn refuse_second<T>(other: Option<&Last<'_, T>>, given: Given<'_>, diagnostics: &mut Diagnostics) {
    if let Some(other) = other {
        let other_line = other.given.at.line().number;
        diagnostics.line(LineFault::TwoSequences { other_line }, given.at);
    }
}
