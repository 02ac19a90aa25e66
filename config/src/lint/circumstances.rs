//! What a check takes into account besides the text, and what it looks up on the machine.

use crate::lex::Span;
use crate::warnings::Levels;

/// What a check takes into account besides the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The level of each warning.
    pub levels: Levels,
    /// Whether IPv6 packets are ignored.
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
