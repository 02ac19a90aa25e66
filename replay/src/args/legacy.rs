//! The modes of before there were subcommands: options that still work, but are hidden.

use std::path::PathBuf;

use clap::Command;
use clap::builder::ArgPredicate;
use clap::error::ErrorKind;
use knock_compat::Difference;
use knock_config::options::{self, Denied, Format};
use knock_config::warnings::Code;

use super::check::denied;
use super::{
    Args, CheckArgs, CodeArgs, ConvertArgs, DEFAULT_CONFIG, DiffArgs, ExplainArgs, Fault, Job,
    NotWhom, ReplayArgs, ReportArgs, RuleChoice, TimeFormat, Whom,
    client_in_the_place_of_a_capture, difference, fault,
};

/// Options that chose a mode, or went with one.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Legacy {
    #[arg(long, hide = true, conflicts_with_all = ["expect", "assert"])]
    check: bool,

    #[arg(
        long,
        hide = true,
        value_name = "CLIENT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        value_parser = subject,
        conflicts_with_all = ["time", "verbose", "expect", "assert"]
    )]
    explain: Option<Subject>,

    #[arg(
        long,
        hide = true,
        value_name = "NEW",
        conflicts_with_all = ["explain", "check", "expect", "assert", "write", "verbose"]
    )]
    against: Option<PathBuf>,

    #[arg(
        long,
        hide = true,
        value_name = "FILE",
        conflicts_with_all = ["explain", "check", "expect", "assert", "read"]
    )]
    write: Option<PathBuf>,

    #[arg(
        long,
        hide = true,
        value_name = "FILE",
        conflicts_with_all = ["explain", "check", "expect", "against", "write", "time", "verbose"]
    )]
    report: Option<PathBuf>,

    #[arg(
        long,
        hide = true,
        value_name = "N",
        value_delimiter = ',',
        value_parser = difference
    )]
    except: Vec<Difference>,

    #[arg(
        long,
        hide = true,
        value_name = "CODE",
        value_delimiter = ',',
        value_parser = denied,
        requires = "check"
    )]
    deny: Vec<Denied>,

    #[arg(
        long,
        hide = true,
        value_name = "CODE",
        value_delimiter = ',',
        value_parser = options::code,
        requires = "check"
    )]
    allow: Vec<Code>,

    #[arg(long, hide = true, requires = "check")]
    on_this_machine: bool,
}

/// What was to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    /// Why knocks of these clients did not open.
    Knocks(Whom),
    /// A warning.
    Warning(Code),
}

/// An option of before, and what to write instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hint {
    old: &'static str,
    new: &'static str,
}

impl std::fmt::Display for Hint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { old, new } = self;
        write!(out, "hint: {old} is now 'knock-replay {new}'")
    }
}

/// Lets the options of before go without what a replay requires.
pub(crate) fn relax(command: Command) -> Command {
    command
        .mut_arg("captures", |captures| captures.required_unless_present_any(["read", "check"]))
        .mut_arg("config", |config| {
            config
                .required(false)
                .required_unless_present("write")
                .required_unless_present_all(["check", "explain"])
                .default_value_ifs([
                    ("check", ArgPredicate::IsPresent, DEFAULT_CONFIG),
                    ("write", ArgPredicate::IsPresent, DEFAULT_CONFIG),
                ])
        })
}

impl Args {
    /// Returns what is to be done, with a hint if an option of before says so.
    ///
    /// # Errors
    /// Options that do not go together.
    pub(super) fn job(self) -> Result<(Job, Option<Hint>), Fault> {
        let faults = [
            Self::captures_fault,
            Self::explain_fault,
            Self::shard_fault,
            Self::rules_fault,
            Self::format_fault,
            Self::time_fault,
        ];
        if let Some(fault) = faults.iter().find_map(|fault| fault(&self)) {
            return Err(fault);
        }
        let Self { replay, legacy, .. } = self;
        let hint = legacy.hint(&replay);
        Ok((legacy.job(replay), hint))
    }

    fn captures_fault(&self) -> Option<Fault> {
        let Self { replay: ReplayArgs { input, .. }, legacy, .. } = self;
        if legacy.check && input.captures().next().is_some() {
            return fault(ErrorKind::ArgumentConflict, "'--check' takes no captures");
        }
        if let Some(fault) = input.fault() {
            return Some(fault);
        }
        if legacy.write.is_some() && input.captures.len() != 1 {
            return fault(ErrorKind::TooManyValues, "'--write' takes one scenario");
        }
        legacy.report.as_deref().and_then(|path| super::report::fault_of("--report", path))
    }

