//! The results of tests as text.

use std::fmt::{Display, Write as _};
use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};
use knock_config::diagnostics;
use knock_config::text::counted;

use super::outcome::{Detail, Outcome, Verdict};
use super::run::{Summary, Tests};
use crate::output::Output;
use crate::output::words::{Painted, painted};
use crate::session::exit::Exit;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// Results as text: a line for each test, then why tests did not pass.
pub(super) struct Text<'a> {
    pub(super) colour: bool,
    pub(super) quiet: bool,
    pub(super) out: &'a mut dyn Write,
}

impl Output<Tests> for Text<'_> {
    fn one(&mut self, outcome: &Outcome) -> io::Result<()> {
        let line = self.line(outcome);
        self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush())
    }

    fn end(&mut self, summary: Summary<'_>) -> io::Result<()> {
        let text = self.text(summary);
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush())
    }
}

impl Text<'_> {
    /// Returns the line of a test.
    fn line(&self, outcome: &Outcome) -> String {
        let (word, style) = match outcome.verdict {
            Verdict::Passed | Verdict::Blessed if self.quiet && outcome.unreadable == 0 => {
                return String::new();
            }
            Verdict::Passed => ("ok", GOOD),
            Verdict::Blessed => ("ok, written", GOOD),
            Verdict::Failed => ("FAILED", BAD),
            Verdict::Error(_) => ("error", BAD),
        };
        let unreadable = match outcome.unreadable {
            0 => String::new(),
            1 => " (1 packet could not be read)".to_owned(),
            several => format!(" ({several} packets could not be read)"),
        };
        format!("{} ... {}{unreadable}\n", outcome.name, self.paint(style, word))
    }

    /// Returns why tests did not pass, and how many did.
    fn text(&self, Summary { outcomes, uncovered }: Summary<'_>) -> String {
        let mut text = String::new();
        let failed: Vec<&Outcome> = outcomes.iter().filter(|one| !one.details.is_empty()).collect();
        let mut configs: Vec<(&str, &str)> = Vec::new();
        for outcome in &failed {
            let blank = if text.ends_with("\n\n") { "" } else { "\n" };
            let _ = write!(text, "{blank}---- {} ----\n\n", outcome.name);
            for detail in &outcome.details {
                // The errors of a configuration are printed once.
                let config = outcome.config.as_deref().unwrap_or_default();
                let known = configs.iter().find(|(known, _)| *known == config);
                match (detail, known) {
                    (Detail::Config(_), Some((_, name))) => {
                        let _ = writeln!(text, "error: {config} has errors, see {name}");
                    }
                    (Detail::Config(_), None) => {
                        configs.push((config, &outcome.name));
                        text += &detail.text(self.style());
                    }
                    (_, _) => text += &detail.text(self.style()),
                }
            }
            if !text.ends_with("\n\n") {
                text.push('\n');
            }
        }
        if failed.is_empty() && self.quiet && uncovered.is_empty() {
            return text;
        }
        if failed.is_empty() && !self.quiet {
            text.push('\n');
        }
        for config in uncovered {
            let _ = writeln!(text, "warning: no test covers {config}");
        }
        if !failed.is_empty() || !self.quiet {
            text += &self.summary(outcomes);
        }
        text
    }

    fn summary(&self, outcomes: &[Outcome]) -> String {
        let count = |is_one: fn(&Verdict) -> bool| {
            outcomes.iter().filter(|one| is_one(&one.verdict)).count()
        };
        let passed = count(|one| one.exit() == Exit::Done);
        let failed = count(|one| *one == Verdict::Failed);
        let errors = count(|one| matches!(one, Verdict::Error(_)));
        let tests = counted(outcomes.len(), "test");
        let errors = if errors > 0 { format!(", {errors} in error") } else { String::new() };
        let counts = format!("{tests}: {passed} passed, {failed} failed{errors}");
        let style = if passed == outcomes.len() { GOOD } else { BAD };
        format!("{}\n", self.paint(style, counts))
    }

    const fn style(&self) -> diagnostics::Style {
        if self.colour { diagnostics::Style::Coloured } else { diagnostics::Style::Plain }
    }

    fn paint<T: Display>(&self, style: Style, text: T) -> Painted<T> {
        painted(self.colour, style, text)
    }
}
