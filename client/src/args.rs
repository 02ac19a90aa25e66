//! The command line.

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, ValueHint};
use clap_complete::Shell;
use knock_config::InterfaceName;
use knock_config::options::STYLES;
use knock_engine::{Protocol, Seconds};
use knock_signed::{Moment, Nonce};

use crate::enroll::EnrollArgs;
use crate::plan::MAX_HITS;
use crate::request::{Awaited, Family, Request};
use crate::signed::{Admission, Nonces, parse_time};
use knock_capture::duration::{self, DurationError, Unit};
use knock_capture::hit::Hit;

const LONG_ABOUT: &str = "\
Knock at ports of a host, in order, so that a door opens there.

A knock is one packet: a TCP SYN unless it says otherwise. The client does not wait for an answer, \
and does not reply to one. It looks the host up once, and sends all knocks from one address. It reports \
mistakes before the first packet leaves.";

const EXAMPLES: &str = "\
Examples:
  Knock at three ports, the second by UDP:
      knock myserver.example.com 123:tcp 456:udp 789:tcp

  Knock, and log in when the door has opened:
      knock --then 22 myserver.example.com 7000 8000 9000 && ssh myserver.example.com

  The same for a host of ~/.config/knock/config:
      knock home && ssh home

  Knock at a door of the server's own configuration:
      knock --config knockd.conf --door openSSH myserver.example.com

  Open a door with a signed packet, in place of a sequence:
      knock --key home.key --door SSH home.example.com

  Make a key for that, on the server:
      knock enroll --user alice --server home.example.com --door SSH

  See what would be done, without doing it:
      knock --dry-run myserver.example.com 7000 8000 9000

  Try a configuration without a network:
      knock --write k.pcap 192.0.2.1 7000 8000 9000 && knock-replay k.pcap -c knockd.conf

  Knock at a door with other TCP flags than SYN, as root:
      knock 192.0.2.1 7000:tcp:fin 8000:tcp:fin,psh,urg

Exit status:
  0  all knocks were sent; with --then, the port has opened
  1  a knock could not be sent, or something could not be written
  2  the command line or a file has an error, or the host cannot be reached; nothing was sent
  4  all knocks were sent, but the port of --then did not open";

/// Knock at ports of a host, so that a door opens there.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "knock",
    version,
    override_usage = "knock [OPTIONS] HOST [PORT[:PROTOCOL[:FLAGS]]]...",
    long_about = LONG_ABOUT,
    after_help = "Try 'knock --help' for examples and the exit statuses.",
    after_long_help = EXAMPLES,
    styles = STYLES,
    max_term_width = 100,
    args_override_self = true,
    infer_long_args = true
)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[expect(clippy::doc_markdown, reason = "the comments are the help, which has no markup")]
pub struct Args {
    /// The host to knock at: a name or an address, or the name of a profile
    #[arg(value_name = "HOST", value_hint = ValueHint::Hostname)]
    #[arg(required_unless_present_any = ["completions", "list", "door", "key", "import"])]
    pub host: Option<String>,

    /// The knocks, in order: a port, optionally with 'tcp' or 'udp'
    ///
    /// '7000' and '7000:tcp' are a TCP SYN, '7000:udp' is a UDP datagram with one byte, which is 0. Other
    /// TCP flags than SYN follow the protocol, separated by commas: fin, syn, rst, psh, ack, urg, or
    /// none at all: '7000:tcp:fin,psh', '7000:tcp:none'. They need root, or CAP_NET_RAW.
    #[arg(value_name = "PORT[:PROTOCOL[:FLAGS]]", value_parser = Hits)]
    pub hits: Vec<Hit>,

    /// Send all knocks by UDP, even those that say 'tcp'
    #[arg(short, long)]
    pub udp: bool,

    /// The time between two knocks: milliseconds, or with a unit, as in 1.5s [default: 100]
    ///
    /// Packets sent back to back can overtake one another, and then the door stays shut. The default is
    /// long enough on most networks. 0 sends without pauses.
    // As knock 0.8 has no '--door' and '--dry-run', '--d' is enough there.
    #[arg(short, long, alias = "d", value_name = "TIME", value_parser = milliseconds)]
    pub delay: Option<Duration>,

