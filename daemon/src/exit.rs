//! Exit statuses.

use std::process::ExitCode;

/// How the daemon ends. The numbers are part of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A signal ended it and all doors are closed, or what was asked for is done: 0.
    Done,
    /// It could not go on, or a door could not be closed: 1.
    Failed,
    /// The command line or the configuration is at fault: 2.
    Config,
}

impl Exit {
    /// Returns the exit status.
    #[must_use]
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Config => 2,
        }
    }

    /// Returns how a process with this exit status ended; [`Exit::Failed`] for any other.
    #[must_use]
    pub const fn from_status(status: i32) -> Self {
        match status {
            0 => Self::Done,
            2 => Self::Config,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}
