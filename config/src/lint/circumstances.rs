//! What a check goes by, and what it asks of the machine.

use crate::lex::Span;
use crate::warnings::Levels;

/// What a check is told besides the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// What becomes of each warning.
    pub levels: Levels,
    /// Whether packets of IPv6 are ignored.
    pub ipv4_only: bool,
}

/// A program that a command names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its path, which begins with `/`.
    pub path: Vec<u8>,
    /// Where the command names it.
    pub span: Span,
}
