//! Included files: their lines are read in the place of the line that names them.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::files::{MAX_FILE_BYTES, Unreadable, Waits, read_configuration};
use super::parts::{Parts, error};
use crate::diagnostics::Finding;
use crate::lex::{Line, Piece, Span, Text};
use crate::pattern;
use crate::read;
use crate::text::shown;
use crate::wording::Wording;
use knock_guard::Modes;

/// How deep files can include others.
const DEPTH_MAX: usize = 8;

/// How many files a configuration can include.
const FILES_MAX: usize = 256;

/// The text of a configuration with that of the files that it includes.
pub(super) struct Expanded {
    pub(super) text: Vec<u8>,
    pub(super) parts: Parts,
    /// Why something cannot be included. The spans are those of `text`.
    pub(super) findings: Vec<Finding>,
}

impl Expanded {
    /// Reads what the text of the configuration at `path` includes.
    pub(super) fn new(path: &Path, text: Vec<u8>, modes: Modes) -> Self {
        let includes = |line: Line<'_>| read::included(line.trimmed()).is_some();
        if !Text::new(&text).lines().any(includes) {
            return Self { text, parts: Parts::default(), findings: Vec::new() };
        }
        let mut expansion = Expansion {
            modes,
            text: Vec::new(),
            lines: 0,
            parts: Parts::default(),
            failed: Vec::new(),
            above: vec![real(path)],
        };
        expansion.add(None, path, &text);
        let Expansion { text, parts, failed, .. } = expansion;
        let findings = failed.into_iter().map(|(span, wording)| {
            let span = Some(Piece::of(&text, &span).span());
            Finding { span, ..error(wording) }
        });
        let findings = findings.collect();
        Self { text, parts, findings }
    }
}

/// The text so far.
struct Expansion {
    modes: Modes,
    text: Vec<u8>,
    /// How many lines it has.
    lines: u32,
    parts: Parts,
    /// Places without a column, and what is wrong there.
    failed: Vec<(Span, Wording)>,
    /// The file that is read, and those that include it.
    above: Vec<PathBuf>,
}

/// Whether a text has begun a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sections {
    None,
    Some,
}

impl Expansion {
    /// Adds the lines of a file.
    fn add(&mut self, file: Option<usize>, path: &Path, text: &[u8]) -> Sections {
        let mut sections = Sections::None;
        // Whether the section of the next line is not the one above it in this file.
        let mut is_between = false;
        let text = Text::new(text.strip_suffix(b"\n").unwrap_or(text));
        for line in text.lines() {
            let content = line.trimmed();
            let is_text = !content.is_empty() && !content.bytes().starts_with(b"#");
            if content.bytes().starts_with(b"[") {
                (sections, is_between) = (Sections::Some, false);
            }
            let Some(value) = read::included(content) else {
                let span = self.push(file, line, content);
                if is_text && std::mem::take(&mut is_between) {
                    self.failed.push((span, between()));
                }
                continue;
            };
            match self.include(path, value) {
                Ok(Sections::Some) => (sections, is_between) = (Sections::Some, true),
                Ok(Sections::None) => {}
                Err(wording) => {
                    let span = self.push(file, line, value);
                    self.failed.push((span, wording));
                }
            }
        }
        sections
    }

    /// Adds a line, and returns the place of a piece of it.
    fn push(&mut self, file: Option<usize>, line: Line<'_>, piece: Piece<'_>) -> Span {
        self.lines = self.lines.saturating_add(1);
        self.parts.add_line(self.lines, file, line.number);
        let line_start = self.text.len();
        self.text.extend(line.text);
        let line_end = self.text.len();
        self.text.push(b'\n');
        let (start, end) = piece.place();
        Span { line: self.lines, column: 0, start, end, line_start, line_end }
    }

    /// Adds the files that a line names.
    fn include(&mut self, by: &Path, value: Piece<'_>) -> Result<Sections, Wording> {
        if value.is_empty() {
            let wording = Wording::new("`Include` names no file", "expected the path of a file");
            return Err(wording.help("name a file, or all in a folder: `/etc/knockd.d/*.conf`"));
        }
        let named = Path::new(OsStr::from_bytes(value.bytes()));
        let path = by.parent().unwrap_or(Path::new("")).join(named);
        let mut sections = Sections::None;
        for file in files(&path)? {
            if self.include_file(&file)? == Sections::Some {
                sections = Sections::Some;
            }
        }
        Ok(sections)
    }

    fn include_file(&mut self, path: &Path) -> Result<Sections, Wording> {
        let name = shown(path);
        let refuse = |why: &str, help: &str| {
            let wording = Wording::new(format!("cannot include `{name}`: {why}"), "named here");
            Err(wording.help(help))
        };
        let whole = real(path);
        if self.above.contains(&whole) {
            return refuse("it includes itself, or a file that does", "remove this line");
        }
        if self.above.len() > DEPTH_MAX {
            return refuse(
                &format!("files include others only {DEPTH_MAX} deep"),
                "include it in the first file",
            );
        }
        if self.parts.files().count() >= FILES_MAX {
            return refuse(
                &format!("a configuration includes {FILES_MAX} files at most"),
                "put several doors into one file",
            );
        }
        let text = read_configuration(path, self.modes, Waits::Never, |_| None);
        let text = text.map_err(|cause| cannot_read(path, &cause))?;
        let bytes = self.text.len().saturating_add(text.len());
        if u64::try_from(bytes).is_ok_and(|bytes| bytes > MAX_FILE_BYTES) {
            return refuse("all files together are larger than 1 MiB", "remove what is not needed");
        }
        let file = self.parts.add_file(path.to_owned());
        self.above.push(whole);
        let sections = self.add(Some(file), path, &text);
        self.above.pop();
        Ok(sections)
    }
}

/// Returns the files that a path means: itself, or, with a pattern in its last part, those of the folder, in the
/// order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>, Wording> {
    let last = path.file_name().unwrap_or_default().as_bytes();
    if !last.iter().any(|byte| matches!(byte, b'*' | b'?')) {
        return Ok(vec![path.to_owned()]);
    }
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let names = || -> io::Result<Vec<PathBuf>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let is_hidden = name.as_bytes().starts_with(b".");
            if !is_hidden && pattern::matches(last, name.as_bytes()) {
                names.push(path.with_file_name(name));
            }
        }
        names.sort();
        Ok(names)
    };
    names().map_err(|error| cannot_read(folder, &error.into()))
}

fn cannot_read(path: &Path, cause: &Unreadable) -> Wording {
    let help = if matches!(cause, Unreadable::Directory) {
        format!("write `{}/*.conf` for all files in it", shown(path)).into()
    } else {
        cause.help_for_configuration()
    };
    cause.wording(&shown(path), &help)
}

fn between() -> Wording {
    let wording =
        Wording::new("a line after `Include` without a section", "which section is meant?");
    wording.help("begin a section, such as `[options]`, or move the line above `Include`")
}

/// Returns the path of a file without links, if it can be found.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
