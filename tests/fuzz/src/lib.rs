//! What fuzz targets share.

use knock_config::diagnostics::{self, Source, Style};
use knock_config::{Diagnostics, Severity, Span, Wording};

/// Checks what a parser found in a text, and how that is shown.
///
/// # Panics
/// If anything is wrong with it: that is what a fuzz target is for.
pub fn check_diagnostics(text: &[u8], diagnostics: &Diagnostics) {
    let kept = diagnostics.kept();
    let kept_of = |severity| kept.iter().filter(|one| one.severity() == severity).count();
    assert_eq!(kept_of(Severity::Error), diagnostics.errors().min(Diagnostics::MAX));
    assert_eq!(kept_of(Severity::Warning), diagnostics.warnings().min(Diagnostics::MAX));
    check_source(Source::new("a.conf".to_owned(), text.to_vec(), diagnostics));
}

/// Checks that a span lies within one line of the text, and is numbered as the text is.
///
/// # Panics
/// If it is not so.
pub fn check_span(text: &[u8], span: &Span) {
    let Span { line, column, start, end, line_start, line_end } = *span;
    assert!(start <= end && line_start + end <= line_end && line_end <= text.len(), "{span:?}");
    let (before, line_text) = (&text[..line_start], &text[line_start..line_end]);
    let is_line_start = before.is_empty() || before == b"\xef\xbb\xbf" || before.ends_with(b"\n");
    assert!(is_line_start && !line_text.contains(&b'\n'), "{span:?}");
    assert!(line_end == text.len() || text[line_end] == b'\n', "{span:?}");
    assert_eq!(usize::try_from(line), Ok(line_number(before)), "{span:?}");
    let characters_before = String::from_utf8_lossy(&line_text[..start]).chars().count();
    assert_eq!(usize::try_from(column), Ok(characters_before + 1), "{span:?}");
}

/// Returns the number of the line that begins behind `before`, from 1.
#[must_use]
pub fn line_number(before: &[u8]) -> usize {
    before.split(|byte| *byte == b'\n').count()
}

fn check_wording(wording: &Wording) {
    let advice = wording.help.iter().chain(&wording.note);
    for text in advice.chain([&wording.message, &wording.label]) {
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(!text.ends_with('.') || text.ends_with("..."), "{text:?}");
    }
    assert!(!wording.message.is_empty());
}

/// Checks what was found in a text, and how that is shown.
///
/// # Panics
/// If anything is wrong with it.
pub fn check_source(source: Source) {
    let places = source.findings.iter();
    let places = places.map(|one| one.span.map_or((u32::MAX, 0), |span| (span.line, span.start)));
    assert!(places.is_sorted());
    for finding in &source.findings {
        if let Some(span) = &finding.span {
            check_span(&source.text, span);
        }
        check_wording(&finding.wording);
    }
    check_report(source);
}

fn check_report(mut source: Source) {
    /// Rendering takes longer than all the rest.
    const RENDERED_MAX: usize = 6;
    source.findings.truncate(RENDERED_MAX);
    let name = source.name.clone();
    let places = source.findings.iter().filter_map(|one| one.span);
    let places: Vec<_> =
        places.map(|span| format!("{name}:{}:{}", span.line, span.column)).collect();
    let is_empty = source.findings.is_empty();
    let sources = [source];
    let plain = diagnostics::render(&sources, Style::Plain);
    assert_eq!(plain.is_empty(), is_empty);
    let hostile = plain.chars().find(|one| one.is_control() && *one != '\n');
    assert_eq!(hostile, None, "{plain:?}");
    let shown = plain.lines().filter_map(|line| line.trim_start().strip_prefix("--> "));
    let shown: Vec<_> = shown.filter(|place| *place != name).collect();
    assert_eq!(shown, places, "{plain}");
    let coloured = diagnostics::render(&sources, Style::Coloured);
    assert_eq!(without_escapes(&coloured), plain);
}

/// Takes the escape sequences of colours out of a text.
fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or(part, |(_, rest)| rest))
}
