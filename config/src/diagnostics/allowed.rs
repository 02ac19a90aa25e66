//! Warnings that comments in a text allow.

use std::collections::{BTreeMap, BTreeSet};

use crate::warnings::Code;

/// The warnings that comments in a text allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Allowed {
    /// For the next line that is neither blank nor a comment.
    next: BTreeSet<Code>,
    /// By the number of the line.
    at: BTreeMap<u32, BTreeSet<Code>>,
    /// On any line: what is about the text as a whole has none.
    anywhere: BTreeSet<Code>,
}

impl Allowed {
    /// Allows warnings about the next line that has text, and about the text as a whole.
    pub(super) fn allow(&mut self, code: Code) {
        self.next.insert(code);
        self.anywhere.insert(code);
    }

    /// Begins a line that has text.
    pub(super) fn begin_line(&mut self, number: u32) {
        if !self.next.is_empty() {
            self.at.insert(number, std::mem::take(&mut self.next));
        }
    }

    /// Returns whether nothing is allowed.
    pub(super) fn is_empty(&self) -> bool {
        self.anywhere.is_empty()
    }

    /// Returns whether a warning about a line, or about the text as a whole, is allowed.
    pub(super) fn covers(&self, code: Code, line: Option<u32>) -> bool {
        let codes = match line {
            Some(line) => self.at.get(&line),
            None => Some(&self.anywhere),
        };
        codes.is_some_and(|codes| codes.contains(&code))
    }
}
