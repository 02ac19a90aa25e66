//! Properties of every `knockd.conf`.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test may count; an overflow fails it")]

use std::net::IpAddr;

use knock_config::diagnostics::{self, Source, Style};
use knock_config::lint::{self, Checked, Circumstances};
use knock_config::warnings::Code;
use knock_config::{
    self, Diagnostic, Diagnostics, InterfaceName, LogTime, Severity, Span, UserName,
};
use knock_engine::{
    Admission, Command, Commands, Door, DoorName, DoorSequence, FlagRule, Knock, OnReknock,
    OneTimeSequences, OpenPorts, OpeningLimits, PerMinute, Port, PortRange, Prefix, PrefixError,
    Protocol, Seconds, Sequence, Sources, Target, TcpFlags, address,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;

/// Where failing cases are stored; later runs try them first.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/config.txt");

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes_give_a_configuration_or_an_error(text in any_text()) {
        let parsed = knock_config::parse(&text);
        prop_assert_eq!(parsed.config.is_none(), parsed.diagnostics.errors() > 0);
        check_diagnostics(&parsed.diagnostics, &text)?;
        let (sequences, diagnostics) = knock_config::parse_one_time(&text);
        prop_assert_eq!(sequences.is_none(), diagnostics.errors() > 0);
        check_diagnostics(&diagnostics, &text)?;
    }

    #[test]
    fn advice_changes_nothing_but_the_warnings(
        options in options(), doors in vec(door(), 0..6), whims in vec(any::<u8>(), 1..200)
    ) {
        check_advice(&Printer::new(whims).print(&options, &doors))?;
    }

    #[test]
    fn advice_is_given_about_any_bytes(text in any_text()) {
        check_advice(&text)?;
        let (sequences, _) = knock_config::parse_one_time(&text);
        let (checked, diagnostics) = lint::check_one_time(&text, &Circumstances::default());
        prop_assert_eq!(checked, sequences);
        check_diagnostics(&diagnostics, &text)?;
    }

    #[test]
    fn a_printed_configuration_is_read_as_it_was(
        options in options(), doors in vec(door(), 0..4), whims in vec(any::<u8>(), 1..200)
    ) {
        let text = Printer::new(whims).print(&options, &doors);
        let parsed = knock_config::parse(&text);
        let shown = text.escape_ascii();
        let config = parsed.config;
        prop_assert!(config.is_some(), "{:?} in {shown}", parsed.diagnostics);
        let config = config.unwrap_or_default();
        let read = config.doors.into_iter().map(|door| {
            let file = door.one_time_file().map(|name| name.as_bytes().to_vec());
            (door.door(), file)
        });
        prop_assert_eq!(read.collect::<Vec<_>>(), doors, "{}", shown);
        prop_assert_eq!(config.options.use_syslog, options.use_syslog);
        prop_assert_eq!(config.options.interfaces(), options.interfaces);
        prop_assert_eq!(config.options.log_time(), options.log_time);
        let log_file = config.options.log_file.map(|name| name.value.as_bytes().to_vec());
        prop_assert_eq!(log_file, options.log_file);
        prop_assert_eq!(config.options.user.map(|name| name.value), options.user);
        let limit = config.options.command_limit.map(|limit| limit.value);
        prop_assert_eq!(limit, options.command_limit);
        let lease_file = config.options.lease_file.map(|name| name.value.as_bytes().to_vec());
        prop_assert_eq!(lease_file, options.lease_file);
        let state_dir = config.options.state_dir.map(|name| name.value.as_bytes().to_vec());
        prop_assert_eq!(state_dir, options.state_dir);
    }

    #[test]
    fn printed_sequences_are_read_with_their_places(
        lines in vec((any::<bool>(), sequence()), 0..6), whims in vec(any::<u8>(), 1..200)
    ) {
        let mut printer = Printer::new(whims);
        let mut expected = Vec::new();
        for (used, sequence) in &lines {
            printer.noise();
            if *used {
                printer.out.push(b'#');
            } else {
                let number = printer.out.split(|byte| *byte == b'\n').count();
                expected.push((number, printer.out.len(), sequence.clone()));
                printer.blanks();
            }
            printer.sequence(sequence);
            printer.end_line();
        }
        let (sequences, _) = knock_config::parse_one_time(&printer.out);
        let first = sequences.as_ref().and_then(OneTimeSequences::next);
        let first = first.map(|line| {
            let number = usize::try_from(line.number).unwrap_or_default();
            let offset = usize::try_from(line.offset).unwrap_or_default();
            (number, offset, line.sequence.clone())
        });
        prop_assert_eq!(first, expected.first().cloned(), "{}", printer.out.escape_ascii());
    }
}

