//! The heartbeat: whether the process that reads packets still answers.

use std::time::{Duration, Instant};

/// How often it is asked, unless a service manager wants to know more often whether the daemon works.
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
    /// How often it is asked.
    every: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Answered,
    Asked,
    Reported,
}

impl Heartbeat {
    /// Begins with a question a while after `now`. The service manager ends a daemon that does not say for the
    /// time `watchdog` that it works.
    pub(super) fn new(now: Instant, watchdog: Option<Duration>) -> Self {
        let every =
            watchdog.and_then(|time| time.checked_div(4)).map_or(EVERY, |time| time.min(EVERY));
        Self { at: now, every, state: State::Answered }
    }

    /// Returns whether it is time to say that the daemon works, which asks no more.
    pub(super) fn tick(&mut self, now: Instant) -> bool {
        self.state = State::Answered;
        let is_due = self.due().is_some_and(|due| due <= now);
        if is_due {
            self.at = now;
        }
        is_due
    }

    /// Returns when something is to be done.
    pub(super) fn due(&self) -> Option<Instant> {
        self.at.checked_add(match self.state {
            State::Answered => self.every,
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
        let mut heartbeat = Heartbeat::new(now, None);
        for _ in 0..3 {
            assert_eq!(heartbeat.beat(now), None);
            now += EVERY;
            assert_eq!(heartbeat.due(), Some(now));
            assert_eq!((heartbeat.beat(now), heartbeat.beat(now)), (Some(Beat::Ask), None));
            assert!(!heartbeat.answered());
        }
    }

    #[test]
    fn a_service_manager_hears_of_it_four_times_in_its_time_and_also_at_the_end() {
        let now = Instant::now();
        let mut heartbeat = Heartbeat::new(now, Some(Duration::from_secs(2)));
        let due = now + Duration::from_millis(500);
        assert_eq!(heartbeat.due(), Some(due));
        assert_eq!(heartbeat.beat(due), Some(Beat::Ask));
        // Nobody is asked any more.
        assert!(!heartbeat.tick(due));
        assert_eq!(heartbeat.due(), Some(due + Duration::from_millis(500)));
        assert!(heartbeat.tick(due + Duration::from_secs(1)));
        let rarely = Heartbeat::new(now, Some(Duration::from_hours(1)));
        assert_eq!(rarely.due(), Some(now + EVERY));
    }

    #[test]
    fn silence_is_reported_and_then_counts_as_death() {
        let begin = Instant::now();
        let (mut heartbeat, asked) = (Heartbeat::new(begin, None), begin + EVERY);
        assert_eq!(heartbeat.beat(asked), Some(Beat::Ask));
        assert_eq!(heartbeat.beat(asked + SILENT), Some(Beat::Report));
        assert_eq!(heartbeat.beat(asked + SILENT), None);
        assert_eq!(heartbeat.beat(asked + SILENT_MAX), Some(Beat::GiveUp));
        assert!(heartbeat.answered());
        assert_eq!(heartbeat.beat(asked + SILENT_MAX), Some(Beat::Ask));
    }
}
