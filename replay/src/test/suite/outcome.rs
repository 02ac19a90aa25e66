//! The result of a test.

use std::rc::Rc;

use knock_config::Setup;
use knock_config::diagnostics::{self, Source, Style};
use knock_config::{Severity, Wording};
use serde::Serialize;

use crate::session::exit::Exit;
use crate::test::assert::Unusable;
use crate::test::expect::{Difference, painted};
use knock_capture::{CaptureError, Fault};

/// The result of a test.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The name of the test, fit to be printed.
    pub(super) name: String,
    /// The folder of tests that it is in, fit to be printed.
    pub(super) root: String,
    /// The capture, if there is one, fit to be printed.
    pub(super) capture: Option<String>,
    /// The configuration, if it is known, fit to be printed.
    pub(super) config: Option<String>,
    /// How many assertions were judged.
    pub(super) assertions: usize,
    /// How many packets of the capture may have been knocks and could not be read.
    pub(super) unreadable: u64,
    pub(super) verdict: Verdict,
    /// Why it did not pass.
    pub(super) details: Vec<Detail>,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    /// It passed, and the expected transcript was written.
    Blessed,
    Failed,
    /// It could not be run, or not to its end, and this is the exit status.
    Error(Exit),
}

impl Verdict {
    /// Returns what it does to the exit status.
    pub(super) const fn exit(self) -> Exit {
        match self {
            Self::Passed | Self::Blessed => Exit::Done,
            Self::Failed => Exit::Differ,
            Self::Error(exit) => exit,
        }
    }

    /// Returns the word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Passed | Self::Blessed => "passed",
            Self::Failed => "failed",
            Self::Error(_) => "error",
        }
    }
}

/// Why a test did not pass.
#[derive(Debug)]
pub(super) enum Detail {
    /// Assertions fail.
    Assertions(Vec<Source>),
    /// The transcript is not the one in the file of this name.
    Transcript(String, Difference),
    /// The file of assertions is of no use.
    Unusable(Unusable),
    /// The configuration is of no use.
    Config(Rc<Setup>),
    /// The capture cannot be read.
    Capture(Box<CaptureError>),
    /// Anything else.
    Message(String),
}

impl Detail {
    /// Returns it as text, with a newline at its end.
    pub(super) fn text(&self, style: Style) -> String {
        match self {
            Self::Assertions(sources) => diagnostics::render_findings(sources, style),
            Self::Transcript(name, Difference { diff, missing, new }) => {
                let diff = match style {
                    Style::Plain => diff.clone(),
                    Style::Coloured => painted(diff),
                };
                format!("{diff}not as {name} says: lines missing: {missing}, new: {new}\n")
            }
            Self::Unusable(unusable) => unusable.report(style),
            Self::Config(setup) => setup.report_of_errors(style),
            Self::Capture(error) => {
                if let Fault::Scenario(source) = &error.fault {
                    diagnostics::render(std::slice::from_ref(source), style)
                } else {
                    format!("error: {error}\n")
                }
            }
            Self::Message(message) => format!("error: {message}\n"),
        }
    }

    /// Returns it for programs: the problems, one by one.
    pub(super) fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Assertions(sources) => sources.iter().flat_map(of_source).collect(),
            Self::Unusable(Unusable::Faulty(source)) => of_source(source),
            Self::Unusable(Unusable::Unreadable(wording)) => vec![of_wording(wording)],
            Self::Capture(error) => {
                if let Fault::Scenario(source) = &error.fault {
                    of_source(source)
                } else {
                    vec![Problem::new(error.to_string())]
                }
            }
            Self::Transcript(name, difference) => vec![Problem {
                file: Some(name.clone()),
                diff: Some(difference.diff.clone()),
                ..Problem::new("the transcript is not as expected".to_owned())
            }],
            Self::Config(setup) => vec![Problem::new(setup.report_of_errors(Style::Plain))],
            Self::Message(message) => vec![Problem::new(message.clone())],
        }
    }
}

/// A problem, for programs.
#[derive(Debug, Default, Serialize)]
pub(super) struct Problem {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

impl Problem {
    fn new(message: String) -> Self {
        Self { message, ..Self::default() }
    }
}

fn of_source(source: &Source) -> Vec<Problem> {
    let errors = source.findings.iter().filter(|one| one.severity == Severity::Error);
    let problems = errors.map(|finding| Problem {
        file: Some(source.name.clone()),
        line: finding.span.map(|span| span.line),
        column: finding.span.map(|span| span.column),
        ..of_wording(&finding.wording)
    });
    problems.collect()
}

fn of_wording(wording: &Wording) -> Problem {
    Problem {
        label: (!wording.label.is_empty()).then(|| wording.label.clone()),
        help: wording.help.clone(),
        note: wording.note.clone(),
        ..Problem::new(wording.message.clone())
    }
}
