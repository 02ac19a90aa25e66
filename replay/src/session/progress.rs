//! The progress bar.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of the bytes read, on standard error, that appears when the work turns out to be long.
pub(crate) struct Progress {
    started: Instant,
    bar: Bar,
    /// How much was read since it looked at the clock.
    unseen: usize,
}

/// The bar on the screen, if there is one, for code that also writes there.
#[derive(Clone, Debug)]
pub(crate) struct Bar(ProgressBar);

impl Progress {
    /// How long the work must have lasted for a bar.
    const PATIENCE: Duration = Duration::from_millis(500);
    /// How many packets are read between two looks at the clock.
    const LOOK: usize = 4096;

    /// Returns the progress that `bar` shows.
    pub(crate) fn new(bar: Bar) -> Self {
        Self { started: Instant::now(), bar, unseen: 0 }
    }

    /// Shows how far the work is, after so many more packets. Cheap enough to be called all the time: it
    /// looks at the clock, and asks for the number of bytes, only now and then.
    pub(crate) fn tick(&mut self, packets: usize, bytes_read: impl FnOnce() -> u64) {
        self.unseen = self.unseen.saturating_add(packets);
        if self.unseen < Self::LOOK {
            return;
        }
        self.unseen = 0;
        let Bar(bar) = &self.bar;
        // The position is set also while the bar is hidden, so that its speed is right.
        bar.set_position(bytes_read());
        if bar.is_hidden() && self.started.elapsed() >= Self::PATIENCE {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    /// Takes the bar off the screen.
    fn drop(&mut self) {
        self.bar.0.finish_and_clear();
    }
}

impl Bar {
    /// Returns a bar for `total` bytes that is hidden at first.
    pub(crate) fn hidden(total: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        let template =
            "{bar:40} {percent:>3}%  {bytes} of {total_bytes}  {bytes_per_sec}  eta {eta}";
        // The template is a constant; the plain bar is as good if it were ever wrong.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Does something with the bar out of the way.
    pub(crate) fn suspend<T>(&self, action: impl FnOnce() -> T) -> T {
        if self.0.is_hidden() { action() } else { self.0.suspend(action) }
    }
}
