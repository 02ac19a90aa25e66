//! What came of tests, as text.

use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Style};
use knock_config::diagnostics;
use knock_config::text::counted;

use super::outcome::{Detail, Outcome, Verdict};
use crate::exit::Exit;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// What is told, in which manner.
pub(super) struct Text {
    pub(super) colour: bool,
    pub(super) quiet: bool,
}

impl Text {
    /// Returns the line of a test.
    pub(super) fn line(&self, outcome: &Outcome) -> String {
        let (word, style) = match outcome.verdict {
            Verdict::Passed | Verdict::Blessed if self.quiet => return String::new(),
            Verdict::Passed => ("ok", GOOD),
            Verdict::Blessed => ("ok, written anew", GOOD),
            Verdict::Failed => ("FAILED", BAD),
            Verdict::Error(_) => ("error", BAD),
        };
        format!("{} ... {}\n", outcome.name, self.paint(style, word))
    }

    /// Returns why tests did not pass, and how many did.
    pub(super) fn end(&self, outcomes: &[Outcome]) -> String {
        let mut text = String::new();
        let failed: Vec<&Outcome> = outcomes.iter().filter(|one| !one.details.is_empty()).collect();
        let mut configs: Vec<(&str, &str)> = Vec::new();
        for outcome in &failed {
            let blank = if text.ends_with("\n\n") { "" } else { "\n" };
            let _ = write!(text, "{blank}---- {} ----\n\n", outcome.name);
            for detail in &outcome.details {
                // What is wrong with a configuration is told once.
                let config = outcome.config.as_deref().unwrap_or_default();
                let told = configs.iter().find(|(told, _)| *told == config);
                match (detail, told) {
                    (Detail::Config(_), Some((_, name))) => {
                        let _ = writeln!(text, "error: {config} is at fault, see {name}");
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
        if failed.is_empty() && self.quiet {
            return text;
        }
        if failed.is_empty() {
            text.push('\n');
        }
        text + &self.summary(outcomes)
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
        self.paint(style, &counts) + "\n"
    }

    const fn style(&self) -> diagnostics::Style {
        if self.colour { diagnostics::Style::Coloured } else { diagnostics::Style::Plain }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.colour {
            format!("{}{text}{}", style.render(), style.render_reset())
        } else {
            text.to_owned()
        }
    }
}
