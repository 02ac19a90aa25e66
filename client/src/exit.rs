//! Exit statuses.

use std::process::ExitCode;

/// How the program ends. The numbers are part of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All knocks were sent, and the port opened if the user asked for that: 0.
    Done,
    /// A knock could not be sent, or something could not be written: 1.
    Failed,
    /// The command line or a file has an error, or the host cannot be reached; nothing was sent: 2.
    Refused,
    /// All knocks were sent, but the port did not open: 4.
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
