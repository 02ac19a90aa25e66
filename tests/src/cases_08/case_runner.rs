//! Runs cases with the program `knock-replay`, and compares the outcome.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::play::{self, CONF, SEQUENCES};
use super::{Case, Outcome, Who, stops_after_starts};
use crate::capture_builder::knocks;

pub(super) const CAPTURE: &str = "capture.pcap";

/// What the real program prints first on standard output where it has no transcript.
const USAGE: &str = "usage: knockd [options]\n";

/// The actual outcome of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How the program ended, if not with status 0: `status N` or `signal N`.
    pub end: Option<String>,
    /// Standard output: the transcript.
    pub output: Vec<u8>,
    /// Standard error.
    pub errors: String,
    /// The final file of one-time sequences, if there is one. For a replay, the lines that it reports as used
    /// up are marked.
    pub sequences: Option<Vec<u8>>,
}

impl Found {
    /// Returns a difference to the case; `None` if there is none.
    #[must_use]
    pub fn fault(&self, case: &Case, who: Who) -> Option<String> {
        let (what, expected, found) = self.first_difference(case, who)?;
        Some(format!(
            "{} ({}), {}: {what}\n--- expected\n{expected}\n--- found\n{found}\n--- standard error\n{}",
            case.name,
            case.file.display(),
            who.name(),
            self.errors
        ))
    }

    /// Returns what differs, what was expected, and what was found.
    fn first_difference(&self, case: &Case, who: Who) -> Option<(&'static str, String, String)> {
        let (mut output, usage) = self.transcript();
        // A rule set without an outcome of its own prints the lines of the real program, with the stop
        // commands when they are due, and exits with status 0.
        let expected = case.outcome(who).unwrap_or_else(|| {
            output = stops_after_starts(&output);
            let transcript = case.outcome(Who::Real).unwrap_or_default().transcript;
            Outcome { transcript, ..Outcome::default() }
        });
        let end = |end: &Option<String>| end.as_deref().unwrap_or("status 0").to_owned();
        if expected.then_chance {
            output.truncate(expected.transcript.len());
        } else if self.end != expected.end {
            return Some(("the end", end(&expected.end), end(&self.end)));
        }
        if usage != expected.usage {
            return Some(("the usage text", expected.usage.to_string(), usage.to_string()));
        }
        if output != expected.transcript {
            return Some(("the transcript", text(&expected.transcript), text(&self.output)));
        }
        if let Some(missing) = expected.errors.iter().find(|e| !self.errors.contains(*e)) {
            return Some(("a text on standard error", missing.clone(), String::new()));
        }
        // A program that refuses the configuration marks nothing.
        let is_refused = who != Who::Real && self.end.is_some();
        let sequences =
            if is_refused { case.part(SEQUENCES) } else { case.sequences_in_the_end(who) };
        if self.sequences.as_deref() != sequences {
            let [expected, found] =
                [sequences, self.sequences.as_deref()].map(|some| text(some.unwrap_or_default()));
            return Some(("the sequences in the end", expected, found));
        }
        None
    }

    /// Returns the transcript without the usage text, and whether there was one.
    #[must_use]
    pub fn transcript(&self) -> (Vec<u8>, bool) {
        split_usage(self.output.clone())
    }
}

fn split_usage(output: Vec<u8>) -> (Vec<u8>, bool) {
    if output.starts_with(USAGE.as_bytes()) { (vec![], true) } else { (output, false) }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Replays a case with the program `knock-replay`; a case with a reload, which replay does not
/// know, with the engine alone.
///
/// # Panics
/// If the program cannot be run, or changes the file of sequences.
#[must_use]
pub fn replay(case: &Case, program: &Path, who: Who) -> Found {
    if case.reload().is_some() {
        return play::play(case, play::rules(who));
    }
    let desk = CaseRunner::new(case);
    let output = desk.run(program, case, who.name());
    let sequences = desk.sequences();
    assert_eq!(sequences.as_deref(), case.part(SEQUENCES), "{}: a replay writes", case.name);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let status = output.status.code().unwrap_or_else(|| panic!("{}: {errors}", case.name));
    Found {
        end: (status != 0).then(|| format!("status {status}")),
        output: output.stdout,
        sequences: sequences.map(|text| with_marks(text, &errors)),
        errors,
    }
}

/// Compares both rule sets on a case with `knock-replay`. Returns standard output and standard error.
///
/// # Panics
/// If the program cannot be run.
#[must_use]
pub fn compare(case: &Case, program: &Path) -> (String, String) {
    let output = CaseRunner::new(case).run(program, case, "both");
    (text(&output.stdout), text(&output.stderr))
}

/// Marks the lines that are used up according to the notes of a replay.
fn with_marks(mut sequences: Vec<u8>, errors: &str) -> Vec<u8> {
    let number = |line: &str| -> Option<usize> {
        let (_, rest) = line.split_once(": one-time sequence on line ")?;
        rest.strip_suffix(" is used up")?.parse().ok()
    };
    for number in errors.lines().filter_map(number) {
        let mut lines = sequences.split_inclusive_mut(|byte| *byte == b'\n');
        lines.nth(number - 1).expect("the line is in the file")[0] = b'#';
    }
    sequences
}

/// A folder with the files of a case.
pub(super) struct CaseRunner(TempDir);

impl CaseRunner {
    pub(super) fn new(case: &Case) -> Self {
        let desk = Self(TempDir::new().expect("there is room for a folder"));
        desk.write(CONF, case.conf());
        case.part(SEQUENCES).into_iter().for_each(|text| desk.write(SEQUENCES, text));
        let capture = knocks::parse(Path::new(&case.name), case.knocks());
        desk.write(CAPTURE, &capture.unwrap_or_else(|error| panic!("{error}")).to_bytes());
        desk
    }

    fn run(&self, program: &Path, case: &Case, rules: &str) -> Output {
        Command::new(program)
            .current_dir(self.path())
            .args([CAPTURE, "--verbose", "--config", CONF, "--rules", rules])
            .args(case.args())
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.path().join(name), bytes).expect("there is room for files");
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn sequences(&self) -> Option<Vec<u8>> {
        fs::read(self.0.path().join(SEQUENCES)).ok()
    }
}
