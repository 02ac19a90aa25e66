//! Profiles mean what ssh reads in the same lines, for settings that both have.

use std::fs;
use std::process::Command;

use knock::Family;
use knock::profile::{Base, parse};
use knock_tests::process::finish;
use knock_tests::require::{Need, require};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

const HOSTS: [&str; 4] = ["a", "ab", "b.a", "home"];

/// The settings of a host that both know.
#[derive(Debug, PartialEq, Eq)]
struct Meaning {
    host_name: String,
    source: Option<String>,
    family: &'static str,
    retry: Option<u32>,
}

#[test]
fn lines_mean_what_ssh_reads_in_them() {
    if !require("lines_mean_what_ssh_reads_in_them", &["ssh"], Need::Programs) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let mut runner = TestRunner::new(Config { cases: 100, ..Config::default() });
    let lines = prop::collection::vec(line(), 0..14);
    let compared = runner.run(&lines, |lines| {
        let text = lines.concat();
        for host in HOSTS {
            prop_assert_eq!(
                ours(&text, host),
                of_ssh(&folder, &text, host),
                "{} in\n{}",
                host,
                text
            );
        }
        Ok(())
    });
    compared.unwrap();
}

#[test]
fn a_quote_that_does_not_end_is_an_error_in_both() {
    if !require("a_quote_that_does_not_end_is_an_error_in_both", &["ssh"], Need::Programs) {
        return;
    }
    let folder = TempDir::new().unwrap();
    for text in ["Host \"a\n", "Host 'a\"\n", "Host a\"\\\"\n", "Host\n", "HostName=\n"] {
        assert_eq!(ours(text, "a"), None, "{text}");
        assert_eq!(of_ssh(&folder, text, "a"), None, "{text}");
    }
}

/// A line that has a meaning in both.
fn line() -> impl Strategy<Value = String> {
    let pattern = prop::sample::select(vec![
        "a", "b", "a*", "*", "?", "?b", "*.a", "home", "h?me", "!a", "!*.a", "!home", "\"a\"",
        "'b'", "!\"a\"", "a\"b\"", "a\\\\b",
    ]);
    let host = prop::collection::vec(pattern, 1..4).prop_map(|words| words.join(" "));
    let host = (keyword("Host"), host);
    let name =
        prop::sample::select(vec!["x", "y.example", "\"z\"", "%h.example", "'%h'", "192.0.2.1"]);
    let name = (keyword("HostName"), name.prop_map(String::from));
    let source = (keyword("Source"), prop::sample::select(vec!["192.0.2.7", "\"::1\""]));
    let source = source.prop_map(|(keyword, value)| (keyword, value.to_owned()));
    let family = (keyword("AddressFamily"), prop::sample::select(vec!["any", "inet", "inet6"]));
    let family = family.prop_map(|(keyword, value)| (keyword, value.to_owned()));
    let retry = (keyword("Retry"), (2_u32..9).prop_map(|number| number.to_string()));
    let end = prop::sample::select(vec!["\n", " \t\n", " # comment\n", "\r\n", "\n\n#Host a\n"]);
    let content = prop_oneof![3 => host, 2 => name, 1 => source, 1 => family, 1 => retry];
    (content, end).prop_map(|((keyword, value), end)| format!("{keyword}{value}{end}"))
}

/// A keyword in one of its spellings, with the separator after it.
fn keyword(name: &'static str) -> impl Strategy<Value = String> {
    let spelling = prop::sample::select(vec![
        name.to_owned(),
        name.to_ascii_lowercase(),
        format!("  {}", name.to_ascii_uppercase()),
        format!("\t{name}"),
    ]);
    let between = prop::sample::select(vec![" ", "=", " = ", "\t", "=\t", "  "]);
    (spelling, between).prop_map(|(name, between)| name + between)
}

fn ours(text: &str, host: &str) -> Option<Meaning> {
    let settings =
        parse("config".to_owned(), text.as_bytes(), &Base::default()).profiles?.settings(host);
    let request = settings.request(host);
    Some(Meaning {
        host_name: request.host,
        source: request.source.map(|source| source.to_string()),
        family: match request.family {
            None => "any",
            Some(Family::V4) => "inet",
            Some(Family::V6) => "inet6",
        },
        retry: request.retry,
    })
}

/// Returns what ssh reads in the same lines, under its own names of keywords.
fn of_ssh(folder: &TempDir, text: &str, host: &str) -> Option<Meaning> {
    let path = folder.path().join("ssh_config");
    let renamed = [("Source", "BindAddress"), ("Retry", "ConnectionAttempts")];
    let text = renamed.into_iter().fold(text.to_owned(), |text, (from, to)| {
        text.replace(from, to)
            .replace(&from.to_ascii_lowercase(), to)
            .replace(&from.to_ascii_uppercase(), to)
    });
    fs::write(&path, text).unwrap();
    let outcome = finish(Command::new("ssh").arg("-G").arg("-F").arg(&path).arg(host));
    if outcome.status != Some(0) {
        return None;
    }
    let value = |keyword: &str| {
        let lines = outcome.stdout.lines().filter_map(|line| line.split_once(' '));
        lines.filter(|(name, _)| *name == keyword).map(|(_, value)| value.to_owned()).next()
    };
    let family = value("addressfamily").unwrap();
    Some(Meaning {
        host_name: value("hostname").unwrap(),
        source: value("bindaddress"),
        family: ["any", "inet", "inet6"].into_iter().find(|known| *known == family).unwrap(),
        // The default of ssh.
        retry: value("connectionattempts").unwrap().parse().ok().filter(|number| *number != 1),
    })
}