/// Every span is in the text, in one line, and at characters; findings are in the order of place, and can
/// be reported.
fn check_advice(text: &[u8]) -> Result<(), TestCaseError> {
    let parsed = knock_config::parse(text);
    let Checked { parsed: checked, programs } = lint::check(text, &Circumstances::default());
    prop_assert_eq!(&checked.config, &parsed.config);
    prop_assert_eq!(checked.diagnostics.errors(), parsed.diagnostics.errors());
    check_diagnostics(&checked.diagnostics, text)?;
    let is_printed_at_every_start =
        |one: &&Diagnostic| one.fault.code().is_none_or(Code::is_printed_at_every_start);
    let without_advice = checked.diagnostics.kept().iter().filter(is_printed_at_every_start);
    prop_assert!(without_advice.eq(parsed.diagnostics.kept()));
    for program in programs {
        let line = &text[program.span.line_start..program.span.line_end];
        prop_assert_eq!(&line[program.span.start..program.span.end], &program.path[..]);
        prop_assert!(program.path.starts_with(b"/"));
    }
    Ok(())
}

fn check_diagnostics(diagnostics: &Diagnostics, text: &[u8]) -> Result<(), TestCaseError> {
    let spans: Vec<Span> = diagnostics.kept().iter().filter_map(|one| one.span).collect();
    prop_assert!(spans.is_sorted_by_key(|span| (span.line, span.start)));
    for span in spans {
        prop_assert!(span.start <= span.end);
        prop_assert!(span.end <= span.line_end - span.line_start);
        prop_assert!(span.line_end <= text.len());
        prop_assert!(matches!(text.get(span.line_end), None | Some(b'\n')));
        let line = text[..span.line_start].split(|byte| *byte == b'\n').count();
        prop_assert_eq!(u32::try_from(line), Ok(span.line));
        let column = span.quote(text)[0].chars().count() + 1;
        prop_assert_eq!(u32::try_from(column), Ok(span.column));
    }
    let source = Source::new("knockd.conf".to_owned(), text.to_vec(), diagnostics);
    let report = diagnostics::render(&[source], Style::Plain);
    let errors = diagnostics.kept().iter().filter(|one| one.severity() == Severity::Error).count();
    let headlines = report.lines().filter(|line| line.starts_with("error: ")).count();
    prop_assert_eq!(headlines, if errors > 0 { errors + 1 } else { 0 });
    let mut printed = places(&report).peekable();
    for finding in diagnostics.kept() {
        let place = finding.span.map_or_else(
            || "knockd.conf".to_owned(),
            |span| format!("knockd.conf:{}:{}", span.line, span.column),
        );
        let stands_for_others = finding.fault.code() == Some(Code::UnknownToKnockd08);
        let is_printed = printed.next_if(|&line| line == (stands_for_others, &*place)).is_some();
        prop_assert!(is_printed || stands_for_others, "{} is not printed: {}", place, report);
    }
    prop_assert_eq!(printed.next(), None);
    Ok(())
}

/// Returns the places of findings, each with whether it is one that stands for others.
fn places(report: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut stands_for_others = false;
    report.lines().filter_map(move |line| {
        if line.starts_with("warning") || line.starts_with("error") {
            stands_for_others = line.contains("[unknown-to-knockd-0.8]");
        }
        Some((stands_for_others, line.trim_start().strip_prefix("--> ")?))
    })
}

/// Bytes, and lines that are almost a configuration.
fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "[d]\n",
        "\n[d]\n",
        "\n[options]\n",
        "\n[",
        "]",
        "=",
        ",",
        ":",
        "!",
        "#",
        "\r",
        "\t",
        " ",
        "\n",
        "\0",
        "\u{feff}",
        "\u{6f22}",
        "\nSequence=",
        "\nOne_Time_Sequences=",
        "\nTCPFlags =",
        "\nTarget=",
        "\nSeq_Timeout=",
        "\nCmd_Timeout",
        "\nOn_Reknock=",
        "\nSeq_Cooldown=",
        "\nAllow=",
        "\nDeny = ",
        "\nOpenings_Per_Minute=",
        "\nClient_Openings_Per_Minute=",
        "10.0.0.0/8",
        "2001:db8::/33",
        "::ffff:10.0.0.0/104",
        "\nCommand=",
        "\nStop_Command_6=",
        "\nUseSyslog",
        "\nLogFile=",
        "\n[options]\nInterface=",
        "\n[options]\nUser=",
        "\n[options]\nLogTime=",
        "\n[options]\nCommandLimit=",
        "any",
        "eth0",
        "sixteen-bytes-xx",
        "/",
        "iso",
        "1",
        "7000",
        "65536",
        "-1",
        "tcp",
        "upd",
        "syn",
        "::1",
        "192.0.2.1",
        "x",
    ];
    let word = prop_oneof![
        4 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..3),
        1 => Just(vec![b'x'; 4090]),
    ];
    prop_oneof![vec(any::<u8>(), 0..200), vec(word, 0..60).prop_map(|words| words.concat()),]
}

