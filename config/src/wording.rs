//! What is said about something that is wrong or hardly meant.

/// How much something that was found matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The text has no meaning.
    Error,
    /// The text has a meaning, perhaps not the one its author thinks it has.
    Warning,
}

/// What something is called and what can be done about it: in lower case, no full stop.
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
