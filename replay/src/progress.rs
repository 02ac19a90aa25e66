//! The progress bar.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of the bytes read, on standard error, that appears when the work turns out to be long.
pub(crate) struct Progress {
    started: Instant,
    total: u64,
    bar: Bar,
    ticks: u32,
}

/// The bar on the screen, if there is one, for whoever writes there too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bar(Arc<OnceLock<ProgressBar>>);

impl Progress {
    /// How long the work must have lasted for a bar.
    const PATIENCE: Duration = Duration::from_millis(500);

    /// Returns the progress towards reading `total` bytes, to be shown as `bar`.
    pub(crate) fn new(total: u64, bar: Bar) -> Self {
        Self { started: Instant::now(), total, bar, ticks: 0 }
    }

    /// Tells how far the work is. Cheap enough to be called all the time: it looks at the clock, and
    /// asks for the number of bytes, only now and then.
    pub(crate) fn tick(&mut self, bytes_read: impl FnOnce() -> u64) {
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(256) && self.started.elapsed() >= Self::PATIENCE {
            self.bar.0.get_or_init(|| new_bar(self.total)).set_position(bytes_read());
        }
    }
}

impl Drop for Progress {
    /// Takes the bar off the screen.
    fn drop(&mut self) {
        if let Some(bar) = self.bar.0.get() {
            bar.finish_and_clear();
        }
    }
}

impl Bar {
    /// Does something with the bar out of the way.
    pub(crate) fn suspend<T>(&self, action: impl FnOnce() -> T) -> T {
        match self.0.get() {
            Some(bar) => bar.suspend(action),
            None => action(),
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
