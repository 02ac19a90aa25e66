//! What the parsers have to say about a text.

use std::fmt;

use super::fault::{LineFault, ValueFault};
use super::lex::{Piece, Span};
use super::lint::Lint;
use super::option_fault::OptionFault;
use super::suggest;
use crate::lint::{Advice, Code, Level, Levels};

/// How much a [`Diagnostic`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The text has no meaning.
    Error,
    /// The text has a meaning, perhaps not the one its author thinks it has.
    Warning,
}

/// What is wrong: a variant per cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error in a line or in how lines belong together.
    Line(LineFault),
    /// An error in the value of a directive.
    Value(ValueFault),
    /// An error in the value of an option that knockd 0.8 does not read.
    Option(OptionFault),
    /// A warning.
    Lint(Lint),
    /// A warning that only a check gives.
    Advice(Advice),
}

impl Fault {
    /// Returns the code of a warning; `None` for what is an error by itself.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Line(_) | Self::Value(_) | Self::Option(_) => None,
            Self::Lint(lint) => Some(lint.code()),
            Self::Advice(advice) => Some(advice.code()),
        }
    }
}

/// What a [`Fault`] is called and what can be done about it: in lower case, no full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// What is wrong.
    pub message: String,
    /// What was expected, or what the marked text is; stands beside the caret.
    pub label: String,
    /// The way out.
    pub help: Option<String>,
    /// What knockd 0.8 would do, where that matters.
    pub note: Option<String>,
}

impl Wording {
    /// Takes what is wrong, and what stands beside the caret.
    #[must_use]
    pub fn new(message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { message: message.into(), label: label.into(), help: None, note: None }
    }

    /// Returns the same with a way out.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Returns the same with what knockd 0.8 would do.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}

/// A fault and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong.
    pub fault: Fault,
    /// Where; `None` if it is the text as a whole.
    pub span: Option<Span>,
    /// Whether it is a warning that is denied, and so an error.
    pub is_denied: bool,
}

impl Diagnostic {
    /// Returns how much it matters.
    #[must_use]
    pub fn severity(&self) -> Severity {
        if self.is_denied || self.fault.code().is_none() {
            Severity::Error
        } else {
            Severity::Warning
        }
    }

    /// Returns what to tell the author of the text.
    #[must_use]
    pub fn wording(&self) -> Wording {
        match &self.fault {
            Fault::Line(fault) => fault.wording(),
            Fault::Value(fault) => fault.wording(),
            Fault::Option(fault) => fault.wording(),
            Fault::Lint(lint) => lint.wording(),
            Fault::Advice(advice) => advice.wording(),
        }
    }
}

/// What was found in a text, in the order of place.
///
/// Errors, denied warnings and warnings beyond the first [`Diagnostics::MAX`] of each are counted, not
/// kept: a text that is no configuration at all must not fill the memory. Allowed warnings are neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    kept: Vec<Diagnostic>,
    levels: Levels,
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
    pub(super) fn nearest(
        &self,
        word: &[u8],
        known: impl IntoIterator<Item = &'static str>,
    ) -> Option<&'static str> {
        if self.errors < Self::MAX { suggest::nearest(word, known) } else { None }
    }

    pub(crate) fn line(&mut self, fault: LineFault, at: Piece<'_>) {
        self.add(Fault::Line(fault), Some(at));
    }

    pub(crate) fn value(&mut self, fault: ValueFault, at: Piece<'_>) {
        self.add(Fault::Value(fault), Some(at));
    }

    pub(super) fn option(&mut self, fault: OptionFault, at: Piece<'_>) {
        self.add(Fault::Option(fault), Some(at));
    }

    pub(crate) fn lint(&mut self, lint: Lint, at: Piece<'_>) {
        self.add(Fault::Lint(lint), Some(at));
    }

    /// Warns of the text as a whole.
    pub(crate) fn lint_text(&mut self, lint: Lint) {
        self.add(Fault::Lint(lint), None);
    }

    pub(crate) fn advise(&mut self, advice: Advice, at: Piece<'_>) {
        self.add(Fault::Advice(advice), Some(at));
    }

    /// Adds what was found on the machine; `None` if it is the text as a whole. [`Self::sort`] brings it
    /// to its place.
    pub fn advise_of_machine(&mut self, advice: Advice, at: Option<Span>) {
        self.add_at(Fault::Advice(advice), || at);
    }

    fn add(&mut self, fault: Fault, at: Option<Piece<'_>>) {
        self.add_at(fault, || at.map(Piece::span));
    }

    fn add_at(&mut self, fault: Fault, span: impl FnOnce() -> Option<Span>) {
        let level = fault.code().map(|code| self.levels.of(code));
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

    /// Brings what was found late, such as at the end of a section, back to its place; the text as
    /// a whole comes last.
    pub fn sort(&mut self) {
        self.kept.sort_by_key(|diagnostic| {
            diagnostic.span.map_or((u32::MAX, usize::MAX), |span| (span.line, span.start))
        });
    }
}

/// Part of the text, fit to stand in a message: what is not UTF-8 is U+FFFD, control characters
/// are escaped, and behind [`Excerpt::MAX_CHARS`] characters it ends in `...`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Excerpt(Box<str>);

impl Excerpt {
    /// The most characters that are kept.
    pub const MAX_CHARS: usize = 40;

    /// Takes part of a text.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        // No character has more than four bytes, and what is cut off here is cut off below anyway.
        let most = Self::MAX_CHARS.saturating_add(1).saturating_mul(4);
        let text = String::from_utf8_lossy(bytes.get(..most).unwrap_or(bytes));
        let mut excerpt = String::new();
        for (count, character) in text.chars().enumerate() {
            if count == Self::MAX_CHARS {
                excerpt.push_str("...");
                break;
            }
            if character.is_control() {
                excerpt.extend(character.escape_default());
            } else {
                excerpt.push(character);
            }
        }
        Self(excerpt.into_boxed_str())
    }

    /// Returns the excerpt.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Returns `1 knock`, `2 knocks`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::*;
    use crate::parse::lex::Text;

    #[test]
    fn an_excerpt_shows_no_control_character_and_ends_somewhere() {
        assert_eq!(Excerpt::new(b"a\x1b[31m\xff\x00").as_str(), "a\\u{1b}[31m\u{fffd}\\u{0}");
        assert_eq!(Excerpt::new(b"a\xff").to_string(), "a\u{fffd}");
        assert_eq!(format!("{:?}", Excerpt::new(b"a\"")), r#""a\"""#);
        assert_eq!(Excerpt::new(&[b'x'; 40]).as_str(), "x".repeat(40));
        assert_eq!(Excerpt::new(&[b'x'; 9000]).as_str(), "x".repeat(40) + "...");
    }

    #[test]
    fn errors_and_warnings_beyond_the_limit_are_counted_and_not_kept() {
        let piece = Text::new(b"x").lines().next().unwrap().trimmed();
        let mut diagnostics = Diagnostics::default();
        for _ in 0..1001 {
            diagnostics.line(LineFault::NulByte, piece);
        }
        diagnostics.lint_text(Lint::NoDoors);
        diagnostics.lint_text(Lint::NoDoors);
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

    #[test]
    fn one_thing_is_told_in_the_singular() {
        assert_eq!(counted(1, "knock"), "1 knock");
        assert_eq!(counted(2, "knock"), "2 knocks");
        assert_eq!(counted(0, "knock"), "0 knocks");
    }
}
