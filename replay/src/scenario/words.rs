//! The words of a line, and what is said of them.

use std::time::Duration;

use knock_engine::config::Wording;
use knock_engine::config::lex::{Line, Piece};

use super::time;
use super::value::unknown;

/// A fault, and where it is.
pub(super) type Fault<'a> = Box<(Piece<'a>, Wording)>;

pub(super) fn fault(at: Piece<'_>, wording: Wording) -> Fault<'_> {
    Box::new((at, wording))
}

/// The words of a line, up to a comment.
pub(super) struct Words<'a> {
    rest: Piece<'a>,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: Line<'a>) -> Self {
        Self { rest: line.trimmed() }
    }

    pub(super) fn next(&mut self) -> Option<Piece<'a>> {
        let (word, rest) = self.rest.first_word();
        if word.is_empty() || word.bytes().starts_with(b"#") {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    /// Returns the next word, which must be there, behind this one.
    pub(super) fn expect(&mut self, behind: Piece<'a>, what: &str) -> Result<Piece<'a>, Fault<'a>> {
        self.next().ok_or_else(|| {
            let wording = Wording::new("the line ends too early", format!("expected {what}"));
            fault(behind.empty_at_end(), wording)
        })
    }

    pub(super) fn nothing_more(mut self) -> Result<(), Fault<'a>> {
        match self.next() {
            None => Ok(()),
            Some(word) => {
                let wording = Wording::new("there is more than was expected", "remove this");
                Err(fault(word.to_line_end(), wording))
            }
        }
    }

    pub(super) fn length(&mut self, behind: Piece<'a>) -> Result<Duration, Fault<'a>> {
        let word = self.expect(behind, "a time, such as `0.2s`")?;
        time::length(word).map_err(|wording| fault(word, wording))
    }

    /// Reads `N every T`.
    pub(super) fn times(&mut self, behind: Piece<'a>) -> Result<(u32, Duration), Fault<'a>> {
        let word = self.expect(behind, "how often, such as `3 every 10s`")?;
        let count = time::count(word).map_err(|wording| fault(word, wording))?;
        let every = self.expect(word, "`every` and a time, such as `every 10s`")?;
        if every.bytes() != b"every" {
            return Err(unknown(every, &["every"]));
        }
        Ok((count, self.length(every)?))
    }
}
