use std::path::Path;

use super::*;

const CASE: &str = "\
# For readers.

== first
It shows
something.
-- knockd.conf (escaped) --
[d]\\r
Sequence = 1\\
-- knocks.txt --
0 192.0.2.10 > 10.0.0.1:1 tcp

-- hosts --
192.0.2.10 client.example
-- read again after 1 packets --
[e]
-- knockd 0.8 --
! signal 6
! double free
192.0.2.10: d: Stage 1
-- both --
! status 2

== second
Nothing.
-- knockd.conf --
-- knocks.txt --
-- args --
--local 192.0.2.1 -4
-- knockd 0.8 --
";

fn cases(text: &str) -> Vec<Case> {
    parse(Path::new("a.txt"), text).unwrap()
}

#[test]
fn a_file_has_cases_and_a_case_has_parts() {
    let cases = cases(CASE);
    let [first, second] = &cases[..] else { panic!("{cases:?}") };
    assert_eq!((&first.name[..], &first.about[..]), ("first", "It shows something."));
    assert_eq!(first.conf(), b"[d]\r\nSequence = 1");
    assert_eq!(first.knocks(), "0 192.0.2.10 > 10.0.0.1:1 tcp\n");
    assert_eq!(first.hosts(), [("192.0.2.10".parse().unwrap(), "client.example".to_owned())]);
    assert_eq!(first.reload(), Some(Reload { packets_before: 1, conf: b"[e]\n" }));
    assert_eq!(first.args(), ["--local", "10.0.0.1", "--local", "2001:db8::1"]);
    assert_eq!(second.conf(), b"");
    assert_eq!(second.args(), ["--local", "192.0.2.1", "-4"]);
}

#[test]
fn an_outcome_is_a_transcript_and_other_lines() {
    let cases = cases(CASE);
    let real = cases[0].outcome(Who::Real).unwrap();
    assert_eq!(real.end.as_deref(), Some("signal 6"));
    assert_eq!(real.errors, ["double free"]);
    assert_eq!(real.transcript, b"192.0.2.10: d: Stage 1\n");
    assert_eq!(real.to_string(), "! signal 6\n! double free\n192.0.2.10: d: Stage 1\n");
    for who in [Who::Knockd08, Who::Knock] {
        assert_eq!(cases[0].outcome(who).unwrap().end.as_deref(), Some("status 2"));
        assert_eq!(cases[1].outcome(who), None);
    }
    assert_eq!(cases[1].outcome(Who::Real), Some(Outcome::default()));
}

#[test]
fn an_invalid_file_is_refused_with_the_reason() {
    let fault = |text: &str| parse(Path::new("a.txt"), text).unwrap_err();
    let without_outcome = "== a\nNothing.\n-- knockd.conf --\n-- knocks.txt --\n";
    assert_eq!(fault(without_outcome), "a: there is no part \"knockd 0.8\"");
    let complete = |more: &str| format!("{without_outcome}-- knockd 0.8 --\n{more}");
    assert_eq!(fault(&complete("-- knokc --\n")), "a: there is no such part as \"knokc\"");
    assert_eq!(
        fault(&complete("-- knock --\n-- knock --\n")),
        "at the end: a second part \"knock\""
    );
    assert!(fault(&complete("-- knock (escaped) --\n\\q\n")).contains("\\q"));
    assert_eq!(fault(&complete("").replace("Nothing.", "")), "a: it does not say what it shows");
}

#[test]
fn escaped_bytes_come_back() {
    let long = [b"x".repeat(400), b"\ty\\\r\n\0\xff end".to_vec()].concat();
    let text = escaped(&long);
    assert_eq!(text, "\\{x*400}\\ty\\\\\\r\n\\0\\xff end\\\n");
    assert_eq!(unescaped(&text).unwrap(), long);
    assert_eq!(unescaped(&escaped(b"end \n")).unwrap(), b"end \n");
    assert!(needs_escapes(b"end \n"));
    assert!(needs_escapes(&long) && needs_escapes(b"no end") && !needs_escapes(b"plain\n"));
}

#[test]
fn stop_commands_are_moved_after_the_start_command_of_their_client_and_door() {
    let due = "1.1.1.1: d: OPEN SESAME\nd: running command: s1\n\
               2.2.2.2: d: OPEN SESAME\nd: running command: s2\n\
               1.1.1.1: d: OPEN SESAME\nd: running command: s3\n\
               2.2.2.2: d: command timeout\nd: running command: t2\n\
               1.1.1.1: d: command timeout\nd: running command: t1\n\
               1.1.1.1: d: sequence timeout (stage 1)\n\
               1.1.1.1: d: command timeout\nd: running command: t3\n";
    let moved = "1.1.1.1: d: OPEN SESAME\nd: running command: s1\n\
                 1.1.1.1: d: command timeout\nd: running command: t1\n\
                 2.2.2.2: d: OPEN SESAME\nd: running command: s2\n\
                 2.2.2.2: d: command timeout\nd: running command: t2\n\
                 1.1.1.1: d: OPEN SESAME\nd: running command: s3\n\
                 1.1.1.1: d: command timeout\nd: running command: t3\n\
                 1.1.1.1: d: sequence timeout (stage 1)\n";
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert_eq!(text(stops_after_starts(due.as_bytes())), moved);
    assert_eq!(text(stops_after_starts(moved.as_bytes())), moved);
    let lonely = b"1.1.1.1: d: command timeout\nd: running command: t\n";
    assert_eq!(stops_after_starts(lonely), lonely);
}
