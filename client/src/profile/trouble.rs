//! Why there are no knocks, or no profiles.

use std::path::Path;

use knock_config::Wording;
use knock_config::diagnostics::{self, Source, Style};
use knock_config::text::shown;
use knock_config::{Setup, Unreadable};

/// Why there are no knocks, or no profiles.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// A text is at fault.
    Text(Box<Source>),
    /// A `knockd.conf` is at fault, or a file it names, or one cannot be read.
    Setup(Box<Setup>),
    /// Something else.
    Alone(Wording),
}

impl Trouble {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Alone(Wording::new(message, "").help(help))
    }

    pub(super) fn unreadable(path: &Path, cause: &Unreadable, help: &str) -> Self {
        Self::Alone(cause.wording(&shown(path), help))
    }

    /// Returns all there is to tell, as rustc would tell it.
    #[must_use]
    pub fn report(&self, style: Style) -> String {
        match self {
            Self::Text(source) => diagnostics::render(std::slice::from_ref(source), style),
            Self::Setup(setup) => setup.report_of_errors(style),
            Self::Alone(wording) => {
                diagnostics::render_alone(knock_config::Severity::Error, wording, style)
            }
        }
    }
}
