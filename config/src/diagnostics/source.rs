//! Texts with what was found in them.

use super::diagnostic::Diagnostics;
use crate::lex::Span;
use crate::warnings::Code;
use crate::wording::{Severity, Wording};

/// A text that was read, and what was found in it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name of the file, fit to be printed.
    pub name: String,
    /// The bytes of the file; none if it could not be read.
    pub text: Vec<u8>,
    /// What was found, in the order of place.
    pub findings: Vec<Finding>,
    /// How many errors were found and not kept.
    pub more_errors: usize,
    /// How many warnings were found and not kept.
    pub more_warnings: usize,
}

/// An error or a warning about a [`Source`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How serious it is.
    pub severity: Severity,
    /// The code of a warning, also of one that is denied.
    pub code: Option<Code>,
    /// Where it is; `None` if it is the source as a whole.
    pub span: Option<Span>,
    /// What to print.
    pub wording: Wording,
}

impl Source {
    /// Takes what a parser found in a text.
    #[must_use]
    pub fn new(name: String, text: Vec<u8>, diagnostics: &Diagnostics) -> Self {
        let findings: Vec<Finding> = diagnostics
            .kept()
            .iter()
            .map(|diagnostic| Finding {
                severity: diagnostic.severity(),
                code: diagnostic.fault.code(),
                span: diagnostic.span,
                wording: diagnostic.wording(),
            })
            .collect();
        let more = |total: usize, severity| total.saturating_sub(count(&findings, severity));
        Self {
            name,
            text,
            more_errors: more(
                diagnostics.errors().saturating_add(diagnostics.denied()),
                Severity::Error,
            ),
            more_warnings: more(diagnostics.warnings(), Severity::Warning),
            findings,
        }
    }

    /// Adds what was found later, after everything else.
    pub(crate) fn add(&mut self, diagnostics: &Diagnostics) {
        let more = Self::new(String::new(), Vec::new(), diagnostics);
        self.findings.extend(more.findings);
        self.more_errors = self.more_errors.saturating_add(more.more_errors);
        self.more_warnings = self.more_warnings.saturating_add(more.more_warnings);
    }

    /// Moves findings to their places; those about the text as a whole come last.
    pub(crate) fn sort(&mut self) {
        self.findings.sort_by_key(|finding| {
            finding.span.map_or((u32::MAX, usize::MAX), |span| (span.line, span.start))
        });
    }

    /// Returns the same text with its errors only.
    #[must_use]
    pub fn without_warnings(&self) -> Self {
        let is_error = |finding: &&Finding| finding.severity == Severity::Error;
        let findings = self.findings.iter().filter(is_error).cloned().collect();
        Self {
            name: self.name.clone(),
            text: self.text.clone(),
            findings,
            more_errors: self.more_errors,
            more_warnings: 0,
        }
    }

    /// Returns the number of errors, with those not kept.
    #[must_use]
    pub fn errors(&self) -> usize {
        count(&self.findings, Severity::Error).saturating_add(self.more_errors)
    }

    /// Returns the number of warnings, with those not kept.
    #[must_use]
    pub fn warnings(&self) -> usize {
        count(&self.findings, Severity::Warning).saturating_add(self.more_warnings)
    }
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

/// Returns a line in three parts: before, within and after the span, fit for the terminal.
pub(super) fn quote(span: Span, text: &[u8]) -> [String; 3] {
    span.quote(text).map(|part| without_c1(&part))
}

/// Replaces the control characters that the renderer lets through to the terminal with U+FFFD:
/// U+0080 to U+009F, one of which begins escape sequences.
fn without_c1(text: &str) -> String {
    text.replace(|character| ('\u{80}'..='\u{9f}').contains(&character), "\u{fffd}")
}
