//! The command line of `knock-replay check`.

use std::path::PathBuf;

use clap::Args;
use knock_config::options::{self, CheckOptions, Denied, Format};
use knock_config::warnings::Code;

use super::DEFAULT_CONFIG;

const LONG_ABOUT: &str = "\
Check configurations and the files that they name, without a capture.

Prints every error, and warns about likely mistakes and weak doors: a sequence that a port scan makes, a stop \
command that does not undo the start command, and others. A warning does not change the exit status, unless \
it is denied.";

const EXAMPLES: &str = "\
Examples:
  Check a configuration as strictly as possible:
      knock-replay check knockd.conf --deny warnings

  Check those of all servers:
      knock-replay check servers/

  Explain a warning:
      knock-replay check --explain ascending-sequence

Exit status:
  0  every configuration is sound
  2  one has an error or a denied warning, or the command line has an error
  4  standard output could not be written";

/// Check configurations, without a capture
#[derive(Clone, Debug, Args)]
#[command(long_about = LONG_ABOUT, after_long_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct CheckArgs {
    /// Configurations, or folders: of a folder, every file below it whose name ends in '.conf'
    #[arg(value_name = "FILE", conflicts_with = "config")]
    pub(super) files: Vec<PathBuf>,

    /// The configuration, if none is named: a knockd.conf
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub(super) config: PathBuf,

    #[command(flatten)]
    pub(crate) codes: CodeArgs,

    /// Treat these warnings as errors: their codes, or 'warnings' for all
    ///
    /// Codes are separated by commas. They are in brackets after the word 'warning'.
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = denied)]
    pub(crate) deny: Vec<Denied>,

    /// Do not print these warnings
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = options::code)]
    pub(crate) allow: Vec<Code>,

    /// Print text, or JSON: one object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Also check that the commands exist on this machine, and who may read and write the files
    ///
    /// Without this option only the content of the files is checked, because they may come from another
    /// machine. 'knockd --check' always checks both.
    #[arg(long)]
    pub(crate) on_this_machine: bool,

    /// With '--on-this-machine': accept files that other users can write, as 'knockd' with this option does
    #[arg(long, requires = "on_this_machine")]
    pub(crate) no_strict_modes: bool,

    /// Ignore IPv6
    #[arg(short = '4', long = "only-ip-v4")]
    pub(crate) only_ip_v4: bool,

    /// Print nothing about configurations that are sound
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// What is asked about warnings in general.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct CodeArgs {
    /// Explain the warning with this code, and exit
    #[arg(long, value_name = "CODE", value_parser = options::code)]
    pub(crate) explain: Option<Code>,

    /// List the codes of all warnings, and exit
    #[arg(long, conflicts_with = "explain")]
    pub(crate) list: bool,
}

impl CheckArgs {
    /// Returns the files and folders that are to be checked.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        if self.files.is_empty() { std::slice::from_ref(&self.config) } else { &self.files }
    }

    /// Returns what is to be found, and how it is printed.
    pub(crate) fn options(&self) -> CheckOptions {
        let Self { format, deny, allow, .. } = self.clone();
        CheckOptions { check: true, format, deny, allow }
    }
}

pub(super) fn denied(text: &str) -> Result<Denied, String> {
    if text == "warnings" { Ok(Denied::Warnings) } else { options::code(text).map(Denied::Code) }
}