#[derive(Clone, Debug)]
struct OptionsText {
    use_syslog: bool,
    log_file: Option<Vec<u8>>,
    interfaces: Vec<InterfaceName>,
    user: Option<UserName>,
    log_time: LogTime,
    command_limit: Option<Seconds>,
    lease_file: Option<Vec<u8>>,
    state_dir: Option<Vec<u8>>,
}

fn options() -> impl Strategy<Value = OptionsText> {
    let log_time = prop_oneof![Just(LogTime::Minutes), Just(LogTime::Iso)];
    let command_limit = prop::option::of(seconds(1));
    let user = prop::option::of(user());
    let file = || prop::option::of(value(1));
    (any::<bool>(), file(), interfaces(), user, log_time, command_limit, [file(), file()]).prop_map(
        |(
            use_syslog,
            log_file,
            interfaces,
            user,
            log_time,
            command_limit,
            [lease_file, state_dir],
        )| {
            OptionsText {
                use_syslog,
                log_file,
                interfaces,
                user,
                log_time,
                command_limit,
                lease_file,
                state_dir,
            }
        },
    )
}

/// Interfaces as a line may name them: each once, `any` alone.
fn interfaces() -> impl Strategy<Value = Vec<InterfaceName>> {
    let name = vec(any::<u8>(), 1..=InterfaceName::MAX_BYTES)
        .prop_filter("it does not part or end the line", |name| {
            !name.starts_with(b"#") && !name.contains(&b',')
        })
        .prop_filter_map("it is the name of an interface", |name| InterfaceName::new(&name));
    prop_oneof![
        4 => prop::collection::btree_set(name, 0..5)
            .prop_filter("any is all of them", |names| {
                !names.iter().any(|name| name.as_bytes() == b"any")
            })
            .prop_map(|names| names.into_iter().collect())
            .prop_shuffle(),
        1 => Just(vec![InterfaceName::new(b"any").unwrap()]),
    ]
}

fn user() -> impl Strategy<Value = UserName> {
    vec(any::<u8>(), 1..=UserName::MAX_BYTES)
        .prop_filter("it is no comment", |name| !name.starts_with(b"#"))
        .prop_filter_map("it is the name of a user", |name| UserName::new(&name))
}

fn seconds(least: u32) -> impl Strategy<Value = Seconds> {
    (least..=i32::MAX.unsigned_abs()).prop_filter_map("it is in range", Seconds::new)
}

/// A value that is neither trimmed nor cut: at least `least` bytes.
fn value(least: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), least..30).prop_filter(
        "it is one line and has no blanks at its ends",
        |value| {
            let blank = b" \t\r\x0b\x0c";
            !value.iter().any(|byte| [0, b'\n'].contains(byte))
                && !value.first().is_some_and(|byte| blank.contains(byte))
                && !value.last().is_some_and(|byte| blank.contains(byte))
        },
    )
}

fn name() -> impl Strategy<Value = DoorName> {
    vec(any::<u8>(), 1..20)
        .prop_map(printed)
        .prop_filter("it is a name, and commands no log", |name| {
            name != b"options" && !name.contains(&b'#') && !name.trim_ascii().starts_with(b"::")
        })
        .prop_map(|name| DoorName::new(&name))
}

/// Makes bytes a text that is printed as it is: without control characters. There are characters of one
/// byte, and one of two.
fn printed(bytes: Vec<u8>) -> Vec<u8> {
    let fit = |byte: u8| match byte {
        0..=0x1f | 0x7f => vec![b'x'],
        0x80..=0xbf => "\u{fc}".into(),
        _ => vec![byte],
    };
    bytes.into_iter().flat_map(fit).collect()
}

