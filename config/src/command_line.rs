//! What programs say about a wrong command line: all the same, and all exit with status 2.

use clap::Error;

/// Returns what clap has to say: the help or the version as it is, an error with the program's name before
/// it, as before its other errors.
#[must_use]
pub fn text(program: &str, error: &Error, has_colours: bool) -> String {
    let text = error.render();
    let text = if has_colours { text.ansi().to_string() } else { text.to_string() };
    if error.use_stderr() && !is_help(error) { format!("{program}: {text}") } else { text }
}

/// Returns whether it is the help, which is printed instead of an error when there are no arguments.
fn is_help(error: &Error) -> bool {
    error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}
