//! What is found in a text while it is read.

use super::source::{Finding, Source};
use crate::lex::Piece;
use crate::suggest::nearest;
use crate::wording::{Severity, Wording};

/// What was found so far.
///
/// Errors and warnings beyond the first [`Faults::MAX`] of each are counted, not kept: a text that
/// is something else must fill neither the memory nor the screen.
#[derive(Debug, Default)]
pub struct Faults {
    kept: Vec<Finding>,
    errors: usize,
    warnings: usize,
}

impl Faults {
    /// The most errors and the most warnings that are kept.
    pub const MAX: usize = 100;

    /// Returns the number of errors, with those not kept.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Notes an error.
    pub fn error(&mut self, at: Piece<'_>, wording: Wording) {
        self.errors = self.errors.saturating_add(1);
        if self.errors <= Self::MAX {
            self.keep(Severity::Error, at, wording);
        }
    }

    /// Notes a warning.
    pub fn warning(&mut self, at: Piece<'_>, wording: Wording) {
        self.warnings = self.warnings.saturating_add(1);
        if self.warnings <= Self::MAX {
            self.keep(Severity::Warning, at, wording);
        }
    }

    fn keep(&mut self, severity: Severity, at: Piece<'_>, wording: Wording) {
        self.kept.push(Finding { severity, code: None, span: Some(at.span()), wording });
    }

    /// Returns the known word nearest to `word` for the next error; none if that will not be kept,
    /// as the search is slow.
    #[must_use]
    pub fn nearest<'a>(
        &self,
        word: &[u8],
        known: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        if self.errors < Self::MAX { nearest(word, known) } else { None }
    }

    /// Returns the text with what was found in it, in the order of place.
    #[must_use]
    pub fn into_source(self, name: String, text: Vec<u8>) -> Source {
        let Self { mut kept, errors, warnings } = self;
        kept.sort_by_key(|finding| finding.span.map(|span| (span.line, span.start)));
        Source {
            name,
            text,
            findings: kept,
            more_errors: errors.saturating_sub(Self::MAX),
            more_warnings: warnings.saturating_sub(Self::MAX),
        }
    }
}
