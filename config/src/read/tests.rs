mod allow;
mod options;
mod wording;

use std::net::IpAddr;

use super::*;
use crate::config::{Given, LogTime, Options};
use crate::diagnostics::{Diagnostic, Fault, LineFault, ValueFault};
use crate::directives::Directive;
use crate::lex::Span;
use crate::names::InterfaceName;
use crate::text::Excerpt;
use crate::warnings::Warning;
use crate::wording::{Severity, Wording};
use knock_engine::{Door, DoorSequence, FlagRule, Protocol, Seconds, TcpFlags};
use knock_signed::Key;

/// The configuration of a text without errors.
fn config(text: impl AsRef<[u8]>) -> Config {
    let parsed = parse(text.as_ref());
    parsed.config.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
}

/// The only door of a text without errors.
fn door(text: impl AsRef<[u8]>) -> Door {
    let [door] = <[_; 1]>::try_from(config(text).doors).unwrap();
    door.door()
}

fn ports(door: &Door) -> Vec<(u16, Protocol)> {
    let knocks = door.sequence().unwrap().knocks();
    knocks.iter().map(|knock| (knock.port.0, knock.protocol)).collect()
}

fn interfaces(options: &Options) -> Vec<&[u8]> {
    options.interfaces().iter().map(InterfaceName::as_bytes).collect()
}

/// The faults of a text with the line and the column of each.
fn faults(text: impl AsRef<[u8]>) -> Vec<(Fault, u32, u32)> {
    let diagnostics = parse(text.as_ref()).diagnostics;
    let place = |one: &Diagnostic| one.span.map_or((0, 0), |span| (span.line, span.column));
    diagnostics.kept().iter().map(|one| (one.fault.clone(), place(one).0, place(one).1)).collect()
}

/// The places of the errors of a text.
fn error_places(text: impl AsRef<[u8]>) -> Vec<(u32, u32)> {
    let is_error = |fault: &Fault| !matches!(fault, Fault::Warning(_));
    let faults = faults(text).into_iter().filter(|(fault, ..)| is_error(fault));
    faults.map(|(_, line, column)| (line, column)).collect()
}

/// The place of a directive, and its value as the text has it.
fn at<T>(given: Option<&Given<T>>, text: &str) -> Option<((u32, u32), String)> {
    let given = given?;
    let value = given.value_in(text.as_bytes()).bytes();
    let value = String::from_utf8(value.to_vec()).unwrap();
    Some(((given.at.line, given.at.column), value))
}