    /// Use IPv4 only; if '-6' is given too, the last one counts
    #[arg(short = '4', long, overrides_with = "ipv6")]
    pub ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6', long, overrides_with = "ipv4")]
    pub ipv6: bool,

    /// Knock from this address of this machine
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub source: Option<IpAddr>,

    /// Knock through this interface, whatever the routes say
    #[arg(long, value_name = "NAME", value_parser = interface)]
    pub interface: Option<InterfaceName>,

    /// Wait until this TCP port of the host accepts connections, and report it
    ///
    /// The first try comes after the last knock. An accepted connection is closed at once. 'none' waits
    /// for nothing, whatever the profile says.
    #[arg(long, value_name = "PORT", value_parser = Awaited::parse)]
    pub then: Option<Awaited>,

    /// How long to wait for the port: seconds, or with a unit, as in 500ms [default: 5]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub wait: Option<Duration>,

    /// Knock again, up to N times, if the port has not opened
    #[arg(long, value_name = "N")]
    pub retry: Option<u32>,

    /// Take the knocks from a door of this knockd.conf
    ///
    /// If the door has one-time sequences, the next one is used, and then marked in the file, as the daemon
    /// marks it. With '--then' it is marked only if the port opens. If the door derives its sequences from a key,
    /// the knocks are those of the present time.
    #[arg(short, long, value_name = "FILE", conflicts_with = "hits")]
    pub config: Option<PathBuf>,

    /// The door, by the name of its section; without HOST, the knocks go to its target
    #[arg(long, value_name = "NAME", conflicts_with = "hits")]
    pub door: Option<OsString>,

    /// Send a signed packet, made with the key in this file, in place of knocks
    ///
    /// One packet goes to each address of the host. Without '--door', it is for the only door of the key.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hits", "config", "udp"])]
    pub key: Option<PathBuf>,

    /// The address that the signed packet asks to admit; 'auto' is that of this machine
    ///
    /// Without it, the server admits the address from which the packet comes. The server may want both
    /// to be the same ('Admit = both').
    #[arg(long, value_name = "ADDR", value_parser = Admission::from_str)]
    pub admit: Option<Admission>,

    /// For how long the signed packet asks the door to be open: seconds, or with a unit, as in 30m
    ///
    /// The server gives no more than its 'Open_For', and a door with commands has a time of its own.
    #[arg(long = "for", value_name = "TIME", value_parser = whole_seconds)]
    pub open_for: Option<Seconds>,

    /// Ask to close the door, with a signed packet, before its time is over
    #[arg(long, conflicts_with_all = ["hits", "config", "udp", "open_for", "then", "wait", "retry"])]
    pub close: bool,

    /// Read profiles of hosts from this file; 'none' reads none [default: ~/.config/knock/config]
    #[arg(short = 'F', long, value_name = "FILE")]
    pub profiles: Option<PathBuf>,

    /// List the hosts of the profiles; with '-v', their knocks too
    #[arg(long, conflicts_with_all = ["host", "config", "door"])]
    pub list: bool,

    /// Print what would be done, and send nothing
    #[arg(long, conflicts_with = "write")]
    pub dry_run: bool,

    /// Write the knocks to a capture (pcap) instead of sending them; '-' is standard output
    ///
    /// The frames are those that would be sent, from the same source address. Without a route and without
    /// '--source', the source is 192.0.2.1 or 2001:db8::1.
    #[arg(long, value_name = "FILE", conflicts_with = "then")]
    pub write: Option<PathBuf>,

    /// Derive the source ports, sequence numbers and times of '--write' from this seed
    ///
    /// The same seed, knocks and addresses give the same capture.
    #[arg(long, value_name = "N", requires = "write")]
    pub seed: Option<u64>,

