//! `--expect`: the transcript, compared with one that is kept in a file.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead as _, Read as _, Write};
use std::path::Path;
use std::time::Duration;

use knock_config::text::{Cause, counted, push_printable, shown};
use similar::{ChangeTag, TextDiff};

use knock_compat::Rules;
use knock_engine::Doors;

use crate::args::Args;
use crate::session::progress::Bar;
use crate::session::reader::Reader;

use crate::{Exit, Streams, sum_up};

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
    "no packet was admitted, so nothing was tested; see the summary, and '--explain'";

/// A transcript that is kept instead of printed.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) bytes: Vec<u8>,
    /// It would have been longer than a transcript can be.
    pub(crate) is_full: bool,
}

impl Write for Kept {
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
    args: &Args,
    file: &Path,
    rules: Rules,
    doors: Doors,
    reader: Reader,
    bar: Option<Bar>,
    streams: &mut Streams<'_>,
) -> Exit {
    let mut kept = Kept::default();
    let Streams { errors, progress, colour, output_colour, .. } = streams;
    let mut inner = Streams {
        output: &mut kept,
        errors: *errors,
        progress: *progress,
        colour: *colour,
        output_colour: *output_colour,
    };
    let (reading, playing, written) = crate::play(args, rules, doors, reader, bar, &mut inner);
    if let Err(error) = written {
        if !kept.is_full {
            return streams.cannot_write(&error);
        }
        streams.say(&format!("knock-replay: error: {TOO_LONG}\n"));
        return Exit::Output;
    }
    let summed_up = sum_up(args, &reading, &playing, streams);
    if summed_up != Exit::Done {
        return summed_up;
    }
    if playing.counts.admitted == 0 {
        streams.say(&format!("knock-replay: error: {NOTHING_TESTED}\n"));
        return Exit::Differ;
    }
    judge(args, file, &kept, streams)
}

/// Compares a transcript with the file that says what is expected, or makes it that.
pub(crate) fn judge(args: &Args, file: &Path, kept: &Kept, streams: &mut Streams<'_>) -> Exit {
    if args.bless { bless(file, kept, streams) } else { compare(file, kept, args.quiet, streams) }
}

/// Writes a transcript to a file that from now on says what is expected.
fn bless(path: &Path, kept: &Kept, streams: &mut Streams<'_>) -> Exit {
    match fs::write(path, &kept.bytes) {
        Ok(()) => {
            let lines = counted(kept.bytes.lines().count(), "line");
            streams.say(&format!("knock-replay: {lines} written to {}\n", shown(path)));
            Exit::Done
        }
        Err(error) => {
            let (path, cause) = (shown(path), Cause(&error));
            streams.say(&format!("knock-replay: error: cannot write {path}: {cause}\n"));
            Exit::Output
        }
    }
}

/// Compares a transcript with the file that says what is expected, and prints what differs.
fn compare(path: &Path, kept: &Kept, quiet: bool, streams: &mut Streams<'_>) -> Exit {
    let expected = match read(path) {
        Ok(expected) => expected,
        Err(why) => {
            let path = shown(path);
            streams.say(&format!("knock-replay: error: cannot read {path}: {why}\n"));
            return Exit::Config;
        }
    };
    if expected == kept.bytes {
        if !quiet {
            streams.say(&format!("knock-replay: as {} says\n", shown(path)));
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
    streams.say(&format!(
        "knock-replay: not as {name} says: {missing} missing, {new} new; if that is right, write the \
         file anew with --bless\n"
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
pub(crate) fn difference(name: &str, expected: &[u8], kept: &Kept) -> Difference {
    let [expected, actual] = [expected, &kept.bytes].map(visible);
    let diff = TextDiff::configure().timeout(SEARCH_MAX).diff_lines(&*expected, &*actual);
    let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
    let (missing, new) = (count(ChangeTag::Delete), count(ChangeTag::Insert));
    let diff = diff.unified_diff().context_radius(CONTEXT).header(name, "now").to_string();
    Difference { diff, missing, new }
}

/// Returns a text whose lines can be printed: nothing in them commands the terminal, and what is no UTF-8
/// is told apart.
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
        Cause(&error).to_string()
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
