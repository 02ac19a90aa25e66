//! Why the sniffer ends.

use std::fmt;
use std::io;

use knock_setup::text::Cause;

use super::captures::CaptureError;
use crate::sandbox::SandboxError;
use crate::wire::InvalidOrder;

/// Why the sniffer ends.
#[derive(Debug)]
pub(super) enum End {
    /// The runner wants no more.
    Dismissed,
    /// The runner is gone.
    Orphaned,
    /// The runner cannot be understood.
    Order(InvalidOrder),
    /// An interface cannot be listened on, or not any more.
    Capture(CaptureError),
    /// It could not give up its privileges.
    Sandbox(SandboxError),
    /// The configuration, which the runner has found sound, is not.
    Configuration,
    /// The system refused something that it never should.
    System(&'static str, io::Error),
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dismissed => out.write_str("it is not needed any more"),
            Self::Orphaned => {
                out.write_str("the process that runs commands has ended, so this one ends, too")
            }
            Self::Order(error) => error.fmt(out),
            Self::Capture(error) => error.fmt(out),
            Self::Sandbox(error) => error.fmt(out),
            Self::Configuration => {
                out.write_str("the configuration is not the one that was checked")
            }
            Self::System(what, error) => write!(out, "{what}: {}", Cause(error)),
        }
    }
}
