//! The wording of an error or a warning.

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The text has no meaning.
    Error,
    /// The text has a meaning, but maybe not the intended one.
    Warning,
}

/// A message and its help: in lower case, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// What is wrong.
    pub message: String,
    /// What was expected, or what the marked text is; printed next to the caret.
    pub label: String,
    /// How to fix it.
    pub help: Option<String>,
    /// What knockd 0.8 would do, where that matters.
    pub note: Option<String>,
}

impl Wording {
    /// Takes what is wrong, and the text next to the caret.
    #[must_use]
    pub fn new(message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { message: message.into(), label: label.into(), help: None, note: None }
    }

    /// Returns the same with help.
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
