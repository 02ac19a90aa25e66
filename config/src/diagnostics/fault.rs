//! Errors in a configuration or in a sequence file.

use crate::directives::{Directive, Least, Value};
use crate::lex::Line;
use crate::text::{Excerpt, counted};
use crate::typography::{instead_of, unseen};
use crate::wording::Wording;
use knock_engine::Doors;
use knock_engine::{OpenPorts, Port, PortRange, Prefix, Seconds, Sequence, Sources};
use knock_guard::turns_text;
use knock_signed::PortSpan;

/// An error in a line or in how lines belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// A line is longer than 4,095 bytes, even if it is a comment: knockd 0.8 takes the rest for another line.
    TooLong {
        /// The bytes of the line.
        length: usize,
    },
    /// A NUL byte outside a comment.
    NulByte,
    /// A character in a name or a command that commands the terminal or cannot be seen.
    UnprintableCharacter {
        /// The character; a byte that is not UTF-8 is that of Latin-1.
        character: char,
        /// Whether it is in the name of a door.
        is_name: bool,
    },
    /// The name of a door is a command for services that show the logs of test runs.
    LogCommand {
        /// The characters that make it one.
        mark: &'static str,
    },
    /// A directive before the first section.
    OutsideSection,
    /// `[]`.
    EmptySectionName,
    /// A line that begins with `[` does not end in `]`.
    UnclosedSection {
        /// Whether what follows the last `]` is a comment.
        comment: bool,
    },
    /// There is no `=` in a line that is not `UseSyslog`.
    NotADirective {
        /// Whether it looks like a comment that does not begin with `#`.
        comment: bool,
    },
    /// A directive that needs a value has no `=`.
    MissingEquals {
        /// The directive.
        directive: Directive,
    },
    /// There is nothing before the `=`.
    MissingName,
    /// There is no directive of this name.
    UnknownDirective {
        /// The name.
        name: Excerpt,
        /// The known name that is most like it.
        nearest: Option<&'static str>,
    },
    /// A line that continues the one before it, which ends in `\\`.
    WrappedLine,
    /// A character before the line that is no blank, or cannot be seen.
    StrayCharacter {
        /// The character.
        character: char,
    },
    /// A colon where an `=` should be.
    ColonForEquals {
        /// The directive.
        directive: Directive,
    },
    /// The file is in the format of `OpenWrt`, UCI.
    Uci,
    /// A directive of doors in `[options]`.
    DoorDirectiveInOptions {
        /// The directive.
        directive: Directive,
    },
    /// A directive of `[options]` in a door.
    OptionInDoor {
        /// The directive.
        directive: Directive,
    },
    /// `UseSyslog` has a value.
    SyslogWithValue,
    /// A door without `Sequence`, `Sequence_File`, `One_Time_Sequences` and `Sequence_Key`.
    NoSequence {
        /// The name of the door.
        door: Excerpt,
    },
    /// A door with two of `Sequence`, `Sequence_File`, `One_Time_Sequences` and `Sequence_Key`.
    TwoSequences {
        /// One of them.
        one: Directive,
        /// The other.
        two: Directive,
        /// The line of the other one.
        other_line: u32,
    },
    /// A second sequence in a file with the sequence of a door.
    SecondSequence {
        /// The line of the first one.
        first_line: u32,
    },
    /// A directive about derived sequences in a door without `Sequence_Key`.
    NothingDerived {
        /// The directive.
        directive: Directive,
    },
    /// There are more doors with derived sequences than [`Doors::DERIVED_MAX`].
    TooManyDerived,
    /// `Admit` in a door without `Signed`.
    NothingSigned,
    /// A door with `Signed` in a configuration without `Server_Name`.
    SignedWithoutName,
    /// A door with `Open` in a configuration without `Firewall`.
    OpenWithoutFirewall,
    /// `Open_For` or `Open_Max` in a door without `Open`.
    NothingToOpen {
        /// The directive.
        directive: Directive,
    },
    /// `Open_Max` is less than `Open_For`.
    OpenMaxTooShort {
        /// `Open_Max`.
        max: Seconds,
        /// `Open_For`.
        lasts: Seconds,
    },
    /// There are more doors than [`Doors::MAX`].
    TooManyDoors,
}

