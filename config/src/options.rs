//! What the command lines of several programs have in common.

use std::fmt::Write as _;
use std::num::NonZeroU32;

use crate::suggest::nearest;
use crate::warnings::{Code, Level, Levels};
use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgGroup, Args, ValueEnum};

/// The colours of help and of errors.
pub const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Reads a limit of attempts.
///
/// # Errors
/// What is wrong with it, if it is not a number from 1 to 4,294,967,295.
pub fn number_of_attempts(text: &str) -> Result<NonZeroU32, &'static str> {
    text.parse().map_err(|_| "not a number from 1 to 4294967295")
}

/// The options of a check.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Check", group = ArgGroup::new("telling").multiple(true))]
pub struct CheckOptions {
    /// Check the configuration and the files it names, and exit: with status 0 if they are sound, else 2
    ///
    /// Also warns about likely mistakes and weak doors. Warnings do not change the status, unless they
    /// are denied.
    #[arg(long, group = "telling")]
    pub check: bool,

    /// Print text, or JSON on standard output: one object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text, requires = "telling")]
    pub format: Format,

    /// Treat these warnings as errors: their codes, or 'warnings' for all (with --check)
    ///
    /// Codes are separated by commas. They are in brackets after the word 'warning'.
    #[arg(
        long,
        value_name = "CODE",
        value_delimiter = ',',
        value_parser = denied,
        requires = "check"
    )]
    pub deny: Vec<Denied>,

    /// Do not print these warnings (with --check)
    #[arg(
        long,
        value_name = "CODE",
        value_delimiter = ',',
        value_parser = code,
        requires = "check"
    )]
    pub allow: Vec<Code>,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// In words
    #[default]
    Text,
    /// As JSON
    Json,
}

/// What is taken for an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Every warning that is not allowed by name.
    Warnings,
    /// The warnings of a code.
    Code(Code),
}

impl CheckOptions {
    /// Returns what becomes of each warning: what is denied by name beats what is allowed, and that what
    /// is said of all.
    #[must_use]
    pub fn levels(&self) -> Levels {
        let mut levels = Levels::default();
        for code in &self.allow {
            levels = levels.with(*code, Level::Allow);
        }
        for denied in &self.deny {
            levels = match denied {
                Denied::Warnings => levels.deny_warnings(),
                Denied::Code(code) => levels.with(*code, Level::Deny),
            };
        }
        levels
    }
}

/// Returns the explanation of a warning, with a title.
#[must_use]
pub fn explanation(code: Code) -> String {
    format!("{}\n\n{}", code.name(), code.explanation())
}

/// Returns the codes of all warnings, each with a line that says what it means.
#[must_use]
pub fn list() -> String {
    let width = Code::ALL.iter().map(|code| code.name().len()).max().unwrap_or(0);
    Code::ALL.iter().fold(String::new(), |mut list, code| {
        let meaning = code.explanation().lines().next().unwrap_or_default();
        // Writing to a string never fails.
        let _ = writeln!(list, "{:width$}  {meaning}", code.name());
        list
    })
}

/// Reads the code of a warning.
///
/// # Errors
/// That there is none of this name, with the nearest one.
pub fn code(text: &str) -> Result<Code, String> {
    Code::from_name(text).ok_or_else(|| {
        let names = Code::ALL.iter().map(|code| code.name());
        match nearest(text.as_bytes(), names) {
            Some(name) => format!("there is no such warning; did you mean '{name}'?"),
            None => String::from(
                "there is no such warning; docs/lints.md and 'knock-replay check --list' have all",
            ),
        }
    })
}

fn denied(text: &str) -> Result<Denied, String> {
    if text == "warnings" { Ok(Denied::Warnings) } else { code(text).map(Denied::Code) }
}
