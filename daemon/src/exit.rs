//! Exit statuses.

use std::process::ExitCode;

/// How the program ends. The numbers are part of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Stopped by a signal with all doors closed, or done with another task: 0.
    Done,
    /// Could not start or keep running, or could not close a door: 1.
    Failed,
    /// The command line is wrong, as in all our programs, or `--check` has found errors in the
    /// configuration: 2.
    ///
    /// Never the status of a daemon that has begun: knockd 0.8 exits with the number of the signal that stops
    /// it, so Debian's unit counts 2, for SIGINT, as success.
    Faulty,
    /// Not started, because the guard would shut out clients that are connected: 3. Trying again without a
    /// decision of the administrator would guard as soon as they are gone.
    WouldShutOut,
}

impl Exit {
    /// Returns the exit status.
    #[must_use]
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Faulty => 2,
            Self::WouldShutOut => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}
