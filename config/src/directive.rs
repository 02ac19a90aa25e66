//! The directives of `knockd.conf`.

/// A directive; its aliases are one directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Directive {
    /// `UseSyslog`, the only one without a value; knockd 0.8 allows it in doors too.
    UseSyslog,
    /// `LogFile`.
    LogFile,
    /// `PidFile`.
    PidFile,
    /// `Interface`.
    Interface,
    /// `User`, which knockd 0.8 does not know.
    User,
    /// `LogTime`, which knockd 0.8 does not know.
    LogTime,
    /// `CommandLimit`, which knockd 0.8 does not know.
    CommandLimit,
    /// `LeaseFile`, which knockd 0.8 does not know.
    LeaseFile,
    /// `Sequence`.
    Sequence,
    /// `One_Time_Sequences`.
    OneTimeSequences,
    /// `Seq_Timeout`, `Timeout`.
    SeqTimeout,
    /// `TCPFlags`.
    TcpFlags,
    /// `Target`.
    Target,
    /// `Start_Command`, `Command`.
    StartCommand,
    /// `Start_Command_6`, `Command_6`.
    StartCommand6,
    /// `Cmd_Timeout`.
    CmdTimeout,
    /// `Stop_Command`.
    StopCommand,
    /// `Stop_Command_6`.
    StopCommand6,
}

/// The sections a directive can belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Options,
    Door,
    Anywhere,
}

/// Every name of every directive, in lower case, the usual one before its alias.
const NAMES: [(&str, Directive); 21] = [
    ("usesyslog", Directive::UseSyslog),
    ("logfile", Directive::LogFile),
    ("pidfile", Directive::PidFile),
    ("interface", Directive::Interface),
    ("user", Directive::User),
    ("logtime", Directive::LogTime),
    ("commandlimit", Directive::CommandLimit),
    ("leasefile", Directive::LeaseFile),
    ("sequence", Directive::Sequence),
    ("one_time_sequences", Directive::OneTimeSequences),
    ("seq_timeout", Directive::SeqTimeout),
    ("timeout", Directive::SeqTimeout),
    ("tcpflags", Directive::TcpFlags),
    ("target", Directive::Target),
    ("start_command", Directive::StartCommand),
    ("command", Directive::StartCommand),
    ("start_command_6", Directive::StartCommand6),
    ("command_6", Directive::StartCommand6),
    ("cmd_timeout", Directive::CmdTimeout),
    ("stop_command", Directive::StopCommand),
    ("stop_command_6", Directive::StopCommand6),
];

impl Directive {
    /// Returns the directive of this name, in any case, and the name in lower case.
    pub(crate) fn from_name(name: &[u8]) -> Option<(&'static str, Self)> {
        NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())).copied()
    }

    /// Returns every name, in lower case.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Returns the usual name, as the examples of knockd 0.8 write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        let usual = NAMES.iter().find(|(_, directive)| *directive == self);
        usual.map_or("", |(name, _)| name)
    }

    pub(crate) fn home(self) -> Home {
        match self {
            Self::UseSyslog => Home::Anywhere,
            Self::LogFile
            | Self::PidFile
            | Self::Interface
            | Self::User
            | Self::LogTime
            | Self::CommandLimit
            | Self::LeaseFile => Home::Options,
            Self::Sequence
            | Self::OneTimeSequences
            | Self::SeqTimeout
            | Self::TcpFlags
            | Self::Target
            | Self::StartCommand
            | Self::StartCommand6
            | Self::CmdTimeout
            | Self::StopCommand
            | Self::StopCommand6 => Home::Door,
        }
    }

    /// Returns what its value is, as the end of "expected".
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::UseSyslog => "nothing",
            Self::LogFile | Self::PidFile | Self::LeaseFile | Self::OneTimeSequences => {
                "a file name"
            }
            Self::Interface => "the name of a network interface",
            Self::User => "the name of a user",
            Self::LogTime => "`minutes` or `iso`",
            Self::Sequence => "ports, such as `7000,8000,9000`",
            Self::SeqTimeout | Self::CmdTimeout | Self::CommandLimit => "a number of seconds",
            Self::TcpFlags => "flags, such as `syn`",
            Self::Target => "an IP address",
            Self::StartCommand | Self::StartCommand6 | Self::StopCommand | Self::StopCommand6 => {
                "a command"
            }
        }
    }

    /// Returns what holds where the directive is absent, as the end of "remove the line"; `None`
    /// if a door cannot do without it.
    pub(crate) fn when_absent(self) -> Option<&'static str> {
        match self {
            Self::UseSyslog => Some("to log nothing to syslog"),
            Self::LogFile => Some("to log to no file"),
            Self::PidFile => Some("for the default, `/var/run/knockd.pid`"),
            Self::Interface => Some("for the interface of the default route"),
            Self::User => Some("for the default, `nobody`"),
            Self::LogTime => Some("for the default, `minutes`"),
            Self::CommandLimit => Some("to let commands take as long as they like"),
            Self::LeaseFile => Some("to remember open doors in no file"),
            Self::Sequence | Self::OneTimeSequences => None,
            Self::SeqTimeout => Some("for the default, 25 seconds"),
            Self::CmdTimeout => Some("for the default, 10 seconds"),
            Self::TcpFlags => Some("to count TCP packets with any flags"),
            Self::Target => Some("to listen on the addresses of the interface"),
            Self::StartCommand | Self::StartCommand6 | Self::StopCommand | Self::StopCommand6 => {
                Some("to run nothing")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_directive_in_any_case() {
        let from_name = Directive::from_name;
        assert_eq!(from_name(b"SEQ_timeout"), Some(("seq_timeout", Directive::SeqTimeout)));
        assert_eq!(from_name(b"Timeout"), Some(("timeout", Directive::SeqTimeout)));
        assert_eq!(from_name(b"Command_6"), Some(("command_6", Directive::StartCommand6)));
        assert_eq!(from_name(b"CommandLimit"), Some(("commandlimit", Directive::CommandLimit)));
        assert_eq!(from_name(b"Command 6"), None);
        assert_eq!(from_name(b""), None);
    }

    #[test]
    fn the_usual_name_of_an_alias_is_the_longer_one() {
        assert_eq!(Directive::SeqTimeout.name(), "seq_timeout");
        assert_eq!(Directive::StartCommand.name(), "start_command");
    }
}
