//! What was found, as JSON: one object a line, as `docs/check.schema.json` describes it.

use std::path::Path;

use crate::diagnostics::{Finding, Source};
use crate::lex::Span;
use crate::text::shown;
use crate::warnings::Code;
use crate::wording::{Severity, Wording};
use serde::Serialize;

/// The version of the form. It changes when a field goes or means something else; fields may be added.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Object<'a> {
    version: u32,
    file: &'a str,
    line: Option<u32>,
    column: Option<u32>,
    end_column: Option<u32>,
    code: Option<&'static str>,
    severity: &'static str,
    message: &'a str,
    label: Option<&'a str>,
    help: Option<&'a str>,
    note: Option<&'a str>,
}

/// Returns everything that was found, in the order of the report in words; `Err` says why the
/// configuration could not be read.
pub(crate) fn lines(path: &Path, sources: Result<&[Source], &Wording>) -> String {
    match sources {
        Ok(sources) => sources.iter().map(of_source).collect(),
        Err(wording) => line(&shown(path), None, None, Severity::Error, None, wording),
    }
}

/// Returns an error of a file as a whole.
pub(crate) fn fault(file: &str, message: &str) -> String {
    let message = message.to_owned();
    let wording = Wording { message, label: String::new(), help: None, note: None };
    line(file, None, None, Severity::Error, None, &wording)
}

fn of_source(source: &Source) -> String {
    let mut out: String =
        source.findings.iter().map(|finding| of_finding(source, finding)).collect();
    for (count, severity) in
        [(source.more_errors, Severity::Error), (source.more_warnings, Severity::Warning)]
    {
        if count > 0 {
            let message = format!("{count} more {}s are not shown", word(severity));
            let wording = Wording { message, label: String::new(), help: None, note: None };
            out.push_str(&line(&source.name, None, None, severity, None, &wording));
        }
    }
    out
}

fn of_finding(source: &Source, finding: &Finding) -> String {
    let code = finding.code.map(Code::name);
    let end = finding.span.map(|span| end_column(&span, &source.text));
    line(&source.name, finding.span, end, finding.severity, code, &finding.wording)
}

/// Returns the column after the last character of the span, counted as [`Span::column`] is.
fn end_column(span: &Span, text: &[u8]) -> u32 {
    let [_, marked, _] = span.quote(text);
    let characters = u32::try_from(marked.chars().count()).unwrap_or(u32::MAX);
    span.column.saturating_add(characters)
}

fn line(
    file: &str,
    span: Option<Span>,
    end_column: Option<u32>,
    severity: Severity,
    code: Option<&'static str>,
    wording: &Wording,
) -> String {
    let object = Object {
        version: VERSION,
        file,
        line: span.map(|span| span.line),
        column: span.map(|span| span.column),
        end_column,
        code,
        severity: word(severity),
        message: &wording.message,
        label: Some(wording.label.as_str()).filter(|label| span.is_some() && !label.is_empty()),
        help: wording.help.as_deref(),
        note: wording.note.as_deref(),
    };
    // Strings and numbers always become JSON.
    serde_json::to_string(&object).map_or_else(|_| String::new(), |text| text + "\n")
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}
