//! The findings of the parsers about a text.

use super::allowed::Allowed;
use super::any_fault::Fault;
use super::fault::{LineFault, ValueFault};
use super::misread;
use super::option_fault::OptionFault;
use crate::lex::{Piece, Span};
use crate::suggest;
use crate::warnings::{Code, Level, Levels, Warning};
use crate::wording::{Severity, Wording};

/// A fault and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong.
    pub fault: Fault,
    /// Where; `None` if it is the text as a whole.
    pub span: Option<Span>,
    /// Whether it is a denied warning, and so an error.
    pub is_denied: bool,
}

impl Diagnostic {
    /// Returns how serious it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        if self.is_denied || self.fault.code().is_none() {
            Severity::Error
        } else {
            Severity::Warning
        }
    }

    /// Returns the message for the author of the text.
    #[must_use]
    pub fn wording(&self) -> Wording {
        let wording = match &self.fault {
            Fault::Line(fault) => fault.wording(),
            Fault::Value(fault) => fault.wording(),
            Fault::Option(fault) => fault.wording(),
            Fault::Warning(warning) => warning.wording(),
        };
        misread::explained(&self.fault, wording)
    }
}

/// The findings in a text, in the order of their places.
///
/// Errors, denied warnings and warnings beyond the first [`Diagnostics::MAX`] of each are counted, not
/// kept: a text that is not a configuration must not fill the memory. Allowed warnings are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    kept: Vec<Diagnostic>,
    levels: Levels,
    allowed: Allowed,
    errors: usize,
    denied: usize,
    warnings: usize,
}

impl Diagnostics {
    /// The most errors, denied warnings and warnings that are kept of each.
    pub const MAX: usize = 1000;

    pub(crate) fn new(levels: Levels) -> Self {
        Self { levels, ..Self::default() }
    }

    /// Returns none, for more findings in the same text: comments in it allow the same warnings.
    pub(crate) fn into_empty(self) -> Self {
        Self { kept: Vec::new(), errors: 0, denied: 0, warnings: 0, ..self }
    }

    /// Returns what was kept.
    #[must_use]
    pub fn kept(&self) -> &[Diagnostic] {
        &self.kept
    }

    /// Returns the number of errors, with those not kept and without denied warnings.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Returns the number of denied warnings, with those not kept.
    #[must_use]
    pub fn denied(&self) -> usize {
        self.denied
    }

    /// Returns the number of warnings that are not denied, with those not kept.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// Returns the known word nearest to `word` for the next error; none if that will not be kept,
    /// as the search is slow.
    pub(crate) fn nearest(
        &self,
        word: &[u8],
        known: impl IntoIterator<Item = &'static str>,
    ) -> Option<&'static str> {
        if self.errors < Self::MAX { suggest::nearest(word, known) } else { None }
    }

    /// Allows warnings of this code about the next line that has text, and about the text as a whole.
    pub(crate) fn allow(&mut self, code: Code) {
        self.allowed.allow(code);
    }

    /// Begins a line that is neither blank nor a comment.
    pub(crate) fn begin_line(&mut self, number: u32) {
        self.allowed.begin_line(number);
    }

    pub(crate) fn line(&mut self, fault: LineFault, at: Piece<'_>) {
        self.add(Fault::Line(fault), Some(at));
    }

    pub(crate) fn value(&mut self, fault: ValueFault, at: Piece<'_>) {
        self.add(Fault::Value(fault), Some(at));
    }

    pub(crate) fn option(&mut self, fault: OptionFault, at: Piece<'_>) {
        self.add(Fault::Option(fault), Some(at));
    }

    pub(crate) fn warn(&mut self, warning: Warning, at: Piece<'_>) {
        self.add(Fault::Warning(warning), Some(at));
    }

    /// Adds an error that was found late.
    pub(crate) fn line_at(&mut self, fault: LineFault, at: Span) {
        self.add_at(Fault::Line(fault), || Some(at));
    }

    /// Warns about the text as a whole.
    pub(crate) fn warn_of_text(&mut self, warning: Warning) {
        self.add(Fault::Warning(warning), None);
    }

    /// Adds a warning that was found late; `None` if it is about the text as a whole. [`Self::sort`]
    /// moves it to its place.
    pub(crate) fn warn_at(&mut self, warning: Warning, at: Option<Span>) {
        self.add_at(Fault::Warning(warning), || at);
    }

    fn add(&mut self, fault: Fault, at: Option<Piece<'_>>) {
        self.add_at(fault, || at.map(Piece::span));
    }

    fn add_at(&mut self, fault: Fault, span: impl FnOnce() -> Option<Span>) {
        let Some(code) = fault.code() else { return self.count(fault, None, span) };
        let level = self.levels.of(code);
        if self.allowed.is_empty() || self.levels.is_denied_by_name(code) {
            return self.count(fault, Some(level), span);
        }
        let span = span();
        if !self.allowed.covers(code, span.map(|span| span.line)) {
            self.count(fault, Some(level), || span);
        }
    }

    /// Counts a finding, and keeps it if it is one of the first.
    fn count(&mut self, fault: Fault, level: Option<Level>, span: impl FnOnce() -> Option<Span>) {
        let count = match level {
            None => &mut self.errors,
            Some(Level::Deny) => &mut self.denied,
            Some(Level::Warn) => &mut self.warnings,
            Some(Level::Allow) => return,
        };
        *count = count.saturating_add(1);
        if *count <= Self::MAX {
            let is_denied = level == Some(Level::Deny);
            self.kept.push(Diagnostic { fault, span: span(), is_denied });
        }
    }

    /// Moves findings that were made late, such as at the end of a section, to their places; those about
    /// the text as a whole come last.
    pub fn sort(&mut self) {
        self.kept.sort_by_key(|diagnostic| {
            diagnostic.span.map_or((u32::MAX, usize::MAX), |span| (span.line, span.start))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lex::Text;

    #[test]
    fn errors_and_warnings_beyond_the_limit_are_counted_and_not_kept() {
        let piece = Text::new(b"x").lines().next().unwrap().trimmed();
        let mut diagnostics = Diagnostics::default();
        for _ in 0..1001 {
            diagnostics.line(LineFault::NulByte, piece);
        }
        diagnostics.warn_of_text(Warning::NoDoors);
        diagnostics.warn_of_text(Warning::NoDoors);
        assert_eq!((diagnostics.errors(), diagnostics.warnings()), (1001, 2));
        assert_eq!(diagnostics.kept().len(), 1002);
    }

    /// The search is slow, and a file may have a hundred thousand errors.
    #[test]
    fn a_near_word_is_searched_for_as_long_as_errors_are_kept() {
        let piece = Text::new(b"x").lines().next().unwrap().trimmed();
        let mut diagnostics = Diagnostics::default();
        for _ in 0..1000 {
            assert_eq!(diagnostics.nearest(b"upd", ["tcp", "udp"]), Some("udp"));
            diagnostics.line(LineFault::NulByte, piece);
        }
        assert_eq!(diagnostics.nearest(b"upd", ["tcp", "udp"]), None);
    }
}
