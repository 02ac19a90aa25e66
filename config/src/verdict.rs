//! The result of `--check`.

use std::path::Path;

use crate::config::Config;
use crate::diagnostics::Style;
use crate::json;
use crate::lint::Circumstances;
use crate::load::{Check, Host, Refusal, Setup, Waits, doors};
use crate::options::{CheckOptions, Format};
use crate::text::{counted, shown};

/// The result of a check.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What goes to standard output.
    pub output: String,
    /// What goes to standard error.
    pub errors: String,
    /// The configuration; `None` if it has an error or a denied warning.
    pub config: Option<Config>,
    /// The last line about a configuration without errors, on standard error: how many doors it has.
    pub summary: String,
    /// How many warnings there are that are not denied, also those that are not shown.
    pub warnings: usize,
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
        waits: Waits,
        style: Style,
    ) -> Self {
        let circumstances = Circumstances { levels: options.levels(), ipv4_only };
        let setup = Setup::check(path, refuse, &Check { circumstances, host, waits });
        let (output, errors) = match options.format {
            Format::Text => (String::new(), setup.report(style)),
            Format::Json => (json::lines(path, setup.sources()), String::new()),
        };
        let sources = setup.sources().unwrap_or_default();
        let warnings = sources.iter().fold(0_usize, |sum, one| sum.saturating_add(one.warnings()));
        let summary = match (options.format, &setup.config) {
            (Format::Text, Some(config)) => summary(path, config, warnings),
            (Format::Text, None) | (Format::Json, _) => String::new(),
        };
        Self { output, errors, config: setup.config, summary, warnings }
    }
}

impl Verdict {
    /// Returns an error about the configuration as a whole as a line of JSON.
    #[must_use]
    pub fn fault_as_json(path: &Path, message: &str) -> String {
        json::fault(&shown(path), message)
    }
}

fn summary(path: &Path, config: &Config, warnings: usize) -> String {
    let warnings = match warnings {
        0 => String::new(),
        count => format!(", {}", counted(count, "warning")),
    };
    let doors = counted(doors(config).map_or(config.doors.len(), |doors| doors.len()), "door");
    format!("{}: {doors}, no errors{warnings}\n", shown(path))
}
