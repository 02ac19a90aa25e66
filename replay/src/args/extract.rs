//! The command line of `knock-replay extract`.

use std::path::PathBuf;

use clap::Args;

use super::Fault;
use super::input::fault_of_captures;

const LONG_ABOUT: &str = "\
Keep what a replay needs of captures, as one small capture (pcapng).

Kept are all packets to ports that a configuration names, whatever their addresses and flags, so the new \
capture does not depend on '--local'. A replay of it prints the same transcript as a replay of the captures, with the \
rules of knock. Name every configuration that you want to try: the old one and the new one, for 'diff'.

The first packet is kept as well, for '--time=relative'. Where time runs backwards after packets that are left out, an empty \
packet has their time. Packets have new numbers; a comment on each says its capture and its number there.";

const EXAMPLES: &str = "\
Examples:
  Keep of a large capture what a configuration needs:
      knock-replay extract knocks.pcap.gz -c knockd.conf -o small.pcapng
  Keep what an old and a new configuration need, and compare them:
      knock-replay extract *.pcap -c knockd.conf -c new.conf -o small.pcapng
      knock-replay diff small.pcapng -c knockd.conf --new new.conf

Exit status:
  0  the captures were read to their ends, and the new one was written
  2  the command line or a configuration has an error
  3  a capture could not be read, or not to its end; what could be read of it was used
  4  the new capture could not be written";

/// Keep only the packets that a replay needs
#[derive(Clone, Debug, Args)]
#[command(
    long_about = LONG_ABOUT,
    after_long_help = EXAMPLES,
    override_usage = "knock-replay extract [OPTIONS] --config <FILE> --output <FILE.pcapng> <CAPTURE>..."
)]
pub(crate) struct ExtractArgs {
    /// Captures, merged by time; '-' is standard input
    ///
    /// As for a replay: pcap and pcapng, plain or compressed with gzip or zstd, and scenarios. Ctrl-C ends the
    /// reading of live packets, and what came until then is kept.
    #[arg(value_name = "CAPTURE", required = true)]
    pub(crate) captures: Vec<PathBuf>,

    /// A configuration whose ports are kept (repeatable)
    #[arg(short, long, value_name = "FILE", required = true)]
    pub(crate) config: Vec<PathBuf>,

    /// The new capture; '-' is standard output
    #[arg(short, long, value_name = "FILE.pcapng")]
    pub(crate) output: PathBuf,

    /// Print no summary, warnings or progress bar; only errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

impl ExtractArgs {
    pub(super) fn fault(&self) -> Option<Fault> {
        fault_of_captures(self.captures.iter())
    }
}
