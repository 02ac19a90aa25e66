//! Directives as lines give them, and where their values go.

use super::{derived, option_value, ports, printed, signed, sources, value};
use crate::config::{DoorConfig, Given, Guard, Knocks, LogTime, OnStateError, OnStop, Options};
use crate::diagnostics::Diagnostics;
use crate::directives::{Directive, Value};
use crate::lex::{Piece, is_blank};
use crate::names::FileName;
use crate::warnings::Warning;
use knock_engine::{Admits, Command, OnReknock, OneTimeSequences, PerMinute, Prefix, Seconds};

/// The words for what an opening of an open door does.
const ON_REKNOCK: &[(&str, OnReknock)] = &[
    ("extend", OnReknock::Extend),
    ("separate", OnReknock::Separate),
    ("ignore", OnReknock::Ignore),
];

/// The words for whom a signed packet opens a door.
const ADMITS: &[(&str, Admits)] =
    &[("source", Admits::Source), ("packet", Admits::Packet), ("both", Admits::Both)];

/// A directive as a line gives it.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) directive: Directive,
    /// The name in lower case.
    pub(super) name: &'static str,
    /// The name in its place.
    pub(super) at: Piece<'a>,
    pub(super) value: Piece<'a>,
}

impl Entry<'_> {
    /// Reads the value and stores it in the options, or in the door whose section the line is in. A
    /// value with an error is reported and, if it is no command, not stored.
    #[expect(clippy::too_many_lines, reason = "a table with an entry for each directive")]
    pub(super) fn read(
        self,
        options: &mut Options,
        door: &mut DoorConfig,
        found: &mut Diagnostics,
    ) {
        self.warn_of_quotes(found);
        match self.directive {
            // It has no value. What the other names was read before, or that is an error already.
            Directive::UseSyslog | Directive::Include => {}
            Directive::LogFile => options.log_file = self.file_name(found),
            Directive::PidFile => options.pid_file = self.file_name(found),
            Directive::Interface => {
                options.interfaces = self.given(option_value::interfaces(self.value, found));
            }
            Directive::User => options.user = self.given(option_value::user(self.value, found)),
            Directive::LogTime => options.log_time = self.word(LogTime::WORDS, found),
            Directive::CommandLimit => options.command_limit = self.seconds(found),
            Directive::StateDir => options.state_dir = self.file_name(found),
            Directive::LeaseFile => options.lease_file = self.file_name(found),
            Directive::ControlSocket => options.control_socket = self.file_name(found),
            Directive::OnStateError => {
                options.on_state_error = self.word(OnStateError::WORDS, found);
            }
            Directive::OnStop => options.on_stop = self.word(OnStop::WORDS, found),
            Directive::Firewall => {
                options.firewall = self.given(option_value::firewall(self.value, found));
            }
            Directive::Guard => options.guard = self.word(Guard::WORDS, found),
            Directive::ServerName => {
                options.server_name = self.given(signed::server_name(self.value, found));
            }
            Directive::KeyDir => options.key_dir = self.file_name(found),
            Directive::KnockPort => {
                options.knock_port = self.given(signed::port(self.value, found));
            }
            Directive::ClockSkew => {
                options.clock_skew = self.given(signed::clock_skew(self.value, found));
            }
            Directive::Sequence => {
                let sequence = value::sequence(self.value, found);
                door.knocks = self.given(sequence.map(Knocks::Fixed));
            }
            Directive::SequenceFile => {
                door.knocks = self.in_file(found, |file| Knocks::File { file, sequence: None });
            }
            Directive::OneTimeSequences => {
                let sequences = OneTimeSequences::default();
                door.knocks = self.in_file(found, |file| Knocks::OneTime { file, sequences });
            }
            Directive::SequenceKey => {
                door.knocks = self.in_file(found, |file| Knocks::Derived { file, key: None });
            }
            Directive::SequenceKnocks => {
                door.sequence_knocks = self.given(derived::knocks(self.value, found));
            }
            Directive::SequencePorts => {
                door.sequence_ports = self.given(derived::ports(self.value, found));
            }
            Directive::SequencePeriod => {
                door.sequence_period = self.given(derived::period(self.value, found));
            }
            Directive::Signed => door.signed = self.given(signed::users(self.value, found)),
            Directive::Admit => door.admit = self.word(ADMITS, found),
            Directive::SeqTimeout => door.seq_timeout = self.seconds(found),
            Directive::TcpFlags => {
                let rule = value::flags(door.flags(), self.value, found);
                door.flags.extend(self.given(rule));
            }
            Directive::Target => door.target = self.given(value::target(self.value, found)),
            Directive::Allow => self.prefixes(&mut door.allow, found),
            Directive::Deny => self.prefixes(&mut door.deny, found),
            Directive::StartCommand => door.start = self.command(found),
            Directive::StartCommand6 => door.start_6 = self.command(found),
            Directive::CmdTimeout => door.cmd_timeout = self.seconds(found),
            Directive::Open => door.open = self.given(ports::open_ports(self.value, found)),
            Directive::OpenFor => door.open_for = self.duration(found),
            Directive::OpenMax => door.open_max = self.duration(found),
            Directive::OnReknock => door.on_reknock = self.word(ON_REKNOCK, found),
            Directive::SeqCooldown => door.seq_cooldown = self.seconds(found),
            Directive::OpeningsPerMinute => door.openings_per_minute = self.per_minute(found),
            Directive::ClientOpeningsPerMinute => {
                door.client_openings_per_minute = self.per_minute(found);
            }
            Directive::StopCommand => door.stop = self.command(found),
            Directive::StopCommand6 => door.stop_6 = self.command(found),
        }
    }

    /// Warns about quotes around a value that would be accepted without them.
    fn warn_of_quotes(self, found: &mut Diagnostics) {
        let is_list = matches!(self.directive.value(), Value::Interfaces);
        let parts = self.value.split(b',').map(Piece::trim).filter(|_| is_list);
        let mut quoted = std::iter::once(self.value)
            .chain(parts)
            .filter_map(|whole| Some((whole, inside_quotes(whole)?)));
        let Some((whole, inner)) = quoted.next() else { return };
        let matters = match self.directive.value() {
            // The shell removes the quotes around the name of a program.
            Value::Command => inner.bytes().iter().copied().any(is_blank),
            Value::FileName | Value::Interfaces | Value::User | Value::ServerName => true,
            // They are an error.
            Value::Nothing
            | Value::OneOf(_)
            | Value::Knocks
            | Value::KnockCount
            | Value::PortSpan
            | Value::Port
            | Value::KeyUsers
            | Value::Seconds(_)
            | Value::Duration
            | Value::PerMinute
            | Value::Prefixes
            | Value::Ports
            | Value::Firewall
            | Value::Flags
            | Value::Address => false,
        };
        if matters {
            let directive = self.directive;
            found.warn(Warning::QuotedValue { directive }, whole);
        }
    }

    fn file_name(self, found: &mut Diagnostics) -> Option<Given<FileName>> {
        self.given(option_value::file_name(self.directive, self.value, found))
    }

    fn in_file(
        self,
        found: &mut Diagnostics,
        knocks: impl FnOnce(FileName) -> Knocks,
    ) -> Option<Given<Knocks>> {
        self.given(option_value::file_name(self.directive, self.value, found).map(knocks))
    }

    fn word<T: Copy>(
        self,
        words: &[(&'static str, T)],
        found: &mut Diagnostics,
    ) -> Option<Given<T>> {
        self.given(option_value::word(self.directive, words, self.value, found))
    }

    fn seconds(self, found: &mut Diagnostics) -> Option<Given<Seconds>> {
        self.given(value::seconds(self.directive, self.value, found))
    }

    fn duration(self, found: &mut Diagnostics) -> Option<Given<Seconds>> {
        self.given(value::duration(self.directive, self.value, found))
    }

    fn per_minute(self, found: &mut Diagnostics) -> Option<Given<PerMinute>> {
        self.given(value::per_minute(self.directive, self.value, found))
    }

    fn prefixes(self, all: &mut Vec<Given<Vec<Prefix>>>, found: &mut Diagnostics) {
        let prefixes = sources::prefixes(self.directive, self.value, count(all), found);
        all.extend(self.given(prefixes));
    }

    fn command(self, found: &mut Diagnostics) -> Option<Given<Command>> {
        // It is stored with an error, too: the door has a command.
        printed::check_command(self.value, found);
        self.given(Some(Command::new(self.value.bytes())))
    }

    fn given<T>(self, value: Option<T>) -> Option<Given<T>> {
        let Self { at, value: text, .. } = self;
        let (value_start, value_end) = text.place();
        Some(Given { value: value?, at: at.span(), value_start, value_end })
    }
}

/// Returns what is between quotes that are around all of a value.
fn inside_quotes(value: Piece<'_>) -> Option<Piece<'_>> {
    [b'"', b'\''].into_iter().find_map(|quote| {
        let inner = value.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.bytes().contains(&quote)).then_some(inner)
    })
}

/// Returns how many prefixes lines have.
fn count(lines: &[Given<Vec<Prefix>>]) -> usize {
    lines.iter().map(|line| line.value.len()).sum()
}
