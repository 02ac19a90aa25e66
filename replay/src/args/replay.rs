//! The command line of `knock-replay` without a subcommand.

use std::path::PathBuf;

use clap::{ArgAction, Parser};
use knock_config::options::{Format, STYLES};

use super::legacy::Legacy;
use super::{Input, RuleChoice, TimeFormat};
use crate::shard::Shard;

const USAGE: &str = "\
knock-replay [OPTIONS] --config <FILE> <CAPTURE>...
       knock-replay <COMMAND> [OPTIONS] ...";

const LONG_ABOUT: &str = "\
Replay packet captures against a knockd.conf, and print what the port-knocking daemon would do.

Standard output gets the transcript and nothing else: every stage, every opening, every command \
with the client's address filled in, every timeout, in the order in which they would happen. A \
summary goes to standard error. Commands are never run, and files of one-time sequences are never \
written. The same captures, configuration and options give the same bytes, on every machine.";

const EXAMPLES: &str = "\
Examples:
  Try a capture against a configuration before it goes live:
      knock-replay knocks.pcap --config /etc/knockd.conf --local 192.0.2.1
  Watch a configuration work on live traffic, without opening anything:
      tcpdump -i eth0 -U -w - | knock-replay - -c knockd.conf
  Explain why a client's knocks did not open a door:
      knock-replay explain knocks.pcap -c knockd.conf --client 203.0.113.7

Exit status:
  0  the captures were replayed to their ends
  1  the transcript differs from --expect, or an assertion fails
  2  the command line, the configuration or an assertion file has an error
  3  a capture could not be read, or not to its end, or no thread can be started
  4  standard output could not be written

'knock-replay COMMAND --help' explains a command; knock-replay(1) all of them.";

/// Replay packet captures against a knockd.conf and print what would happen
#[derive(Debug, Parser)]
#[command(
    name = "knock-replay",
    version,
    override_usage = USAGE,
    long_about = LONG_ABOUT,
    after_help = EXAMPLES,
    after_long_help = EXAMPLES,
    styles = STYLES,
    max_term_width = 80,
    disable_help_flag = true,
    args_override_self = true,
    infer_long_args = true
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) replay: ReplayArgs,

    #[command(flatten)]
    pub(crate) legacy: Legacy,

    /// Print this help
    // The manual page says the rest: what is on the screen is to fit on two of them.
    #[arg(short, long, action = ArgAction::HelpShort)]
    help: Option<bool>,
}

/// What a replay without a subcommand prints, or compares.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) input: Input,

    /// Whose rules decide: knock, knockd-0.8
    ///
    /// 'knockd-0.8' shows what a server with knockd 0.8 does with the same file.
    #[arg(
        long,
        value_name = "RULES",
        value_enum,
        default_value_t = RuleChoice::Knock,
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(crate) rules: RuleChoice,

    /// Put the time before each line: utc, local, relative
    ///
    /// The time of the packet or timeout. 'utc' is RFC 3339 with microseconds; 'local' is the same in the
    /// time zone of this machine, or that of the variable TZ; 'relative' is seconds since the first packet.
    #[arg(
        long,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "utc",
        hide_possible_values = true
    )]
    pub(crate) time: Option<TimeFormat>,

    /// Print text, or JSON: one object a line
    ///
    /// docs/knock-transcript.schema.json describes the objects.
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t = Format::Text,
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(crate) format: Format,

    /// Replay one of N parts of the clients, for 'merge'
    ///
    /// With '--format json' alone. The SHA-256 of a client's address decides which part it is in. 'merge' makes
    /// of the outputs of all parts that of a replay without this option. docs/fleet.md says when that helps.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,

    /// Report on standard error why packets did not count
    ///
    /// Retransmissions, knocks that void an attempt, packets with other TCP flags. The transcript is
    /// always printed, so that knockd's -v can be given here too.
    #[arg(short, long, conflicts_with = "quiet")]
    pub(crate) verbose: bool,

    /// Compare the transcript with FILE, and print only the differences
    ///
    /// The exit status is 1 if there are any, or if no packet is admitted (no door wants one), because
    /// that tests nothing. To compare times as well, give '--time' here and with '--bless'.
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,

    /// Write the transcript to the file of --expect
    ///
    /// Later runs expect this transcript.
    #[arg(long, requires = "expect")]
    pub(crate) bless: bool,

    /// Check the assertions in FILE instead (repeatable)
    ///
    /// Lines such as 'must open openSSH from 10.0.0.5', 'must not open any from 203.0.113.0/24',
    /// 'opens openSSH 3' and 'runs "/sbin/iptables ..."'; see the manual page. The transcript is not
    /// printed. For each assertion that fails, it prints what happened instead and which packet decided,
    /// and the exit status is 1. It is also 1 if no packet is admitted (no door wants one), unless the
    /// file says 'nothing is admitted'.
    #[arg(long, value_name = "FILE")]
    pub(crate) assert: Vec<PathBuf>,
}