impl LineFault {
    #[expect(clippy::too_many_lines, reason = "a table with an entry for each cause")]
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::TooLong { length } => Wording::new(
                format!("line of {length} bytes is too long"),
                format!("longer than {} bytes", Line::MAX_BYTES),
            )
            .help("move a long command to a script and name the script here")
            .note("knockd 0.8 would read the rest as another line"),
            Self::NulByte => Wording::new("NUL byte in the file", "the rest of the file is text")
                .help("remove it; save the file as UTF-8 if it is UTF-16")
                .note("knockd 0.8 would ignore the rest of the line"),
            Self::UnprintableCharacter { character, is_name } => {
                unprintable(*character, *is_name)
            }
            Self::LogCommand { mark } => Wording::new(
                format!("name of a door with `{mark}`"),
                "in the log of a test run, this is a command for the service that shows it",
            )
            .help("choose a name without it")
            .note("knockd 0.8 would take the name, and print it"),
            Self::OutsideSection => Wording::new(
                "directive outside a section",
                "expected a section header before this line",
            )
            .help(
                "begin the door with a line such as `[openSSH]`, or the options with `[options]`",
            ),
            Self::EmptySectionName => {
                Wording::new("section without a name", "expected the name of a door, or `options`")
                    .help("name the door between the brackets, such as `[openSSH]`")
            }
            Self::UnclosedSection { comment: true } => {
                Wording::new("comment after a section header", "expected the end of the line")
                    .help("move the comment to a line of its own")
            }
            Self::UnclosedSection { comment: false } => {
                Wording::new("section header does not end in `]`", "expected `]` at the end")
                    .help("write the name, and nothing else, between `[` and `]`")
            }
            Self::NotADirective { comment } => {
                let wording = Wording::new("line is not a directive", "expected `NAME = VALUE`");
                if *comment { wording.help("comments begin with `#`") } else { wording }
            }
            Self::MissingEquals { directive } => Wording::new(
                format!("no `=` after `{}`", directive.name()),
                "expected `=` and a value after this",
            )
            .help(format!(
                "write `{} =` and {}",
                directive.name(),
                directive.expected()
            )),
            Self::MissingName => {
                Wording::new("no directive before `=`", "expected the name of a directive")
                    .help("write `NAME = VALUE`")
            }
            Self::UnknownDirective { name, nearest } => {
                let wording =
                    Wording::new(format!("unknown directive `{name}`"), "not a directive");
                if let Some(help) = foreign_help(name.as_str()) {
                    return wording.help(help);
                }
                match nearest {
                    Some(nearest) => wording.help(format!("did you mean `{nearest}`?")),
                    None => wording,
                }
            }
            Self::WrappedLine => Wording::new(
                "line continues the one before it",
                "a directive is one line, and `\\` at its end does not change that",
            )
            .help("write both lines as one, or move the command to a script"),
            Self::ColonForEquals { directive } => Wording::new(
                format!("no `=` after `{}`", directive.name()),
                "expected `=` instead of the colon",
            )
            .help(format!("write `{} = VALUE`", directive.name())),
            Self::Uci => Wording::new(
                "this is a file of OpenWrt's UCI, not a `knockd.conf`",
                "not a line of a `knockd.conf`",
            )
            .help(
                "write `[NAME]` instead of `config ... 'NAME'`, and `NAME = VALUE` instead of `option NAME \
                 'VALUE'`",
            ),
            Self::DoorDirectiveInOptions { directive } => Wording::new(
                format!("`{}` does not belong in `[options]`", directive.name()),
                "this directive belongs in a door",
            )
            .help("move it below the header of the door it is meant for"),
            Self::OptionInDoor { directive } => Wording::new(
                format!("`{}` does not belong in a door", directive.name()),
                "this directive belongs in `[options]`",
            )
            .help("move it below the header `[options]`"),
            Self::SyslogWithValue => {
                Wording::new("`usesyslog` takes no value", "expected the name alone")
                    .help("write `usesyslog` alone, or remove the line to log nothing to syslog")
            }
            Self::StrayCharacter { character } => {
                let is_blank = instead_of(*character) == Some(" ");
                let label = if is_blank { "this is no blank" } else { "this cannot be seen" };
                Wording::new(format!("{} before the line", unseen(*character)), label)
                    .help("remove it")
            }
            Self::NoSequence { door } => {
                Wording::new(format!("door `{door}` has no sequence"), "nothing opens this door")
                    .help(
                        "add a line such as `sequence = 7000,8000,9000`, or `sequence_file`, \
                         `one_time_sequences`, `sequence_key` or `signed`",
                    )
            }
            Self::TwoSequences { one, two, other_line } => {
                let wording = Wording::new(
                    format!("door has both `{}` and `{}`", one.name(), two.name()),
                    format!("the other one is on line {other_line}"),
                )
                .help("remove one of the two lines");
                if one.is_in_08() && two.is_in_08() {
                    wording.note("knockd 0.8 would use the later line first, then the file")
                } else {
                    wording
                }
            }
            Self::SecondSequence { first_line } => Wording::new(
                "a second line in a file with one sequence",
                format!("the sequence is on line {first_line}"),
            )
            .help(
                "remove one of the two; several sequences, for one use each, are for `one_time_sequences`",
            ),
            Self::NothingDerived { directive } => Wording::new(
                format!("`{}` without `sequence_key`", directive.name()),
                "this door derives no sequences",
            )
            .help("add a line such as `sequence_key = /etc/knockd/home.key`, or remove this one"),
            Self::TooManyDerived => Wording::new(
                format!("more than {} doors with `sequence_key`", Doors::DERIVED_MAX),
                "this door exceeds the limit",
            )
            .help("split the configuration between several daemons"),
            Self::NothingSigned => {
                Wording::new("`admit` without `signed`", "no signed packet opens this door")
                    .help("add a line such as `signed = alice`, or remove this one")
            }
            Self::SignedWithoutName => Wording::new(
                "`signed` without `server_name`",
                "nothing says for which server packets must be made",
            )
            .help(
                "write a line such as `server_name = home.example.com` in `[options]`, as in the keys of clients",
            ),
            Self::OpenWithoutFirewall => Wording::new(
                "`open` without `firewall`",
                "nothing says how these ports are opened",
            )
            .help(
                "write `firewall = nft` in `[options]`: the ports are then guarded, and only clients that \
                 a door has let in can reach them",
            ),
            Self::NothingToOpen { directive } => Wording::new(
                format!("`{}` without `open`", directive.name()),
                "there is nothing to close after this time",
            )
            .help("add a line such as `open = tcp/22`; for commands, write `cmd_timeout`"),
            Self::OpenMaxTooShort { max, lasts } => Wording::new(
                "`open_max` is less than `open_for`",
                format!("{} seconds, but one opening lasts {} seconds", max.get(), lasts.get()),
            )
            .help("write a longer time here, or a shorter one in `open_for`"),
            Self::TooManyDoors => Wording::new(
                format!("more than {} doors", Doors::MAX),
                "this door exceeds the limit",
            )
            .help("split the configuration between several daemons"),
        }
    }
}

