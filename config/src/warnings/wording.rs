//! What warnings say.

use super::details::{Guess, Mismatch, NoIp, ProgramFault, Unknown, Why};
use super::table::Warning;
use crate::directives::Directive;
use crate::text::{Excerpt, counted};
use crate::wording::Wording;
use knock_engine::Protocol;

impl Warning {
    #[expect(clippy::too_many_lines, reason = "a table with an entry for each cause")]
    pub(crate) fn wording(&self) -> Wording {
        match self {
            Self::AlmostOptions { name } => Wording::new(
                format!("section `{name}` is a door, not the options"),
                "this is the name of a door",
            )
            .help("write `[options]` in lower case and without blanks, or name the door otherwise"),
            Self::AscendingSequence { protocol } => Wording::new(
                "a port scan opens this door",
                "a scan from the lowest to the highest port makes these knocks",
            )
            .help("let the sequence go down at least once")
            .note(match protocol {
                Protocol::Tcp => "`nmap -r -p-` scans so",
                Protocol::Udp => "`nmap -sU -r -p-` scans so",
            }),
            Self::BlankInFlags { without } => {
                Wording::new("blank between TCP flags", "knockd 0.8 would refuse this")
                    .help(format!("write `{without}`"))
            }
            Self::ByteOrderMark => {
                Wording::new("file begins with a byte order mark", "it stands in front of this")
                    .help("save the file as UTF-8 without a byte order mark")
                    .note("it is ignored here; knockd 0.8 would take it for part of the line")
            }
            Self::CommandNotAbsolute { program } => Wording::new(
                format!("`{program}` is not a whole path"),
                "found only if `PATH` has its folder",
            )
            .help(format!("write the path that `command -v {program}` prints"))
            .note("a daemon that is started at boot often has another `PATH` than you"),
            Self::CommandNotFound { program, fault } => fault.wording(program),
            Self::DportWithoutProtocol { option } => Wording::new(
                format!("`{option}` needs a protocol"),
                "iptables refuses this without `-p`",
            )
            .help(format!("write `-p tcp {option}`")),
            Self::DuplicateDoorName { name, first_line } => Wording::new(
                format!("two doors are named `{name}`"),
                format!("also the name of the door on line {first_line}"),
            )
            .help("give each door a name of its own, to tell them apart in the log"),
            Self::DuplicateInterface { name } => Wording::new(
                format!("interface `{name}` is named twice"),
                "no effect, as it stands further left, too",
            )
            .help("remove it"),
            Self::EmptyStopCommand { directive } => {
                Wording::new(format!("`{}` is empty", directive.name()), "nothing runs")
                    .help("remove the line")
                    .note("knockd 0.8 would wait `cmd_timeout` seconds and run an empty shell line")
            }
            Self::FewKnocks { count } => Wording::new(
                format!("sequence of {}", counted(*count, "knock")),
                if *count == 1 { "a single packet opens this" } else { "many port scans open this" },
            )
            .help("write at least three knocks, not in ascending order"),
            Self::FlagsNoClientSends => Wording::new(
                "clients that connect do not send these flags",
                "their first packet has `syn` alone",
            )
            .help("write `syn`, unless you knock with a program that makes packets by hand"),
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
            Self::LongDoorName { length } => Wording::new(
                format!("door name of {length} bytes is longer than knockd 0.8 allows"),
                "knockd 0.8 would cut this off",
            )
            .help("shorten the name to 127 bytes"),
            Self::NeverOpens { why } => why.wording(),
            Self::NoCommand { door } => {
                Wording::new(format!("door `{door}` runs no command"), "nothing runs when it opens")
                    .help("add a `command`; an empty one, `command =`, says that nothing is to run")
            }
            Self::NoDoors => Wording::new("there is no door", "")
                .help("add a section such as `[openSSH]` with a `sequence` and a `command`"),
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
            Self::NoSeqTimeout => Wording::new(
                "door has no `seq_timeout`",
                "a client may take 25 seconds, the default",
            )
            .help("add a line such as `seq_timeout = 5`"),
            Self::NoSequenceLeft => Wording::new("no sequence is left in this file", "")
                .help("add lines such as ` 7000,8000,9000`; the door stays shut until then")
                .note("knockd 0.8 would not start"),
            Self::OverriddenDirective { name, by_name, by_line } => {
                let wording = Wording::new(
                    format!("`{name}` is given twice"),
                    format!("no effect, as line {by_line} overrides this"),
                )
                .help("remove one of the two lines");
                if name == by_name {
                    wording
                } else {
                    wording.note(format!("`{by_name}` is the same directive"))
                }
            }
            Self::RepeatedKnock { port } => Wording::new(
                format!("port {port} is knocked at twice"),
                "stands further left, too",
            )
            .help("write another port")
            .note("knockd 0.8 would take a packet that is sent again for the second knock"),
            Self::ReversedSequence { door, line } => Wording::new(
                "sequence is that of another door, backwards",
                format!("backwards that of door `{door}` on line {line}"),
            )
            .help("give the doors sequences that have nothing in common")
            .note(
                "who has seen one knows the other; and in knockd 0.8 a last knock that is sent twice \
                 keeps the door from opening again until `seq_timeout` is over",
            ),
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
            Self::ServicePort { port, protocol, service } => Wording::new(
                format!("{} port {port} is that of a service", upper(*protocol)),
                format!("`{service}` usually listens here"),
            )
            .help("choose a port that nothing listens on")
            .note("packets to the service count as knocks: they begin attempts, and void them"),
            Self::SharedOneTimeFile { first_line } => Wording::new(
                "two doors take their sequences from this file",
                format!("also named on line {first_line}"),
            )
            .help("give each door a file of its own")
            .note("a line that has opened one door still opens the other until a restart"),
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
            Self::StopDoesNotUndo { mismatch, start_line } => mismatch.wording(*start_line),
            Self::StopForBothFamilies => Wording::new(
                "`stop_command` will run for IPv6 clients, too",
                "there is no `stop_command_6` beside this",
            )
            .help("add a `stop_command_6`; an empty one runs nothing"),
            Self::StopWithoutStart { directive } => Wording::new(
                format!("`{}` never runs", directive.name()),
                "no start command runs before it",
            )
            .help(if *directive == Directive::StopCommand6 {
                "add a `start_command_6`, or remove this line"
            } else {
                "add a `start_command`, or remove this line"
            }),
            Self::TargetNotCanonical { canonical } => Wording::new(
                "target is not written as knockd 0.8 writes the address",
                "in knockd 0.8 the door would never open",
            )
            .help(format!("write `{canonical}`")),
            Self::UnknownToKnockd08 { unknown } => unknown.wording(),
            Self::UnusedCmdTimeout => Wording::new(
                "`cmd_timeout` has no effect",
                "the door has no stop command",
            )
            .help("add a `stop_command`, or remove this line"),
            Self::WorldReadable { mode } => Wording::new(
                "every user of this machine may read the sequences",
                "",
            )
            .help("run `chmod o=` on it; knockd reads it as the user who starts it")
            .note(format!("its permissions are {mode:04o}")),
            Self::WrongAddressFamily { falls_back, ipv6 } => family_wording(*falls_back, *ipv6),
            Self::ZeroCmdTimeout => Wording::new(
                "door closes as soon as it is open",
                "the stop command comes right behind the start command",
            )
            .help("write how many seconds the client has to connect, such as `10`"),
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
