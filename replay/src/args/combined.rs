//! What options mean together, as far as clap cannot say it.

use std::path::Path;

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use knock_config::options::Format;

use super::{Args, RuleChoice, Subject, is_stdin};
use crate::explain::Whom;

impl Args {
    /// Checks what clap cannot.
    ///
    /// # Errors
    /// A clap error, to be printed as one, if standard input is named twice, or options do not go
    /// together.
    pub(crate) fn checked(self) -> Result<Self, clap::Error> {
        let fault = self
            .captures_fault()
            .or_else(|| self.explain_fault())
            .or_else(|| self.rules_fault())
            .or_else(|| self.format_fault());
        match fault {
            Some((kind, message)) => Err(Self::command().error(kind, message)),
            None => Ok(self),
        }
    }

    fn captures_fault(&self) -> Option<Fault> {
        if self.checking.check && self.captures().next().is_some() {
            return fault(ErrorKind::ArgumentConflict, "'--check' takes no captures");
        }
        if self.captures().filter(|capture| is_stdin(capture)).count() > 1 {
            let message = "standard input ('-') is named more than once";
            return fault(ErrorKind::ArgumentConflict, message);
        }
        if self.write.is_some() && self.captures.len() != 1 {
            return fault(ErrorKind::TooManyValues, "'--write' takes one scenario");
        }
        if self.report.as_deref().is_some_and(is_stdin) {
            let message = "'--report' needs the name of a file: a page has no place on a terminal";
            return fault(ErrorKind::InvalidValue, message);
        }
        None
    }

    fn explain_fault(&self) -> Option<Fault> {
        let subject = self.explain?;
        match (self.checking.check, subject) {
            (true, Subject::Knocks(_)) => {
                let message = "with '--check', '--explain=CODE' explains a warning; without it, \
                               '--explain' explains knocks";
                return fault(ErrorKind::InvalidValue, message);
            }
            (false, Subject::Warning(code)) => {
                let code = code.name();
                let message =
                    format!("to have a warning explained, write '--check --explain={code}'");
                return fault(ErrorKind::InvalidValue, message);
            }
            (true, Subject::Warning(_)) | (false, Subject::Knocks(_)) => {}
        }
        if subject == Subject::Knocks(Whom::All)
            && let Some(client) =
                self.captures().find_map(|path| client_in_the_place_of_a_capture(path))
        {
            let message = format!(
                "'{client}' is taken for a capture, and there is no such file; to explain the knocks \
                 of that client, write '--explain={client}'"
            );
            return fault(ErrorKind::ArgumentConflict, message);
        }
        None
    }

    fn rules_fault(&self) -> Option<Fault> {
        let both = self.rules == RuleChoice::Both;
        if self.rules != RuleChoice::Knock {
            let by_knock = [
                ("--explain", self.explain.is_some()),
                ("--against", self.against.is_some()),
                ("--report", self.report.is_some()),
            ];
            let option = by_knock.into_iter().find_map(|(option, given)| given.then_some(option));
            if let Some(option) = option {
                let message = format!(
                    "'{option}' goes by the rules of knock: leave out '--rules', and see with '--rules \
                     both' alone where knockd 0.8 does something else"
                );
                return fault(ErrorKind::ArgumentConflict, message);
            }
        }
        if self.expect.is_some() && both {
            let message = "'--expect' compares one transcript: choose the rules with '--rules'";
            return fault(ErrorKind::ArgumentConflict, message);
        }
        if !self.assert.is_empty() && both {
            let message = "'--assert' goes by one set of rules: choose them with '--rules'";
            return fault(ErrorKind::ArgumentConflict, message);
        }
        if !self.except.is_empty() && !both {
            return fault(ErrorKind::MissingRequiredArgument, "'--except' needs '--rules both'");
        }
        None
    }

    fn format_fault(&self) -> Option<Fault> {
        if self.checking.format == Format::Text || self.checking.check {
            return None;
        }
        let without_objects = [
            ("'--expect'", self.expect.is_some()),
            ("'--assert'", !self.assert.is_empty()),
            ("'--write'", self.write.is_some()),
            ("'--report'", self.report.is_some()),
            ("'--rules both'", self.rules == RuleChoice::Both),
        ];
        let option =
            without_objects.into_iter().find_map(|(option, given)| given.then_some(option));
        if let Some(option) = option {
            let message = format!("{option} prints no JSON: leave out '--format json'");
            return fault(ErrorKind::ArgumentConflict, message);
        }
        if self.time.is_some() {
            let message = "objects have both times: leave out '--time'";
            return fault(ErrorKind::ArgumentConflict, message);
        }
        None
    }
}

/// What is wrong, and of which kind it is.
type Fault = (ErrorKind, String);

#[expect(clippy::unnecessary_wraps, reason = "it is what the places that use it return")]
fn fault(kind: ErrorKind, message: impl Into<String>) -> Option<Fault> {
    Some((kind, message.into()))
}

/// Returns what stands in the place of a capture, if it is a client and no file.
fn client_in_the_place_of_a_capture(path: &Path) -> Option<Whom> {
    let whom = path.to_str()?.parse::<Whom>().ok()?;
    (!path.exists()).then_some(whom)
}