fn unprintable(character: char, is_name: bool) -> Wording {
    let effect = if turns_text(character) {
        "it shows the text after it in another order"
    } else if character.is_control() {
        "it commands the terminal that shows it"
    } else {
        "it cannot be seen"
    };
    let (place, help) = if is_name {
        ("the name of a door", "remove it")
    } else {
        ("a command", "remove it; if the program needs it, move the command to a script")
    };
    Wording::new(format!("{} in {place}", unseen(character)), effect)
        .help(help)
        .note("knockd 0.8 would print it as it is")
}

/// Returns what to do instead of a directive that other programs for port knocking know.
fn foreign_help(name: &str) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 6] = [
        ("ipset", "write a `start_command` such as `/usr/sbin/ipset add SET %IP%`"),
        ("key", "name a file with a key in `sequence_key`"),
        ("hmac_key", "name a file with a key in `sequence_key`"),
        ("include_dir", "write `Include = DIR/*.conf`"),
        ("includedir", "write `Include = DIR/*.conf`"),
        ("door", "the name of a door is in brackets, such as `[openSSH]`"),
    ];
    KNOWN.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, help)| *help)
}

/// An error in the value of a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueFault {
    /// There is no value where one is needed.
    Empty {
        /// The directive.
        directive: Directive,
    },
    /// A comment on a line that cannot contain one.
    CommentAfterValue {
        /// The directive; `Sequence` in a sequence file.
        directive: Directive,
    },
    /// Nothing where a port should be.
    MissingPort,
    /// A port that is not a decimal number from 1 to 65,535.
    BadPort {
        /// The text found.
        text: Excerpt,
        /// What knockd 0.8 makes of it; `None` if it refuses it.
        read_by_08: Option<Port>,
    },
    /// Nothing after the colon.
    MissingProtocol,
    /// A protocol that is neither `tcp` nor `udp`.
    UnknownProtocol {
        /// The text found.
        text: Excerpt,
        /// The known protocol that is most like it.
        nearest: Option<&'static str>,
    },
    /// The protocol before the port.
    ProtocolFirst {
        /// The knock as it is to be written.
        right: String,
    },
    /// Something after the protocol.
    ThirdField,
    /// More knocks than [`Sequence::MAX_KNOCKS`].
    TooManyKnocks {
        /// How many there are.
        count: usize,
    },
    /// Not a number of knocks that a derived sequence may have.
    BadKnockCount {
        /// The text found.
        text: Excerpt,
    },
    /// Not a range of ports.
    NotAPortSpan {
        /// The text found.
        text: Excerpt,
    },
    /// Fewer ports than a derived sequence needs.
    FewPorts {
        /// How many there are.
        count: u16,
    },
    /// A period that is too short or too long.
    BadPeriod {
        /// How long it is.
        seconds: Seconds,
    },
    /// A timeout that is not a decimal number of seconds, or too large.
    BadSeconds {
        /// The directive.
        directive: Directive,
        /// The text found.
        text: Excerpt,
        /// What knockd 0.8 makes of it; `None` if it does not know the directive.
        read_by_08: Option<i32>,
    },
    /// 0 seconds where that makes no sense.
    ZeroSeconds {
        /// The directive.
        directive: Directive,
    },
    /// Not a duration of at least 1 second.
    BadDuration {
        /// The directive.
        directive: Directive,
        /// The text found.
        text: Excerpt,
    },
    /// A port to open without a protocol.
    PortWithoutProtocol {
        /// The text found.
        text: Excerpt,
    },
    /// A port to open with its protocol after it.
    PortFirst {
        /// How it is to be written.
        right: String,
    },
    /// A range of ports whose end is before its beginning.
    RangeBackwards {
        /// The first port.
        first: Port,
        /// The last port.
        last: Port,
    },
    /// Two ranges of ports have ports in common.
    OverlappingPorts {
        /// One of them.
        one: PortRange,
        /// The other.
        other: PortRange,
    },
    /// More ports to open than [`OpenPorts::MAX_RANGES`].
    TooManyPorts {
        /// How many there are.
        count: usize,
    },
    /// Nothing where a flag should be.
    MissingFlag,
    /// There is no such flag.
    UnknownFlag {
        /// The text found, without its `!`.
        text: Excerpt,
        /// The known flag that is most like it.
        nearest: Option<&'static str>,
    },
    /// `!!`.
    DoubleNot,
    /// A target that is not an IP address.
    TargetNotAnAddress {
        /// The text found.
        text: Excerpt,
    },
    /// Not a number of openings in a minute.
    BadPerMinute {
        /// The text found.
        text: Excerpt,
    },
    /// Nothing where a prefix should be.
    MissingPrefix,
    /// Neither an address nor a prefix.
    BadPrefix {
        /// The text found.
        text: Excerpt,
    },
    /// A prefix longer than an address.
    PrefixTooLong {
        /// The text found.
        text: Excerpt,
        /// The most bits.
        max: u8,
    },
    /// A prefix whose address has bits after the length.
    HostBits {
        /// The text found.
        text: Excerpt,
        /// The prefix of this length.
        network: Prefix,
        /// The address alone.
        host: Prefix,
    },
    /// IPv4 addresses written as IPv6.
    MappedPrefix {
        /// The text found.
        text: Excerpt,
        /// The same as IPv4, if it is nothing else.
        right: Option<Prefix>,
    },
    /// More prefixes than [`Sources::MAX_PREFIXES`].
    TooManyPrefixes {
        /// The directive.
        directive: Directive,
    },
}

