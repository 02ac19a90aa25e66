//! The progress bar.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of the bytes read, on standard error, that appears when the work turns out to be long.
pub(crate) struct Progress {
    started: Instant,
    /// Hidden at first; told of the bytes all the same, so that it knows how fast the work is.
    bar: ProgressBar,
    ticks: u32,
}

impl Progress {
    /// How long the work must have lasted for a bar.
    const PATIENCE: Duration = Duration::from_millis(500);

    /// Returns the progress towards reading `total` bytes.
    pub(crate) fn new(total: u64) -> Self {
        Self { started: Instant::now(), bar: hidden_bar(total), ticks: 0 }
    }

    /// Tells how far the work is. Cheap enough for every packet: it looks at the clock and asks for
    /// the number of bytes only now and then.
    pub(crate) fn tick(&mut self, bytes_read: impl FnOnce() -> u64) {
        self.ticks = self.ticks.wrapping_add(1);
        if !self.ticks.is_multiple_of(4096) {
            return;
        }
        self.bar.set_position(bytes_read());
        if self.bar.is_hidden() && self.started.elapsed() >= Self::PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Does something with the bar out of the way.
    pub(crate) fn suspend<T>(&self, action: impl FnOnce() -> T) -> T {
        if self.bar.is_hidden() { action() } else { self.bar.suspend(action) }
    }

    /// Takes the bar off the screen.
    pub(crate) fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn hidden_bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
    let template = "{bar:40} {percent:>3}%  {bytes} of {total_bytes}  {bytes_per_sec}  eta {eta}";
    // The template is a constant; the plain bar is as good if it were ever wrong.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
