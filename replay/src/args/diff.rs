//! The command line of `knock-replay diff`.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgGroup, Args};
use knock_compat::Difference;
use knock_config::options::Format;

use super::{Fault, Input, TimeFormat, fault, fault_of_times};

const LONG_ABOUT: &str = "\
Print what another configuration, or knockd 0.8, does differently with the same packets.

With '--new', the captures are replayed under both configurations, by the rules of knock. The differences \
are printed side by side, for each client and door, each with its cause: openings, commands and timeouts that \
are gone, new or at another time, and commands with another text.

With '--rules', the captures are replayed by the rules of knockd 0.8 and of knock. The lines that only one of \
them prints are shown, each with its packet and the number of the difference in docs/differences.md.";

const EXAMPLES: &str = "\
Examples:
  See what a new configuration changes, before it goes live:
      knock-replay diff knocks.pcap -c /etc/knockd.conf --new new.conf

  See what changes for a server that runs knockd 0.8 today:
      knock-replay diff knocks.pcap -c /etc/knockd.conf --rules

Exit status:
  0  there is no difference
  1  there is one, or no packet was admitted and nothing was compared
  2  the command line or a configuration has an error
  3  a capture could not be read, or not to its end, or no thread can be started
  4  standard output could not be written";

/// Show what another configuration, or knockd 0.8, does differently
#[derive(Clone, Debug, Args)]
#[command(
    long_about = LONG_ABOUT,
    after_long_help = EXAMPLES,
    override_usage = "knock-replay diff [OPTIONS] --config <FILE> <--new <FILE>|--rules> <CAPTURE>...",
    group = ArgGroup::new("other").required(true).args(["new", "rules"])
)]
pub(crate) struct DiffArgs {
    /// Compare with this configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) new: Option<PathBuf>,

    /// Compare knockd 0.8 with knock
    #[arg(long)]
    pub(crate) rules: bool,

    /// Leave out lines that are due to these differences (with --rules)
    ///
    /// Numbers of docs/differences.md, separated by commas. Such lines do not count for the exit
    /// status. For example, '17' leaves out timeouts that are only printed at another time.
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        value_parser = super::difference
    )]
    pub(crate) except: Vec<Difference>,

    /// How times are printed; without it, --rules prints none
    #[arg(
        long,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "utc"
    )]
    pub(crate) time: Option<TimeFormat>,

    /// Print text, or JSON: one object a line
    ///
    /// docs/knock-against.schema.json describes the objects.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) input: Input,
}

impl DiffArgs {
    pub(super) fn fault(&self) -> Option<Fault> {
        let time = self.time.filter(|_| self.format == Format::Json);
        if self.new.is_some() && !self.except.is_empty() {
            return fault(ErrorKind::MissingRequiredArgument, "'--except' needs '--rules'");
        }
        self.input.fault().or_else(|| fault_of_times(time))
    }
}
