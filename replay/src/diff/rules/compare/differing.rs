//! Lines that differ.

use knock_compat::Difference;
use knock_engine::Timestamp;

use crate::diff::rules::lines::LineAt;

/// Whose transcript a line is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// That of knockd 0.8, and not that of knock.
    Knockd08,
    /// That of knock, and not that of knockd 0.8.
    Knock,
}

/// A line that only one of them prints, at least at that time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// Who prints it.
    pub side: Side,
    /// The line and its time.
    pub line: Line,
    /// The difference that it is due to; `None` if it is none of those that are known, which is a
    /// fault of this program.
    pub due_to: Option<Difference>,
}

/// A line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// When it is printed.
    pub at: Timestamp,
    /// The text, without a newline.
    pub text: Vec<u8>,
}

impl From<LineAt<'_>> for Line {
    fn from((at, text): LineAt<'_>) -> Self {
        Self { at, text: text.to_vec() }
    }
}