    fn explain_fault(&self) -> Option<Fault> {
        let subject = self.legacy.explain?;
        match (self.legacy.check, subject) {
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
        let is_all = subject == Subject::Knocks(Whom::All);
        let mut captures = self.replay.input.captures().filter(|_| is_all);
        let client = captures.find_map(|path| client_in_the_place_of_a_capture(path))?;
        super::explain::misplaced(client, &format!("--explain={client}"))
    }

    /// A transcript that is kept must be the same on every machine.
    fn time_fault(&self) -> Option<Fault> {
        let is_local = self.replay.time == Some(TimeFormat::Local);
        let message = "'--expect' compares with what any machine prints: give '--time=utc'";
        (is_local && self.replay.expect.is_some())
            .then(|| fault(ErrorKind::ArgumentConflict, message))
            .flatten()
    }

    fn rules_fault(&self) -> Option<Fault> {
        let Self { replay, legacy, .. } = self;
        let both = replay.rules == RuleChoice::Both;
        if replay.rules != RuleChoice::Knock {
            let by_knock = [
                ("--explain", legacy.explain.is_some()),
                ("--against", legacy.against.is_some()),
                ("--report", legacy.report.is_some()),
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
        if replay.expect.is_some() && both {
            let message = "'--expect' compares one transcript: choose the rules with '--rules'";
            return fault(ErrorKind::ArgumentConflict, message);
        }
        if !replay.assert.is_empty() && both {
            let message = "'--assert' goes by one set of rules: choose them with '--rules'";
            return fault(ErrorKind::ArgumentConflict, message);
        }
        if !legacy.except.is_empty() && !both {
            return fault(ErrorKind::MissingRequiredArgument, "'--except' needs '--rules both'");
        }
        None
    }

    /// A part of the clients has only objects, for `merge`.
    fn shard_fault(&self) -> Option<Fault> {
        let Self { replay, legacy, .. } = self;
        replay.shard?;
        let of_all_clients = [
            ("--rules", replay.rules != RuleChoice::Knock),
            ("--expect", replay.expect.is_some()),
            ("--assert", !replay.assert.is_empty()),
            ("--check", legacy.check),
            ("--explain", legacy.explain.is_some()),
            ("--against", legacy.against.is_some()),
            ("--write", legacy.write.is_some()),
            ("--report", legacy.report.is_some()),
        ];
        let option = of_all_clients.into_iter().find_map(|(option, given)| given.then_some(option));
        if let Some(option) = option {
            let message = format!("'{option}' is for all clients: leave out '--shard'");
            return fault(ErrorKind::ArgumentConflict, message);
        }
        if replay.format == Format::Text {
            let message = "only objects of shards can be merged: give '--format json' as well";
            return fault(ErrorKind::MissingRequiredArgument, message);
        }
        None
    }

    fn format_fault(&self) -> Option<Fault> {
        let Self { replay, legacy, .. } = self;
        if replay.format == Format::Text || legacy.check {
            return None;
        }
        let without_objects = [
            ("'--expect'", replay.expect.is_some()),
            ("'--assert'", !replay.assert.is_empty()),
            ("'--write'", legacy.write.is_some()),
            ("'--report'", legacy.report.is_some()),
            ("'--rules both'", replay.rules == RuleChoice::Both),
        ];
        let option =
            without_objects.into_iter().find_map(|(option, given)| given.then_some(option));
        if let Some(option) = option {
            let message = format!("{option} prints no JSON: leave out '--format json'");
            return fault(ErrorKind::ArgumentConflict, message);
        }
        super::fault_of_times(replay.time)
    }
}

impl Legacy {
    fn hint(&self, replay: &ReplayArgs) -> Option<Hint> {
        let hints = [
            (
                self.check && self.explain.is_some(),
                "--check --explain=CODE",
                "check --explain CODE",
            ),
            (self.check, "--check", "check"),
            (self.explain.is_some(), "--explain", "explain"),
            (self.report.is_some(), "--report FILE", "report -o FILE"),
            (self.against.is_some(), "--against FILE", "diff --new FILE"),
            (self.write.is_some(), "--write FILE", "convert SCENARIO FILE"),
            (replay.rules == RuleChoice::Both, "--rules both", "diff --rules"),
        ];
        let mut hints = hints.into_iter().filter(|_| !replay.input.quiet);
        hints.find_map(|(is_given, old, new)| is_given.then_some(Hint { old, new }))
    }

    fn job(self, replay: ReplayArgs) -> Job {
        let ReplayArgs { ref input, rules, time, format, .. } = replay;
        let input = input.clone();
        if self.check {
            let explain = match self.explain {
                Some(Subject::Warning(code)) => Some(code),
                Some(Subject::Knocks(_)) | None => None,
            };
            return Job::Check(CheckArgs {
                files: Vec::new(),
                config: input.config,
                codes: CodeArgs { explain, list: false },
                deny: self.deny,
                allow: self.allow,
                format,
                on_this_machine: self.on_this_machine,
                no_strict_modes: false,
                only_ip_v4: input.only_ip_v4,
                quiet: input.quiet,
            });
        }
        if let Some(output) = self.write {
            let scenario = input.captures.into_iter().next().unwrap_or_default();
            return Job::Convert(ConvertArgs { scenario, output, config: None, option: "--write" });
        }
        if let Some(Subject::Knocks(client)) = self.explain {
            return Job::Explain(ExplainArgs { client, format, input });
        }
        if let Some(output) = self.report {
            return Job::Report(ReportArgs { output, option: "--report", input });
        }
        let (new, rules) = (self.against, rules == RuleChoice::Both);
        if new.is_some() || rules {
            return Job::Diff(DiffArgs { new, rules, except: self.except, time, format, input });
        }
        Job::Replay(replay)
    }
}

fn subject(text: &str) -> Result<Subject, String> {
    if let Some(code) = Code::from_name(text) {
        return Ok(Subject::Warning(code));
    }
    let looks_like_a_code = text != "all" && text.contains('-') && !text.contains([':', '.']);
    if looks_like_a_code {
        return options::code(text).map(Subject::Warning);
    }
    text.parse().map(Subject::Knocks).map_err(|why: NotWhom| why.to_string())
}
