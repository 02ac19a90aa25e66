//! The command line.

mod combined;
mod init;
mod suite;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::builder::ArgPredicate;
use clap::{Parser, ValueEnum};
use knock_compat::{Difference, Rules};
use knock_config::options::{self, CheckOptions, STYLES, number_of_attempts};
use knock_config::warnings::Code;
use knock_engine::Limits;

const USAGE: &str = "\
knock-replay [OPTIONS] --config <FILE> <CAPTURE>...
       knock-replay [OPTIONS] --check --config <FILE>
       knock-replay --check --explain=<CODE>
       knock-replay <SCENARIO> --write <FILE>
       knock-replay test [OPTIONS] <DIR>...
       knock-replay init [OPTIONS] --config <FILE> [DIR]";

pub(crate) use self::init::InitArgs;
pub(crate) use self::suite::TestArgs;

use crate::explain::Whom;

const LONG_ABOUT: &str = "\
Replay packet captures against a knockd.conf and print what the door keeper would do.

Standard output gets the transcript and nothing else: every stage, every opening, every command \
with the client's address filled in, every timeout, in the order in which they would happen. A \
summary goes to standard error. Commands are never run, and files of one-time sequences are never \
written. The same captures, configuration and options give the same bytes, on every machine.";

const EXAMPLES: &str = "\
Examples:
  Check a capture against a configuration before it goes live:
      knock-replay knocks.pcap --config /etc/knockd.conf --local 192.0.2.1

  Watch a configuration work on live traffic, without opening anything:
      tcpdump -i eth0 -U -w - | knock-replay - -c knockd.conf --local 192.0.2.1

  See what changes for a server that runs knockd 0.8 today:
      knock-replay knocks.pcap -c /etc/knockd.conf --local 192.0.2.1 --rules both

  See why a client's knocks did not open a door:
      knock-replay knocks.pcap -c knockd.conf --local 192.0.2.1 --explain=203.0.113.7

  See when things happen, and why knocks did not count:
      knock-replay knocks.pcap.gz -c knockd.conf --time=relative --verbose

  Look at what happened, and why, in a browser:
      knock-replay knocks.pcap -c knockd.conf --local 192.0.2.1 --report report.html

  Keep a transcript as what is expected, and see later whether it still is:
      knock-replay knocks.pcap -c knockd.conf --expect expected.txt --bless
      knock-replay knocks.pcap -c new.conf --expect expected.txt

  See what a new configuration changes, before it goes live:
      knock-replay knocks.pcap -c /etc/knockd.conf --against new.conf --local 192.0.2.1

  See whether a door opens for whom it should, and for nobody else:
      echo must open openSSH from 203.0.113.7 > knocks.assert
      knock-replay knocks.pcap -c knockd.conf --assert knocks.assert

  Try knocks that nobody has made, and make a capture of them:
      echo knock 10.0.0.5 7000 8000 9000 | knock-replay - -c knockd.conf
      knock-replay scenario.txt --write scenario.pcap

  Check a configuration, without a capture, as strictly as possible:
      knock-replay --check -c knockd.conf --deny warnings

Exit status:
  0  the captures were replayed to their ends; with --check, the configuration is sound
  1  what was compared differs, an assertion does not hold, or nothing was there to compare
  2  the command line or the configuration is at fault, or has a warning that is denied
  3  a capture could not be read, or not to its end
  4  standard output, or the page of --report, could not be written";

