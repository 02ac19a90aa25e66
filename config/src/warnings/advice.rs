//! What a check finds, and how it is told.

use super::code::Code;
use crate::directive::Directive;
use crate::text::{Excerpt, counted};
use crate::wording::Wording;
use knock_engine::Protocol;

/// A warning that only a check gives. It never changes what a configuration means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Nothing can open the door.
    NeverOpens {
        /// Why.
        why: Why,
    },
    /// A door above has the same sequence.
    SameSequence {
        /// Its name.
        door: Excerpt,
        /// The line of its name.
        line: u32,
    },
    /// The sequence begins with that of another door.
    SequencePrefix {
        /// The name of that.
        door: Excerpt,
        /// The line of its name.
        line: u32,
    },
    /// The sequence ends with that of another door.
    SequenceSuffix {
        /// The name of that.
        door: Excerpt,
        /// The line of its name.
        line: u32,
    },
    /// The sequence is that of a door above, backwards.
    ReversedSequence {
        /// The name of that.
        door: Excerpt,
        /// The line of its name.
        line: u32,
    },
    /// A scan in ascending order makes the knocks of the door.
    AscendingSequence {
        /// The protocol that is scanned.
        protocol: Protocol,
    },
    /// A sequence of one or two knocks.
    FewKnocks {
        /// How many there are.
        count: usize,
    },
    /// A knock that stands further left, too.
    RepeatedKnock {
        /// Its port.
        port: u16,
    },
    /// A sequence that is tried early.
    GuessableSequence {
        /// Why.
        guess: Guess,
    },
    /// A service usually listens there.
    ServicePort {
        /// The port.
        port: u16,
        /// Its protocol.
        protocol: Protocol,
        /// What usually listens there.
        service: &'static str,
    },
    /// No `Seq_Timeout`.
    NoSeqTimeout,
    /// A `Seq_Timeout` of less than a second from knock to knock.
    ShortSeqTimeout {
        /// How long it is.
        seconds: u32,
        /// How often a client waits for the next knock.
        gaps: usize,
    },
    /// A `Cmd_Timeout` that nothing waits for.
    UnusedCmdTimeout,
    /// A `Cmd_Timeout` of 0 seconds.
    ZeroCmdTimeout,
    /// A stop command that leaves something of what the start command did.
    StopDoesNotUndo {
        /// In what they differ.
        mismatch: Mismatch,
        /// The line of the start command.
        start_line: u32,
    },
    /// A rule with a port and without a protocol.
    DportWithoutProtocol {
        /// The option that names the port.
        option: Excerpt,
    },
    /// A command without the address of the client.
    NoIpToken {
        /// How that is seen.
        no_ip: NoIp,
    },
    /// A program without its whole path.
    CommandNotAbsolute {
        /// The program.
        program: Excerpt,
    },
    /// A program that cannot be run on this machine.
    CommandNotFound {
        /// Its path.
        program: Excerpt,
        /// Why not.
        fault: ProgramFault,
    },
    /// A program that refuses the addresses of some clients.
    WrongAddressFamily {
        /// Whether the command runs for IPv6 only because there is none for IPv6.
        falls_back: bool,
        /// Whether the addresses are those of IPv6.
        ipv6: bool,
    },
    /// Flags that a client which connects does not send.
    FlagsNoClientSends,
    /// A file that every user of the machine may read.
    WorldReadable {
        /// Its permissions, as `chmod` takes them.
        mode: u32,
    },
    /// What knockd 0.8 refuses or takes for something else.
    UnknownToKnockd08 {
        /// What.
        unknown: Unknown,
    },
}

/// Why a door never opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its target is `0.0.0.0` or `::`.
    TargetUnspecified,
    /// Its target is an IPv6 address, and IPv6 is ignored.
    TargetIpv6,
}

/// Why a sequence is tried early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// It stands in a file or in the manual page that comes with knockd 0.8.
    Published,
    /// From each port to the next it is the same step.
    EqualSteps {
        /// The step.
        step: i32,
    },
}

