//! The files that the daemon writes: none is one that it reads, and nobody else can exchange them.

use std::fmt;
use std::iter;
use std::path::{Path, PathBuf};

use knock_config::text::shown;
use knock_config::{Config, help_for_distrust, path_of};
use knock_guard::{Distrust, NotWritten, OpenError, check_folder_of, check_not_read};

use crate::args::Args;
use crate::runner::old_recording;
use crate::settings::{log_path, pid_path, places};

/// Checks the files that the daemon will write, and their folders.
///
/// # Errors
/// The message about the first that others can exchange, or that is one of those that the daemon reads.
pub(crate) fn check(args: &Args, config: &Config) -> Result<(), String> {
    let options = &config.options;
    let pid_file = pid_path(args, options).filter(|_| args.daemon || args.checking.check);
    let pid_file = pid_file.as_ref().map(|file| &*file.path);
    let log_file = log_path(args, options);
    let log_file = log_file.as_deref();
    let recording = args.record.as_deref();
    let old_recording = recording.map(old_recording);
    let written = [
        ("the pid file", pid_file),
        ("the log file", log_file),
        ("the recording", recording),
        ("the recording", old_recording.as_deref()),
    ];
    for (what, path) in written.into_iter().filter_map(|(what, path)| Some((what, path?))) {
        let refused = |why| Err(format!("cannot use {} as {what}: {why}", shown(path)));
        match check_not_read(path, read_by(args, config)) {
            Err(why @ NotWritten::IsRead(_)) => return refused(why),
            Err(why @ NotWritten::ForeignLink(_)) if what == "the recording" => {
                return refused(why);
            }
            // Whoever opens it reports what is wrong.
            Ok(()) | Err(_) => {}
        }
    }
    match pid_file.map(|path| (path, check_folder_of(path, args.modes()))) {
        Some((path, Err(OpenError::Distrusted(why)))) => {
            return Err(message("the pid file", path, &why));
        }
        // Who writes it reports what the system says.
        Some((_, Ok(()) | Err(OpenError::Io(_)))) | None => {}
    }
    let places = places(args, options);
    places.check().map_err(|(path, why)| message("the list of open doors", path, &why))
}

/// Returns the files that the daemon reads.
pub(crate) fn read_by<'a>(args: &'a Args, config: &'a Config) -> impl Iterator<Item = &'a Path> {
    let named = config.doors.iter().filter_map(|door| door.knocks_file());
    let included = config.included.iter().map(PathBuf::as_path);
    iter::once(&*args.config).chain(included).chain(named.map(path_of))
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
