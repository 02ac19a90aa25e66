//! The options that all modes with captures share.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use clap::error::ErrorKind;
use knock_config::options::number_of_attempts;
use knock_engine::Limits;

use super::{Fault, fault, is_stdin, local_address};

/// What is replayed, and against which configuration.
#[derive(Clone, Debug, Args)]
pub(crate) struct Input {
    /// Captures, merged by time; '-' is standard input
    ///
    /// pcap and pcapng, plain or compressed with gzip or zstd, and scenarios: text that says what is
    /// sent. The content decides which it is. Packets of the same time come in the order of the
    /// captures on the command line. When standard input is a pipe, each line is printed as soon as it
    /// happens.
    #[arg(value_name = "CAPTURE", required_unless_present = "read")]
    pub(crate) captures: Vec<PathBuf>,

    /// The configuration: a knockd.conf
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: PathBuf,

    /// A local address, for doors without a target (repeatable)
    ///
    /// Packets to it count at doors without a target. Without this option, the local addresses are those
    /// that pcapng captures name for their interfaces. If they name none, every address is local.
    #[arg(long, value_name = "ADDR", value_parser = local_address)]
    pub(crate) local: Vec<IpAddr>,

    /// Ignore IPv6
    #[arg(short = '4', long = "only-ip-v4")]
    pub(crate) only_ip_v4: bool,

    /// Read this capture too, as in tcpdump -r (repeatable)
    ///
    /// It comes after those named without an option.
    #[arg(short, long, value_name = "CAPTURE")]
    pub(crate) read: Vec<PathBuf>,

    /// Remember at most this many attempts
    ///
    /// An attempt is what one client has knocked so far at one door. At the limit, a new attempt evicts the
    /// one with the least progress. The same limit applies to openings, which are remembered to recognize
    /// retransmissions. There are at most 10,000 open doors that wait for their stop commands, or as many as
    /// this, if that is fewer. The summary counts what was lost. A comparison with knockd 0.8 has a limit of
    /// 100000 at most.
    #[arg(
        long,
        value_name = "N",
        default_value_t = Limits::DEFAULT_ATTEMPTS,
        value_parser = number_of_attempts
    )]
    pub(crate) max_attempts: NonZeroU32,

    /// Begin with what FILE says was used: 'used' in the folder of knockd's state
    ///
    /// The moments of signed packets and the periods of derived sequences that were used before the first packet
    /// of the captures. With a copy of the file from when a recording began, a replay ignores the same packets as
    /// the daemon did. Without this option, nothing was used before. The file is only read.
    #[arg(long, value_name = "FILE")]
    pub(crate) replay_state: Option<PathBuf>,

    /// Print no summary, warnings or progress bar; only errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

impl Input {
    /// Returns the captures of the command line, those of `--read` last.
    pub(crate) fn captures(&self) -> impl Iterator<Item = &PathBuf> {
        self.captures.iter().chain(&self.read)
    }

    /// Returns what is wrong with the captures.
    pub(super) fn fault(&self) -> Option<Fault> {
        fault_of_captures(self.captures())
    }
}

/// Standard input can be read once.
pub(super) fn fault_of_captures<'a>(captures: impl Iterator<Item = &'a PathBuf>) -> Option<Fault> {
    if captures.filter(|capture| is_stdin(capture)).count() > 1 {
        let message = "standard input ('-') is named more than once";
        return fault(ErrorKind::ArgumentConflict, message);
    }
    None
}