impl ValueFault {
    #[expect(clippy::too_many_lines, reason = "a table with an entry for each cause")]
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Empty { directive } => {
                let expected = directive.expected();
                let help = match directive.when_absent() {
                    Some(absent) => format!("write {expected}, or remove the line {absent}"),
                    None => format!("write {expected}"),
                };
                Wording::new(
                    format!("`{}` has no value", directive.name()),
                    format!("expected {expected}"),
                )
                .help(help)
            }
            Self::CommentAfterValue { directive } => comment_after(*directive),
            Self::MissingPort => Wording::new("missing port", "expected a number from 1 to 65535")
                .help("write a port, or remove the comma")
                .note("knockd 0.8 would read port 0 here, which no client knocks at"),
            Self::BadPort { text, read_by_08 } => {
                let wording = Wording::new(
                    format!("`{text}` is not a port"),
                    "expected a number from 1 to 65535",
                );
                let wording = match port_help(text.as_str()) {
                    Some(help) => wording.help(help),
                    None => wording,
                };
                match read_by_08 {
                    Some(Port(0)) => {
                        wording.note("knockd 0.8 would read port 0, which no client knocks at")
                    }
                    Some(port) => wording.note(format!("knockd 0.8 would read port {}", port.0)),
                    None => wording,
                }
            }
            Self::MissingProtocol => {
                Wording::new("missing protocol", "expected `tcp` or `udp` after the colon")
                    .help("remove the colon for TCP")
            }
            Self::UnknownProtocol { text, nearest } => {
                let wording =
                    Wording::new(format!("unknown protocol `{text}`"), "expected `tcp` or `udp`");
                match nearest {
                    Some(nearest) => wording.help(format!("did you mean `{nearest}`?")),
                    None => wording.help("only TCP and UDP packets can be knocks"),
                }
            }
            Self::ProtocolFirst { right } => {
                Wording::new("protocol before the port", "expected the port first")
                    .help(format!("write `{right}`"))
            }
            Self::ThirdField => {
                Wording::new("a knock is only a port and a protocol", "expected a comma or the end")
                    .help("remove this, or separate knocks with commas")
                    .note("knockd 0.8 would ignore it")
            }
            Self::TooManyKnocks { count } => Wording::new(
                format!("sequence of {count} knocks is too long"),
                format!("more than {}", counted(Sequence::MAX_KNOCKS, "knock")),
            )
            .help(format!("shorten it to {}", counted(Sequence::MAX_KNOCKS, "knock"))),
            Self::BadKnockCount { text } => Wording::new(
                format!("`{text}` is not a number of knocks"),
                "expected a number from 4 to 32",
            )
            .help("write a number such as `5`: with fewer than 4 knocks, a sequence can be guessed"),
            Self::NotAPortSpan { text } => Wording::new(
                format!("`{text}` is not a range of ports"),
                "expected a first and a last port",
            )
            .help("write a range such as `20000-59999`, or `20000-59999:udp` for UDP"),
            Self::FewPorts { count } => Wording::new(
                format!("{} are too few to derive sequences from", counted(usize::from(*count), "port")),
                format!("expected at least {}", PortSpan::LEAST),
            )
            .help("write a wider range, such as `20000-59999`: with few ports, a sequence can be guessed"),
            Self::BadPeriod { seconds } => Wording::new(
                format!("a period of {} is not possible", counted_seconds(*seconds)),
                "expected 10 seconds to 1 day",
            )
            .help("write `60` unless clocks are worse than that: a sequence that was seen can be used for up to three periods"),
            Self::BadSeconds { directive, text, read_by_08 } => {
                let is_number = text.as_str().bytes().all(|byte| byte.is_ascii_digit());
                let wording = Wording::new(
                    format!("`{text}` is not a number of seconds"),
                    expected_seconds(*directive),
                )
                .help(if is_number {
                    "write a smaller number"
                } else {
                    "write seconds as digits only, such as `10`"
                });
                match read_by_08 {
                    Some(seconds) => wording.note(seconds_note(*directive, *seconds)),
                    None => wording,
                }
            }
            Self::ZeroSeconds { directive } => zero_seconds(*directive),
            Self::BadDuration { text, .. } => Wording::new(
                format!("`{text}` is not a duration"),
                "expected 1 to 2147483647 seconds",
            )
            .help(
                "write seconds such as `3600`, or a number with its unit: `90s`, `30m`, `8h`, `1d`",
            ),
            Self::PortWithoutProtocol { text } => Wording::new(
                format!("`{text}` has no protocol"),
                "expected `tcp/` or `udp/` before the port",
            )
            .help("write ports such as `tcp/22`, `udp/51820` or `tcp/8000-8010`"),
            Self::PortFirst { right } => {
                Wording::new("port before the protocol", "expected the protocol first")
                    .help(format!("write `{right}`"))
            }
            Self::RangeBackwards { first, last } => Wording::new(
                "range of ports ends before it begins",
                format!("{} is more than {}", first.0, last.0),
            )
            .help(format!("write `{}-{}`", last.0, first.0)),
            Self::OverlappingPorts { one, other } if one == other => {
                Wording::new(format!("{one} is here twice"), "expected each port once")
                    .help("remove one of them")
            }
            Self::OverlappingPorts { one, other } => Wording::new(
                format!("{one} and {other} have ports in common"),
                "expected each port once",
            )
            .help("write one range for both"),
            Self::TooManyPorts { count } => Wording::new(
                format!("{count} ports or ranges are too many"),
                format!("more than {}", OpenPorts::MAX_RANGES),
            )
            .help("write ranges such as `tcp/8000-8010`, or another door for the others"),
            Self::MissingFlag => {
                Wording::new("missing flag", "expected `fin`, `syn`, `rst`, `psh`, `ack` or `urg`")
                    .help("write a flag, or remove the comma or `!`")
            }
            Self::UnknownFlag { text, nearest } => {
                let wording = Wording::new(
                    format!("unknown TCP flag `{text}`"),
                    "expected `fin`, `syn`, `rst`, `psh`, `ack` or `urg`",
                );
                match nearest {
                    Some(nearest) => wording.help(format!("did you mean `{nearest}`?")),
                    None => wording
                        .help("separate flags with commas; write `!` before one to refuse it"),
                }
            }
            Self::DoubleNot => {
                Wording::new("a flag is refused twice", "expected a flag after the first `!`")
                    .help("write one `!` to refuse the flag, none to ask for it")
            }
            Self::TargetNotAnAddress { text } => Wording::new(
                format!("`{text}` is not an IP address"),
                "expected an address such as `192.0.2.1` or `2001:db8::1`",
            )
            .help("write the address of the host, without a name, prefix length or zone")
            .note("knockd 0.8 would not start, or never open the door"),
            Self::BadPerMinute { text } => Wording::new(
                format!("`{text}` is not a number of openings in a minute"),
                "expected a number from 1 to 1000",
            )
            .help("write digits only, such as `6`; remove the line to set no limit"),
            Self::MissingPrefix => {
                Wording::new("missing address", "expected an address or a prefix")
                    .help("write an address, or remove the comma")
            }
            Self::BadPrefix { text } => Wording::new(
                format!("`{text}` is not an address or a prefix"),
                "expected such as `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`",
            )
            .help(prefix_help(text.as_str())),
            Self::PrefixTooLong { text, max } => Wording::new(
                format!("prefix `{text}` is too long"),
                format!("such an address has {max} bits"),
            )
            .help(format!("write a length from 0 to {max}, or none for one address")),
            Self::HostBits { text, network, host } => Wording::new(
                format!("`{text}` has bits set after the length of the prefix"),
                format!("the prefix of this length is {network}"),
            )
            .help(format!("write `{network}` for all of it, or `{host}` for the one address")),
            Self::MappedPrefix { text, right } => {
                let wording = Wording::new(
                    format!("`{text}` has IPv4 addresses written as IPv6"),
                    "no packet comes from such an address",
                );
                match right {
                    Some(right) => wording.help(format!("write `{right}`")),
                    None => wording.help("write the prefixes of IPv4 and of IPv6 each by itself"),
                }
            }
            Self::TooManyPrefixes { directive } => Wording::new(
                format!("too many prefixes in `{}`", directive.name()),
                format!("more than {} in this door", Sources::MAX_PREFIXES),
            )
            .help("write shorter prefixes that have several of them, or filter clients in the firewall"),
        }
    }
}

