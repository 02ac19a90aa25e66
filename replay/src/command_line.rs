//! The command line with its subcommands.

use std::ffi::OsString;

use clap::{Args as _, Command, CommandFactory as _, FromArgMatches as _};

use crate::args::{Args, InitArgs, TestArgs};

/// What is to be done.
pub(crate) enum Job {
    Replay(Box<Args>),
    Test(TestArgs),
    Init(InitArgs),
}

/// Reads the arguments of a process.
///
/// # Errors
/// What clap has to say: a fault, or the help.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Job, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(args)?;
    match matches.subcommand() {
        Some(("test", matches)) => TestArgs::from_arg_matches(matches).map(Job::Test),
        Some(("init", matches)) => InitArgs::from_arg_matches(matches).map(Job::Init),
        Some(_) | None => {
            let args = Args::from_arg_matches(&matches).map_err(|error| error.format(&mut command));
            args?.checked().map(|args| Job::Replay(Box::new(args)))
        }
    }
}

/// Returns the command line as a value, for the manual page.
#[must_use]
pub fn command() -> Command {
    // A capture that is called like a subcommand is still one behind an option, or as `./test`.
    Args::command()
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        .disable_help_subcommand(true)
        .subcommand(TestArgs::augment_args(Command::new("test")))
        .subcommand(InitArgs::augment_args(Command::new("init")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
