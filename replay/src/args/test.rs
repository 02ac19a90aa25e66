//! The command line of `knock-replay test`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use clap::error::ErrorKind;
use knock_config::options::Format;

use super::{Fault, fault, local_address};

const LONG_ABOUT: &str = "\
Run the tests in folders: captures or scenarios, each beside a file that says what is expected.

A test is a capture (NAME.pcap, .pcapng or .cap, or one of these with .gz or .zst after it) or a scenario \
(NAME.scenario), with assertions (NAME.assert), a transcript (NAME.expect) or both. It is replayed \
against the nearest knockd.conf: in its folder, or in one above it up to DIR. Lines in NAME.assert can \
override this, such as 'config ../knockd.conf', 'local 192.0.2.1' and 'rules knockd-0.8'. Folders are \
searched to any depth, except those whose name begins with a dot. The same files give the same output, \
on every machine.";

const EXAMPLES: &str = "\
Examples:
  Make a first folder of tests for a configuration, and run them:
      knock-replay init knocks --config knockd.conf
      knock-replay test knocks

  Run them against another configuration before it goes live:
      knock-replay test knocks --config new.conf

  Run some of them:
      knock-replay test knocks --only opens

  Report the results to a CI system:
      knock-replay test knocks --junit junit.xml

Exit status:
  0  all tests passed
  1  a test failed
  2  the command line or a file of a test has an error, or there is no test
  3  a capture could not be read, or not to its end
  4  standard output or a file could not be written

If several apply, the status is the first of 4, 2, 3 and 1.";

/// Run the tests in folders
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct TestArgs {
    /// Folders with tests
    ///
    /// The name of a test is the path of its capture, without the extension.
    #[arg(value_name = "DIR", required = true)]
    pub(crate) folders: Vec<PathBuf>,

    /// Use this configuration for all tests, instead of the nearest one
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// A local address, for all tests, instead of theirs (repeatable)
    #[arg(long, value_name = "ADDR", value_parser = local_address)]
    pub(crate) local: Vec<IpAddr>,

    /// Run only tests with TEXT in their names (repeatable)
    ///
    /// If there is none, that is an error.
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Vec<String>,

    /// Write the transcripts to the NAME.expect files
    ///
    /// Later runs expect these. A file is written if it exists, or if there is no
    /// NAME.assert either; not if assertions fail or no packet was admitted.
    #[arg(long)]
    pub(crate) bless: bool,

    /// Write the results to FILE, too, as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    /// Print text, or JSON: one object a line
    ///
    /// docs/knock-test.schema.json describes the objects.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,

    /// The same as --format json.
    #[arg(long, hide = true)]
    json: bool,

    /// Print nothing for tests that pass, and no summary if all do
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,
}

impl TestArgs {
    /// Returns how results are printed.
    pub(crate) const fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        if self.format == Format::Json && self.quiet {
            let message = "'--format json' prints all results: leave out '--quiet'";
            return fault(ErrorKind::ArgumentConflict, message);
        }
        None
    }
}
