//! Diagnostics as text, as rustc prints them.

use super::repeats;
use super::source::{Finding, Source, quote};
use crate::lex::Span;
use crate::text::counted;
use crate::wording::{Severity, Wording};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// Whether a report has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// None: for a file or a pipe.
    Plain,
    /// ANSI escape sequences: for a terminal.
    Coloured,
}

/// Renders everything that was found, source by source; nothing found is no text.
///
/// If there are errors, the last line counts what was found in all sources and begins with the name
/// of the first: `error: knockd.conf: 3 errors, 1 warning`.
#[must_use]
pub fn render(sources: &[Source], style: Style) -> String {
    let renderer = renderer(style);
    let mut out = render_findings(sources, style);
    let errors = sources.iter().fold(0_usize, |sum, source| sum.saturating_add(source.errors()));
    if let (Some(first), 1..) = (sources.first(), errors) {
        let title = Level::ERROR.primary_title(summary(&first.name, errors, sources));
        out.push_str(&renderer.render(&[Group::with_title(title)]));
        out.push('\n');
    }
    out
}

/// Renders everything that was found, source by source, each finding followed by an empty line, and
/// counts nothing.
#[must_use]
pub fn render_findings(sources: &[Source], style: Style) -> String {
    let renderer = renderer(style);
    let mut out = String::new();
    for source in sources {
        for (finding, note) in repeats::grouped(source) {
            out.push_str(&render_finding(&renderer, source, finding, note.as_deref()));
            out.push_str("\n\n");
        }
    }
    out
}

/// Renders a finding that belongs to no text, such as a file that cannot be read.
#[must_use]
pub fn render_alone(severity: Severity, wording: &Wording, style: Style) -> String {
    let title = level(severity).primary_title(wording.message.as_str());
    let mut out = renderer(style).render(&[with_advice(Group::with_title(title), wording)]);
    out.push('\n');
    without_bar(&out)
}

/// Returns a finding without the bar that the renderer puts before its advice: only a quoted line needs one.
fn without_bar(rendered: &str) -> String {
    let is_bar = |line: &&str| plain(line).trim() == "|";
    rendered.split_inclusive('\n').filter(|line| !is_bar(line)).collect()
}

/// Returns a text without the escape sequences of colours.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or("", |(_, rest)| rest))
}

fn renderer(style: Style) -> Renderer {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    renderer.decor_style(DecorStyle::Ascii)
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    }
}

/// `note` is about others that are not rendered.
fn render_finding(
    renderer: &Renderer,
    source: &Source,
    finding: &Finding,
    note: Option<&str>,
) -> String {
    let wording = &finding.wording;
    let title = level(finding.severity).primary_title(wording.message.as_str());
    let title = match finding.code {
        Some(code) => title.id(code.name()),
        None => title,
    };
    let group = Group::with_title(title);
    let Some(span) = finding.span else {
        let group = group.element(Origin::path(source.name.as_str()));
        return without_bar(&renderer.render(&[with_advice(group, wording)]));
    };
    let quote = Quote::new(span, &source.text);
    let annotation = AnnotationKind::Primary.span(quote.marked).label(wording.label.as_str());
    let snippet = Snippet::source(quote.line)
        .line_start(usize::try_from(span.line).unwrap_or(usize::MAX))
        .path(source.name.as_str())
        .annotation(annotation);
    let note = note.map(|note| Level::NOTE.message(note));
    renderer.render(&[with_advice(group.element(snippet), wording).elements(note)])
}

fn with_advice<'a>(group: Group<'a>, wording: &'a Wording) -> Group<'a> {
    let help = wording.help.as_deref().map(|help| Level::HELP.message(help));
    let note = wording.note.as_deref().map(|note| Level::NOTE.message(note));
    group.elements(help).elements(note)
}

/// A line of a source as it is shown.
struct Quote {
    line: String,
    marked: std::ops::Range<usize>,
}

impl Quote {
    /// The most characters that are marked with carets, so that the label after them stays in view.
    const MARKED_CHARS: usize = 60;

    fn new(span: Span, text: &[u8]) -> Self {
        let [before, marked, after] = quote(span, text);
        let end = marked.char_indices().nth(Self::MARKED_CHARS).map_or(marked.len(), |(at, _)| at);
        let start = before.len();
        let after = after.trim_end_matches('\r');
        // A lone CR would end the line for the renderer.
        let line = [&*before, &*marked, after].concat().replace('\r', " ");
        Self { line, marked: start..start.saturating_add(end) }
    }
}

fn summary(name: &str, errors: usize, sources: &[Source]) -> String {
    let sum = |of: fn(&Source) -> usize| {
        sources.iter().fold(0_usize, |sum, source| sum.saturating_add(of(source)))
    };
    let warnings = sum(Source::warnings);
    let hidden = sum(|source| source.more_errors.saturating_add(source.more_warnings));
    let errors = counted(errors, "error");
    let warnings =
        if warnings > 0 { format!(", {}", counted(warnings, "warning")) } else { String::new() };
    let hidden = if hidden > 0 { format!(" ({hidden} of them not shown)") } else { String::new() };
    format!("{name}: {errors}{warnings}{hidden}")
}