fn command() -> impl Strategy<Value = Option<Command>> {
    let text = value(0).prop_map(|text| {
        let parts = text.split(|byte| *byte == b'\t').map(|part| printed(part.to_vec()));
        Command::new(&parts.collect::<Vec<_>>().join(&b'\t'))
    });
    prop::option::of(text)
}

fn sequence() -> impl Strategy<Value = Sequence> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    let knock =
        (1..=u16::MAX, protocol).prop_map(|(port, protocol)| Knock { port: Port(port), protocol });
    vec(knock, 1..=32).prop_filter_map("it is a sequence", |knocks| Sequence::new(knocks).ok())
}

const FLAGS: [(&str, TcpFlags); 6] = [
    ("fin", TcpFlags::FIN),
    ("syn", TcpFlags::SYN),
    ("rst", TcpFlags::RST),
    ("psh", TcpFlags::PSH),
    ("ack", TcpFlags::ACK),
    ("urg", TcpFlags::URG),
];

/// Whether each flag is wanted, refused or of no interest.
type FlagChoices = [Option<bool>; 6];

fn rule(choices: FlagChoices) -> FlagRule {
    choices.into_iter().zip(FLAGS).fold(FlagRule::default(), |rule, (choice, (_, flag))| {
        match choice {
            Some(true) => rule.want(flag),
            Some(false) => rule.refuse(flag),
            None => rule,
        }
    })
}

fn admission() -> impl Strategy<Value = Admission> {
    let protocol = select(vec![Protocol::Tcp, Protocol::Udp]);
    // Each in a thousand of its own, so that they do not overlap.
    let ranges = prop::collection::vec((protocol, 0..900_u16, 0..100_u16), 1..=5).prop_map(|all| {
        let range = |(thousand, (protocol, first, more)): (u16, (Protocol, u16, u16))| {
            let first = 1000 * thousand + first;
            PortRange::new(protocol, Port(first), Port(first + more)).unwrap()
        };
        OpenPorts::new((1..).zip(all).map(range).collect()).unwrap()
    });
    (ranges, seconds(1), prop::option::of(seconds(1))).prop_map(|(ports, lasts, max)| Admission {
        ports,
        lasts,
        max: max.map(|max| max.max(lasts)),
    })
}

fn per_minute() -> impl Strategy<Value = PerMinute> {
    (1..=PerMinute::MAX).prop_map(|openings| PerMinute::new(openings).unwrap())
}

fn sources() -> impl Strategy<Value = Sources> {
    let prefix = (any::<IpAddr>(), 0..=128_u8).prop_map(|(address, length)| {
        // No packet comes from an IPv4 address written as IPv6.
        let address = address.to_canonical();
        let length = if address.is_ipv4() { length % 33 } else { length };
        match Prefix::new(address, length) {
            Ok(prefix) | Err(PrefixError::HostBits { network: prefix }) => prefix,
            Err(PrefixError::TooLong { .. }) => unreachable!("{address}/{length}"),
        }
    });
    let list = || prop::collection::vec(prefix.clone(), 0..5);
    (list(), list()).prop_map(|(allow, deny)| Sources::new(allow, deny).unwrap())
}

/// A door and its sequence file.
type DoorText = (Door, Option<Vec<u8>>);

fn door() -> impl Strategy<Value = DoorText> {
    let sequence = prop_oneof![
        sequence().prop_map(|sequence| (DoorSequence::Fixed(sequence), None)),
        value(1).prop_map(|file| (DoorSequence::OneTime(OneTimeSequences::default()), Some(file))),
    ];
    let commands = (command(), command(), command(), command())
        .prop_map(|(start, start_6, stop, stop_6)| Commands { start, start_6, stop, stop_6 });
    let flags = any::<FlagChoices>().prop_map(rule);
    let target = any::<Option<IpAddr>>().prop_map(|target| target.map(Target::from));
    let reknock = (
        select(vec![OnReknock::Extend, OnReknock::Separate, OnReknock::Ignore]),
        prop::option::of(seconds(1)),
    );
    let limits = (sources(), prop::option::of(per_minute()), prop::option::of(per_minute()));
    let times = (seconds(0), reknock, prop::option::of(admission()), limits);
    (name(), sequence, seconds(1), flags, target, commands, times).prop_map(
        |(name, (sequence, file), seq_timeout, flags, target, commands, times)| {
            let (cmd_timeout, (on_reknock, seq_cooldown), admission, limits) = times;
            let (sources, of_door, of_client) = limits;
            let door = Door {
                name,
                signed: None,
                sequence,
                seq_timeout,
                flags,
                target,
                sources,
                commands,
                cmd_timeout,
                admission,
                on_reknock,
                seq_cooldown,
                opening_limits: OpeningLimits { door: of_door, client: of_client },
            };
            (door, file)
        },
    )
}

