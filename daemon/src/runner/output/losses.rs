//! Lines that found no room in a queue.

use std::time::{Duration, Instant};

use super::queue::Share;

/// How often lost lines are reported.
const EVERY: Duration = Duration::from_secs(1);

/// How many lines were lost since that was last reported.
#[derive(Debug, Default)]
pub(super) struct LostLines {
    progress: u64,
    important: u64,
    /// Until then, nothing is reported.
    pause: Option<Instant>,
}

impl LostLines {
    /// Counts one more.
    pub(super) fn add(&mut self, share: Share) {
        let count = match share {
            Share::Progress => &mut self.progress,
            Share::Important => &mut self.important,
        };
        *count = count.saturating_add(1);
        self.pause = self.pause.or_else(|| Instant::now().checked_add(EVERY));
    }

    /// Returns when there is something to report.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.pause
    }

    /// Reports what was lost as soon as it is asked for.
    pub(super) const fn end_pause(&mut self) {
        self.pause = None;
    }

    /// Returns the lines to report, if that is due.
    pub(super) fn take(&mut self) -> Vec<String> {
        if self.pause.is_some_and(|pause| Instant::now() < pause) {
            return Vec::new();
        }
        let Self { progress, important, .. } = std::mem::take(self);
        let mut lines = Vec::new();
        if progress > 0 {
            lines.push(format!(
                "knockd: warning: {progress} lines about stages and timeouts were dropped, because the \
                 log could not be written fast enough"
            ));
        }
        if important > 0 {
            lines.push(format!(
                "knockd: warning: {important} log lines were lost, because they could not be written \
                 fast enough; openings may be among them"
            ));
        }
        lines
    }
}
