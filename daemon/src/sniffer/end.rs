//! Why the sniffer ends.

use std::fmt;
use std::io;

use knock_config::text::Cause;

use crate::sandbox::SandboxError;
use crate::wire::InvalidOrder;

/// Why the sniffer ends.
#[derive(Debug)]
pub(super) enum End {
    /// The runner has closed its end of the socket.
    Dismissed,
    /// The runner has died.
    Orphaned,
    /// The runner has sent an invalid order.
    Order(InvalidOrder),
    /// The privileges could not be given up.
    Sandbox(SandboxError),
    /// The configuration has errors, though the runner has checked it.
    Configuration,
    /// A system call failed that should not.
    System(&'static str, io::Error),
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dismissed => out.write_str("the process that runs commands is done"),
            Self::Orphaned => out.write_str("the process that runs commands has died"),
            Self::Order(error) => error.fmt(out),
            Self::Sandbox(error) => error.fmt(out),
            Self::Configuration => {
                out.write_str("the configuration has errors, though it was checked before")
            }
            Self::System(what, error) => write!(out, "{what}: {}", Cause(error)),
        }
    }
}