    /// The time of the signed packet of '--write': seconds since 1970, or as in 2026-11-30T01:02:03Z
    #[arg(long, value_name = "TIME", requires = "write", value_parser = parse_time)]
    pub at: Option<Moment>,

    /// The nonce of the signed packet of '--write', as 48 hexadecimal digits
    ///
    /// Packets of one key with the same nonce give their contents away: use it in tests only.
    #[arg(long, value_name = "HEX", requires = "write", value_parser = Nonces::parse)]
    pub nonce: Option<Nonce>,

    /// Store the key of an address that 'knock enroll' printed; '-' reads the address from standard input
    ///
    /// It is stored beside the profiles, under the name of HOST, or else of the server.
    #[arg(long, value_name = "URI", conflicts_with_all = ["hits", "config", "door", "key", "list", "dry_run", "write"])]
    pub import: Option<String>,

    /// Print each knock
    #[arg(short, long)]
    pub verbose: bool,

    /// Print nothing but errors
    #[arg(short, long, conflicts_with_all = ["verbose", "json"])]
    pub quiet: bool,

    /// Print everything as JSON, one object per line, errors too
    #[arg(long)]
    pub json: bool,

    /// Print the completion script for a shell
    #[arg(long, value_name = "SHELL", exclusive = true)]
    pub completions: Option<Shell>,
}

impl Args {
    /// Checks what clap cannot.
    ///
    /// # Errors
    /// A clap error, to be printed as one.
    pub(crate) fn checked(self) -> Result<Self, clap::Error> {
        let conflict = |message| Err(Self::command().error(ErrorKind::ArgumentConflict, message));
        if self.udp && self.hits.iter().any(|hit| hit.flags.is_some()) {
            return conflict("'--udp' makes all knocks by UDP, which has no flags");
        }
        if self.hits.len() > MAX_HITS {
            let message = format!("there are more than {MAX_HITS} knocks");
            return Err(Self::command().error(ErrorKind::TooManyValues, message));
        }
        if self.nonce.is_some() && self.seed.is_some() {
            return conflict("'--nonce' and '--seed' both say what is not random");
        }
        if self.json && self.writes_to_output() {
            return conflict("'--json' and '--write -' both take standard output");
        }
        Ok(self)
    }

    /// Returns whether knocks are sent.
    pub(crate) fn leaves(&self) -> bool {
        !self.dry_run && self.write.is_none()
    }

    /// Returns whether the capture goes to standard output.
    pub(crate) fn writes_to_output(&self) -> bool {
        self.write.as_deref().is_some_and(|file| file.as_os_str() == "-")
    }

    /// Returns what the command line asks for.
    pub(crate) fn request(&self) -> Request {
        let by_udp = |hit: &Hit| Hit::plain(hit.knock.port, Protocol::Udp);
        let family = match (self.ipv4, self.ipv6) {
            (true, _) => Some(Family::V4),
            (false, true) => Some(Family::V6),
            (false, false) => None,
        };
        Request {
            host: self.host.clone().unwrap_or_default(),
            hits: if self.udp { self.hits.iter().map(by_udp).collect() } else { self.hits.clone() },
            delay: self.delay,
            then: self.then,
            wait: self.wait,
            retry: self.retry,
            source: self.source,
            interface: self.interface.clone(),
            family,
        }
    }
}

/// Returns whether an argument is `--json`, perhaps abbreviated.
pub(crate) fn is_json(argument: &OsStr) -> bool {
    let argument = argument.as_encoded_bytes();
    // No other option begins with this letter.
    argument.starts_with(b"--j") && b"--json".starts_with(argument)
}

/// Reads a knock; the error suggests what may have been meant.
#[derive(Clone)]
struct Hits;

impl TypedValueParser for Hits {
    type Value = Hit;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Hit, clap::Error> {
        let mut error = match Hit::from_str.parse_ref(command, argument, value) {
            Ok(hit) => return Ok(hit),
            Err(error) => error,
        };
        let cause = value.to_str().and_then(|text| text.parse::<Hit>().err());
        if let Some(help) = cause.and_then(|cause| cause.help()) {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![help.into()]));
        }
        Err(error)
    }
}

