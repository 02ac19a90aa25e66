//! The heartbeat: whether the process that reads packets still answers.
//!
//! It is asked only while it has something to do: while packets wait for it or after it was sent an order. If it hangs
//! while there is nothing to do, nobody misses it, and the first packet that it does not read shows it. So nothing wakes
//! an idle daemon, unless a service manager wants to hear again and again that it works.

use std::time::{Duration, Instant};

/// How often it is asked at most.
const PAUSE: Duration = Duration::from_secs(5);

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
    /// When the last question was asked, or when something else came since then.
    at: Instant,
    /// How often it is asked without a reason; `None` if never.
    every: Option<Duration>,
    /// Whether it was given something to do since the last question.
    is_busy: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Answered,
    Asked,
    Reported,
}

impl Heartbeat {
    /// Begins at `now`. The service manager ends a daemon that does not say for the time `watchdog` that it works.
    pub(super) fn new(now: Instant, watchdog: Option<Duration>) -> Self {
        let every = watchdog.and_then(|time| time.checked_div(4));
        Self { at: now, every, is_busy: false, state: State::Answered }
    }

    /// Returns whether packets that wait for it would be a reason to ask it.
    pub(super) fn awaits_packets(&self) -> bool {
        self.state == State::Answered && !self.is_busy
    }

    /// Notes that it has something to do.
    pub(super) const fn has_work(&mut self) {
        self.is_busy = true;
    }

    /// Returns whether it is time to say that the daemon works, which asks no more.
    pub(super) fn tick(&mut self, now: Instant) -> bool {
        (self.state, self.is_busy) = (State::Answered, false);
        let is_due = self.due().is_some_and(|due| due <= now);
        if is_due {
            self.at = now;
        }
        is_due
    }

    /// Returns when something is to be done.
    pub(super) fn due(&self) -> Option<Instant> {
        let after = match self.state {
            State::Answered => {
                let pause = self.is_busy.then_some(PAUSE);
                self.every.into_iter().chain(pause).min()?
            }
            State::Asked => SILENT,
            State::Reported => SILENT_MAX,
        };
        self.at.checked_add(after)
    }

    /// Returns what is to be done now.
    pub(super) fn beat(&mut self, now: Instant) -> Option<Beat> {
        self.due().filter(|due| *due <= now)?;
        let (state, beat) = match self.state {
            State::Answered => {
                (self.at, self.is_busy) = (now, false);
                (State::Asked, Beat::Ask)
            }
            State::Asked => (State::Reported, Beat::Report),
            State::Reported => return Some(Beat::GiveUp),
        };
        self.state = state;
        Some(beat)
    }

    /// Notes that it says something. Its answer may come after much else, all of which has to be handled first: silence
    /// is counted from the last of it.
    pub(super) fn has_heard(&mut self, now: Instant) {
        if self.state != State::Answered {
            self.at = now;
        }
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
    fn a_process_that_has_something_to_do_is_asked_again_and_again() {
        let mut now = Instant::now();
        let mut heartbeat = Heartbeat::new(now, None);
        for _ in 0..3 {
            assert!(heartbeat.awaits_packets());
            heartbeat.has_work();
            assert!(!heartbeat.awaits_packets());
            assert_eq!(heartbeat.beat(now), None);
            now += PAUSE;
            assert_eq!(heartbeat.due(), Some(now));
            assert_eq!((heartbeat.beat(now), heartbeat.beat(now)), (Some(Beat::Ask), None));
            // Packets that come now are answered for by the answer.
            assert!(!heartbeat.awaits_packets());
            assert!(!heartbeat.answered());
        }
    }

    #[test]
    fn a_process_that_has_nothing_to_do_is_not_asked_until_then() {
        let begin = Instant::now();
        let mut heartbeat = Heartbeat::new(begin, None);
        let late = begin + Duration::from_hours(1);
        assert_eq!((heartbeat.due(), heartbeat.beat(late)), (None, None));
        heartbeat.has_work();
        assert_eq!(heartbeat.beat(late), Some(Beat::Ask));
        // An order that it gets after the question is not what it answers.
        heartbeat.has_work();
        assert!(!heartbeat.answered());
        assert_eq!(heartbeat.due(), Some(late + PAUSE));
    }

    #[test]
    fn a_service_manager_hears_of_it_four_times_in_its_time_and_also_at_the_end() {
        let now = Instant::now();
        let mut heartbeat = Heartbeat::new(now, Some(Duration::from_secs(2)));
        let due = now + Duration::from_millis(500);
        assert_eq!(heartbeat.due(), Some(due));
        assert!(heartbeat.awaits_packets());
        assert_eq!(heartbeat.beat(due), Some(Beat::Ask));
        // Nobody is asked any more.
        assert!(!heartbeat.tick(due));
        assert_eq!(heartbeat.due(), Some(due + Duration::from_millis(500)));
        assert!(heartbeat.tick(due + Duration::from_secs(1)));
        let mut rarely = Heartbeat::new(now, Some(Duration::from_hours(1)));
        assert_eq!(rarely.due(), Some(now + Duration::from_mins(15)));
        rarely.has_work();
        assert_eq!(rarely.due(), Some(now + PAUSE));
    }

    #[test]
    fn silence_is_reported_and_then_counts_as_death() {
        let begin = Instant::now();
        let (mut heartbeat, asked) = (Heartbeat::new(begin, None), begin + PAUSE);
        heartbeat.has_work();
        assert_eq!(heartbeat.beat(asked), Some(Beat::Ask));
        assert_eq!(heartbeat.beat(asked + SILENT), Some(Beat::Report));
        assert_eq!(heartbeat.beat(asked + SILENT), None);
        assert_eq!(heartbeat.beat(asked + SILENT_MAX), Some(Beat::GiveUp));
        heartbeat.has_work();
        assert!(heartbeat.answered());
        assert_eq!(heartbeat.beat(asked + SILENT_MAX), Some(Beat::Ask));
    }

    #[test]
    fn a_process_that_says_much_is_not_silent() {
        let mut now = Instant::now();
        let mut heartbeat = Heartbeat::new(now, None);
        heartbeat.has_heard(now + PAUSE);
        heartbeat.has_work();
        now += PAUSE;
        assert_eq!(heartbeat.beat(now), Some(Beat::Ask));
        for _ in 0..10 {
            now += SILENT / 2;
            heartbeat.has_heard(now);
            assert_eq!(heartbeat.beat(now), None);
        }
        assert_eq!(heartbeat.beat(now + SILENT), Some(Beat::Report));
        heartbeat.has_heard(now + SILENT);
        assert_eq!(heartbeat.beat(now + SILENT_MAX), None);
        assert_eq!(heartbeat.beat(now + SILENT + SILENT_MAX), Some(Beat::GiveUp));
    }
}
