//! The command line.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, value_parser};
use knock_config::options::{CheckOptions, STYLES, code, number_of_attempts};
use knock_config::warnings::Code;
use knock_engine::Limits;
use knock_guard::Modes;

/// The default of `--record-size`.
const RECORD_SIZE: u32 = 100;

const LONG_ABOUT: &str = "\
Listen for secret sequences of packets, and open doors for clients that know them.

A drop-in replacement for knockd 0.8: same configuration file, same options, same log lines. One \
process reads packets, without privileges; another runs commands, as the user who started knockd.";

const EXAMPLES: &str = "\
Examples:
  Check the configuration, for instance before a restart or a reload:
      knockd --check && systemctl reload knockd

  Watch knocks arrive on the loopback interface:
      knockd -v -i lo -c knockd.conf

  Listen on all interfaces, as a daemon, with a log file:
      knockd -d -i any -g /var/log/knockd.log

  Record the packets that count, to find out why a knock did not open:
      knockd -i eth0 --record /var/log/knocks.pcapng
      knock-replay /var/log/knocks.pcapng -c /etc/knockd.conf --verbose

Signals:
  TERM, INT, QUIT  run the stop commands of all open doors, then exit
  HUP              reload the configuration, and reopen the log file
  USR1             reopen the log file

Exit status:
  0  stopped by a signal, and all doors are closed; with --check: the configuration is valid
  1  knockd could not start or keep running, or could not close a door
  2  the command line is wrong; with --check: the configuration has errors or a denied warning
  3  knockd did not start, because it would have shut out clients that are connected (see --force)";

/// Port-knocking daemon: listen for secret sequences of packets and open doors.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "knockd",
    version,
    long_about = LONG_ABOUT,
    after_help = "Try 'knockd --help' for examples, signals and the exit statuses.",
    after_long_help = EXAMPLES,
    styles = STYLES,
    max_term_width = 100,
    args_override_self = true,
    infer_long_args = true
)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Args {
    /// The interfaces to listen on (repeatable, or separated by commas); 'any' means all
    ///
    /// One that does not exist yet is awaited. 'ppp*' means each interface whose name begins with 'ppp'.
    /// Overrides the configuration. If that names none either, knockd listens on the interface of the
    /// default route.
    #[arg(short, long = "interface", value_name = "INTERFACE", value_delimiter = ',')]
    pub interfaces: Vec<OsString>,

    /// Run as a daemon
    ///
    /// The command returns with status 0 once knockd listens. If it cannot listen, the command prints the
    /// errors and returns with status 1. With '--check' this option has no effect, so that the options of
    /// a service can be checked as they are.
    #[arg(short, long)]
    pub daemon: bool,

    /// The configuration file
    // As knockd 0.8 has no '--check', '--c' is enough there.
    #[arg(short, long, alias = "c", value_name = "FILE", default_value = "/etc/knockd.conf")]
    pub config: PathBuf,

    /// Print every packet that counts, and why other packets of the same client do not
    // Also '--de', as knockd 0.8 has no '--deny'.
    #[arg(short = 'D', long, alias = "de")]
    pub debug: bool,

    /// Look up the names of clients, and print them in log lines
    ///
    /// Whoever runs the DNS of a client's address chooses its name. A log line waits for a name for a
    /// second at most. Packets and commands do not wait.
    #[arg(short, long)]
    pub lookup: bool,

    /// The file for the process ID of the daemon [default: /var/run/knockd.pid]
    ///
    /// Overrides the configuration. Written only with '--daemon'.
    #[arg(short, long, value_name = "FILE")]
    pub pidfile: Option<PathBuf>,

    /// The log file
    ///
    /// Overrides the configuration.
    #[arg(short = 'g', long, value_name = "FILE")]
    pub logfile: Option<PathBuf>,

    /// Print the transcript: every stage, opening, command and timeout
    #[arg(short, long)]
    pub verbose: bool,

    /// Ignore IPv6 packets, and handle only IPv4
    #[arg(short = '4', long = "only-ip-v4")]
    pub only_ip_v4: bool,

    /// Start also if the configuration has no doors
    ///
    /// Without this option, a start without doors is refused, and so is a reload of a file without doors: such a
    /// file is more often cut off than meant.
    #[arg(long)]
    pub allow_no_doors: bool,

    /// Accept files that users other than root and the one who starts knockd can write
    ///
    /// Without this option, knockd refuses a configuration, a file of sequences, a state folder, or a folder
    /// of the pid file if another user owns or can write it or a folder above it: that user could run commands
    /// as root. Meant for containers whose files have owners that do not exist in them.
    #[arg(long)]
    pub no_strict_modes: bool,

    /// Record the packets that count in this file, a pcapng capture for knock-replay
    ///
    /// It has at most two files: when FILE has the size of '--record-size', it is renamed to FILE.1, and a new
    /// FILE begins. A recording of an earlier start becomes FILE.1, too.
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub record: Option<PathBuf>,

    /// The size from which '--record' begins a new file, in millions of bytes
    ///
    /// As '-C' of tcpdump. Together, the two files are at most twice as large, and a packet more.
    #[arg(long, value_name = "MB", default_value_t = RECORD_SIZE, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub record_size: u32,

    /// Count the packets that the guard would refuse, and refuse none
    ///
    /// For a trial of 'Firewall = nft': clients are admitted and logged as usual, and ports stay open to
    /// everybody. 'nft list table inet knockd' shows the counter.
    #[arg(long)]
    pub guard_dry_run: bool,

    /// Guard ports also if clients are connected to them that would need a knock to connect again
    ///
    /// The first start with 'Firewall = nft' on a machine is refused then, with exit status 3, because one of these
    /// clients may be its administrator. Later starts are not, such as that after a reboot.
    #[arg(long)]
    pub force: bool,

    /// Print what 'Firewall' needs in nftables, and exit
    ///
    /// For 'Firewall = nft inet TABLE', the lines to add to the ruleset; otherwise the table that knockd makes
    /// itself.
    #[arg(long)]
    pub nft: bool,

    /// Remember at most this many attempts
    ///
    /// An attempt is what one client has knocked so far at one door. At the limit, a new attempt evicts the
    /// one with the least progress, and knockd logs a warning. An attempt takes about 80 bytes of memory.
    #[arg(
        long,
        value_name = "N",
        default_value_t = Limits::DEFAULT_ATTEMPTS,
        value_parser = number_of_attempts
    )]
    pub max_attempts: NonZeroU32,

    /// How the configuration is checked, and how the result is printed.
    #[command(flatten)]
    pub checking: CheckOptions,

    /// Explain the warning with this code, and exit
    #[arg(long, value_name = "CODE", value_parser = code, help_heading = "Check")]
    pub explain: Option<Code>,
}

impl Args {
    /// Returns whose files are believed.
    pub(crate) fn modes(&self) -> Modes {
        if self.no_strict_modes { Modes::Any } else { Modes::Strict }
    }
}

/// Returns the command line as a value, for the manual page.
#[must_use]
pub fn command() -> clap::Command {
    Args::command()
}

#[cfg(test)]
mod tests {
    use knock_tests::command_line::CommandLine;

    fn line() -> CommandLine {
        CommandLine::new(super::command(), "", &["", "--check"])
    }

    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }

    #[test]
    fn of_an_option_given_twice_the_last_counts() {
        line().assert_the_last_counts();
    }

    #[test]
    fn a_long_option_may_be_abbreviated() {
        line().assert_abbreviations_are_known();
    }
}
