//! What the command lines of several programs have in common.

use std::num::NonZeroU32;

use clap::builder::styling::{AnsiColor, Styles};

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
