//! The heartbeat: whether the process that reads packets still answers.

use std::time::{Duration, Instant};

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(5);

/// How long an answer may take before a line says so.
const SILENT: Duration = Duration::from_secs(5);

/// How long an answer may take at all.
pub(super) const SILENT_MAX: Duration = Duration::from_secs(15);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Ask it.
    Ask,
    /// Report that it is silent.
    Report,
    /// It counts as dead.
    GiveUp,
}

/// Questions and answers.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// When the last question was asked, or is to be asked.
    at: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Answered,
    Asked,
    Reported,
}

impl Heartbeat {
    /// Begins with a question a while after `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { at: now, state: State::Answered }
    }

    /// Returns when something is to be done.
    pub(super) fn due(&self) -> Option<Instant> {
        self.at.checked_add(match self.state {
            State::Answered => EVERY,
            State::Asked => SILENT,
            State::Reported => SILENT_MAX,
        })
    }

    /// Returns what is to be done now.
    pub(super) fn beat(&mut self, now: Instant) -> Option<Beat> {
        self.due().filter(|due| *due <= now)?;
        let (state, beat) = match self.state {
            State::Answered => {
                self.at = now;
                (State::Asked, Beat::Ask)
            }
            State::Asked => (State::Reported, Beat::Report),
            State::Reported => return Some(Beat::GiveUp),
        };
        self.state = state;
        Some(beat)
    }

    /// Notes an answer. Returns whether it came after a report.
    pub(super) fn answered(&mut self) -> bool {
        std::mem::replace(&mut self.state, State::Answered) == State::Reported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_answers_is_asked_again_and_again() {
        let mut now = Instant::now();
        let mut heartbeat = Heartbeat::new(now);
        for _ in 0..3 {
            assert_eq!(heartbeat.beat(now), None);
            now += EVERY;
            assert_eq!(heartbeat.due(), Some(now));
            assert_eq!((heartbeat.beat(now), heartbeat.beat(now)), (Some(Beat::Ask), None));
            assert!(!heartbeat.answered());
        }
    }

    #[test]
    fn silence_is_reported_and_then_counts_as_death() {
        let begin = Instant::now();
        let (mut heartbeat, asked) = (Heartbeat::new(begin), begin + EVERY);
        assert_eq!(heartbeat.beat(asked), Some(Beat::Ask));
        assert_eq!(heartbeat.beat(asked + SILENT), Some(Beat::Report));
        assert_eq!(heartbeat.beat(asked + SILENT), None);
        assert_eq!(heartbeat.beat(asked + SILENT_MAX), Some(Beat::GiveUp));
        assert!(heartbeat.answered());
        assert_eq!(heartbeat.beat(asked + SILENT_MAX), Some(Beat::Ask));
    }
}
