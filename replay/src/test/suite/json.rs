//! The results of tests, for programs: one object a line, as in `docs/knock-test.schema.json`.

use std::io;

use serde::Serialize;

use super::outcome::{Detail, Outcome, Problem, Verdict};
use super::run::Tests;
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
        details: Vec<Problem>,
    },
    Summary {
        tests: usize,
        passed: usize,
        failed: usize,
        errors: usize,
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
            details: outcome.details.iter().flat_map(Detail::problems).collect(),
        })
    }

    fn end(&mut self, outcomes: &[Outcome]) -> io::Result<()> {
        let count = |word| outcomes.iter().filter(|one| one.verdict.word() == word).count();
        self.write(&Object::Summary {
            tests: outcomes.len(),
            passed: count("passed"),
            failed: count("failed"),
            errors: count("error"),
        })
    }
}
