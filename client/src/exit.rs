//! Exit statuses.

use std::process::ExitCode;

/// How the program ends. The numbers are part of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All knocks left, and the port opened if that was asked: 0.
    Done,
    /// A knock did not leave, or something could not be written: 1.
    Failed,
    /// The command line is at fault, or the host cannot be reached; no packet left: 2.
    Refused,
    /// All knocks left, but the port did not open: 4.
    Shut,
}

impl Exit {
    /// Returns the exit status.
    #[must_use]
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Refused => 2,
            Self::Shut => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}
