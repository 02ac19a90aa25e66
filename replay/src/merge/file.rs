//! The output of a shard, line by line.

use std::cmp::Ordering;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use chrono::DateTime;
use knock_config::file_faults::ReadFault;
use knock_config::text::shown;
use knock_engine::Timestamp;
use serde::Deserialize;

use crate::output::transcript::{SUMMARY, VERSION};
use crate::session::summary::Totals;
use crate::shard::{Order, Shard, ShardFacts};

/// The longest line that is read. A line of a shard has less than a hundredth of that.
const LINE_MAX: u64 = 16 << 20;

/// The output of a shard that is being read.
pub(super) struct ShardFile {
    name: String,
    lines: BufReader<File>,
    /// The number of the last line that was read.
    number: u64,
    last: Option<Key>,
}

/// What objects are sorted by.
type Key = (u64, bool, Timestamp, [u64; 3]);

/// A line of a shard but for its summary.
#[derive(Debug)]
pub(super) struct Object {
    key: Key,
    pub(super) at: Timestamp,
    pub(super) event: String,
    /// As a replay of all clients prints it.
    pub(super) line: String,
}

/// The last line of a shard.
#[derive(Debug, Deserialize)]
pub(super) struct ShardSummary {
    version: u8,
    r#type: String,
    #[serde(flatten)]
    pub(super) totals: Totals,
    pub(super) shard: ShardFacts,
}

/// What both kinds of lines have.
#[derive(Deserialize)]
struct Line<'a> {
    version: u8,
    r#type: &'a str,
    time: &'a str,
    event: &'a str,
    order: Order,
}

/// Why the output of a shard cannot be merged.
#[derive(Debug)]
pub(super) struct Damage {
    name: String,
    /// The line, from 1, if it is about one.
    line: Option<u64>,
    cause: DamageCause,
}

#[derive(Debug)]
enum DamageCause {
    CannotRead(io::Error),
    NoFile,
    Empty,
    Cut,
    NoShard,
    OtherVersion,
    NoObject,
    TooLong,
    Disordered,
    SummaryWithin,
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, line, cause } = self;
        let cause: &dyn fmt::Display = match cause {
            DamageCause::CannotRead(error) => {
                let wanted =
                    "the output of a shard, from a replay with '--shard I/N --format json'";
                return write!(out, "cannot read {name}: {}", ReadFault { error, wanted });
            }
            DamageCause::NoFile => {
                &"it is no file; its last line is read first, so write it to one"
            }
            DamageCause::Empty => &"it is empty: replay this shard again",
            DamageCause::Cut => &"it has no summary at its end: replay this shard again",
            DamageCause::NoShard => {
                &"it is not the output of a shard: replay with '--shard I/N --format json'"
            }
            DamageCause::OtherVersion => &"another version of the program has written it",
            DamageCause::NoObject => &"this is no object of a shard: replay this shard again",
            DamageCause::TooLong => &"this line is too long for one of a shard",
            DamageCause::Disordered => {
                &"this comes before the line above it: the file was changed, so replay this shard again"
            }
            DamageCause::SummaryWithin => {
                &"a summary before the end: merge takes each shard as a file"
            }
        };
        write!(out, "cannot merge {name}")?;
        if let Some(line) = line {
            write!(out, ", line {line}")?;
        }
        write!(out, ": {cause}")
    }
}

impl ShardFile {
    /// Opens the output of a shard, and reads its last line.
    ///
    /// # Errors
    /// Why it cannot be merged.
    pub(super) fn open(path: &Path) -> Result<(Self, ShardSummary), Damage> {
        let name = shown(path);
        let damage = |cause| Damage { name: name.clone(), line: None, cause };
        let cannot_read = |error| damage(DamageCause::CannotRead(error));
        // Opening a pipe would wait until somebody writes to it.
        let data = fs::metadata(path).map_err(cannot_read)?;
        if !data.is_file() && !data.is_dir() {
            return Err(damage(DamageCause::NoFile));
        }
        let mut file = File::open(path).map_err(cannot_read)?;
        let last = last_line(&mut file).map_err(cannot_read)?;
        let summary = match last {
            LastLine::Of(line) => summary(&line),
            LastLine::Cut => Err(DamageCause::Cut),
            LastLine::Empty => Err(DamageCause::Empty),
            LastLine::OfOther => Err(DamageCause::NoShard),
        };
        let summary = summary.map_err(damage)?;
        Ok((Self { name, lines: BufReader::new(file), number: 0, last: None }, summary))
    }

