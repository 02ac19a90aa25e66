//! What is read and must not be written over.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use knock_config::text::shown;

use super::exit::Exit;
use super::terminal::Streams;

/// Says so and returns how the program ends, if the file that is to be written is one of those that are
/// read: by another name too, such as a link.
pub(crate) fn refuse_overwriting<'a>(
    option: &str,
    output: &Path,
    mut inputs: impl Iterator<Item = &'a Path>,
    streams: &mut Streams<'_>,
) -> Option<Exit> {
    // What is not there cannot be written over.
    let there = fs::metadata(output).ok()?;
    let is_it = |input: &&Path| {
        fs::metadata(input).is_ok_and(|input| {
            input.is_file() && (input.dev(), input.ino()) == (there.dev(), there.ino())
        })
    };
    let input = shown(inputs.find(is_it)?);
    streams
        .error(&format!("'{option}' would write over {input}, which is read: name another file"));
    Some(Exit::Config)
}
