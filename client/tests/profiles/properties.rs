//! What holds for any text.

use knock::profile::{Base, Parsed, parse};
use knock_config::diagnostics::{Style, render};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_bytes_are_read_or_told_of(text in prop::collection::vec(any::<u8>(), 0..400)) {
        holds(&text)?;
    }

    #[test]
    fn anything_like_profiles_is_read_or_told_of(lines in prop::collection::vec(line(), 0..12)) {
        holds(lines.join("\n").as_bytes())?;
    }
}

/// A line of words that mean something, in an order that seldom does.
fn line() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "Host",
        "HostName",
        "Knocks",
        "Delay",
        "Then",
        "Wait",
        "Retry",
        "Source",
        "Interface",
        "AddressFamily",
        "Config",
        "Door",
        "OneTimeSequences",
        "Include",
        "=",
        "\"",
        "'",
        "\\",
        "#",
        "*",
        "!a",
        "a",
        "%h",
        "%",
        "1",
        "7000:udp",
        "1:tcp:fin,psh,",
        ",,",
        "5s",
        "::1",
        "inet",
        "~/x",
        "",
        "\t",
        "\r",
        "\u{e9}",
        "\u{0}",
        "\u{1b}[m",
    ]);
    (prop::collection::vec(words, 0..6), prop::sample::select(vec![" ", "", "="]))
        .prop_map(|(words, between)| words.join(between))
}

fn holds(text: &[u8]) -> Result<(), TestCaseError> {
    let base = Base { folder: "/etc/knock".into(), home: Some("/home/ada".into()) };
    let Parsed { profiles, source } = parse("config".to_owned(), text, &base);
    prop_assert_eq!(profiles.is_none(), source.errors() > 0);
    let mut last = (0, 0);
    for finding in &source.findings {
        let span = finding.span.unwrap();
        prop_assert!(span.start <= span.end);
        prop_assert!(span.line_start + span.end <= span.line_end);
        prop_assert!(span.line_end <= text.len());
        prop_assert!((span.line, span.start) >= last);
        last = (span.line, span.start);
    }
    let report = render(&[source], Style::Plain);
    prop_assert!(!report.chars().any(|one| one.is_control() && one != '\n'), "{report:?}");
    if let Some(profiles) = profiles {
        for host in profiles.hosts().iter().map(String::as_str).chain(["", "a"]) {
            let request = profiles.settings(host).request(host);
            prop_assert!(request.hits.len() <= 256);
        }
    }
    Ok(())
}
