//! `--expect`: the transcript, compared with one that is kept in a file.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead as _, Read as _, Write};
use std::path::Path;
use std::time::Duration;

use knock_config::file_faults::ReadFault;
use knock_config::text::{counted, push_printable, shown};
use knock_guard::{Readers, Target};
use similar::{ChangeTag, TextDiff};

use crate::args::ReplayArgs;
use crate::replay::Replay;
use crate::session::exit::Exit;
use crate::session::finish::finish;
use crate::session::terminal::Streams;

/// The longest transcript that is compared, and the largest file, in bytes.
const MAX_BYTES: usize = 64 << 20;

/// How long it is looked for the shortest difference; a longer one is as true.
const SEARCH_MAX: Duration = Duration::from_secs(5);

/// How many lines around a difference are shown.
const CONTEXT: usize = 3;

/// What is said of a transcript that is longer than [`MAX_BYTES`].
pub(crate) const TOO_LONG: &str = "the transcript is longer than 64 MiB: take fewer packets";

/// What is said where no packet was admitted.
pub(crate) const NOTHING_TESTED: &str =
    "no packet was admitted, so nothing was tested; see the summary, and 'knock-replay explain'";

/// A transcript that is kept instead of printed.
#[derive(Debug, Default)]
pub(crate) struct KeptTranscript {
    pub(crate) bytes: Vec<u8>,
    /// It would have been longer than a transcript can be.
    pub(crate) is_full: bool,
}

impl Write for KeptTranscript {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(bytes.len()) > MAX_BYTES {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Replays, and compares the transcript with what is expected, or makes it that.
pub(crate) fn run(
    args: &ReplayArgs,
    file: &Path,
    replay: Replay,
    streams: &mut Streams<'_>,
) -> Result<Exit, Exit> {
    let mut kept = KeptTranscript::default();
    let played = replay.transcript(args, &mut kept, streams.errors);
    let (reading, playing, written) = played.map_err(|why| streams.cannot_start(&why))?;
    if kept.is_full {
        streams.error(TOO_LONG);
        return Err(Exit::Output);
    }
    finish(streams, args.input.quiet, written, &reading, reading.summary_of(&playing))?;
    if playing.counts.admitted == 0 {
        streams.error(NOTHING_TESTED);
        return Ok(Exit::Differ);
    }
    Ok(judge(args, file, &kept, streams))
}

/// Compares a transcript with the file that says what is expected, or makes it that.
pub(crate) fn judge(
    args: &ReplayArgs,
    file: &Path,
    kept: &KeptTranscript,
    streams: &mut Streams<'_>,
) -> Exit {
    if args.bless {
        bless(file, kept, streams)
    } else {
        compare(file, kept, args.input.quiet, streams)
    }
}

/// Writes a transcript to a file that from now on says what is expected.
fn bless(path: &Path, kept: &KeptTranscript, streams: &mut Streams<'_>) -> Exit {
    match write(path, kept, []) {
        Ok(()) => {
            let lines = counted(kept.bytes.lines().count(), "line");
            streams.line(&format!("{lines} written to {}", shown(path)));
            Exit::Done
        }
        Err(error) => streams.cannot_write_file(path, &error),
    }
}

/// Writes a transcript to a file, unless that is one of those that are read.
///
/// # Errors
/// What the system says, or that it is.
pub(crate) fn write<'a>(
    path: &Path,
    kept: &KeptTranscript,
    read: impl IntoIterator<Item = &'a Path>,
) -> io::Result<()> {
    Target::new(path, Readers::AsBefore, read)?.write(|out| out.write_all(&kept.bytes))
}

/// Compares a transcript with the file that says what is expected, and prints what differs.
fn compare(path: &Path, kept: &KeptTranscript, quiet: bool, streams: &mut Streams<'_>) -> Exit {
    let expected = match read(path) {
        Ok(expected) => expected,
        Err(why) => {
            streams.error(&format!("cannot read {}: {why}", shown(path)));
            return Exit::Config;
        }
    };
    if expected == kept.bytes {
        if !quiet {
            streams.line(&format!("as {} says", shown(path)));
        }
        return Exit::Done;
    }
    let name = shown(path);
    let Difference { diff, missing, new } = difference(&name, &expected, kept);
    let coloured = if streams.output_colour { painted(&diff) } else { diff };
    let printed = streams.print(&coloured);
    if printed != Exit::Done {
        return printed;
    }
    let (missing, new) = (counted(missing, "line"), counted(new, "line"));
    streams.line(&format!(
        "not as {name} says: {missing} missing, {new} new; if that is right, write the file again with \
         --bless"
    ));
    Exit::Differ
}

/// How a transcript differs from what is expected.
#[derive(Debug)]
pub(crate) struct Difference {
    /// As `diff -u` prints it.
    pub(crate) diff: String,
    /// How many lines are expected and not there.
    pub(crate) missing: usize,
    /// How many are there and not expected.
    pub(crate) new: usize,
}

/// Returns how a transcript differs from the text of the file `name`.
pub(crate) fn difference(name: &str, expected: &[u8], kept: &KeptTranscript) -> Difference {
    let [expected, actual] = [expected, &kept.bytes].map(visible);
    let diff = TextDiff::configure().timeout(SEARCH_MAX).diff_lines(&*expected, &*actual);
    let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
    let (missing, new) = (count(ChangeTag::Delete), count(ChangeTag::Insert));
    let diff = diff.unified_diff().context_radius(CONTEXT).header(name, "now").to_string();
    Difference { diff, missing, new }
}

/// Returns a text whose lines can be printed: control characters are escaped, and different bytes that
/// are not UTF-8 stay different.
fn visible(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for one in chunk.valid().chars() {
            if matches!(one, '\n' | '\t') {
                out.push(one);
            } else {
                push_printable(one, &mut out);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// Reads a file, or says why it cannot be, with the way out.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| {
        if error.kind() == io::ErrorKind::NotFound {
            return "there is no such file; --bless writes it as the transcript is now".to_owned();
        }
        ReadFault { error: &error, wanted: "the file with the transcript" }.to_string()
    };
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut text)).map_err(failed)?;
    if text.len() > MAX_BYTES { Err("it is larger than 64 MiB".to_owned()) } else { Ok(text) }
}

/// Gives the lines of a difference the colours that git gives them.
pub(crate) fn painted(diff: &str) -> String {
    let paint = |line: &str| {
        let colour = match line.as_bytes() {
            [b'-', b'-', b'-', b' ', ..] | [b'+', b'+', b'+', b' ', ..] => "\x1b[1m",
            [b'-', ..] => "\x1b[31m",
            [b'+', ..] => "\x1b[32m",
            [b'@', ..] => "\x1b[36m",
            _ => return format!("{line}\n"),
        };
        format!("{colour}{line}\x1b[0m\n")
    };
    diff.lines().map(paint).collect()
}