/// Why a stop command does not undo a start command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// It is for the other family of addresses.
    OtherProgram,
    /// It deletes a rule by its number.
    ByNumber,
    /// It adds the same again.
    AddsAgain,
    /// One word is another.
    OtherWord {
        /// The word of the start command.
        expected: Excerpt,
    },
    /// There are words that the start command has not.
    MoreWords,
    /// There are words only in the start command.
    WordsMissing {
        /// They.
        words: Excerpt,
    },
}

/// How it is seen that a command does without the address of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoIp {
    /// `%IP%` in other letters.
    Misspelled {
        /// What stands there.
        token: Excerpt,
    },
    /// It opens something, and names no address.
    OpensForAll,
}

/// Why a program cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProgramFault {
    /// There is no such file.
    Missing,
    /// It is not a file.
    NotAFile,
    /// Nobody may execute it.
    NotExecutable,
}

/// What knockd 0.8 does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// A directive.
    Directive {
        /// Which one.
        directive: Directive,
    },
    /// Several interfaces.
    SeveralInterfaces,
    /// The interface `any`.
    AnyInterface,
}

impl Advice {
    /// Returns its code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::NeverOpens { .. } => Code::NeverOpens,
            Self::SameSequence { .. } => Code::SameSequence,
            Self::SequencePrefix { .. } => Code::SequencePrefix,
            Self::SequenceSuffix { .. } => Code::SequenceSuffix,
            Self::ReversedSequence { .. } => Code::ReversedSequence,
            Self::AscendingSequence { .. } => Code::AscendingSequence,
            Self::FewKnocks { .. } => Code::FewKnocks,
            Self::RepeatedKnock { .. } => Code::RepeatedKnock,
            Self::GuessableSequence { .. } => Code::GuessableSequence,
            Self::ServicePort { .. } => Code::ServicePort,
            Self::NoSeqTimeout => Code::NoSeqTimeout,
            Self::ShortSeqTimeout { .. } => Code::ShortSeqTimeout,
            Self::UnusedCmdTimeout => Code::UnusedCmdTimeout,
            Self::ZeroCmdTimeout => Code::ZeroCmdTimeout,
            Self::StopDoesNotUndo { .. } => Code::StopDoesNotUndo,
            Self::DportWithoutProtocol { .. } => Code::DportWithoutProtocol,
            Self::NoIpToken { .. } => Code::NoIpToken,
            Self::CommandNotAbsolute { .. } => Code::CommandNotAbsolute,
            Self::CommandNotFound { .. } => Code::CommandNotFound,
            Self::WrongAddressFamily { .. } => Code::WrongAddressFamily,
            Self::FlagsNoClientSends => Code::FlagsNoClientSends,
            Self::WorldReadable { .. } => Code::WorldReadable,
            Self::UnknownToKnockd08 { .. } => Code::UnknownToKnockd08,
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table with an entry for each cause")]
    pub(crate) fn wording(&self) -> Wording {
        match self {
            Self::NeverOpens { why } => why.wording(),
            Self::SameSequence { door, line } => Wording::new(
                "two doors have the same sequence",
                format!("also that of door `{door}` on line {line}"),
            )
            .help("give each door a sequence of its own, or put both commands into one door")
            .note("whoever opens one opens the other"),
            Self::SequencePrefix { door, line } => Wording::new(
                "sequence begins with that of another door",
                format!("door `{door}` on line {line} opens on the way"),
            )
            .help("begin the two sequences differently")
            .note(format!("knockd 0.8 would open `{door}` and often forget this door")),
            Self::SequenceSuffix { door, line } => Wording::new(
                "sequence ends with that of another door",
                format!("without its beginning this opens door `{door}` on line {line}"),
            )
            .help("end the two sequences differently")
            .note("a client whose first packets are lost opens the other door"),
            Self::ReversedSequence { door, line } => Wording::new(
                "sequence is that of another door, backwards",
                format!("backwards that of door `{door}` on line {line}"),
            )
            .help("give the doors sequences that have nothing in common")
            .note(
                "who has seen one knows the other; and in knockd 0.8 a last knock that is sent twice \
                 keeps the door from opening again until `seq_timeout` is over",
            ),
            Self::AscendingSequence { protocol } => Wording::new(
                "a port scan opens this door",
                "a scan from the lowest to the highest port makes these knocks",
            )
            .help("let the sequence go down at least once")
            .note(match protocol {
                Protocol::Tcp => "`nmap -r -p-` scans so",
                Protocol::Udp => "`nmap -sU -r -p-` scans so",
            }),
            Self::FewKnocks { count } => Wording::new(
                format!("sequence of {}", counted(*count, "knock")),
                if *count == 1 { "a single packet opens this" } else { "many port scans open this" },
            )
            .help("write at least three knocks, not in ascending order"),
            Self::RepeatedKnock { port } => Wording::new(
                format!("port {port} is knocked at twice"),
                "stands further left, too",
            )
            .help("write another port")
            .note("knockd 0.8 would take a packet that is sent again for the second knock"),
            Self::GuessableSequence { guess: Guess::Published } => Wording::new(
                "everybody knows this sequence",
                "an example that comes with knockd 0.8",
            )
            .help("choose ports at random, such as with `shuf -i 1024-65535 -n 4`"),
            Self::GuessableSequence { guess: Guess::EqualSteps { step } } => Wording::new(
                "sequence is easily guessed",
                format!("from port to port it is always {step}"),
            )
            .help("choose ports at random, such as with `shuf -i 1024-65535 -n 4`"),
            Self::ServicePort { port, protocol, service } => Wording::new(
                format!("{} port {port} is that of a service", upper(*protocol)),
                format!("`{service}` usually listens here"),
            )
            .help("choose a port that nothing listens on")
            .note("packets to the service count as knocks: they begin attempts, and void them"),
            Self::NoSeqTimeout => Wording::new(
                "door has no `seq_timeout`",
                "a client may take 25 seconds, the default",
            )
            .help("add a line such as `seq_timeout = 5`"),
            Self::ShortSeqTimeout { seconds, gaps } => Wording::new(
                "`seq_timeout` leaves less than a second from knock to knock",
                format!(
                    "{} for {} between knocks",
                    counted(usize::try_from(*seconds).unwrap_or(usize::MAX), "second"),
                    counted(*gaps, "pause"),
                ),
            )
            .help(format!("write at least `{}`", gaps.saturating_add(1)))
            .note("a client that waits a second for an answer at each port never opens the door"),
            Self::UnusedCmdTimeout => Wording::new(
                "`cmd_timeout` has no effect",
                "the door has no stop command",
            )
            .help("add a `stop_command`, or remove this line"),
            Self::ZeroCmdTimeout => Wording::new(
                "door closes as soon as it is open",
                "the stop command comes right behind the start command",
            )
            .help("write how many seconds the client has to connect, such as `10`"),
            Self::StopDoesNotUndo { mismatch, start_line } => mismatch.wording(*start_line),
            Self::DportWithoutProtocol { option } => Wording::new(
                format!("`{option}` needs a protocol"),
                "iptables refuses this without `-p`",
            )
            .help(format!("write `-p tcp {option}`")),
            Self::NoIpToken { no_ip: NoIp::Misspelled { token } } => Wording::new(
                format!("`{token}` is not replaced"),
                "expected `%IP%`",
            )
            .help("write `%IP%` for the address of the client"),
            Self::NoIpToken { no_ip: NoIp::OpensForAll } => Wording::new(
                "command opens for every address",
                "there is no `%IP%` in it",
            )
            .help("write `%IP%` for the address of the client, such as in `-s %IP%`"),
            Self::CommandNotAbsolute { program } => Wording::new(
                format!("`{program}` is not a whole path"),
                "found only if `PATH` has its folder",
            )
            .help(format!("write the path that `command -v {program}` prints"))
            .note("a daemon that is started at boot often has another `PATH` than you"),
            Self::CommandNotFound { program, fault } => fault.wording(program),
            Self::WrongAddressFamily { falls_back, ipv6 } => family_wording(*falls_back, *ipv6),
            Self::FlagsNoClientSends => Wording::new(
                "clients that connect do not send these flags",
                "their first packet has `syn` alone",
            )
            .help("write `syn`, unless you knock with a program that makes packets by hand"),
            Self::WorldReadable { mode } => Wording::new(
                "every user of this machine may read the sequences",
                "",
            )
            .help("run `chmod o=` on it; knockd reads it as the user who starts it")
            .note(format!("its permissions are {mode:04o}")),
            Self::UnknownToKnockd08 { unknown } => unknown.wording(),
        }
    }
}

