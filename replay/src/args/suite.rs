//! The command line of `knock-replay test`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::local_address;

const LONG_ABOUT: &str = "\
Run the tests in folders: captures or scenarios, each with what is expected of it beside it.

A test is a capture (NAME.pcap, .pcapng or .cap, perhaps with .gz or .zst behind) or a scenario \
(NAME.scenario), with assertions (NAME.assert), a transcript (NAME.expect) or both. It is replayed \
against the knockd.conf that is nearest: in its folder, or in one above it up to DIR. Lines in \
NAME.assert can say otherwise, such as 'config ../knockd.conf', 'local 192.0.2.1' and 'rules \
knockd-0.8'. Folders are searched to any depth, but for those whose name begins with a dot. The same \
files give the same output, on every machine.";

const EXAMPLES: &str = "\
Examples:
  Make a first folder of tests for a configuration, and run them:
      knock-replay init knocks --config knockd.conf
      knock-replay test knocks

  Hold the configuration of a server to them before it goes live:
      knock-replay test knocks --config new.conf

  Run some of them:
      knock-replay test knocks --only opens

  Tell a CI system what came of it:
      knock-replay test knocks --junit junit.xml

Exit status:
  0  all tests passed
  1  a test failed
  2  the command line, a configuration or what is expected is at fault, or there is no test
  3  a capture could not be read, or not to its end
  4  standard output or a file could not be written

Of several, 4 comes first, then 2, 3 and 1.";

/// Run the tests in folders
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct TestArgs {
    /// Folders with tests
    ///
    /// The name of a test is the path of its capture, without what tells its kind.
    #[arg(value_name = "DIR", required = true)]
    pub(crate) folders: Vec<PathBuf>,

    /// Replay all tests against this configuration, instead of the one nearest to each
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// A local address, in all tests, instead of those that they name (repeatable)
    #[arg(long, value_name = "ADDR", value_parser = local_address)]
    pub(crate) local: Vec<IpAddr>,

    /// Run only tests that have TEXT in their names (repeatable)
    ///
    /// If there is none, that is an error.
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Vec<String>,

    /// Write the transcripts anew that are expected, so that they are what is expected from now on
    ///
    /// NAME.expect is written where it is there, or where there is no NAME.assert either. It is not
    /// written where assertions do not hold or no packet was admitted.
    #[arg(long)]
    pub(crate) bless: bool,

    /// Write what came of the tests to FILE, too, as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    /// Print what came of the tests as JSON, one object a line
    ///
    /// As docs/knock-test.schema.json describes.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print nothing of tests that pass, and no summary if all do
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,
}
