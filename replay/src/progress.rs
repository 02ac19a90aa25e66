//! The progress bar.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of the bytes read, on standard error, that appears when the work turns out to be long.
pub(crate) struct Progress {
    started: Instant,
    total: u64,
    bar: Option<ProgressBar>,
    ticks: u32,
}

impl Progress {
    /// How long the work must have lasted for a bar.
    const PATIENCE: Duration = Duration::from_millis(500);

    /// Returns the progress towards reading `total` bytes.
    pub(crate) fn new(total: u64) -> Self {
        Self { started: Instant::now(), total, bar: None, ticks: 0 }
    }

    /// Tells how far the work is. Cheap enough for every packet: it looks at the clock and asks for
    /// the number of bytes only now and then.
    pub(crate) fn tick(&mut self, bytes_read: impl FnOnce() -> u64) {
        self.ticks = self.ticks.wrapping_add(1);
        if !self.ticks.is_multiple_of(4096) || self.started.elapsed() < Self::PATIENCE {
            return;
        }
        let total = self.total;
        self.bar.get_or_insert_with(|| new_bar(total)).set_position(bytes_read());
    }

    /// Does something with the bar out of the way.
    pub(crate) fn suspend<T>(&self, action: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(action),
            None => action(),
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn new_bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let template = "{bar:40} {percent:>3}%  {bytes} of {total_bytes}  {bytes_per_sec}  eta {eta}";
    // The template is a constant; the plain bar is as good if it were ever wrong.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
