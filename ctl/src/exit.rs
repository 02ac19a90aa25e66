//! The exit status.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It is done.
    Done = 0,
    /// The daemon has refused it, or there was nothing to close.
    Refused = 1,
    /// The command line has an error.
    CommandLine = 2,
    /// There is no daemon at the socket, or it does not answer.
    NoDaemon = 3,
    /// Standard output could not be written.
    Output = 4,
}

impl Exit {
    /// Returns the exit status.
    #[must_use]
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::CommandLine => 2,
            Self::NoDaemon => 3,
            Self::Output => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}
