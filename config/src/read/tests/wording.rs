//! What diagnostics say.

use super::*;

#[test]
fn a_diagnostic_says_what_is_wrong_what_was_expected_and_how_to_fix_it() {
    let diagnostics = parse(b"[d]\nSequence=1\nCommand=\nSeq_Timeout=5 # short").diagnostics;
    let wording = diagnostics.kept()[0].wording();
    assert_eq!(wording.message, "comment after a number");
    assert_eq!(wording.label, "expected the end of the line");
    assert_eq!(wording.help.as_deref(), Some("move the comment to a line of its own"));
    assert_eq!(wording.note.as_deref(), Some("knockd 0.8 would ignore it"));
}

#[test]
fn an_empty_value_is_reported_with_what_is_expected_and_what_its_absence_means() {
    let write_or_remove = |what: &str, absent: &str| {
        (format!("expected {what}"), format!("write {what}, or remove the line {absent}"))
    };
    let needed = |what: &str| (format!("expected {what}"), format!("write {what}"));
    let route = "for the interface of the default route";
    for (section, name, wanted) in [
        ("options", "logfile", write_or_remove("a file name", "to log to no file")),
        (
            "options",
            "pidfile",
            write_or_remove("a file name", "for the default, `/var/run/knockd.pid`"),
        ),
        ("options", "interface", write_or_remove("the name of a network interface", route)),
        ("options", "user", write_or_remove("the name of a user", "for the default, `knockd`")),
        ("options", "logtime", write_or_remove("`minutes` or `iso`", "for the default, `minutes`")),
        (
            "options",
            "commandlimit",
            write_or_remove("a number of seconds", "for the default, 600 seconds"),
        ),
        (
            "options",
            "leasefile",
            write_or_remove("a file name", "for the file `leases` in `StateDir`"),
        ),
        (
            "options",
            "statedir",
            write_or_remove(
                "a file name",
                "for the default, `$STATE_DIRECTORY` or `/var/lib/knockd`",
            ),
        ),
        ("options", "onstateerror", write_or_remove("`shut` or `open`", "for the default, `shut`")),
        ("d", "sequence", needed("ports, such as `7000,8000,9000`")),
        ("d", "one_time_sequences", needed("a file name")),
        ("d", "seq_timeout", write_or_remove("a number of seconds", "for the default, 25 seconds")),
        ("d", "cmd_timeout", write_or_remove("a number of seconds", "for the default, 10 seconds")),
        (
            "d",
            "tcpflags",
            write_or_remove("flags, such as `syn`", "to count TCP packets with any flags"),
        ),
        (
            "d",
            "target",
            write_or_remove("an IP address", "to listen on the addresses of the interface"),
        ),
    ] {
        let (label, help) = wanted;
        let wording = error(format!("[{section}]\n{name} =\n"));
        assert_eq!(wording.message, format!("`{name}` has no value"));
        assert_eq!((wording.label, wording.help), (label, Some(help)), "{name}");
    }
}

#[test]
fn a_bad_port_is_reported_with_help_and_what_knockd_08_would_read() {
    for (port, help, note) in [
        ("80/udp", Some("the protocol goes after a colon: `80:udp`"), "read port 80"),
        ("80 81", Some("separate knocks with commas"), "read port 80"),
        ("80;81", Some("separate knocks with commas"), "read port 80"),
        ("ssh", Some("write the number of the port, not its name"), "read port 0, which"),
        ("0", None, "read port 0, which no client knocks at"),
        ("-1", None, "read port 65535"),
    ] {
        let wording = error(format!("[d]\nsequence = {port}"));
        assert_eq!(wording.message, format!("`{port}` is not a port"));
        assert_eq!(wording.help.as_deref(), help, "{port}");
        assert!(wording.note.unwrap().contains(note), "{port}");
    }
    assert_eq!(error("[d]\nsequence = 65536").note, None);
}

