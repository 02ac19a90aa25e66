//! Configurations and captures, read before anything is replayed.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::num::NonZeroU32;
use std::path::Path;

use knock_capture::{Capture, CaptureError, Merge};
use knock_config::text::shown;
use knock_config::{Refusal, Setup};
use knock_engine::{Doors, Limits};

use super::exit::Exit;
use super::interrupt::Interrupt;
use super::progress::{Bar, Progress};
use super::reader::Reader;
use super::terminal::Streams;
use crate::args::{Input, is_stdin};
use crate::explain::Places;

/// A configuration as it was read.
pub(crate) struct Configuration {
    /// The name of its file, fit to be printed.
    pub(crate) name: String,
    pub(crate) doors: Doors,
    pub(crate) places: Places,
}

impl Configuration {
    /// Reads a configuration, and says what is wrong with it.
    ///
    /// # Errors
    /// The exit status, if it cannot be used.
    pub(crate) fn load(path: &Path, quiet: bool, streams: &mut Streams<'_>) -> Result<Self, Exit> {
        let setup = Setup::load_unless(path, refusal);
        if setup.config.is_none() || !quiet {
            streams.say(&setup.report(streams.style()));
        }
        let places = Places::new(path, &setup);
        let config = setup.config.ok_or(Exit::Config)?;
        match knock_config::doors(&config) {
            Ok(doors) => Ok(Self { name: shown(path), doors, places }),
            Err(error) => {
                streams.say(&format!("error: {}: {error}\n", shown(path)));
                Err(Exit::Config)
            }
        }
    }
}

/// Why a configuration is refused that is easily given by mistake.
const A_CAPTURE: Refusal = Refusal {
    cause: "it is a packet capture, not a configuration",
    help: "name captures without an option, and the configuration after `-c`",
};

/// Returns why a file is refused as a configuration, if it is something else.
pub(crate) fn refusal(text: &[u8]) -> Option<Refusal> {
    knock_capture::begins_like_one(text).then_some(A_CAPTURE)
}

/// Returns limits with a random hash seed: it changes nothing that is printed, but under a known seed a
/// capture of addresses that collide would take for ever.
pub(crate) fn limits(attempts: NonZeroU32) -> Limits {
    Limits {
        hash_seed: RandomState::new().build_hasher().finish(),
        ..Limits::with_attempts(attempts)
    }
}

/// Opens all captures, or says of each why it cannot be read. A progress bar goes with the reader if
/// `shows_progress` and standard error is fit for one.
///
/// # Errors
/// The exit status, if one cannot be opened.
pub(crate) fn open(
    input: &Input,
    shows_progress: bool,
    streams: &mut Streams<'_>,
) -> Result<(Reader, Option<Bar>), Exit> {
    let open = |path: &Path| if is_stdin(path) { Capture::stdin() } else { Capture::open(path) };
    open_by(open, input, shows_progress, streams)
}

/// As [`open`], where live captures end after a signal.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_until(
    interrupt: &Interrupt,
    input: &Input,
    streams: &mut Streams<'_>,
) -> Result<Reader, Exit> {
    open_by(|path| interrupt.open(path), input, false, streams).map(|(reader, _)| reader)
}

fn open_by(
    open: impl Fn(&Path) -> Result<Capture, CaptureError>,
    input: &Input,
    shows_progress: bool,
    streams: &mut Streams<'_>,
) -> Result<(Reader, Option<Bar>), Exit> {
    let mut captures = Vec::new();
    let mut failed = false;
    for path in input.captures() {
        match open(path) {
            Ok(capture) => captures.push(capture),
            Err(error) => {
                streams.cannot_read(&error);
                failed = true;
            }
        }
    }
    if failed {
        return Err(Exit::Capture);
    }
    let captures = Merge::new(captures);
    let bar_fits = streams.progress && !input.quiet && shows_progress;
    let bar = captures.size().filter(|_| bar_fits).map(Bar::hidden);
    let progress = bar.clone().map(Progress::new);
    let reader = Reader::at(&input.local, input.only_ip_v4, captures).with_progress(progress);
    Ok((reader, bar))
}
