//! What the service manager shows of the daemon: how many doors there are, and how many are open.

use std::time::{Duration, Instant};

use knock_config::text::counted;

use super::Runner;
use super::end::State;

/// The least time from one message to the next: doors may open by the hundred.
const PAUSE: Duration = Duration::from_secs(1);

/// What was said last, and when.
#[derive(Debug, Default)]
pub(super) struct ServiceStatus {
    said: Option<Figures>,
    at: Option<Instant>,
}

/// How many doors there are, and how many are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Figures {
    doors: usize,
    open: usize,
    is_ending: bool,
}

impl Figures {
    fn text(self) -> String {
        let Self { doors, open, is_ending } = self;
        if is_ending {
            return format!("Closing doors, {open} open");
        }
        format!("{}, {open} open", counted(doors, "door"))
    }
}

impl ServiceStatus {
    /// Returns what is to be said now: what has changed, unless the last message was just now.
    fn news(&mut self, figures: Figures, now: Instant) -> Option<String> {
        if self.due(figures, now)? > now {
            return None;
        }
        (self.said, self.at) = (Some(figures), Some(now));
        Some(figures.text())
    }

    /// Returns when the next message is due; `None` if nothing has changed. It may be past. The first is due
    /// now.
    fn due(&self, figures: Figures, now: Instant) -> Option<Instant> {
        if self.said == Some(figures) {
            return None;
        }
        Some(self.at.and_then(|at| at.checked_add(PAUSE)).unwrap_or(now))
    }
}

impl Runner {
    /// Says how many doors are open, if that has changed.
    pub(super) fn say_status(&mut self) {
        let Some(figures) = self.figures() else { return };
        if let Some(text) = self.service_status.news(figures, Instant::now()) {
            self.tell(|manager| manager.status(&text));
        }
    }

    /// Returns when the service manager is to know that something has changed.
    pub(super) fn status_due(&self) -> Option<Instant> {
        self.service_status.due(self.figures()?, Instant::now())
    }

    /// Returns what the service manager is to know, if there is one.
    fn figures(&self) -> Option<Figures> {
        let is_ending = match self.state {
            State::Starting => return None,
            State::Listening => false,
            State::Ending(_) => true,
        };
        let open = self.leases.len().saturating_add(self.admissions.len());
        self.notify.is_there().then_some(Figures { doors: self.doors.len(), open, is_ending })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_said_at_once_but_only_once_a_second_and_the_last_one_always() {
        let (mut status, now) = (ServiceStatus::default(), Instant::now());
        let figures = |open| Figures { doors: 2, open, is_ending: false };
        let mut say = |open, millis| {
            let now = now.checked_add(Duration::from_millis(millis)).unwrap();
            status.news(figures(open), now)
        };
        assert_eq!(say(0, 0).as_deref(), Some("2 doors, 0 open"));
        assert_eq!(say(0, 2000), None);
        assert_eq!(say(1, 2000).as_deref(), Some("2 doors, 1 open"));
        assert_eq!(say(2, 2500), None);
        assert_eq!(say(3, 2999), None);
        assert_eq!(say(3, 3000).as_deref(), Some("2 doors, 3 open"));
        // What changes and changes back within a second is not said.
        assert_eq!((say(4, 3500), say(3, 3600), say(3, 5000)), (None, None, None));
        let due = now.checked_add(Duration::from_secs(4)).unwrap();
        assert_eq!(status.due(figures(4), now), Some(due));
        assert_eq!(status.due(figures(3), now), None);
    }

    #[test]
    fn one_door_and_the_end_have_their_own_words() {
        let text = |doors, is_ending| Figures { doors, open: 1, is_ending }.text();
        assert_eq!(text(1, false), "1 door, 1 open");
        assert_eq!(text(1, true), "Closing doors, 1 open");
    }
}
