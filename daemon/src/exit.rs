//! Exit statuses.

use std::process::ExitCode;

/// How the daemon ends. The numbers are part of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A signal ended it and all doors are closed, or what was asked for is done: 0.
    Done,
    /// It could not start or go on, or a door could not be closed: 1.
    Failed,
    /// The configuration, which was only to be checked, is at fault: 2.
    ///
    /// No daemon ends so: knockd 0.8 ends with the number of the signal that tells it to, and therefore
    /// Debian's unit takes 2, which is SIGINT, for success.
    Faulty,
}

impl Exit {
    /// Returns the exit status.
    #[must_use]
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Faulty => 2,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}
