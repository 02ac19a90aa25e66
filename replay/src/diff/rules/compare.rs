//! Where knockd 0.8 and knock differ on the same packets, and why.

mod bound;
mod differing;
mod happening;
mod knock;
mod older;
mod seen;
mod shown;

use knock_compat::{Sight, Undecodable};
use knock_engine::{Counts, Doors, Limits, Listening, Timestamp};

pub use self::differing::{Differing, Line, Side};
pub use self::happening::Happening;
pub(super) use self::knock::{Done, Knock};
pub(super) use self::older::Older;
pub(super) use self::seen::Seen;

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

/// knockd 0.8, knock, and all rule sets in between, each of which fixes one more difference.
///
/// A line that knockd 0.8 prints and knock does not is due to the difference with which it goes; a
/// line that knock prints and knockd 0.8 does not, to the one with which it comes.
///
/// Knock may be ahead of the others, on a thread of its own.
#[derive(Debug)]
pub struct Comparison {
    /// All but knock.
    older: Older,
    knock: Knock,
    /// What knock did last.
    done: Done,
}

impl Comparison {
    /// Begins a comparison. Commands succeed at once.
    #[must_use]
    pub fn new(doors: &Doors, listening: &Listening, limits: &Limits) -> Self {
        let knock = Knock::new(doors, listening, limits);
        Self { older: Older::new(doors, listening, limits), knock, done: Done::default() }
    }

    /// Returns how knock sees frames.
    pub(super) fn sight(&self) -> Sight {
        self.knock.sight()
    }

    /// Returns knock, and all others.
    pub(super) fn sides(&mut self) -> (&mut Knock, &mut Older) {
        (&mut self.knock, &mut self.older)
    }

    /// Lets something happen at `at`, and returns the lines that differ since the last time, in the
    /// order of their times.
    ///
    /// `undecodable` gets the reason why knock finds no port in a frame.
    pub fn step(
        &mut self,
        at: Timestamp,
        happening: &Happening<'_>,
        undecodable: impl FnOnce(Undecodable),
    ) -> Vec<Differing> {
        let (seen, found) = self.knock.seen(happening);
        found.unwrap_or_else(undecodable);
        let Self { older, knock, done } = self;
        done.clear();
        knock.handle(at, &seen, done);
        older.handle(at, &seen, done.of_input(0), knock.doors())
    }

    /// Takes what knockd 0.8 has said on standard error.
    pub fn take_messages(&mut self) -> Vec<Line> {
        self.older.take_messages()
    }

    /// Returns what one of the two has done so far, in numbers.
    #[must_use]
    pub fn counts(&self, side: Side) -> Counts {
        match side {
            Side::Knock => self.knock.counts(),
            Side::Knockd08 => self.older.counts(),
        }
    }
}