fn milliseconds(text: &str) -> Result<Duration, DurationError> {
    duration::parse(text, Unit::Milliseconds)
}

fn seconds(text: &str) -> Result<Duration, DurationError> {
    let duration = duration::parse(text, Unit::Seconds)?;
    if duration.is_zero() { Err(DurationError::Zero) } else { Ok(duration) }
}

fn whole_seconds(text: &str) -> Result<Seconds, String> {
    let duration = seconds(text).map_err(|error| error.to_string())?;
    let whole = u32::try_from(duration.as_secs()).ok().filter(|_| duration.subsec_nanos() == 0);
    whole.and_then(Seconds::new).ok_or_else(|| format!("not whole seconds, up to {}", u32::MAX))
}

fn address(text: &str) -> Result<IpAddr, &'static str> {
    text.parse().map_err(|_| "not an address, such as 192.0.2.10 or 2001:db8::10")
}

fn interface(text: &str) -> Result<InterfaceName, &'static str> {
    InterfaceName::new(text.as_bytes()).ok_or("not a name that an interface can have")
}

/// Returns the command line as a value, for the manual page, with `knock enroll`.
#[must_use]
pub fn whole_command() -> clap::Command {
    command().subcommand(EnrollArgs::command().name("enroll"))
}

/// Returns the command line as a value, for completions: in scripts for shells, a subcommand would take the
/// place of the host.
#[must_use]
pub fn command() -> clap::Command {
    // Without a hint, shells complete the names of files.
    let says_nothing = |arg: &clap::Arg| {
        arg.get_action().takes_values()
            && arg.get_possible_values().is_empty()
            && arg.get_value_hint() == ValueHint::Unknown
    };
    let hinted = |arg| if says_nothing(&arg) { arg.value_hint(ValueHint::Other) } else { arg };
    Args::command().mut_args(hinted)
}

#[cfg(test)]
mod tests {
    use knock_engine::Port;
    use knock_tests::command_line::CommandLine;

    use super::*;

    fn line() -> CommandLine {
        const BASES: &[&str] = &["host 7000", "host", "--write=x host 7000", ""];
        CommandLine::new(command(), "", BASES)
    }

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split_whitespace()).and_then(Args::checked)
    }

    fn request(line: &str) -> Request {
        parse(line).unwrap().request()
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn of_an_option_given_twice_the_last_counts() {
        line().assert_the_last_counts();
    }

    #[test]
    fn a_long_option_may_be_abbreviated() {
        line().assert_abbreviations_are_known();
    }

    #[test]
    fn options_may_be_anywhere() {
        let expected = request("knock -v -d 10 host 7000 8000:udp");
        for line in ["knock host -v 7000 -d 10 8000:udp", "knock host 7000 8000:udp -vd10"] {
            assert_eq!(request(line), expected, "{line}");
        }
    }

    #[test]
    fn udp_beats_what_knocks_say() {
        let hits: Vec<String> = request("knock -u host 7000 8000:tcp 9000:udp")
            .hits
            .iter()
            .map(Hit::to_string)
            .collect();
        assert_eq!(hits, ["7000:udp", "8000:udp", "9000:udp"]);
    }

    #[test]
    fn the_last_family_counts() {
        assert_eq!(request("knock -4 -6 host 1").family, Some(Family::V6));
        assert_eq!(request("knock -6 host 1 -4").family, Some(Family::V4));
        assert_eq!(request("knock host 1").family, None);
    }

    #[test]
    fn a_delay_is_in_milliseconds_and_a_wait_in_seconds() {
        let request = request("knock --then 22/tcp -d 500 --wait 2 host 1");
        assert_eq!(request.delay, Some(Duration::from_millis(500)));
        assert_eq!(request.wait, Some(Duration::from_secs(2)));
        assert_eq!(request.then, Some(Awaited::Port(Port(22))));
    }
}
