//! Ctrl-C while packets come: reading ends, and what came until then is used.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use knock_capture::{Capture, CaptureError, Opener};
use knock_config::text::{Cause, shown};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::exit::Exit;
use super::load::open_one;
use super::terminal::Streams;
use crate::args::is_stdin;

/// The signals to end, held back until live captures are read, which then end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<Held>);

#[derive(Debug)]
struct Held {
    signals: SignalFd,
    /// When the first came.
    came: OnceLock<Instant>,
}

impl Interrupt {
    /// How long after the signal packets are still read: the program that sends them, which got it too,
    /// sends the rest of its buffer.
    const REST: Duration = Duration::from_secs(1);
    /// How many bytes more, at most, if they are there already.
    const REST_BYTES: usize = 1 << 20;

    /// Holds the signals back if one of the captures is live. Otherwise they end the process, as always.
    ///
    /// # Errors
    /// The exit status, after the error of the system was printed.
    pub(crate) fn hold<'a>(
        mut captures: impl Iterator<Item = &'a Path>,
        streams: &mut Streams<'_>,
    ) -> Result<Option<Self>, Exit> {
        if !captures.any(is_live) {
            return Ok(None);
        }
        Self::of_process().map(Some).map_err(|error| {
            streams.error(&format!("cannot wait for signals: {}", Cause(&error)));
            Exit::Capture
        })
    }

    fn of_process() -> io::Result<Self> {
        let signals = to_end();
        signals.thread_block()?;
        let signals =
            SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self(Arc::new(Held { signals, came: OnceLock::new() })))
    }

    /// Opens a capture. If it is live, it ends after the signal.
    ///
    /// # Errors
    /// As [`Capture::open`].
    pub(crate) fn open(&self, path: &Path, opener: Opener<'_>) -> Result<Capture, CaptureError> {
        if !is_live(path) {
            return open_one(path, opener);
        }
        let (name, file) = if is_stdin(path) {
            let copy = io::stdin().as_fd().try_clone_to_owned().map(File::from);
            ("standard input".to_owned(), copy)
        } else {
            (shown(path), File::open(path))
        };
        match file {
            Ok(file) => opener
                .from_stream(name, Box::new(Ending { file, interrupt: self.clone(), rest: 0 })),
            Err(error) => {
                let fault = knock_capture::Fault::CannotOpen(error);
                Err(CaptureError { capture: name, fault })
            }
        }
    }

    /// Returns whether the signal came.
    pub(crate) fn came(&self) -> bool {
        self.0.came.get().is_some()
    }

    /// Waits until a file can be read, or is to end. Returns which.
    fn wait(&self, file: BorrowedFd<'_>) -> io::Result<Turn> {
        let Held { signals, came } = &*self.0;
        loop {
            let left = came.get().map(|came| Self::REST.saturating_sub(came.elapsed()));
            let timeout =
                left.map_or(PollTimeout::NONE, |left| left.try_into().unwrap_or(PollTimeout::MAX));
            let mut fds = [
                PollFd::new(file, PollFlags::POLLIN),
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let is_ready = fds.first().is_some_and(|fd| fd.any() != Some(false));
            while let Ok(Some(_)) = signals.read_signal() {
                if came.set(Instant::now()).is_err() {
                    // The second time it is meant for us.
                    return Ok(Turn::End);
                }
            }
            match (is_ready, left == Some(Duration::ZERO)) {
                (true, false) => return Ok(Turn::Read),
                (true, true) => return Ok(Turn::ReadRest),
                (false, true) => return Ok(Turn::End),
                (false, false) => {}
            }
        }
    }
}

/// What becomes of a live capture.
enum Turn {
    /// It goes on.
    Read,
    /// It goes on with what has come already.
    ReadRest,
    /// It ends.
    End,
}

impl Drop for Held {
    fn drop(&mut self) {
        // There is nothing to do about a failure.
        let _ = to_end().thread_unblock();
    }
}

fn to_end() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM].into_iter().collect()
}

/// Returns whether packets may still come: what is named is no regular file.
fn is_live(path: &Path) -> bool {
    let metadata = if is_stdin(path) {
        io::stdin().as_fd().try_clone_to_owned().and_then(|file| File::from(file).metadata())
    } else {
        fs::metadata(path)
    };
    metadata.is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// A file that ends when the signal came.
struct Ending {
    file: File,
    interrupt: Interrupt,
    /// How many bytes were read after their time.
    rest: usize,
}

impl Read for Ending {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.interrupt.wait(self.file.as_fd())? {
            Turn::ReadRest if self.rest < Interrupt::REST_BYTES => {
                let read = self.file.read(buffer)?;
                self.rest = self.rest.saturating_add(read);
                Ok(read)
            }
            Turn::Read => self.file.read(buffer),
            Turn::ReadRest | Turn::End => Ok(0),
        }
    }
}
