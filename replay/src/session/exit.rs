//! Exit statuses.

use std::process::ExitCode;

/// How the program ends. The numbers are part of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The captures were replayed to their ends, or the reader closed the output: 0.
    Done,
    /// knockd 0.8 and knock differ, or two configurations do, the transcript is not as expected, an
    /// assertion fails or a test fails, and that was asked: 1.
    Differ,
    /// The command line, the configuration or an expectation has an error: 2.
    Config,
    /// A capture could not be read, or not to its end, or there is no thread for it: 3.
    Capture,
    /// Standard output, or a file, could not be written: 4.
    Output,
}

impl Exit {
    /// Returns the exit status.
    #[must_use]
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Differ => 1,
            Self::Config => 2,
            Self::Capture => 3,
            Self::Output => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}