fn comment_after(directive: Directive) -> Wording {
    let (message, is_read_by_08) = match directive.value() {
        Value::Nothing => (format!("comment after `{}`", directive.name()), false),
        Value::Knocks => (String::from("comment after a sequence"), true),
        Value::Seconds(_) | Value::PerMinute => {
            (String::from("comment after a number"), directive.is_in_08())
        }
        Value::Duration
        | Value::Prefixes
        | Value::KnockCount
        | Value::Port
        | Value::ServerName
        | Value::KeyUsers
        | Value::PortSpan
        | Value::Ports
        | Value::Firewall
        | Value::FileName
        | Value::Interfaces
        | Value::User
        | Value::OneOf(_)
        | Value::Flags
        | Value::Address
        | Value::Command => (String::from("comment after a value"), false),
    };
    let wording = Wording::new(message, "expected the end of the line")
        .help("move the comment to a line of its own");
    if is_read_by_08 { wording.note("knockd 0.8 would ignore it") } else { wording }
}

/// Returns the wording for 0 seconds where that makes no sense.
fn zero_seconds(directive: Directive) -> Wording {
    let (message, help) = if let Value::Seconds(Least::One { message, help }) = directive.value() {
        (message, help)
    } else {
        ("0 seconds make no sense", "write a larger number")
    };
    let wording = Wording::new(message, expected_seconds(directive)).help(help);
    if directive.is_in_08() { wording.note(seconds_note(directive, 0)) } else { wording }
}

