//! The command line.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{CommandFactory as _, Parser};
use knock_config::options::{CheckOptions, STYLES, code, number_of_attempts};
use knock_config::warnings::Code;
use knock_engine::Limits;

const LONG_ABOUT: &str = "\
Listen for secret sequences of packets, and open doors for those who know them.

A drop-in for knockd 0.8: the same configuration file, options and lines. Packets are read by a \
process without privileges; commands are run by another one, as the user who started knockd.";

const EXAMPLES: &str = "\
Examples:
  Check the configuration, for instance before a restart or a reload:
      knockd --check && systemctl reload knockd

  Watch knocks arrive on the loopback interface:
      knockd -v -i lo -c knockd.conf

  Listen on all interfaces, as a daemon, with a log file:
      knockd -d -i any -g /var/log/knockd.log

  Keep the packets that count, to replay them when a knock did not open:
      knockd -i eth0 --record /var/log/knocks.pcapng
      knock-replay /var/log/knocks.pcapng -c /etc/knockd.conf --verbose

Signals:
  TERM, INT  run the stop commands of all open doors, then end
  HUP        read the configuration anew, and open the log file again

Exit status:
  0  a signal ended knockd, and all doors are closed; with --check, the configuration is sound
  1  knockd could not start or go on, or could not close a door
  2  with --check: the configuration is at fault, or has a warning that is denied";

/// Port-knock daemon: listen for secret sequences of packets and open doors.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "knockd",
    version,
    long_about = LONG_ABOUT,
    after_help = "Try 'knockd --help' for examples, signals and the exit statuses.",
    after_long_help = EXAMPLES,
    styles = STYLES,
    max_term_width = 100
)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Args {
    /// The interfaces to listen on (repeatable, or separated by commas); 'any' is all of them
    ///
    /// Beats the configuration. If that names none either, knockd listens on the interface of the default
    /// route.
    #[arg(short, long = "interface", value_name = "INTERFACE", value_delimiter = ',')]
    pub interfaces: Vec<OsString>,

    /// Run as a daemon
    ///
    /// The caller waits until knockd listens: errors before that are printed on its terminal, and its
    /// exit status tells of them.
    #[arg(short, long, conflicts_with = "check")]
    pub daemon: bool,

    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "/etc/knockd.conf")]
    pub config: PathBuf,

    /// Print every packet that counts, and why others of the same client did not
    #[arg(short = 'D', long)]
    pub debug: bool,

    /// Look up the names of clients, for lines about them
    ///
    /// The names come from whoever runs the DNS of the client's address. They are looked up beside
    /// everything else: no packet and no command waits for a name, a line waits a second at most.
    #[arg(short, long)]
    pub lookup: bool,

    /// The file for the process number of the daemon [default: /var/run/knockd.pid]
    ///
    /// Beats the configuration. Only written with '--daemon'.
    #[arg(short, long, value_name = "FILE")]
    pub pidfile: Option<PathBuf>,

    /// The log file
    ///
    /// Beats the configuration.
    #[arg(short = 'g', long, value_name = "FILE")]
    pub logfile: Option<PathBuf>,

    /// Print the transcript: every stage, opening, command and timeout
    #[arg(short, long)]
    pub verbose: bool,

    /// Ignore packets of IPv6 and handle only IPv4
    #[arg(short = '4', long = "only-ip-v4")]
    pub only_ip_v4: bool,

    /// Write the packets that count to this file, a pcapng capture that knock-replay reads
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub record: Option<PathBuf>,

    /// Remember at most this many attempts
    ///
    /// At the limit the attempt with the least progress makes room for a new one, and knockd says so.
    /// An attempt takes about 80 bytes of memory.
    #[arg(
        long,
        value_name = "N",
        default_value_t = Limits::DEFAULT_ATTEMPTS,
        value_parser = number_of_attempts
    )]
    pub max_attempts: NonZeroU32,

    /// What a check finds and how it tells of it.
    #[command(flatten)]
    pub checking: CheckOptions,

    /// Explain a warning at length, and end
    #[arg(long, value_name = "CODE", value_parser = code, help_heading = "Check")]
    pub explain: Option<Code>,
}

/// Returns the command line as a value, for the manual page.
#[must_use]
pub fn command() -> clap::Command {
    Args::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
