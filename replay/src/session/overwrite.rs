//! What is read and must not be written over.

use std::path::Path;

use knock_config::text::shown;
use knock_guard::{NotWritten, Readers, Target, check_not_read};

use super::exit::Exit;
use super::terminal::Streams;

/// Takes the path of a file that `option` names. None of the files that are read is written over, by another
/// name neither, such as a link.
///
/// # Errors
/// The exit status, after the error was printed.
pub(crate) fn target<'a>(
    option: &str,
    output: &Path,
    readers: Readers,
    read: impl IntoIterator<Item = &'a Path>,
    streams: &mut Streams<'_>,
) -> Result<Target, Exit> {
    Target::new(output, readers, read).map_err(|why| refuse(option, output, why, streams))
}

/// Makes sure that a file which will be written is none of those that are read.
///
/// # Errors
/// The exit status, after the error was printed.
pub(crate) fn refuse_overwriting<'a>(
    option: &str,
    output: &Path,
    read: impl IntoIterator<Item = &'a Path>,
    streams: &mut Streams<'_>,
) -> Result<(), Exit> {
    check_not_read(output, read).map_err(|why| refuse(option, output, why, streams))
}

fn refuse(option: &str, output: &Path, why: NotWritten, streams: &mut Streams<'_>) -> Exit {
    match why {
        NotWritten::IsRead(name) => {
            let name = shown(&name);
            streams.error(&format!(
                "'{option}' would write over {name}, which is read: name another file"
            ));
            Exit::Config
        }
        why @ (NotWritten::ForeignLink(_)
        | NotWritten::BrokenLink
        | NotWritten::NotAFile
        | NotWritten::Unread
        | NotWritten::NotAPid
        | NotWritten::NoNewFiles
        | NotWritten::Io(_)) => streams.cannot_write_file(output, &why.into()),
    }
}
