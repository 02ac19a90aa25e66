//! Whose folders the daemon writes into: where another user can write, its files could be exchanged.

use std::fmt;
use std::path::Path;

use knock_config::text::shown;
use knock_config::{Options, help_for_distrust};
use knock_guard::{Distrust, OpenError, check_folder_of};

use crate::args::Args;
use crate::settings::{pid_path, places};

/// Checks the folders of the pid file and of the open doors.
///
/// # Errors
/// The message about the first that others can write.
pub(crate) fn check(args: &Args, options: &Options) -> Result<(), String> {
    let pid_file = pid_path(args, options).filter(|_| args.daemon || args.checking.check);
    let pid_path = pid_file.as_ref().map(|file| &*file.path);
    match pid_path.map(|path| (path, check_folder_of(path, args.modes()))) {
        Some((path, Err(OpenError::Distrusted(why)))) => {
            return Err(message("the pid file", path, &why));
        }
        // Who writes it reports what the system says.
        Some((_, Ok(()) | Err(OpenError::Io(_)))) | None => {}
    }
    let places = places(args, options);
    places.check().map_err(|(path, why)| message("the list of open doors", path, &why))
}

fn message(what: &str, path: &Path, why: &Distrust) -> String {
    format!("cannot keep {what} in {}: {why}; {}", shown(path), help_for_distrust(why))
}

/// Prints why a file is not believed, and what to do.
pub(crate) fn write_distrust(
    path: &Path,
    why: &Distrust,
    out: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let help = help_for_distrust(why);
    write!(out, "cannot use {}: other users could change it: {why}; {help}", shown(path))
}
