//! The wording of warnings.

use super::details::{
    BadAllow, Guess, Mismatch, NoIp, OneFamily, ProgramFault, Undoer, Unknown, Why,
};
use super::key_wording;
use super::table::Warning;
use crate::directives::Directive;
use crate::text::{Excerpt, counted};
use crate::typography;
use crate::wording::Wording;
use knock_engine::Protocol;
use knock_guard::is_unprintable;

impl Warning {
    #[expect(clippy::too_many_lines, reason = "a table with an entry for each cause")]
    pub(crate) fn wording(&self) -> Wording {
        match self {
            Self::AlmostOptions { name } => Wording::new(
                format!("section `{name}` is a door, not the options"),
                "this is the name of a door",
            )
            .help("write `[options]` in lower case and without blanks, or give the door another name"),
            Self::AscendingSequence { protocol } => Wording::new(
                "a port scan opens this door",
                "a scan from the lowest to the highest port sends these knocks",
            )
            .help("let one knock go to a lower port than the knock before it")
            .note(match protocol {
                Protocol::Tcp => "`nmap -r -p-` is such a scan",
                Protocol::Udp => "`nmap -sU -r -p-` is such a scan",
            }),
            Self::BlankInFlags { without } => {
                Wording::new("blank between TCP flags", "knockd 0.8 would refuse this")
                    .help(format!("write `{without}`"))
            }
            Self::ByteOrderMark => {
                Wording::new("file begins with a byte order mark", "it comes before this")
                    .help("save the file as UTF-8 without a byte order mark")
                    .note("it is ignored here; knockd 0.8 would take it for part of the line")
            }
            Self::CommandNotAbsolute { program } => Wording::new(
                format!("`{program}` is not an absolute path"),
                "found only if its folder is in `PATH`",
            )
            .help(format!("write the path that `command -v {program}` prints"))
            .note("the `PATH` of a daemon started at boot often differs from yours"),
            Self::CommandNotFound { program, fault } => fault.wording(program),
            Self::DeleteByNumber => Wording::new(
                "a rule is deleted by its number",
                "this deletes whatever rule has this number by then",
            )
            .help("write the words of the rule, without its number; with nft, use a set"),
            Self::DportWithoutProtocol { option } => Wording::new(
                format!("`{option}` needs a protocol"),
                "iptables refuses this without `-p`",
            )
            .help(format!("write `-p tcp {option}`")),
            Self::DuplicateDoorName { name, first_line } => Wording::new(
                format!("two doors are named `{name}`"),
                format!("also the name of the door on line {first_line}"),
            )
            .help("give each door its own name, so that the log shows which is which"),
            Self::DuplicateInterface { name } => Wording::new(
                format!("interface `{name}` is named twice"),
                "no effect: it is already named to the left",
            )
            .help("remove it"),
            Self::EmptyStopCommand { directive } => {
                Wording::new(format!("`{}` is empty", directive.name()), "nothing runs")
                    .help("remove the line")
                    .note("knockd 0.8 would wait `cmd_timeout` seconds and run an empty shell line")
            }
            Self::ExpiredKey { file, user } => key_wording::expired(file, user),
            Self::FewKnocks { count } => Wording::new(
                format!("sequence of {}", counted(*count, "knock")),
                if *count == 1 { "a single packet opens this" } else { "many port scans open this" },
            )
            .help("write at least three knocks, not in ascending order"),
            Self::FirewallWithoutOpen { directive } => Wording::new(
                format!("`{}` has no effect", directive.title()),
                "no door has `Open`, so no port is guarded or opened",
            )
            .help("add `Open` to a door, or remove this line"),
            Self::FlagsNoClientSends => Wording::new(
                "clients that open a connection do not send these flags",
                "their first packet has only `syn`",
            )
            .help("write `syn`, unless you knock with a program that crafts packets"),
            Self::GuessableSequence { guess: Guess::Published } => Wording::new(
                "this sequence is publicly known",
                "an example from knockd 0.8",
            )
            .help("choose ports at random, such as with `shuf -i 1024-65535 -n 4`"),
            Self::GuessableSequence { guess: Guess::EqualSteps { step } } => Wording::new(
                "sequence is easy to guess",
                format!("the step from port to port is always {step}"),
            )
            .help("choose ports at random, such as with `shuf -i 1024-65535 -n 4`"),
            Self::KeyWithoutDoor { file, gap } => gap.wording(file),
            Self::LongDoorName { length } => Wording::new(
                format!("door name of {length} bytes is longer than knockd 0.8 allows"),
                "knockd 0.8 would cut this off",
            )
            .help("shorten the name to 127 bytes"),
            Self::NeverCloses => Wording::new(
                "door never closes",
                "nothing in this file removes what this adds",
            )
            .help("add a `stop_command`, or a door that removes it"),
            Self::NftRuleWithoutHandle => Wording::new(
                "nft deletes a rule by its handle only",
                "nft refuses this without `handle`",
            )
            .help("use a set: `nft add element` and `nft delete element`"),
            Self::NeverOpens { why } => why.wording(),
            Self::NoCommand { door } => {
                Wording::new(format!("door `{door}` runs no command"), "nothing runs when it opens")
                    .help("add a `command`; an empty one, `command =`, says that nothing is to run")
            }
            Self::NoDoors => Wording::new("there is no door", "")
                .help("add a section such as `[openSSH]` with a `sequence` and a `command`"),
            Self::NoIpToken { no_ip: NoIp::Misspelled { token } } => Wording::new(
                format!("`{token}` is not replaced by the client's address"),
                "expected `%IP%`",
            )
            .help("write `%IP%` for the address of the client"),
            Self::NoIpToken { no_ip: NoIp::OpensForAll } => Wording::new(
                "command opens the firewall to every address",
                "it does not contain `%IP%`",
            )
            .help("write `%IP%` for the address of the client, as in `-s %IP%`"),
            Self::NoIpToken { no_ip: NoIp::UnblocksAll } => Wording::new(
                "command opens the firewall to every address",
                "it removes a block, and does not contain `%IP%`",
            )
            .help("add a rule for the client instead, as `-I INPUT -s %IP% -j ACCEPT` does"),
            Self::NoIpToken { no_ip: NoIp::TurnsOff } => Wording::new(
                "command opens the firewall to every address",
                "it turns the firewall off",
            )
            .help("add a rule for the client instead, as `-I INPUT -s %IP% -j ACCEPT` does"),
            Self::NoSeqTimeout => Wording::new(
                "door has no `seq_timeout`",
                "a client may take 25 seconds, the default",
            )
            .help("add a line such as `seq_timeout = 5`"),
            Self::NoSequenceLeft => Wording::new("no sequence is left in this file", "")
                .help("add lines such as ` 7000,8000,9000`; the door stays shut until then")
                .note("knockd 0.8 would not start"),
            Self::NoTcpFlags => Wording::new(
                "door has no `tcpflags`",
                "every TCP packet to these ports is a knock, whatever its flags",
            )
            .help("add the line `tcpflags = syn`"),
            Self::OverriddenDirective { name, by_name, by_line } => {
                let wording = Wording::new(
                    format!("`{name}` is given twice"),
                    format!("no effect: line {by_line} overrides this"),
                )
                .help("remove one of the two lines");
                if name == by_name {
                    wording
                } else {
                    wording.note(format!("`{by_name}` is the same directive"))
                }
            }
            Self::PermanentWithoutReload => Wording::new(
                "the firewall does not change",
                "only the stored rules change, until `firewall-cmd --reload`",
            )
            .help("remove `--permanent`, so that the rule is in effect at once and lost at a reboot"),
            Self::PortsWithoutMultiport => Wording::new(
                "several ports need `-m multiport`",
                "iptables refuses this",
            )
            .help("write `-m multiport --dports` and the ports"),
            Self::QuotedValue { directive } => {
                let label = if directive.is_command() {
                    "the shell takes all of this for the name of one program"
                } else {
                    "the quotes are part of the name"
                };
                Wording::new(format!("`{}` is in quotes", directive.name()), label)
                    .help("remove the quotes at the beginning and at the end")
            }
            Self::RepeatedKnock { port } => Wording::new(
                format!("port {port} is knocked at twice"),
                "already named to the left",
            )
            .help("write another port")
            .note("knockd 0.8 would count a retransmitted packet as the second knock"),
            Self::ReversedSequence { door, line } => Wording::new(
                "sequence is that of another door, reversed",
                format!("the reverse of door `{door}` on line {line}"),
            )
            .help("give the doors sequences that have nothing in common")
            .note(
                "anyone who has seen one knows the other; in knockd 0.8 a last knock that is sent twice \
                 keeps the door from opening again until `seq_timeout` is over",
            ),
            Self::RotatedSequence { door, line } => Wording::new(
                "sequence is that of another door, with another beginning",
                format!("a rotation of that of door `{door}` on line {line}"),
            )
            .help("give the doors sequences that have nothing in common")
            .note(
                "a client that loses its first knock and knocks again, as `knock --retry` does, opens the \
                 other door at every try",
            ),
            Self::SameSequence { door, line } => Wording::new(
                "two doors have the same sequence",
                format!("also that of door `{door}` on line {line}"),
            )
            .help("give each door its own sequence, or put both commands into one door")
            .note("whoever opens one opens the other"),
            Self::SequencePrefix { door, line } => Wording::new(
                "sequence begins with that of another door",
                format!("door `{door}` on line {line} opens first"),
            )
            .help("begin the two sequences differently")
            .note(format!("knockd 0.8 would open `{door}` and often drop the attempt at this door")),
            Self::SequenceSuffix { door, line } => Wording::new(
                "sequence ends with that of another door",
                format!("the last knocks alone open door `{door}` on line {line}"),
            )
            .help("end the two sequences differently")
            .note("a client whose first packets are lost opens the other door"),
            Self::ServicePort { port, protocol, service } => Wording::new(
                format!("{} port {port} belongs to a service", upper(*protocol)),
                format!("`{service}` usually listens here"),
            )
            .help("choose a port that nothing listens on")
            .note("packets to the service count as knocks: they begin attempts and void others"),
            Self::SharedFirstKnock { count } => Wording::new(
                format!("{} begin with the same knock", counted(*count, "door")),
                "a packet to this port begins an attempt at each of them",
            )
            .help("let each sequence begin with a port of its own"),
            Self::SharedOneTimeFile { first_line } => Wording::new(
                "two doors take their sequences from this file",
                format!("also named on line {first_line}"),
            )
            .help("give each door its own file")
            .note("a line used for one door still opens the other until knockd restarts"),
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
            Self::SignedBesideSequence => Wording::new(
                "a sequence opens this door without a key",
                "whoever sees these knocks can repeat them",
            )
            .help("remove the sequence, or move it to a door of its own that opens less")
            .note("`Signed` opens the door only for those who have a key"),
            Self::StopDoesNotUndo { mismatch, start_line, undoer } => {
                mismatch.wording(*start_line, undoer)
            }
            Self::StopForBothFamilies => Wording::new(
                "`stop_command` also runs for IPv6 clients",
                "this door has no `stop_command_6`",
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
            Self::TypographicCharacter { character, name, instead } => {
                let title = typography::title(*character, name);
                let label = match instead {
                    Some(" ") => String::from("this is no blank"),
                    Some(instead) => format!("this is no `{instead}`"),
                    None if is_unprintable(*character) => String::from("this cannot be seen"),
                    None => String::from("this is part of the name"),
                };
                Wording::new(format!("{title} is not what it looks like"), label)
                    .help(typography::help(*instead))
                    .note("word processors and web pages put such characters into text")
            }
            Self::UnknownAllow { what } => what.wording(),
            Self::UnknownToKnockd08 { unknown } => unknown.wording(),
            Self::UnusedCmdTimeout => Wording::new(
                "`cmd_timeout` has no effect",
                "the door has no stop command",
            )
            .help("add a `stop_command`, or remove this line"),
            Self::UserWithoutKey { user, door } => key_wording::without_key(user.as_ref(), door),
            Self::WorldReadable { mode } => Wording::new(
                "every user of this machine can read the sequences",
                "",
            )
            .help("run `chmod o=` on it; knockd reads it as the user who starts it")
            .note(format!("its permissions are {mode:04o}")),
            Self::WrongAddressFamily { falls_back, rule } => family_wording(*falls_back, *rule),
            Self::ZeroCmdTimeout => Wording::new(
                "door closes as soon as it is open",
                "the stop command runs right after the start command",
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

fn family_wording(falls_back: bool, rule: OneFamily) -> Wording {
    let (who, refusal, right) = match rule {
        OneFamily::Iptables => ("iptables", "iptables refuses", "`ip6tables`"),
        OneFamily::NftIp => ("`ip saddr`", "nft refuses", "`ip6 saddr`"),
        OneFamily::RichIpv4 => ("`family=\"ipv4\"`", "firewalld refuses", "`family=\"ipv6\"`"),
        OneFamily::UfwInsert => {
            let label = "ufw inserts no rule for IPv6 clients before those for IPv4";
            return Wording::new("IPv6 addresses for `ufw insert`", label)
                .help("write `ufw prepend`, which works for both");
        }
        OneFamily::Ip6tables => ("ip6tables", "ip6tables refuses", "`iptables`"),
        OneFamily::NftIp6 => ("`ip6 saddr`", "nft refuses", "`ip saddr`"),
        OneFamily::RichIpv6 => ("`family=\"ipv6\"`", "firewalld refuses", "`family=\"ipv4\"`"),
    };
    let family = if rule.is_of_ipv4() { "IPv6" } else { "IPv4" };
    let wording = Wording::new(
        format!("{family} addresses for {who}"),
        format!("{refusal} the addresses of {family} clients"),
    );
    if !rule.is_of_ipv4() {
        let other = who.trim_matches('`');
        return wording.help(format!(
            "write {right}, and `{other}` in a directive for IPv6 such as `start_command_6`"
        ));
    }
    if falls_back {
        wording
            .help(format!(
                "add a command for IPv6 with {right}; an empty one, `start_command_6 =`, runs nothing"
            ))
            .note("without a command for IPv6, this one also runs for IPv6 clients")
    } else {
        wording.help(format!("write {right}"))
    }
}

impl Why {
    fn wording(self) -> Wording {
        match self {
            Self::TargetUnspecified => Wording::new(
                "door never opens",
                "no packet is sent to this address",
            )
            .help(
                "write the address of a host, or remove the line to listen on all local addresses",
            ),
            Self::TargetIpv6 => Wording::new("door never opens", "`-4` ignores IPv6 packets")
                .help("leave out `-4`, or write an IPv4 address"),
            Self::Ipv6Clients => Wording::new("door never opens", "`-4` ignores IPv6 packets")
                .help("leave out `-4`, or add IPv4 addresses to `allow`"),
            Self::AllDenied => Wording::new("door never opens", "every client is denied")
                .help("remove prefixes here; `deny` wins over `allow`, whatever the lengths"),
        }
    }
}

impl Mismatch {
    fn wording(&self, start_line: u32, undoer: &Undoer) -> Wording {
        let note = format!("the start command is on line {start_line}");
        let message = match undoer {
            Undoer::StopCommand => String::from("stop command does not undo the start command"),
            Undoer::Door { opener } => format!("door does not undo what door `{opener}` does"),
        };
        let (label, help) = match self {
            Self::OtherProgram => (
                String::from("changes the rules of the other family of addresses"),
                String::from("write the same program as in the start command"),
            ),
            Self::AddsAgain => (
                String::from("adds what the start command adds"),
                String::from("delete it, such as with `-D` instead of `-A`"),
            ),
            Self::OtherWord { expected } => {
                (format!("`{expected}` in the start command"), format!("write `{expected}`"))
            }
            Self::MoreWords => (
                String::from("not in the start command"),
                String::from("repeat the words of the start command"),
            ),
            Self::WordsMissing { words } => (
                format!("lacks `{words}`, which the start command has"),
                String::from("repeat the words of the start command"),
            ),
            Self::NotRemoved { rule } => (
                format!("nothing here removes `{rule}`"),
                String::from("remove everything that the start command adds"),
            ),
        };
        Wording::new(message, label).help(help).note(note)
    }
}

impl BadAllow {
    fn wording(&self) -> Wording {
        match self {
            Self::Word { word } => {
                Wording::new(format!("`{word}` allows no warning"), "expected `allow`")
                    .help("write `# knock: allow CODE`")
            }
            Self::Nothing => {
                Wording::new("comment allows no warning", "expected codes of warnings after this")
                    .help("write `# knock: allow CODE`, with the code in brackets after `warning`")
            }
            Self::Code { code, nearest } => {
                let wording = Wording::new(
                    format!("there is no warning `{code}`"),
                    "not a code of a warning",
                );
                match nearest {
                    Some(nearest) => wording.help(format!("did you mean `{nearest}`?")),
                    None => wording.help("`knock-replay check --list` prints all codes"),
                }
            }
        }
    }
}

impl ProgramFault {
    fn wording(self, program: &Excerpt) -> Wording {
        let (message, label) = match self {
            Self::Missing => ("is not on this machine", "there is no such file"),
            Self::NotAFile => ("is not a program", "this is not a file"),
            Self::NotExecutable => ("cannot be run", "no user has permission to execute this"),
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
                "knockd 0.8 does not support several interfaces",
                "knockd 0.8 would take this for one name",
            )
            .help("name one interface if the file is to serve both programs"),
            Self::AnyInterface => Wording::new(
                "knockd 0.8 does not support the interface `any`",
                "in knockd 0.8 no door without a target would open",
            )
            .help("name one interface if the file is to serve both programs"),
        }
    }
}