/// Replay packet captures against a knockd.conf and print what would happen.
#[derive(Debug, Parser)]
#[command(
    name = "knock-replay",
    version,
    override_usage = USAGE,
    long_about = LONG_ABOUT,
    after_help = "Try 'knock-replay --help' for examples and the exit statuses.",
    after_long_help = EXAMPLES,
    styles = STYLES,
    max_term_width = 100
)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Args {
    /// Captures to replay, merged by time; '-' is standard input
    ///
    /// pcap and pcapng, plain or compressed with gzip or zstd, told apart by content. Packets that
    /// carry the same time come in the order of the captures on the command line. When standard
    /// input is a pipe, each line is printed as soon as it happens.
    #[arg(value_name = "CAPTURE", required_unless_present_any = ["read", "check"], group = "telling")]
    pub captures: Vec<PathBuf>,

    /// Replay this capture, as in tcpdump -r; it comes behind those named without an option
    #[arg(short, long, value_name = "CAPTURE", group = "telling")]
    pub read: Vec<PathBuf>,

    /// The configuration: a knockd.conf
    #[arg(
        short,
        long,
        value_name = "FILE",
        required = false,
        required_unless_present = "write",
        required_unless_present_all = ["check", "explain"],
        default_value_ifs([("check", ArgPredicate::IsPresent, "/etc/knockd.conf"), ("write", ArgPredicate::IsPresent, "/etc/knockd.conf")])
    )]
    pub config: PathBuf,

    /// A local address: a destination that counts for doors without a target (repeatable)
    ///
    /// Without this option the addresses count that a pcapng capture names for its interfaces, and
    /// if it names none, every destination does.
    #[arg(long, value_name = "ADDR", value_parser = local_address)]
    pub local: Vec<IpAddr>,

    /// Whose rules decide
    ///
    /// 'knockd-0.8' shows what today's server does with the same file; 'both' prints only the lines
    /// that the two do not have in common, each with the number of the difference in
    /// docs/differences.md and the packet, and ends with status 1 if there are any.
    #[arg(long, value_name = "RULES", value_enum, default_value_t = RuleChoice::Knock)]
    pub rules: RuleChoice,

    /// Leave out lines that are due to these differences (with --rules both)
    ///
    /// Numbers of docs/differences.md, separated by commas. Such lines do not count for the exit
    /// status. '17', for one, leaves out timeouts that are only told at another time.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = difference)]
    pub except: Vec<Difference>,

    /// Explain, instead of printing the transcript, why knocks did not open: all, or those of CLIENT
    ///
    /// CLIENT is an address or a network, such as 192.0.2.0/24. Client by client and door by door,
    /// each stage is told, and of each packet that did not count why, with its number in the capture
    /// and the line of the configuration that decided. At the end stands how near each client came to
    /// opening each door. Always by the rules of knock. Packets to ports of no door are only counted,
    /// unless they come between two knocks and might have been one. Without CLIENT, the first 100
    /// lines of each client at each door are shown, with it 10000; 200000 of all; at most 20000
    /// clients at doors are followed. What is left out is counted. With '--format json', one object a
    /// line is printed, each as soon as it happens, as docs/knock-explain.schema.json describes.
    ///
    /// With '--check', the code of a warning, which is explained at length.
    #[arg(
        long,
        value_name = "CLIENT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        value_parser = subject,
        conflicts_with_all = ["time", "verbose"],
        group = "telling"
    )]
    pub explain: Option<Subject>,

    /// Print nothing if the transcript is the one in FILE, otherwise how it differs, and end with 1
    ///
    /// A capture of which no packet is admitted tests nothing, and ends with 1, too. Give '--time' both
    /// times if moments are to count.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["explain", "check"])]
    pub expect: Option<PathBuf>,

    /// Hold the captures to the assertions in FILE (repeatable), and end with 1 if one does not hold
    ///
    /// Lines such as 'must open openSSH from 10.0.0.5', 'must not open any from 203.0.113.0/24',
    /// 'opens openSSH 3' and 'runs "/sbin/iptables ..."'; see the manual page. The transcript is not
    /// printed. Of each assertion that does not hold it is told what happened instead, and which packet
    /// decided. Packets of which none is admitted prove nothing, and end with 1, too, unless
    /// 'nothing is admitted' is asserted.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["explain", "check", "write", "against"])]
    pub assert: Vec<PathBuf>,

    /// Write the transcript to the file of --expect, so that it is what is expected from now on
    #[arg(long, requires = "expect")]
    pub bless: bool,

    /// Replay under another configuration as well, and print what it changes, and end with 1 if anything
    ///
    /// Openings, commands with the client's address filled in, and timeouts that are gone, new, at another
    /// time or, of a command, of another text: side by side, client by client and door by door, with what
    /// the difference comes from. Always by the rules of knock. A capture of which no packet is admitted
    /// under either tests nothing, and ends with 1, too.
    #[arg(
        long,
        value_name = "NEW",
        conflicts_with_all = ["explain", "check", "expect", "write", "verbose"]
    )]
    pub against: Option<PathBuf>,

    /// Write the packets of a scenario as a capture (pcap), and end
    ///
    /// A scenario is a capture in words; see the manual page. It is taken wherever a capture is.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["explain", "check", "expect", "read"]
    )]
    pub write: Option<PathBuf>,

    /// Write, instead of printing the transcript, a page for a browser of what happened and why
    ///
    /// One file that needs nothing else: a timeline of every client at every door, the explanation of
    /// each packet as of '--explain', and the configuration with the lines that decided. It holds the
    /// secret sequences, so only its owner can read it. Always by the rules of knock. At most 20000
    /// clients at doors are followed; 100 events of each and what came of its openings are shown, some
    /// 150000 of all. What is left out is counted.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["explain", "check", "expect", "against", "write", "time", "verbose"]
    )]
    pub report: Option<PathBuf>,

    /// Ignore packets of IPv6 and handle only IPv4
    #[arg(short = '4', long = "only-ip-v4")]
    pub only_ip_v4: bool,

    /// Put the time of the packet or timeout before each line
    ///
    /// 'utc' is RFC 3339 with microseconds; 'relative' is seconds since the first packet.
    #[arg(
        long,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "utc"
    )]
    pub time: Option<TimeFormat>,

    /// Remember at most this many attempts
    ///
    /// At the limit the attempt with the least progress makes room for a new one. As many openings
    /// are remembered besides, to know the retransmissions of their last knocks, and as many doors
    /// may wait for their stop commands. The summary counts what the limit cost. With '--rules both',
    /// which remembers them under 27 rule sets, the limit is 100000 at most.
    #[arg(
        long,
        value_name = "N",
        default_value_t = Limits::DEFAULT_ATTEMPTS,
        value_parser = number_of_attempts
    )]
    pub max_attempts: NonZeroU32,

    /// Print no summary, no warnings and no progress bar; errors are still printed
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say on standard error why packets did not count
    ///
    /// Retransmissions, knocks that void an attempt, packets with other TCP flags. The transcript is
    /// always printed, so that knockd's -v can be given here too.
    #[arg(short, long)]
    pub verbose: bool,

    /// What a check finds and how it tells of it.
    #[command(flatten)]
    pub checking: CheckOptions,

    /// Look also whether the commands are on this machine, and who may read the files (with --check)
    ///
    /// Otherwise only what the files say counts, as they may be those of another machine. 'knockd
    /// --check' always looks.
    #[arg(long, requires = "check", help_heading = "Check")]
    pub on_this_machine: bool,
}

