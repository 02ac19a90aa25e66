//! The command line.

use std::convert::Infallible;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{CommandFactory as _, Parser, Subcommand};
use knock_config::options::{Format, STYLES};
use knock_control::DEFAULT_SOCKET;

const LONG_ABOUT: &str = "\
Ask a running knockd what it does, and tell it what to do.

Asking needs membership in the group knockd, or root. Closing doors and reloading needs root, or the user that \
knockd runs as.";

const EXAMPLES: &str = "\
Examples:
  Is it running, and who is in?
      knockctl status
      knockctl list

  Close all doors of a client, or one door for all clients:
      knockctl close 192.0.2.7
      knockctl close openSSH

  Who is part-way through a sequence?
      knockctl attempts

  Watch what happens, or see what happened to one client:
      knockctl events
      knockctl explain 192.0.2.7

  Locked out, with a console: open all guarded ports to everybody, until knockd is restarted:
      knockctl unguard

  Numbers for the textfile collector of Prometheus' node_exporter:
      knockctl metrics > knockd.prom

Exit status:
  0  done
  1  knockd has refused it, or there was nothing to close
  2  the command line has an error
  3  there is no knockd at the socket, or it does not answer
  4  standard output could not be written";

/// Ask a running knockd what it does, and tell it what to do
#[derive(Clone, Debug, Parser)]
#[command(
    name = "knockctl",
    version,
    long_about = LONG_ABOUT,
    after_help = "Try 'knockctl --help' for examples and the exit statuses.",
    after_long_help = EXAMPLES,
    styles = STYLES,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub struct Args {
    /// The socket of the daemon, if its directive for that names another
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_SOCKET)]
    pub socket: PathBuf,

    /// Print text, or JSON: one object a line
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Say whether knockd runs, which doors are open, and how many signed packets were refused
    Status,
    /// List the open doors, with the time until they are closed
    List,
    /// List the clients that have made some knocks of a door, and when their attempts time out
    Attempts,
    /// Close doors now
    #[command(arg_required_else_help = true)]
    Close {
        /// The address of a client, or the name of a door
        #[arg(value_name = "CLIENT|DOOR", conflicts_with = "all", required_unless_present = "all")]
        target: Option<Target>,

        /// Close all doors
        #[arg(long)]
        all: bool,
    },
    /// Print log lines as they come, until Ctrl-C
    Events,
    /// Print the latest log lines about a client
    Explain {
        /// Its address
        client: IpAddr,
    },
    /// Read the configuration again, as SIGHUP does
    Reload,
    /// Stop guarding ports, so that everybody can reach them, until knockd is restarted
    Unguard,
    /// Print numbers in the text format of Prometheus
    Metrics,
}

/// What is to be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All doors of a client.
    Client(IpAddr),
    /// A door, for all clients.
    Door(String),
}

impl FromStr for Target {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::Door(text.to_owned()), Self::Client))
    }
}

/// Returns the command line as a value, for the manual page and for completions.
#[must_use]
pub fn command() -> clap::Command {
    Args::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn an_address_is_a_client_and_anything_else_a_door() {
        let target = |text: &str| text.parse::<Target>().unwrap();
        assert_eq!(target("::1"), Target::Client("::1".parse().unwrap()));
        assert_eq!(target("192.0.2.256"), Target::Door("192.0.2.256".to_owned()));
        assert_eq!(target("openSSH"), Target::Door("openSSH".to_owned()));
    }
}