const fn upper(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    }
}

fn family_wording(falls_back: bool, ipv6: bool) -> Wording {
    if !ipv6 {
        return Wording::new(
            "IPv4 addresses for ip6tables",
            "refuses the addresses of IPv4 clients",
        )
        .help(
            "write `iptables`, and `ip6tables` in a directive for IPv6 such as `start_command_6`",
        );
    }
    let wording =
        Wording::new("IPv6 addresses for iptables", "refuses the addresses of IPv6 clients");
    if falls_back {
        wording
            .help("add a command for IPv6 with `ip6tables`; an empty one, `start_command_6 =`, runs nothing")
            .note("where there is no command for IPv6, this one runs for IPv6 clients, too")
    } else {
        wording.help("write `ip6tables`")
    }
}

impl Why {
    fn wording(self) -> Wording {
        match self {
            Self::TargetUnspecified => {
                Wording::new("door never opens", "no packet is sent to this address").help(
                    "write the address of a host, or remove the line to listen on all local ones",
                )
            }
            Self::TargetIpv6 => {
                Wording::new("door never opens", "packets of IPv6 are ignored by `-4`")
                    .help("leave out `-4`, or write an IPv4 address")
            }
        }
    }
}

impl Mismatch {
    fn wording(&self, start_line: u32) -> Wording {
        let behind = format!("the start command is on line {start_line}");
        let (label, help) = match self {
            Self::OtherProgram => (
                String::from("changes the rules of the other family of addresses"),
                String::from("write the same program as in the start command"),
            ),
            Self::ByNumber => (
                String::from("whatever rule has this number by then is deleted"),
                String::from("write the words of the rule, without its number"),
            ),
            Self::AddsAgain => (
                String::from("adds what the start command adds"),
                String::from("delete it, such as with `-D` in the place of `-A`"),
            ),
            Self::OtherWord { expected } => {
                (format!("`{expected}` in the start command"), format!("write `{expected}`"))
            }
            Self::MoreWords => (
                String::from("not in the start command"),
                String::from("name what is to be removed in the words that added it"),
            ),
            Self::WordsMissing { words } => (
                format!("lacks `{words}`, which the start command has"),
                String::from("name what is to be removed in the words that added it"),
            ),
        };
        Wording::new("stop command does not undo the start command", label).help(help).note(behind)
    }
}