#[test]
fn bad_seconds_are_reported_with_what_knockd_08_would_do() {
    let expires = "in knockd 0.8 every attempt would expire at the next packet";
    let digits = "write seconds as digits only, such as `10`";
    for (line, label, help, note) in [
        ("seq_timeout = x", "1 to 2147483647", digits, expires),
        ("seq_timeout = -5", "1 to 2147483647", digits, expires),
        ("seq_timeout = 5s", "1 to 2147483647", digits, "knockd 0.8 would read it as 5 seconds"),
        ("cmd_timeout = x", "0 to 2147483647", digits, "knockd 0.8 would read it as 0 seconds"),
        ("cmd_timeout = -1", "0 to", digits, "knockd 0.8 would read it as 4294967295 seconds"),
        ("cmd_timeout = 4294967297", "0 to", "write a smaller number", "read it as 1 seconds"),
    ] {
        let wording = error(format!("[d]\nsequence = 1\n{line}"));
        assert!(wording.label.contains(label), "{line}: {}", wording.label);
        assert_eq!(wording.help.as_deref(), Some(help), "{line}");
        assert!(wording.note.unwrap().ends_with(note), "{line}");
    }
}

#[test]
fn an_option_unknown_to_knockd_08_is_reported_without_what_it_would_do() {
    let digits = "write seconds as digits only, such as `10`";
    let number = "write the name of the user, not its number";
    let group = "write the name of one user, without a group";
    let bytes =
        "write a name without `/` and control characters that does not begin with `-`, `+` or `~`";
    let shown = "write the name as `ip link` shows it";
    for (line, label, help) in [
        ("commandlimit = 5s", "expected a number from 1 to 2147483647", digits),
        ("commandlimit = 5 # x", "expected the end", "move the comment to a line of its own"),
        ("user = 1000", "expected a name such as `knockd`", number),
        ("user = a:b", "expected a name such as `knockd`", group),
        ("user = a b", "expected a name such as `knockd`", group),
        ("user = -a", "expected a name such as `knockd`", bytes),
        ("logtime = sio", "expected `minutes` or `iso`", "did you mean `iso`?"),
        ("interface = a b", "expected a name without blanks", "separate interfaces with commas"),
        ("interface = a/b", "expected a name without blanks", shown),
    ] {
        let wording = error(format!("[options]\n{line}"));
        assert!(wording.label.starts_with(label), "{line}: {}", wording.label);
        assert_eq!(wording.help.as_deref(), Some(help), "{line}");
        assert_eq!(wording.note, None, "{line}");
    }
    let comment = error("[options]\ncommandlimit = 5 # x");
    assert_eq!(comment.message, "comment after a number");
}

#[test]
fn a_line_without_effect_is_reported_with_help() {
    let first = |text: &str| parse(text.as_bytes()).diagnostics.kept()[0].wording();
    let alias = first("[d]\nCommand=\nSequence=1\nTimeout=3\nSeq_Timeout=4");
    assert_eq!(alias.message, "`timeout` is given twice");
    assert_eq!(alias.note.as_deref(), Some("`seq_timeout` is the same directive"));
    assert_eq!(first("[d]\nCommand=\nSequence=1\nSequence=2").note, None);
    for (stop, help) in [
        ("Stop_Command=x", "add a `start_command`, or remove this line"),
        ("Stop_Command_6=x", "add a `start_command_6`, or remove this line"),
    ] {
        assert_eq!(first(&format!("[d]\nSequence=1\n{stop}")).help.as_deref(), Some(help));
    }
}

#[test]
fn comment_markers_of_other_formats_get_help() {
    for (line, is_comment) in [("; x", true), ("// x", true), ("/ x", false), ("x", false)] {
        let faults = faults(format!("[d]\nSequence=1\nCommand=\n{line}"));
        let fault = Fault::Line(LineFault::NotADirective { comment: is_comment });
        assert_eq!(faults, [(fault, 4, 1)], "{line}");
    }
}

/// The wording of the last error of a text.
fn error(text: impl AsRef<[u8]>) -> Wording {
    let diagnostics = parse(text.as_ref()).diagnostics;
    let mut errors = diagnostics.kept().iter().filter(|one| one.severity() == Severity::Error);
    errors.next_back().unwrap().wording()
}
