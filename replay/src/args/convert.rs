//! The command line of `knock-replay convert`.

use std::path::PathBuf;

use clap::Args;

const LONG_ABOUT: &str = "\
Write the packets of a scenario as a capture (pcap).

A scenario is text that says what is sent; see the manual page. Every subcommand reads scenarios as it \
reads captures. Other programs, such as tcpdump and Wireshark, need a capture.";

const EXAMPLES: &str = "\
Examples:
  Make a capture of made-up knocks:
      echo knock 10.0.0.5 7000 8000 9000 > scenario.txt
      knock-replay convert scenario.txt scenario.pcap

Exit status:
  0  the capture was written
  2  the command line or the configuration has an error
  3  the scenario could not be read
  4  the capture could not be written";

/// Write a scenario as a capture
#[derive(Clone, Debug, Args)]
#[command(long_about = LONG_ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct ConvertArgs {
    /// The scenario; '-' is standard input
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenario: PathBuf,

    /// The capture
    #[arg(value_name = "FILE.pcap")]
    pub(crate) output: PathBuf,

    /// The configuration with the keys for signed packets: a knockd.conf
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// How the command line named the capture.
    #[arg(skip = "convert")]
    pub(crate) option: &'static str,
}