    /// Returns the name, fit to be printed.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the next object; `None` if the summary is next.
    ///
    /// # Errors
    /// Why the file cannot be merged.
    pub(super) fn next(&mut self) -> Result<Option<Object>, Damage> {
        self.try_next().map_err(|cause| {
            let line = (!matches!(cause, DamageCause::CannotRead(_) | DamageCause::Cut))
                .then_some(self.number);
            Damage { name: self.name.clone(), line, cause }
        })
    }

    fn try_next(&mut self) -> Result<Option<Object>, DamageCause> {
        self.number = self.number.saturating_add(1);
        let line = self.read_line()?;
        let Ok(parsed) = serde_json::from_str::<Line<'_>>(&line) else {
            let is_summary = serde_json::from_str::<ShardSummary>(&line).is_ok();
            return match (is_summary, self.read_line()) {
                (true, Err(DamageCause::Cut)) => Ok(None),
                (true, _) => Err(DamageCause::SummaryWithin),
                (false, _) => Err(DamageCause::NoObject),
            };
        };
        let object = Object::of(&parsed, &line).ok_or(DamageCause::NoObject)?;
        if self.last.is_some_and(|last| object.key < last) {
            return Err(DamageCause::Disordered);
        }
        self.last = Some(object.key);
        Ok(Some(object))
    }

    /// Reads a whole line with its end.
    fn read_line(&mut self) -> Result<String, DamageCause> {
        let mut line = Vec::new();
        let read = self.lines.by_ref().take(LINE_MAX).read_until(b'\n', &mut line);
        read.map_err(DamageCause::CannotRead)?;
        match line.last() {
            Some(b'\n') => String::from_utf8(line).map_err(|_| DamageCause::NoObject),
            Some(_) if line.len() >= usize::try_from(LINE_MAX).unwrap_or(usize::MAX) => {
                Err(DamageCause::TooLong)
            }
            None | Some(_) => Err(DamageCause::Cut),
        }
    }
}

impl Object {
    /// Takes a line of a shard.
    fn of(parsed: &Line<'_>, line: &str) -> Option<Self> {
        let Line { version, r#type, time, event, order } = *parsed;
        if version != VERSION || r#type == SUMMARY {
            return None;
        }
        let at = DateTime::parse_from_rfc3339(time).ok()?.timestamp_nanos_opt()?;
        let at = Timestamp::from_nanos(at);
        // In a text, there would be a backslash before the quotation mark.
        let (rest, _) = line.rsplit_once(",\"order\":[")?;
        Some(Self { key: order.key(at), at, event: event.to_owned(), line: format!("{rest}}}\n") })
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Object {}

impl PartialOrd for Object {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Object {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// Reads the last line of a shard.
fn summary(line: &[u8]) -> Result<ShardSummary, DamageCause> {
    let value: serde_json::Value = serde_json::from_slice(line).map_err(|_| DamageCause::Cut)?;
    let field = |name: &str| value.get(name);
    if field("type").is_some_and(|of_type| of_type != SUMMARY) && field("order").is_some() {
        return Err(DamageCause::Cut);
    }
    if field("shard").is_none() {
        return Err(DamageCause::NoShard);
    }
    let summary = serde_json::from_value::<ShardSummary>(value).ok().filter(|summary| {
        let ShardFacts { number, of, .. } = summary.shard;
        summary.version == VERSION && summary.r#type == SUMMARY && Shard::new(number, of).is_some()
    });
    summary.ok_or(DamageCause::OtherVersion)
}

/// How a file ends.
enum LastLine {
    /// With this line, which ends with a newline.
    Of(Vec<u8>),
    /// In the middle of a line.
    Cut,
    /// There is nothing in it.
    Empty,
    /// It is no file of objects.
    OfOther,
}

/// Returns how a file ends. The file is then at its beginning.
fn last_line(file: &mut File) -> io::Result<LastLine> {
    const PIECE: u64 = 64 * 1024;
    let mut first = [0];
    if file.read(&mut first)? == 0 {
        return Ok(LastLine::Empty);
    }
    if first != *b"{" {
        return Ok(LastLine::OfOther);
    }
    let end = file.seek(SeekFrom::End(0))?;
    let mut length = 0;
    let mut last = Vec::new();
    while length < end.min(LINE_MAX) {
        length = length.saturating_add(PIECE).min(end);
        file.seek(SeekFrom::Start(end.saturating_sub(length)))?;
        last.clear();
        file.take(length).read_to_end(&mut last)?;
        let Some(text) = last.strip_suffix(b"\n") else { break };
        let start = text.iter().rposition(|byte| *byte == b'\n');
        if start.is_some() || length == end {
            let line = text.get(start.map_or(0, |start| start.saturating_add(1))..);
            file.rewind()?;
            return Ok(line.map_or(LastLine::Cut, |line| LastLine::Of(line.to_vec())));
        }
    }
    Ok(LastLine::Cut)
}