/// Whose transcript is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RuleChoice {
    /// What knock does: what the manual of knockd promises
    Knock,
    /// What knockd 0.8 does, fault for fault
    #[value(name = "knockd-0.8")]
    Knockd08,
    /// Where the two differ
    Both,
}

impl RuleChoice {
    /// Returns the rules; `None` for both.
    pub(crate) const fn one(self) -> Option<Rules> {
        match self {
            Self::Knock => Some(Rules::Knock),
            Self::Knockd08 => Some(Rules::Knockd08),
            Self::Both => None,
        }
    }
}

/// What is to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Why knocks of these clients did not open.
    Knocks(Whom),
    /// A warning.
    Warning(Code),
}

/// How times are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TimeFormat {
    /// RFC 3339 with microseconds, UTC
    Utc,
    /// Seconds since the first packet
    Relative,
}

impl Args {
    /// Returns the captures of the command line, those of `--read` last.
    pub(crate) fn captures(&self) -> impl Iterator<Item = &PathBuf> {
        self.captures.iter().chain(&self.read)
    }
}

fn subject(text: &str) -> Result<Subject, String> {
    if let Some(code) = Code::from_name(text) {
        return Ok(Subject::Warning(code));
    }
    let looks_like_a_code = text != "all" && text.contains('-') && !text.contains([':', '.']);
    if looks_like_a_code {
        return options::code(text).map(Subject::Warning);
    }
    text.parse().map(Subject::Knocks).map_err(str::to_owned)
}

fn local_address(text: &str) -> Result<IpAddr, &'static str> {
    text.parse().map_err(|_| "not an address, such as 192.0.2.1 or 2001:db8::1")
}

fn difference(text: &str) -> Result<Difference, &'static str> {
    let number = text.trim().parse::<u8>().ok();
    let mut all = Difference::ALL.into_iter();
    all.find(|one| Some(one.number()) == number)
        .ok_or("not the number of a difference that a transcript can show")
}

/// Returns whether a capture is standard input.
pub(crate) fn is_stdin(capture: &Path) -> bool {
    capture.as_os_str() == "-"
}
