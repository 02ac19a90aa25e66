//! The command line of `knock-replay report`.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::error::ErrorKind;

use super::{Fault, Input, fault, is_stdin};

const LONG_ABOUT: &str = "\
Write a page for a browser: what happened to whose knocks, and why.

One file that needs nothing else: who got in and until when, who did not and why, a timeline of every client \
at every door, the explanation of each packet as 'knock-replay explain' prints it, and the configuration \
with the lines that decided. It contains the secret sequences, so only its owner can read the file. The rules \
are those of knock, not of knockd 0.8. Ctrl-C ends the reading of live packets, and the page is written.

It counts all openings, and follows at most 262144 pairs of a client and a door. At most 20000 of them have a \
row, with their openings and 100 other events. What is left out is counted.";

const EXAMPLES: &str = "\
Examples:
  See what happened, and why, in a browser:
      knock-replay report knocks.pcap -c knockd.conf -o report.html

Exit status:
  0  the captures were replayed to their ends, and the page was written
  2  the command line or the configuration has an error
  3  a capture could not be read, or not to its end, or no thread can be started
  4  the page could not be written";

/// Write a page for a browser: what happened, and why
#[derive(Clone, Debug, Args)]
#[command(
    long_about = LONG_ABOUT,
    after_long_help = EXAMPLES,
    override_usage = "knock-replay report [OPTIONS] --config <FILE> --output <FILE.html> <CAPTURE>..."
)]
pub(crate) struct ReportArgs {
    /// The page
    #[arg(short, long, value_name = "FILE.html")]
    pub(crate) output: PathBuf,

    /// How the command line named the page.
    #[arg(skip = "--output")]
    pub(crate) option: &'static str,

    #[command(flatten)]
    pub(crate) input: Input,
}

impl ReportArgs {
    pub(super) fn fault(&self) -> Option<Fault> {
        self.input.fault().or_else(|| fault_of("--output", &self.output))
    }
}

/// A page needs a file.
pub(super) fn fault_of(option: &str, path: &Path) -> Option<Fault> {
    if !is_stdin(path) {
        return None;
    }
    let message = format!("'{option}' needs the name of a file: a page has no place on a terminal");
    fault(ErrorKind::InvalidValue, message)
}
