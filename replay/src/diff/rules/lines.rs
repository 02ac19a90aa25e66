//! The lines that a rule set prints at a time.

use std::collections::BTreeMap;

use knock_compat::TimedEffect;
use knock_engine::transcript::{self, Channel};
use knock_engine::{Doors, Timestamp};

/// A line of a transcript, and when it is printed.
pub(super) type LineAt<'a> = (Timestamp, &'a [u8]);

/// Lines of a transcript, in order. The memory is used again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    text: Vec<u8>,
    /// When each is printed, and where its text ends.
    ends: Vec<(Timestamp, usize)>,
}

impl Lines {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// Adds the line of an effect, if it has one in the transcript. `message` gets one that belongs on
    /// standard error.
    pub(super) fn add(
        &mut self,
        doors: &Doors,
        TimedEffect { at, effect }: TimedEffect,
        message: impl FnOnce(LineAt<'_>),
    ) {
        let start = self.text.len();
        match transcript::write(&effect, doors, &mut self.text) {
            Channel::Transcript => self.ends.push((at, self.text.len())),
            Channel::Message => {
                message((at, self.text.get(start..).unwrap_or_default()));
                self.text.truncate(start);
            }
            Channel::Note => self.text.truncate(start),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = LineAt<'_>> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|&(_, end)| end));
        let lines = starts.zip(&self.ends);
        lines.map(|(start, &(at, end))| (at, self.text.get(start..end).unwrap_or_default()))
    }

    pub(super) fn occurrences(&self) -> Occurrences<'_> {
        let mut occurrences = Occurrences::new();
        for line in self.iter() {
            let count = occurrences.entry(line).or_default();
            *count = count.saturating_add(1);
        }
        occurrences
    }

    /// Returns the lines that are more often here than there, as often as that.
    pub(super) fn missing_in<'a>(
        &'a self,
        mut other: Occurrences<'a>,
    ) -> impl Iterator<Item = LineAt<'a>> {
        self.iter().filter(move |line| match other.get_mut(line) {
            Some(count) if *count > 0 => {
                *count = count.saturating_sub(1);
                false
            }
            Some(_) | None => true,
        })
    }
}

/// How often each line was printed.
pub(super) type Occurrences<'a> = BTreeMap<LineAt<'a>, u64>;