/// Prints a configuration with whatever case, blanks and comments it likes.
struct Printer {
    whims: std::iter::Cycle<std::vec::IntoIter<u8>>,
    out: Vec<u8>,
}

impl Printer {
    fn new(whims: Vec<u8>) -> Self {
        Self { whims: whims.into_iter().cycle(), out: Vec::new() }
    }

    fn print(mut self, options: &OptionsText, doors: &[DoorText]) -> Vec<u8> {
        if self.whim(2) == 0 {
            self.out.extend_from_slice("\u{feff}".as_bytes());
        }
        if self.whim(2) == 0 {
            self.options(options);
            self.doors(doors);
        } else {
            self.doors(doors);
            self.options(options);
        }
        self.out
    }

    fn options(&mut self, options: &OptionsText) {
        self.header(b"options");
        if options.use_syslog {
            self.word("UseSyslog");
            self.end_line();
        }
        self.directive_if(&["LogFile"], options.log_file.as_deref());
        self.interfaces(&options.interfaces);
        self.directive_if(&["User"], options.user.as_ref().map(UserName::as_bytes));
        if options.log_time == LogTime::Iso || self.whim(2) == 0 {
            self.name(&["LogTime"]);
            self.word(if options.log_time == LogTime::Iso { "iso" } else { "minutes" });
            self.end_line();
        }
        if let Some(limit) = options.command_limit {
            self.seconds(&["CommandLimit"], limit, 0);
        }
        self.directive_if(&["LeaseFile"], options.lease_file.as_deref());
        self.directive_if(&["StateDir"], options.state_dir.as_deref());
        self.directive_if(&["Firewall"], Some(b"nft"));
    }

    /// Prints the names of interfaces, some of them again further right.
    fn interfaces(&mut self, interfaces: &[InterfaceName]) {
        if interfaces.is_empty() {
            return;
        }
        self.name(&["Interface"]);
        for (index, interface) in interfaces.iter().enumerate() {
            if index > 0 {
                self.separator(",");
            }
            self.out.extend_from_slice(interface.as_bytes());
            if self.whim(4) == 0 {
                self.separator(",");
                let again = self.whim(index + 1);
                self.out.extend_from_slice(interfaces[again].as_bytes());
            }
        }
        self.end_line();
    }

    fn doors(&mut self, doors: &[DoorText]) {
        for (door, file) in doors {
            self.header(door.name.as_bytes());
            if let DoorSequence::Fixed(sequence) = &door.sequence {
                self.name(&["Sequence"]);
                self.sequence(sequence);
                self.end_line();
            }
            self.directive_if(&["One_Time_Sequences"], file.as_deref());
            self.seconds(&["Seq_Timeout", "Timeout"], door.seq_timeout, 25);
            self.seconds(&["Cmd_Timeout"], door.cmd_timeout, 10);
            if door.on_reknock != OnReknock::Extend || self.whim(2) == 0 {
                self.name(&["On_Reknock"]);
                self.word(match door.on_reknock {
                    OnReknock::Extend => "extend",
                    OnReknock::Separate => "separate",
                    OnReknock::Ignore => "ignore",
                });
                self.end_line();
            }
            if let Some(admission) = &door.admission {
                self.directive_if(&["Open"], Some(admission.ports.to_string().as_bytes()));
                self.seconds(&["Open_For"], admission.lasts, 3600);
                if let Some(max) = admission.max {
                    self.seconds(&["Open_Max"], max, 0);
                }
            }
            self.prefixes("Allow", door.sources.allow());
            self.prefixes("Deny", door.sources.deny());
            let limits = door.opening_limits;
            self.number_if("Openings_Per_Minute", limits.door);
            self.number_if("Client_Openings_Per_Minute", limits.client);
            if let Some(cooldown) = door.seq_cooldown {
                self.seconds(&["Seq_Cooldown"], cooldown, 0);
            }
            self.flags(door.flags);
            let target = door.target.map(|target| {
                let mut text = Vec::new();
                address::write(target.address, &mut text);
                text
            });
            self.directive_if(&["Target"], target.as_deref());
            let commands = &door.commands;
            let text =
                |command: &Option<Command>| command.as_ref().map(|one| one.as_bytes().to_vec());
            self.directive_if(&["Command", "Start_Command"], text(&commands.start).as_deref());
            self.directive_if(
                &["Command_6", "Start_Command_6"],
                text(&commands.start_6).as_deref(),
            );
            self.directive_if(&["Stop_Command"], text(&commands.stop).as_deref());
            self.directive_if(&["Stop_Command_6"], text(&commands.stop_6).as_deref());
        }
    }

