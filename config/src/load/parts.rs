//! Which file each line of a configuration is from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diagnostics::{Finding, Source};
use crate::text::shown;
use crate::wording::{Severity, Wording};

/// Which file each line of a configuration is from, if it includes others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The included files, in the order in which they were read.
    files: Vec<PathBuf>,
    /// In the order of the text; none if nothing is included.
    runs: Vec<Run>,
}

/// Lines that follow one another in the text and in their file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// The first line in the text.
    first: u32,
    /// The place of the file among the included ones; `None` for the configuration itself.
    file: Option<usize>,
    /// The same line in its file.
    line: u32,
}

impl Parts {
    /// Returns the included files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// Returns the included file that a line of the text is from, `None` if that is the configuration itself, and
    /// the number of the line there.
    #[must_use]
    pub fn place(&self, line: u32) -> (Option<&Path>, u32) {
        let (file, line) = self.index(line);
        (file.and_then(|file| self.files.get(file)).map(PathBuf::as_path), line)
    }

    fn index(&self, line: u32) -> (Option<usize>, u32) {
        let after = self.runs.partition_point(|run| run.first <= line);
        match after.checked_sub(1).and_then(|at| self.runs.get(at)) {
            Some(run) => {
                let further = line.saturating_sub(run.first);
                (run.file, run.line.saturating_add(further))
            }
            None => (None, line),
        }
    }

    /// Adds a file, and returns its place.
    pub(super) fn add_file(&mut self, path: PathBuf) -> usize {
        self.files.push(path);
        self.files.len().saturating_sub(1)
    }

    /// Notes where the line of the text with this number is from, which comes after all those before.
    pub(super) fn add_line(&mut self, number: u32, file: Option<usize>, line: u32) {
        if self.index(number) != (file, line) || self.runs.is_empty() {
            self.runs.push(Run { first: number, file, line });
        }
    }

    /// Divides what was found in the text by files: first the configuration itself, then each file with findings.
    pub(super) fn split(&self, mut whole: Source) -> Vec<Source> {
        whole.sort();
        if self.files.is_empty() {
            return vec![whole];
        }
        let mut by_file: BTreeMap<Option<usize>, Vec<Finding>> = BTreeMap::new();
        by_file.insert(None, Vec::new());
        for mut finding in std::mem::take(&mut whole.findings) {
            let mut file = None;
            if let Some(span) = &mut finding.span {
                (file, span.line) = self.index(span.line);
            }
            finding.wording = self.wording(file, finding.wording);
            by_file.entry(file).or_default().push(finding);
        }
        let sources = by_file.into_iter().map(|(file, findings)| {
            let path = file.and_then(|file| self.files.get(file));
            let more = |count: usize| if path.is_none() { count } else { 0 };
            Source {
                name: path.map_or_else(|| whole.name.clone(), |path| shown(path)),
                // Spans refer to the whole text.
                text: whole.text.clone(),
                findings,
                more_errors: more(whole.more_errors),
                more_warnings: more(whole.more_warnings),
            }
        });
        sources.collect()
    }

    /// Returns a wording in a file with the numbers of lines as they are in the files.
    fn wording(&self, file: Option<usize>, wording: Wording) -> Wording {
        let text = |text: String| self.lines_named(file, &text);
        Wording {
            message: text(wording.message),
            label: text(wording.label),
            help: wording.help.map(text),
            note: wording.note.map(text),
        }
    }

    fn lines_named(&self, file: Option<usize>, text: &str) -> String {
        let mut named = String::new();
        // What is between backticks is quoted from a file.
        for (index, part) in text.split('`').enumerate() {
            if index > 0 {
                named.push('`');
            }
            let mut rest = part;
            while index.is_multiple_of(2)
                && let Some((before, after)) = rest.split_once("line ")
            {
                let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                let (number, after) = after.split_at_checked(digits).unwrap_or(("", after));
                named.extend([before, "line "]);
                match number.parse().map(|number| self.index(number)) {
                    Ok((other, line)) => {
                        named += &line.to_string();
                        let path = other.and_then(|other| self.files.get(other));
                        if let Some(path) = path.filter(|_| other != file) {
                            named.extend([" of ", &shown(path)]);
                        } else if other != file {
                            named += " of the configuration that includes it";
                        }
                    }
                    Err(_) => named += number,
                }
                rest = after;
            }
            named += rest;
        }
        named
    }
}

/// Returns an error at a place that is not known yet.
pub(super) fn error(wording: Wording) -> Finding {
    Finding { severity: Severity::Error, code: None, span: None, wording }
}
