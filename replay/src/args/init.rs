//! The command line of `knock-replay init`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::local_address;

const LONG_ABOUT: &str = "\
Make a first folder of tests for a configuration, for 'knock-replay test'.

For each door there are scenarios with assertions: the right knocks, which open it; a wrong last knock, \
the knocks in reverse and the last one too late, which do not. Of a door with 'signed' there are a signed packet, \
which opens it once, and one by a client with a wrong clock. Every test passes when it is made. The \
configuration is not copied, because tests of a copy would not notice a change: DIR/knockd.conf is a link \
to it. Where that leads nowhere, as on another machine, name the configuration with 'knock-replay test \
--config'.

Scenarios of sequences contain the knocks that open the doors: keep them as secret as the configuration. Those of \
signed packets contain no key. Nothing is overwritten.";

const EXAMPLES: &str = "\
Examples:
  Make tests for the doors of a server, and run them:
      knock-replay init knocks --config /etc/knockd.conf
      knock-replay test knocks

Exit status:
  0  the tests were made
  1  none could be made for a door; the others were
  2  the command line or the configuration has an error, or a file exists
  4  a file could not be written";

/// Make a first folder of tests for a configuration
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct InitArgs {
    /// The folder to make, or to add to
    #[arg(value_name = "DIR", default_value = "knocks")]
    pub(crate) folder: PathBuf,

    /// The configuration: a knockd.conf
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: PathBuf,

    /// A local address, for doors without a target (repeatable)
    ///
    /// The tests name it, and knock at the first address of each family. Without this option they knock
    /// at 192.0.2.1, and every destination counts.
    #[arg(long, value_name = "ADDR", value_parser = local_address)]
    pub(crate) local: Vec<IpAddr>,
}