    fn header(&mut self, name: &[u8]) {
        self.noise();
        self.blanks();
        self.out.push(b'[');
        self.out.extend_from_slice(name);
        self.out.push(b']');
        self.end_line();
    }

    fn directive_if(&mut self, names: &[&str], value: Option<&[u8]>) {
        let Some(value) = value else { return };
        self.noise();
        self.name(names);
        self.out.extend_from_slice(value);
        self.end_line();
    }

    fn seconds(&mut self, names: &[&str], seconds: Seconds, default: u32) {
        if seconds.get() == default && self.whim(2) == 0 {
            return;
        }
        let digits = format!("{}{}", "0".repeat(self.whim(3)), seconds.get());
        self.directive_if(names, Some(digits.as_bytes()));
    }

    /// Prints prefixes, on one line or several.
    fn prefixes(&mut self, name: &str, prefixes: &[Prefix]) {
        for (place, prefix) in prefixes.iter().enumerate() {
            if place == 0 || self.whim(3) == 0 {
                if place > 0 {
                    self.end_line();
                }
                self.name(&[name]);
            } else {
                self.separator(",");
            }
            self.word(&prefix.to_string());
        }
        if !prefixes.is_empty() {
            self.end_line();
        }
    }

    fn number_if(&mut self, name: &str, limit: Option<PerMinute>) {
        let text = limit.map(|limit| limit.get().to_string().into_bytes());
        self.directive_if(&[name], text.as_deref());
    }

    /// Prints flags one by one, on one line or several, some first the other way round.
    fn flags(&mut self, rule: FlagRule) {
        for (name, flag) in FLAGS {
            let prefix = match rule {
                _ if rule.want(flag) == rule => "",
                _ if rule.refuse(flag) == rule => "!",
                _ => continue,
            };
            self.name(&["TCPFlags"]);
            if self.whim(2) == 0 {
                self.word(if prefix.is_empty() { "!" } else { "" });
                self.word(name);
                self.separator(",");
            }
            self.word(prefix);
            self.word(name);
            self.end_line();
        }
    }

    fn sequence(&mut self, sequence: &Sequence) {
        for (index, knock) in sequence.knocks().iter().enumerate() {
            if index > 0 {
                self.separator(",");
            }
            let zeros = "0".repeat(self.whim(3));
            self.word(&format!("{zeros}{}", knock.port.0));
            if knock.protocol == Protocol::Udp || self.whim(2) == 0 {
                self.separator(":");
                self.word(if knock.protocol == Protocol::Udp { "udp" } else { "tcp" });
            }
        }
    }

    /// Prints one of the names of a directive and the `=`.
    fn name(&mut self, names: &[&str]) {
        self.blanks();
        let name = names[self.whim(names.len())];
        self.word(name);
        self.separator("=");
    }

    fn separator(&mut self, separator: &str) {
        self.blanks();
        self.out.extend_from_slice(separator.as_bytes());
        self.blanks();
    }

    /// Prints a word in any case.
    fn word(&mut self, word: &str) {
        for byte in word.bytes() {
            let upper = self.whim(2) == 0;
            self.out.push(if upper {
                byte.to_ascii_uppercase()
            } else {
                byte.to_ascii_lowercase()
            });
        }
    }

    /// Prints blank lines and comments.
    fn noise(&mut self) {
        for _ in 0..self.whim(3) {
            self.blanks();
            if self.whim(2) == 0 {
                self.out.extend_from_slice(b"# [x] y = \xff\0");
            }
            self.end_line();
        }
    }

    fn blanks(&mut self) {
        for _ in 0..self.whim(3) {
            let blank = b" \t\r\x0b\x0c"[self.whim(5)];
            self.out.push(blank);
        }
    }

    fn end_line(&mut self) {
        self.blanks();
        self.out.push(b'\n');
    }

    fn whim(&mut self, choices: usize) -> usize {
        usize::from(self.whims.next().unwrap_or_default()) % choices
    }
}
