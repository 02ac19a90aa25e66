//! The results of tests as JUnit XML.

use std::io;

use knock_config::diagnostics::Style;
use knock_guard::Target;
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::outcome::{Detail, Outcome, Verdict};

/// Writes the results into a file.
///
/// # Errors
/// What the system says.
pub(super) fn write(file: Target, outcomes: &[Outcome]) -> io::Result<()> {
    let document = document(outcomes).map_err(io::Error::other)?;
    file.write(|out| out.write_all(document.as_bytes()))
}

/// Returns the results of tests as a document, a suite for each folder of the command line. It has no times:
/// the same files give the same document.
///
/// # Errors
/// That of the library, which has none for such a document.
fn document(outcomes: &[Outcome]) -> Result<String, SerializeError> {
    let mut report = Report::new("knock-replay test");
    let mut suites: Vec<(&str, TestSuite)> = Vec::new();
    for outcome in outcomes {
        let root = outcome.root.as_str();
        let case = case(outcome);
        if let Some((_, suite)) = suites.iter_mut().find(|(name, _)| *name == root) {
            suite.add_test_case(case);
        } else {
            let mut suite = TestSuite::new(root);
            suite.add_test_case(case);
            suites.push((root, suite));
        }
    }
    report.add_test_suites(suites.into_iter().map(|(_, suite)| suite));
    report.to_string()
}

fn case(outcome: &Outcome) -> TestCase {
    let kind = match outcome.verdict {
        Verdict::Passed | Verdict::Blessed => None,
        Verdict::Failed => Some(NonSuccessKind::Failure),
        Verdict::Error(_) => Some(NonSuccessKind::Error),
    };
    let status = kind.map_or_else(TestCaseStatus::success, |kind| {
        let problems: Vec<_> = outcome.details.iter().flat_map(Detail::problems).collect();
        let first = problems.first().map(|one| one.message.lines().next().unwrap_or_default());
        let message = match (first, problems.len()) {
            (Some(first), 0 | 1) => first.to_owned(),
            (Some(first), more) => format!("{first}, and {} more", more.saturating_sub(1)),
            (None, _) => String::new(),
        };
        let text: String = outcome.details.iter().map(|detail| detail.text(Style::Plain)).collect();
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(message).set_type(outcome.verdict.word()).set_description(text);
        status
    });
    let mut case = TestCase::new(outcome.name.as_str(), status);
    case.set_classname(outcome.root.as_str());
    case
}
