//! `--check`: everything that can be said about a configuration.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::lint::{self, Advice, Checked, Circumstances};
use crate::parse::{Config, Diagnostics, Excerpt, Parsed};
use knock_engine::OneTimeSequences;

use crate::files::Refusal;
use crate::host::Host;
use crate::options::{CheckOptions, Format};
use crate::report::Style;
use crate::setup::Setup;
use crate::text::shown;
use crate::{doors, json};

/// What a check takes into account.
pub(crate) struct Check<'a> {
    /// What becomes of warnings, and what the command line says besides.
    pub(crate) circumstances: Circumstances,
    /// The machine that the configuration is for; `None` if it is not known.
    pub(crate) host: Option<&'a dyn Host>,
}

/// What came out of a check.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What goes to standard output.
    pub output: String,
    /// What goes to standard error.
    pub errors: String,
    /// The configuration; `None` if it is at fault or something is denied.
    pub config: Option<Config>,
    /// What is said last of a sound configuration, on standard error: how many doors it has.
    pub summary: String,
}

impl Verdict {
    /// Checks the configuration at `path` and the files it names, as [`Setup::load_unless`] reads them.
    #[must_use]
    pub fn on(
        path: &Path,
        refuse: impl FnOnce(&[u8]) -> Option<Refusal>,
        options: &CheckOptions,
        ipv4_only: bool,
        host: Option<&dyn Host>,
        style: Style,
    ) -> Self {
        let circumstances = Circumstances { levels: options.levels(), ipv4_only };
        let setup = Setup::check(path, refuse, &Check { circumstances, host });
        let (output, errors) = match options.format {
            Format::Text => (String::new(), setup.report(style)),
            Format::Json => (json::lines(path, &setup), String::new()),
        };
        let summary = match (options.format, &setup.config) {
            (Format::Text, Some(config)) => summary(path, config, &setup),
            (Format::Text, None) | (Format::Json, _) => String::new(),
        };
        Self { output, errors, config: setup.config, summary }
    }
}

impl Verdict {
    /// Returns a fault of the configuration as a whole that its reader found, as a line of JSON.
    #[must_use]
    pub fn fault_as_json(path: &Path, message: &str) -> String {
        json::fault(&shown(path), message)
    }
}

fn summary(path: &Path, config: &Config, setup: &Setup) -> String {
    let counted =
        |count: usize, thing: &str| format!("{count} {thing}{}", if count == 1 { "" } else { "s" });
    let sources = setup.sources().unwrap_or_default();
    let warnings = sources.iter().fold(0_usize, |sum, one| sum.saturating_add(one.warnings()));
    let warnings = match warnings {
        0 => String::new(),
        count => format!(", {}", counted(count, "warning")),
    };
    let doors = counted(doors(config).map_or(config.doors.len(), |doors| doors.len()), "door");
    format!("{}: {doors}, no errors{warnings}\n", shown(path))
}

impl Check<'_> {
    /// Reads the text of a configuration.
    pub(crate) fn configuration(&self, path: &Path, text: &[u8]) -> Parsed {
        let Checked { mut parsed, programs } = lint::check(text, &self.circumstances);
        let Some(host) = self.host else { return parsed };
        let mut faults = BTreeMap::new();
        for program in &programs {
            let fault = *faults
                .entry(&program.path)
                .or_insert_with(|| host.program_fault(Path::new(OsStr::from_bytes(&program.path))));
            if let Some(fault) = fault {
                let program_text = Excerpt::new(&program.path);
                let advice = Advice::CommandNotFound { program: program_text, fault };
                parsed.diagnostics.advise_of_machine(advice, Some(program.span));
            }
        }
        // A configuration without doors has nothing to hide.
        if parsed.config.as_ref().is_some_and(|config| !config.doors.is_empty()) {
            advise_of_mode(host, path, &mut parsed.diagnostics);
        }
        parsed.diagnostics.sort();
        parsed
    }

    /// Reads the text of a file of one-time sequences.
    pub(crate) fn one_time(
        &self,
        path: &Path,
        text: &[u8],
    ) -> (Option<OneTimeSequences>, Diagnostics) {
        let (sequences, mut diagnostics) = lint::check_one_time(text, &self.circumstances);
        let has_secrets = sequences.as_ref().is_some_and(|sequences| sequences.next().is_some());
        if let Some(host) = self.host.filter(|_| has_secrets) {
            advise_of_mode(host, path, &mut diagnostics);
        }
        (sequences, diagnostics)
    }
}

/// Warns of a file that every user may read.
fn advise_of_mode(host: &dyn Host, path: &Path, diagnostics: &mut Diagnostics) {
    const READ_BY_OTHERS: u32 = 0o004;
    if let Some(mode) = host.mode(path).filter(|mode| mode & READ_BY_OTHERS != 0) {
        diagnostics.advise_of_machine(Advice::WorldReadable { mode }, None);
    }
}