fn counted_seconds(seconds: Seconds) -> String {
    counted(usize::try_from(seconds.get()).unwrap_or(usize::MAX), "second")
}

fn expected_seconds(directive: Directive) -> String {
    let least = u8::from(!matches!(directive.value(), Value::Seconds(Least::Zero)));
    format!("expected a number from {least} to 2147483647")
}

/// Returns help for the usual mistakes in writing a prefix.
fn prefix_help(text: &str) -> &'static str {
    if text.contains([' ', '\t', ';']) {
        return "separate prefixes with commas";
    }
    if text.split_once('/').is_some_and(|(_, mask)| mask.contains('.')) {
        return "write the length of the prefix in bits, such as `/24` for 255.255.255.0";
    }
    if text.contains('-') {
        return "write prefixes such as `192.0.2.0/24` instead of a range";
    }
    if text.contains('%') {
        return "write the address without its zone";
    }
    "write addresses as numbers, without a name; all clients are `0.0.0.0/0,::/0`"
}

/// Returns help for the usual mistakes in writing a port.
fn port_help(text: &str) -> Option<String> {
    if let Some((port, protocol)) = text.split_once('/') {
        return Some(format!("the protocol goes after a colon: `{port}:{protocol}`"));
    }
    if text.contains([' ', '\t', ';']) {
        return Some("separate knocks with commas".into());
    }
    if text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Some("write the number of the port, not its name".into());
    }
    None
}

fn seconds_note(directive: Directive, seconds: i32) -> String {
    if directive == Directive::SeqTimeout && seconds <= 0 {
        return "in knockd 0.8 every attempt would expire at the next packet".into();
    }
    // 0.8 hands the number to sleep(3), which takes it without its sign.
    let seconds = seconds.cast_unsigned();
    format!("knockd 0.8 would read it as {seconds} seconds")
}
