//! Configurations and captures, read before anything is replayed.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use knock_capture::scenario::Signers;
use knock_capture::{Capture, CaptureError, Merge, Opener};
use knock_config::text::shown;
use knock_config::{Refusal, Setup};
use knock_engine::{Doors, Limits};

use super::exit::Exit;
use super::interrupt::Interrupt;
use super::progress::{Bar, Progress};
use super::reader::Reader;
use super::state;
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
    /// Reads the configuration of a replay, whose doors begin with what was used before.
    ///
    /// # Errors
    /// As [`Configuration::load`], and if the file of what was used cannot be read.
    pub(crate) fn begin(
        path: &Path,
        input: &Input,
        streams: &mut Streams<'_>,
    ) -> Result<Self, Exit> {
        let config = Self::load(path, input.quiet, streams)?;
        let Some(used) = &input.replay_state else { return Ok(config) };
        let doors = state::restore(config.doors, used, streams)?;
        Ok(Self { doors, ..config })
    }

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

/// Opens all captures, or says of each why it cannot be read. The packets of scenarios are signed with the keys of
/// these doors. A progress bar goes with the reader if `shows_progress` and standard error is fit for one.
///
/// # Errors
/// The exit status, if one cannot be opened.
pub(crate) fn open(
    input: &Input,
    doors: &[&Doors],
    shows_progress: bool,
    streams: &mut Streams<'_>,
) -> Result<(Reader, Option<Bar>), Exit> {
    let reading = Reading { shows_progress: shows_progress && !input.quiet, ..Reading::of(input) };
    let opener = Opener::new(Signers::of(doors));
    reading.open(|path| open_one(path, opener), streams)
}

pub(super) fn open_one(path: &Path, opener: Opener<'_>) -> Result<Capture, CaptureError> {
    if is_stdin(path) { opener.stdin() } else { opener.open(path) }
}

/// As [`open`], where live captures end after a signal.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_until(
    interrupt: &Interrupt,
    input: &Input,
    doors: &[&Doors],
    streams: &mut Streams<'_>,
) -> Result<Reader, Exit> {
    let opener = Opener::new(Signers::of(doors));
    let reading = Reading::of(input);
    reading.open(|path| interrupt.open(path, opener), streams).map(|(reader, _)| reader)
}

/// Opens captures, every address of which counts, or says of each why it cannot be read. Live ones end after a
/// signal.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_all(
    captures: &[PathBuf],
    doors: &[&Doors],
    interrupt: Option<&Interrupt>,
    shows_progress: bool,
    streams: &mut Streams<'_>,
) -> Result<Reader, Exit> {
    let captures = captures.iter().map(PathBuf::as_path).collect();
    let reading = Reading { captures, local: &[], only_ip_v4: false, shows_progress };
    let opener = Opener::new(Signers::of(doors));
    let read = match interrupt {
        Some(interrupt) => reading.open(|path| interrupt.open(path, opener), streams),
        None => reading.open(|path| open_one(path, opener), streams),
    };
    read.map(|(reader, _)| reader)
}

/// Which captures are read, and which packets of them count.
struct Reading<'a> {
    captures: Vec<&'a Path>,
    local: &'a [IpAddr],
    only_ip_v4: bool,
    shows_progress: bool,
}

impl<'a> Reading<'a> {
    fn of(input: &'a Input) -> Self {
        let captures = input.captures().map(PathBuf::as_path).collect();
        let Input { local, only_ip_v4, .. } = input;
        Self { captures, local, only_ip_v4: *only_ip_v4, shows_progress: false }
    }

    fn open(
        self,
        open: impl Fn(&Path) -> Result<Capture, CaptureError>,
        streams: &mut Streams<'_>,
    ) -> Result<(Reader, Option<Bar>), Exit> {
        let mut captures = Vec::new();
        for &path in &self.captures {
            match open(path) {
                Ok(capture) => captures.push(capture),
                Err(error) => streams.cannot_read(&error),
            }
        }
        if captures.len() < self.captures.len() {
            return Err(Exit::Capture);
        }
        let captures = Merge::new(captures);
        let bar_fits = streams.progress && self.shows_progress;
        let bar = captures.size().filter(|_| bar_fits).map(Bar::hidden);
        let progress = bar.clone().map(Progress::new);
        let reader = Reader::at(self.local, self.only_ip_v4, captures).with_progress(progress);
        Ok((reader, bar))
    }
}
