//! Findings that say the same about several lines, which a text says once.

use super::source::{Finding, Source, quote};
use crate::lex::Span;
use crate::warnings::Code;
use crate::wording::Severity;

/// The most other places that are named.
const NAMED_MAX: usize = 20;

type Key<'a> = (Severity, &'a str, Option<&'a str>, Option<&'a str>);

/// Returns the findings that are printed, each with a note about others that it stands for.
pub(super) fn grouped(source: &Source) -> impl Iterator<Item = (&Finding, Option<String>)> {
    source.findings.iter().enumerate().filter_map(|(index, finding)| {
        let Some(key) = key(finding) else { return Some((finding, None)) };
        let is_alike = |other: &&Finding| self::key(other) == Some(key);
        let mut before = source.findings.iter().take(index);
        if before.any(|other| is_alike(&other)) {
            return None;
        }
        let after = source.findings.iter().skip(index.saturating_add(1));
        let others: Vec<Span> = after.filter(is_alike).filter_map(|other| other.span).collect();
        Some((finding, note(&others, &source.text)))
    })
}

/// Returns what findings have in common that one of them can stand for; `None` if it stands for itself only.
fn key(finding: &Finding) -> Option<Key<'_>> {
    let is_repeated = finding.code == Some(Code::UnknownToKnockd08) && finding.span.is_some();
    let wording = &finding.wording;
    let (help, note) = (wording.help.as_deref(), wording.note.as_deref());
    is_repeated.then_some((finding.severity, &wording.label, help, note))
}

/// Names the other places; `None` if there are none.
fn note(others: &[Span], text: &[u8]) -> Option<String> {
    let place = |span: &Span| {
        let [_, name, _] = quote(*span, text);
        format!("`{name}` in line {}", span.line)
    };
    let mut places: Vec<String> = others.iter().take(NAMED_MAX).map(place).collect();
    if let Some(more @ 1..) = others.len().checked_sub(NAMED_MAX) {
        places.push(format!("{more} more"));
    }
    let last = places.pop()?;
    let all = if places.is_empty() { last } else { format!("{} and {last}", places.join(", ")) };
    Some(format!("the same is true of {all}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Style, render_findings};
    use crate::lex::Text;
    use crate::wording::Wording;

    #[test]
    fn what_is_said_about_many_lines_is_printed_once_and_names_the_others() {
        let source = source(&[Code::UnknownToKnockd08; 3], "not there");
        let text = render_findings(std::slice::from_ref(&source), Style::Plain);
        assert_eq!(text.matches("warning[").count(), 1, "{text}");
        assert!(
            text.ends_with(" = note: the same is true of `b1` in line 2 and `b2` in line 3\n\n"),
            "{text}"
        );
        // Programs are given every one.
        assert_eq!(source.warnings(), 3);
    }

    #[test]
    fn a_file_full_of_them_names_a_few_and_counts_the_rest() {
        let source = source(&[Code::UnknownToKnockd08; 500], "not there");
        let text = render_findings(&[source], Style::Plain);
        assert!(text.contains("`b20` in line 21 and 479 more\n"), "{text}");
        let source = self::source(&[Code::UnknownToKnockd08; 21], "not there");
        let text = render_findings(&[source], Style::Plain);
        assert!(text.ends_with("`b19` in line 20 and `b20` in line 21\n\n"), "{text}");
    }

    #[test]
    fn others_are_printed_each() {
        let mut one = source(&[Code::UnknownToKnockd08, Code::FewKnocks, Code::FewKnocks], "x");
        one.findings[0].wording.label = "something else".to_owned();
        one.findings.extend(source(&[Code::UnknownToKnockd08], "x").findings);
        let text = render_findings(&[one], Style::Plain);
        assert_eq!(text.matches("warning[").count(), 4, "{text}");
        assert!(!text.contains("the same is true"), "{text}");
    }

    #[test]
    fn an_error_never_hides_a_warning() {
        let mut two = source(&[Code::UnknownToKnockd08; 2], "x");
        two.findings[0].severity = Severity::Error;
        let text = render_findings(&[two], Style::Plain);
        assert!(text.contains("error[") && text.contains("warning["), "{text}");
    }

    /// Returns a text with a finding in each line.
    fn source(codes: &[Code], label: &str) -> Source {
        let names: Vec<String> = (0..codes.len()).map(|number| format!("b{number}")).collect();
        let text = names.join(" = 1\n").into_bytes();
        let spans = Text::new(&text).lines().zip(&names).map(|(line, name)| {
            let span = line.trimmed().span();
            Span { end: span.start.saturating_add(name.len()), ..span }
        });
        let finding = |(code, span): (&Code, Span)| Finding {
            severity: Severity::Warning,
            code: Some(*code),
            span: Some(span),
            wording: Wording::new(format!("about line {}", span.line), label).help("remove it"),
        };
        let findings = codes.iter().zip(spans).map(finding).collect();
        Source {
            name: "f".to_owned(),
            text: text.clone(),
            findings,
            more_errors: 0,
            more_warnings: 0,
        }
    }
}