#[test]
fn a_door_knows_where_its_section_says_what() {
    let text = "[d]\nsequence = 1\nsequence = 2\ntcpflags = syn\n TCPFlags = !ack\ntarget = \
                ::1\ntimeout = 5\ncommand =\n[e]\none_time_sequences = f\ncmd_timeout = \
                3\ncommand =\n";
    let place = |span: Span| (span.line, span.column);
    let doors = config(text).doors;
    let [d, e] = &doors[..] else { panic!("{doors:?}") };
    assert_eq!((place(d.name_at), place(e.name_at)), ((1, 2), (9, 2)));
    assert_eq!(at(d.knocks.as_ref(), text), Some(((3, 1), "2".to_owned())));
    assert_eq!(d.flags.iter().map(|given| given.at.line).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(at(d.target.as_ref(), text), Some(((6, 1), "::1".to_owned())));
    assert_eq!(at(d.seq_timeout.as_ref(), text), Some(((7, 1), "5".to_owned())));
    assert_eq!(at(d.start.as_ref(), text), Some(((8, 1), String::new())));
    assert_eq!((at(d.stop.as_ref(), text), at(d.cmd_timeout.as_ref(), text)), (None, None));
    assert_eq!(at(e.knocks.as_ref(), text), Some(((10, 1), "f".to_owned())));
    assert_eq!((at(e.target.as_ref(), text), at(e.seq_timeout.as_ref(), text)), (None, None));
    assert_eq!(at(e.cmd_timeout.as_ref(), text), Some(((11, 1), "3".to_owned())));
}

#[test]
fn directives_and_protocols_are_read_in_any_case_between_any_blanks() {
    let door = door("\n  # c\n\t[ d ]  \n sEqUence\t=\t 1 , 2 : UDP ,\x0b003:Tcp  \r\n\x0c");
    assert_eq!(door.name.as_bytes(), b" d ");
    assert_eq!(ports(&door), [(1, Protocol::Tcp), (2, Protocol::Udp), (3, Protocol::Tcp)]);
}

#[test]
fn a_door_has_the_defaults_of_knockd_08() {
    let door = door("[d]\nSequence=1\n");
    assert_eq!((door.seq_timeout.get(), door.cmd_timeout.get()), (25, 10));
    assert_eq!((door.flags, door.target), (FlagRule::default(), None));
    assert_eq!(door.commands, knock_engine::Commands::default());
}

#[test]
fn the_name_is_the_text_between_the_outer_brackets() {
    for name in ["a]b[", "]", "[", " x ", "# x", "a = b", "OPTIONS", "\u{6f22}"] {
        let door = door(format!("[{name}]\nSequence=1"));
        assert_eq!(door.name.as_bytes(), name.as_bytes());
    }
}

#[test]
fn the_options_may_come_repeatedly_and_between_doors() {
    let config = config(
        "[a]\nSequence=1\n[options]\nLogFile = /a b\nUseSyslog\n[b]\nSequence=2\n[options]\n\
         PidFile=p\nInterface=eth1",
    );
    assert_eq!(config.doors.len(), 2);
    assert!(config.options.use_syslog);
    assert_eq!(interfaces(&config.options), [b"eth1"]);
    assert_eq!(config.options.log_file.unwrap().value.as_bytes(), b"/a b");
    assert_eq!(config.options.pid_file.unwrap().value.as_bytes(), b"p");
}

#[test]
fn usesyslog_is_allowed_in_a_door() {
    assert!(config("[d]\nusesysLOG\nSequence=1").options.use_syslog);
}

#[test]
fn the_last_line_of_a_kind_counts_whatever_its_alias() {
    let door = door(
        "[d]\nSequence=1\nSequence=2\nTimeout=3\nSeq_Timeout=4\nTimeout=5\nCommand=a\n\
         Start_Command=b\nCommand=c\nTarget=192.0.2.1\nTarget=2001:db8::1",
    );
    assert_eq!(ports(&door), [(2, Protocol::Tcp)]);
    assert_eq!(door.seq_timeout.get(), 5);
    assert_eq!(door.commands.start.unwrap().as_bytes(), b"c");
    assert_eq!(door.target, Some("2001:db8::1".parse::<IpAddr>().unwrap().into()));
}

#[test]
fn a_line_that_is_overridden_must_be_right_all_the_same() {
    assert_eq!(error_places("[d]\nSequence=abc\nSequence=1"), [(2, 10)]);
}

#[test]
fn lines_of_tcp_flags_add_up_and_the_last_mention_counts() {
    let door = door("[d]\nSequence=1\nTCPFlags=syn,!ACK\nTCPFlags = !syn , Fin");
    let rule = FlagRule::default().refuse(TcpFlags::ACK).refuse(TcpFlags::SYN).want(TcpFlags::FIN);
    assert_eq!(door.flags, rule);
}

#[test]
fn a_command_is_kept_byte_for_byte() {
    let door = door(b"[d]\nSequence=1\nCommand=  a=b \xff# c [x]\t; %IP%  \r\n");
    assert_eq!(door.commands.start.unwrap().as_bytes(), b"a=b \xff# c [x]\t; %IP%");
}

#[test]
fn an_empty_command_is_a_command() {
    let door = door("[d]\nSequence=1\nCommand=\nCommand_6 =");
    assert_eq!(door.commands.start.unwrap().as_bytes(), b"");
    assert_eq!(door.commands.start_6.unwrap().as_bytes(), b"");
}

#[test]
fn what_is_not_utf8_is_kept_in_names_and_ignored_in_comments() {
    let config = config(b"# \xff\x00\n[\xfe]\nOne_Time_Sequences=/\xfd\nCommand=\n");
    let [door] = &config.doors[..] else { panic!("{config:?}") };
    assert_eq!(door.name.as_bytes(), b"\xfe");
    assert_eq!(door.one_time_file().unwrap().as_bytes(), b"/\xfd");
    assert_eq!(
        door.door().sequence,
        DoorSequence::OneTime(knock_engine::OneTimeSequences::default())
    );
}

#[test]
fn a_file_name_may_have_a_number_sign() {
    let config = config("[options]\nLogFile = /var/log/#1 # x\n[d]\nSequence=1");
    assert_eq!(config.options.log_file.unwrap().value.as_bytes(), b"/var/log/#1 # x");
}

#[test]
fn a_line_has_at_most_4095_bytes() {
    for (prefix, fits) in [("[d]\nSequence=1\nCommand=", true), ("[d]\nSequence=1\n#", true)] {
        let used = prefix.len() - "[d]\nSequence=1\n".len();
        for (length, fits) in [(4095, fits), (4096, false)] {
            let text = format!("{prefix}{}\n", "x".repeat(length - used));
            assert_eq!(parse(text.as_bytes()).config.is_some(), fits, "{prefix} {length}");
        }
    }
}

/// An error and its column.
type AtColumn = (Fault, u32);

#[test]
fn a_name_commands_neither_a_terminal_nor_a_log() {
    let character =
        |character| Fault::Line(LineFault::UnprintableCharacter { character, is_name: true });
    let mark = |mark| Fault::Line(LineFault::LogCommand { mark });
    let cases: [(&[u8], Option<AtColumn>); 17] = [
        (b"s\x1b[31m", Some((character('\x1b'), 3))),
        (b"a\tb", Some((character('\t'), 3))),
        (b"\xc3\xa9\x7f", Some((character('\x7f'), 3))),
        (b"\xff\x9b31m", Some((character('\u{9b}'), 3))),
        ("a\u{9b}31m".as_bytes(), Some((character('\u{9b}'), 3))),
        ("a\u{202e}b".as_bytes(), Some((character('\u{202e}'), 3))),
        ("a\u{200b}b".as_bytes(), Some((character('\u{200b}'), 3))),
        ("a\u{2028}b".as_bytes(), Some((character('\u{2028}'), 3))),
        (b"::error::x", Some((mark("::"), 2))),
        (b" \x20::x", Some((mark("::"), 2))),
        (b"a ##[error]x", Some((mark("##["), 2))),
        (b"##vso[task.x]", Some((mark("##vso["), 2))),
        (b"a::error::x", None),
        (b"# 1 ##", None),
        ("T\u{fc}r \u{2013} \u{6f22} \u{1f511}".as_bytes(), None),
        (b"T\xfcr", None),
        (b"a [b]", None),
    ];
    for (name, fault) in cases {
        let text = [b"[", name, b"]\nSequence=1\nCommand=x\n"].concat();
        let expected: Vec<_> =
            fault.into_iter().map(|(fault, column)| (fault, 1, column)).collect();
        assert_eq!(faults(&text), expected, "{}", name.escape_ascii());
    }
}

#[test]
fn a_command_does_not_command_a_terminal() {
    let character =
        |character| Fault::Line(LineFault::UnprintableCharacter { character, is_name: false });
    let cases: [(&[u8], Option<AtColumn>); 9] = [
        (b"a\x1b[31m", Some((character('\x1b'), 10))),
        (b"a\rb", Some((character('\r'), 10))),
        ("a\u{9b}".as_bytes(), Some((character('\u{9b}'), 10))),
        ("a\u{2066}".as_bytes(), Some((character('\u{2066}'), 10))),
        (b"a\tb", None),
        (b"echo ##[x] ${a##[0-9]} ::error::", None),
        (b"a\x9b\xfc", None),
        ("logger \u{1f468}\u{200d}\u{1f469}".as_bytes(), None),
        ("logger t\u{fc}r".as_bytes(), None),
    ];
    for (command, fault) in cases {
        for directive in ["Command", "Start_Command_6", "Stop_Command", "Stop_Command_6"] {
            let more = u32::try_from(directive.len() - "Command".len()).unwrap();
            let text = [b"[d]\nSequence=1\n", directive.as_bytes(), b"=", command].concat();
            let expected: Vec<_> =
                fault.iter().map(|(fault, column)| (fault.clone(), 3, column + more)).collect();
            let is_error = |(fault, ..): &(Fault, u32, u32)| !matches!(fault, Fault::Warning(_));
            let found: Vec<_> = faults(&text).into_iter().filter(is_error).collect();
            assert_eq!(found, expected, "{directive} {}", command.escape_ascii());
        }
    }
}

#[test]
fn a_directive_on_an_unreadable_line_is_not_reported_as_missing() {
    let long = format!("[d]\nSequence={}1\n", "0".repeat(4096));
    let fault = |fault| Fault::Line(fault);
    assert_eq!(faults(long), [(fault(LineFault::TooLong { length: 4106 }), 2, 4096)]);
    assert_eq!(faults("[d]\nSequence=1\0"), [(fault(LineFault::NulByte), 2, 11)]);
    assert_eq!(faults("[d]\nSequence 1").len(), 1);
    assert_eq!(faults("[d]\nSeqence=1").len(), 1);
    assert_eq!(error_places("[d]\nSeq_Timeout=x"), [(1, 2), (2, 13)]);
}

#[test]
fn all_errors_are_reported_in_the_order_of_place() {
    let text = "Command=x\nFoo\n[]\nSequence=0,x:y,3:tcp:z\nTCPFlags=,syn,!\nSeq_Timeout=0\n\
                Cmd_Timeout=2147483648\nTarget=::g\n[options]\nSequence=1\nUseSyslog=\n[d]\n\
                LogFile=x\n[e\nSequence=1\n[f] # x\nCommand=\n";
    let places = [
        (1, 1),
        (3, 1),
        (4, 10),
        (4, 12),
        (4, 14),
        (4, 22),
        (5, 10),
        (5, 16),
        (6, 13),
        (7, 13),
        (8, 8),
        (10, 1),
        (11, 1),
        (12, 2),
        (13, 1),
        (14, 3),
        (16, 2),
        (16, 5),
    ];
    assert_eq!(error_places(text), places);
}

#[test]
fn a_door_name_that_was_there_before_is_warned_of_with_its_line() {
    let text = "[a]\nSequence=1\nCommand=\n[b]\nSequence=2\nCommand=\n[a]\nSequence=3\nCommand=";
    let [(Fault::Warning(Warning::DuplicateDoorName { name, first_line }), 7, 2)] =
        &faults(text)[..]
    else {
        panic!("{:?}", faults(text))
    };
    assert_eq!((name.as_str(), *first_line), ("a", 1));
    // Each is an error of its own, and that is enough.
    assert_eq!(faults("[]\nSequence=1\nCommand=\n[]\nSequence=2\nCommand=").len(), 2);
}

#[test]
fn at_most_256_doors_derive_sequences() {
    let doors = |count: usize| {
        let door = |number: usize| format!("[{number}]\nCommand=\nSequence_Key=/k\n");
        (0..count).map(door).collect::<String>()
    };
    assert_eq!(faults(doors(256)), []);
    let fault = Fault::Line(LineFault::TooManyDerived);
    assert_eq!(faults(doors(257)), [(fault, 257 * 3, 1)]);
}

#[test]
fn a_door_that_derives_sequences_has_its_numbers_or_the_defaults() {
    let door = |more: &str| {
        let text = format!("[d]\nCommand=\nSequence_Key=/k\n{more}");
        let mut door = parse(text.as_bytes()).config.unwrap().doors.remove(0);
        // Until the key is read, nothing opens it.
        assert_eq!(door.door().sequence, DoorSequence::None);
        door.set_key(Key::take(&mut [1; 32]).for_sequences());
        let DoorSequence::Derived(derived) = door.door().sequence else { panic!("{more}") };
        let (ports, period) = (derived.ports(), derived.period().get());
        (derived.knocks(), ports.first(), ports.last(), derived.protocol(), period)
    };
    assert_eq!(door(""), (5, 20_000, 59_999, Protocol::Tcp, 60));
    let more = "Sequence_Knocks=8\nSequence_Ports = 1024 - 65535 : UDP\nSequence_Period=2m";
    assert_eq!(door(more), (8, 1024, 65_535, Protocol::Udp, 120));
}

#[test]
fn a_door_has_one_kind_of_sequences() {
    let (fixed, one_time) = ("Sequence=1", "One_Time_Sequences=/s");
    for (first, second) in [(fixed, one_time), (one_time, fixed)] {
        let (one, two) = (Directive::Sequence, Directive::OneTimeSequences);
        let fault = Fault::Line(LineFault::TwoSequences { one, two, other_line: 3 });
        let text = format!("[d]\nCommand=\n{first}\n{second}");
        assert_eq!(faults(text), [(fault, 4, 1)], "{first}");
    }
}

#[test]
fn a_value_in_front_of_a_comment_is_read_all_the_same() {
    assert_eq!(error_places("[d]\nSequence=x # c"), [(2, 10), (2, 12)]);
    assert_eq!(error_places("[d]\nSequence=1 # c"), [(2, 12)]);
    assert_eq!(error_places("[d]\nSequence=# c"), [(2, 10)]);
}

#[test]
fn blanks_between_flags_are_warned_of_if_the_flags_are_right() {
    let flags = |flags| faults(format!("[d]\nCommand=\nSequence=1\nTCPFlags={flags}"));
    let blank = Warning::BlankInFlags { without: Excerpt::new(b"syn,!ack") };
    assert_eq!(flags("syn, ! ack"), [(Fault::Warning(blank), 4, 10)]);
    assert_eq!(flags("syn,!ack"), []);
    assert!(matches!(flags("syn, x")[..], [(Fault::Value(ValueFault::UnknownFlag { .. }), 4, 15)]));
}

#[test]
fn what_is_too_much_is_meant_to_the_end_of_the_line() {
    let text = b"[options]\n UseSyslog = yes, sir \r\n";
    let span = parse(text).diagnostics.kept()[0].span.unwrap();
    assert_eq!(span.quote(text), [" ", "UseSyslog = yes, sir", " \r"]);
}

#[test]
fn only_doors_that_share_a_file_of_one_time_sequences_are_warned_of() {
    let doors = |a: &str, b: &str| faults(format!("[a]\n{a}\nCommand=x\n[b]\n{b}\nCommand=x"));
    let shared = doors("One_Time_Sequences=/s", "One_Time_Sequences=/s");
    assert_eq!(shared, [(Fault::Warning(Warning::SharedOneTimeFile { first_line: 2 }), 5, 20)]);
    assert_eq!(doors("One_Time_Sequences=/s", "One_Time_Sequences=/t"), []);
    assert_eq!(doors("Sequence=1", "Sequence=1"), []);
    // Each is an error of its own, and that is enough.
    assert_eq!(doors("One_Time_Sequences=", "One_Time_Sequences=").len(), 2);
}

#[test]
fn a_missing_first_header_is_one_error() {
    assert_eq!(error_places("Sequence=1\nCommand=x\nFoo\n[d]\nSequence=1"), [(1, 1)]);
}

#[test]
fn lines_below_a_broken_header_are_read_as_what_they_are_meant_for() {
    assert_eq!(error_places("[options] # x\nLogFile=x\n[d\nSequence=1"), [(1, 11), (3, 3)]);
}

#[test]
fn addresses_that_only_some_programs_understand_are_no_targets() {
    for target in ["010.0.0.1", "10.1", "::1%lo", "10.0.0.1/32", "[::1]", "0x7f000001", "\u{ff}"] {
        let text = format!("[d]\nSequence=1\nTarget={target}");
        assert_eq!(error_places(text), [(3, 8)], "{target}");
    }
}

#[test]
fn a_target_of_any_family_is_silent_if_written_as_knockd_08_writes_it() {
    for target in ["192.0.2.1", "2001:db8::1", "::192.0.2.1", "::ffff:192.0.2.1"] {
        assert_eq!(faults(format!("[d]\nSequence=1\nCommand=\nTarget={target}")), []);
    }
}

#[test]
fn seconds_reach_from_their_least_to_the_largest_of_knockd_08() {
    let door = door("[d]\nSequence=1\nSeq_Timeout=2147483647\nCmd_Timeout=0");
    assert_eq!((door.seq_timeout.get(), door.cmd_timeout.get()), (2_147_483_647, 0));
}

#[test]
fn a_sequence_has_at_most_32_knocks() {
    let sequence = |count| format!("[d]\nCommand=\nSequence={}", vec!["7"; count].join(","));
    assert_eq!(ports(&door(sequence(32))).len(), 32);
    let fault = Fault::Value(ValueFault::TooManyKnocks { count: 33 });
    assert_eq!(faults(sequence(33)), [(fault, 3, 10 + 32 * 2)]);
}

#[test]
fn an_empty_text_is_a_configuration_without_doors() {
    for text in ["", "\n", "\u{feff}", "# x", "[options]"] {
        let parsed = parse(text.as_bytes());
        assert_eq!(parsed.config, Some(Config::default()));
        let last = parsed.diagnostics.kept().last().unwrap();
        assert_eq!((&last.fault, last.span), (&Fault::Warning(Warning::NoDoors), None));
    }
}

#[test]
fn a_byte_order_mark_changes_nothing_but_a_warning() {
    let text = "[d]\nSequence=1\nCommand=";
    let [with, without] = [config(format!("\u{feff}{text}")), config(text)];
    assert_eq!(with.options, without.options);
    assert_eq!(with.doors[0].door(), without.doors[0].door());
    assert_eq!(faults(format!("\u{feff}{text}")), [(Fault::Warning(Warning::ByteOrderMark), 1, 1)]);
}

#[test]
fn utf16_is_an_error_and_not_an_endless_list() {
    let text: Vec<u8> =
        "\u{feff}[d]\nSequence=1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let places = error_places(text);
    assert!(!places.is_empty() && places.len() <= 3, "{places:?}");
}

#[test]
fn cr_alone_ends_no_line() {
    assert_eq!(error_places("[d]\rSequence=1\r"), [(1, 5)]);
}

#[test]
fn stop_commands_that_some_client_gets_to_are_not_warned_of() {
    for commands in [
        "Command=a\nStop_Command=b",
        "Command=a\nCommand_6=\nStop_Command=b",
        "Command=\nCommand_6=a\nStop_Command_6=b",
        "Command=a\nStop_Command_6=b",
        "Command=a\nStop_Command=b\nStop_Command_6=",
    ] {
        assert_eq!(faults(format!("[d]\nSequence=1\n{commands}")), [], "{commands}");
    }
}

#[test]
fn a_stop_command_that_runs_only_after_one_for_ipv6_gets_one_warning() {
    let faults = faults("[d]\nSequence=1\nCommand_6=a\nStop_Command=b");
    assert_eq!(faults, [(Fault::Warning(Warning::StopForBothFamilies), 3, 1)]);
}

#[test]
fn stop_commands_that_no_client_gets_to_are_warned_of() {
    for (commands, directive) in [
        ("Command=\nStop_Command=b", Directive::StopCommand),
        ("Command=\nCommand_6=a\nStop_Command_6=c\nStop_Command=b", Directive::StopCommand),
        ("Stop_Command_6=b", Directive::StopCommand6),
        ("Command=a\nCommand_6=\nStop_Command_6=b", Directive::StopCommand6),
    ] {
        let faults = faults(format!("[d]\nSequence=1\n{commands}"));
        let lint = Fault::Warning(Warning::StopWithoutStart { directive });
        assert!(matches!(&faults[..], [(fault, ..)] if *fault == lint), "{commands}: {faults:?}");
    }
}
