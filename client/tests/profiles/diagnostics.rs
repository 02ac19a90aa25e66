//! What is told of a file that is at fault.

use knock::profile::{Base, MAX_PATTERNS, MAX_PROFILES, parse};
use knock_config::diagnostics::{Style, render};

#[test]
fn words_that_are_no_keywords_are_told_with_what_was_perhaps_meant() {
    insta::assert_snapshot!(report(
        "Host home\n  Hostname home.example.com\n  Koncks 7000\n\tDeley=5\n  blah 1\n  = 1\n\
         Include ~/more\nMatch exec true\n  Port 22\n  User ada\n"
    ));
}

#[test]
fn words_that_are_missing_or_too_many_are_told_with_their_place() {
    insta::assert_snapshot!(report(
        "Host\nHost \"\" home\n  Knocks # none\n  Then 22 80\n  Door \"open SSH\n  Delay =\n"
    ));
}

#[test]
fn knocks_that_are_none_are_all_told() {
    insta::assert_snapshot!(report(
        "Host home\n  Knocks 7000 0 8000:upd,9000/udp 9000:tcp:fni 53:udp:fin ssh 1:tcp:fin:2 1,,2\n"
    ));
}

#[test]
fn values_that_are_none_are_told() {
    insta::assert_snapshot!(report(
        "Host home\n  HostName 'a b'\n  HostName home%p\n  Delay fast\n  Wait 2d\n  Then 53/udp\n  \
         Then ssh\n  Retry -1\n  Source home\n  Interface eth/0\n  AddressFamily inet5\n  \
         AddressFamily ipv4\n  Config \"\"\n  Door \"\"\n  OneTimeSequences ~ada/sequences\n"
    ));
}

#[test]
fn settings_that_stand_twice_and_profiles_for_nobody_are_warned_of() {
    insta::assert_snapshot!(report(
        "Delay 1\nHost home\n  Delay 1\n  delay 2\n  Knocks 1\n  Knocks 2\nHost !home !work\n"
    ));
}

#[test]
fn knocks_from_two_places_are_an_error() {
    insta::assert_snapshot!(report(
        "Host home\n  Knocks 1\n  Door openSSH\nHost work\n  Door a\n  OneTimeSequences b\n"
    ));
}

#[test]
fn bytes_that_are_no_text_are_told_of_without_harm() {
    let text = b"Host a\0b\nHost \x1b[31m\xff\n  \x1b[31mx 1\n  Interface a\x1b/\n".to_vec();
    insta::assert_snapshot!(report_of(&text));
}

#[test]
fn a_line_that_is_too_long_is_told_of_as_such() {
    let line = |bytes: usize| format!("Host {}\n", "x".repeat(bytes - 5));
    assert_eq!(report(&line(4095)), "");
    let report = report(&line(4096));
    assert!(report.starts_with("error: line of 4096 bytes is too long\n"), "{report}");
}

#[test]
fn too_many_profiles_or_patterns_are_told_of_once() {
    let most = "Host a\n".repeat(MAX_PROFILES);
    assert_eq!(report(&most), "");
    let report_of_profiles = report(&most.repeat(2));
    assert!(report_of_profiles.contains("error: more than 1000 profiles\n"));
    assert!(report_of_profiles.ends_with("error: config: 1 error\n"), "{report_of_profiles}");
    let most = "Host a b c d e f g h\n".repeat(MAX_PATTERNS / 8);
    assert_eq!(report(&most), "");
    let report_of_patterns = report(&format!("{most}Host x\nHost y\n"));
    assert!(report_of_patterns.contains("error: more than 4096 patterns of hosts\n"));
    assert!(report_of_patterns.ends_with("error: config: 1 error\n"), "{report_of_patterns}");
}

#[test]
fn a_file_of_nothing_but_faults_does_not_fill_the_screen() {
    let report = report(&"nonsense 1\n".repeat(100_000));
    assert_eq!(report.matches("unknown keyword").count(), 100);
    let summary = "error: config: 100000 errors (99900 of them not shown)\n";
    assert!(report.ends_with(summary), "{}", &report[report.len() - 100..]);
}

fn report(text: &str) -> String {
    report_of(text.as_bytes())
}

fn report_of(text: &[u8]) -> String {
    render(&[parse("config".to_owned(), text, &base()).source], Style::Plain)
}

fn base() -> Base {
    Base { folder: "/etc/knock".into(), home: Some("/home/ada".into()) }
}
