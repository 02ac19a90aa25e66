//! The command line of `knock-replay merge`.

use std::path::PathBuf;

use clap::Args;

const LONG_ABOUT: &str = "\
Make one output of those of all shards.

Each file is what a replay with '--shard I/N --format json' printed, for every I from 1 to N, on any machine: with the \
same captures, configuration and options. Standard output gets what a replay without '--shard' prints, byte for byte.

It is refused if a file is missing or does not belong to the others, or if all shards together may have reached a \
limit, where one client matters to another.";

const EXAMPLES: &str = "\
Examples:
  Replay half of the clients, then the others, and put the two together:
      knock-replay *.pcap -c knockd.conf --format json --shard 1/2 > 1.jsonl
      knock-replay *.pcap -c knockd.conf --format json --shard 2/2 > 2.jsonl
      knock-replay merge 1.jsonl 2.jsonl > all.jsonl

Exit status:
  0  the outputs were merged
  2  the command line has an error, or the outputs do not belong together
  3  an output could not be read, or is not whole
  4  standard output could not be written";

/// Merge the outputs of shards
#[derive(Clone, Debug, Args)]
#[command(long_about = LONG_ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct MergeArgs {
    /// The outputs of all shards, in any order
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}
