//! The results of tests, for programs: one object a line, as in `docs/knock-test.schema.json`.

use std::io;

use serde::Serialize;

use super::outcome::{Detail, Outcome, Problem, Verdict};
use super::run::{Summary, Tests};
use crate::output::Output;
use crate::output::json::Json;

/// The version of the format. A program that knows one may meet further fields in it, never another
/// meaning of those it knows.
pub(super) const VERSION: u8 = 1;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Object<'a> {
    Test {
        name: &'a str,
        outcome: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        capture: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        config: Option<&'a str>,
        assertions: usize,
        blessed: bool,
        #[serde(skip_serializing_if = "is_none")]
        unreadable: u64,
        details: Vec<Problem>,
    },
    Summary {
        tests: usize,
        passed: usize,
        failed: usize,
        errors: usize,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        uncovered: &'a [String],
    },
}

impl Output<Tests> for Json<'_> {
    fn one(&mut self, outcome: &Outcome) -> io::Result<()> {
        self.write(&Object::Test {
            name: &outcome.name,
            outcome: outcome.verdict.word(),
            capture: outcome.capture.as_deref(),
            config: outcome.config.as_deref(),
            assertions: outcome.assertions,
            blessed: outcome.verdict == Verdict::Blessed,
            unreadable: outcome.unreadable,
            details: outcome.details.iter().flat_map(Detail::problems).collect(),
        })
    }

    fn end(&mut self, Summary { outcomes, uncovered }: Summary<'_>) -> io::Result<()> {
        let count = |word| outcomes.iter().filter(|one| one.verdict.word() == word).count();
        self.write(&Object::Summary {
            tests: outcomes.len(),
            passed: count("passed"),
            failed: count("failed"),
            errors: count("error"),
            uncovered,
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_none(number: &u64) -> bool {
    *number == 0
}
