//! One-time sequences: each line of a file opens the door once.

use alloc::vec::Vec;

use crate::sequence::Sequence;

/// A line that the engine asked to mark as used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarkId(u64);

impl MarkId {
    /// Takes the result of [`MarkId::to_bits`]: for a driver whose parts talk over a socket.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the number as one that a driver can send to another process.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }
}

/// A usable line of a sequence file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeLine {
    /// The number of the line in the file, from 1.
    pub number: u32,
    /// Where the line starts in the file, in bytes: the place of the `#` that marks it as used. The `#`
    /// overwrites the first byte of the line, which may be a blank. A byte order mark comes before the
    /// first line and is not part of it: it stays, and readers still take the marked line for a comment.
    pub offset: u64,
    /// The knocks on it.
    pub sequence: Sequence,
}

/// The lines of a sequence file that are not used yet, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneTimeSequences {
    /// Last line first, so that using one is a pop.
    rest: Vec<OneTimeLine>,
}

impl OneTimeSequences {
    /// Takes the usable lines in the order of the file.
    #[must_use]
    pub fn new(mut lines: Vec<OneTimeLine>) -> Self {
        lines.reverse();
        Self { rest: lines }
    }

    /// Returns the line that opens the door now; `None` if all are used.
    #[must_use]
    pub fn next(&self) -> Option<&OneTimeLine> {
        self.rest.last()
    }

    /// Returns the lines that are not used yet, in order.
    pub fn unused(&self) -> impl Iterator<Item = &OneTimeLine> {
        self.rest.iter().rev()
    }

    /// Removes the line that opened the door from the list.
    pub(crate) fn use_up(&mut self) -> Option<OneTimeLine> {
        self.rest.pop()
    }
}