impl ProgramFault {
    fn wording(self, program: &Excerpt) -> Wording {
        let (message, label) = match self {
            Self::Missing => ("is not on this machine", "there is no such file"),
            Self::NotAFile => ("is not a program", "this is not a file"),
            Self::NotExecutable => ("cannot be run", "nobody may execute this"),
        };
        let wording = Wording::new(format!("`{program}` {message}"), label);
        match self {
            Self::Missing | Self::NotAFile => {
                wording.help("check the path; `command -v NAME` prints that of a program")
            }
            Self::NotExecutable => wording.help(format!("run `chmod a+x {program}`")),
        }
    }
}

impl Unknown {
    fn wording(self) -> Wording {
        match self {
            Self::Directive { directive } => Wording::new(
                format!("knockd 0.8 does not know `{}`", directive.name()),
                "knockd 0.8 would not start",
            )
            .help("remove the line if the file is to serve both programs"),
            Self::SeveralInterfaces => Wording::new(
                "knockd 0.8 does not know several interfaces",
                "knockd 0.8 would take this for one name",
            )
            .help("name one interface if the file is to serve both programs"),
            Self::AnyInterface => Wording::new(
                "knockd 0.8 hears nothing on all interfaces",
                "in knockd 0.8 no door without a target would open",
            )
            .help("name one interface if the file is to serve both programs"),
        }
    }
}
