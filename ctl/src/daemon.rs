//! The connection to the daemon.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use knock_config::file_faults::{OutputFault, ReadFault};
use knock_config::text::{Cause, shown};
use knock_control::{Call, Frames, Reply, encode};
use serde_json::{Map, Value};

use crate::exit::Exit;

/// The longest answer, in bytes: a list of the most doors that can be open has a tenth of it.
const ANSWER_MAX: usize = 32 << 20;

/// How long the daemon may take to answer. It never waits for anything itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why something cannot be done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The socket cannot be used.
    Connect(PathBuf, io::Error),
    /// The daemon is gone, or does not answer in time.
    NoAnswer(io::Error),
    /// The daemon says something else than expected.
    Answer(String),
    /// The daemon refuses a call.
    Refused(String, Value),
    /// No door fits.
    NothingToClose,
    /// Standard output cannot be written.
    Output(io::Error),
    /// The reader of standard output wants no more.
    ReaderIsGone,
}

impl Failure {
    /// Returns the exit status for it.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Connect(..) | Self::NoAnswer(_) | Self::Answer(_) => Exit::NoDaemon,
            Self::Refused(..) | Self::NothingToClose => Exit::Refused,
            Self::Output(_) => Exit::Output,
            Self::ReaderIsGone => Exit::Done,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(path, error) => {
                let path = shown(path);
                let kind = error.kind();
                if [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&kind) {
                    write!(
                        out,
                        "there is no knockd at {path}: it does not run, or has another \
                         'ControlSocket', which '--socket' names"
                    )
                } else if kind == io::ErrorKind::PermissionDenied {
                    write!(
                        out,
                        "you may not use {path}: run this as root, or become a member of the group \
                         knockd"
                    )
                } else {
                    let wanted = "the socket of knockd, its 'ControlSocket', with '--socket'";
                    write!(out, "cannot connect to {path}: {}", ReadFault { error, wanted })
                }
            }
            Self::NoAnswer(error) => write!(out, "knockd does not answer: {}", Cause(error)),
            Self::Answer(error) => {
                write!(
                    out,
                    "knockd answers something else than expected: {error}; are knockctl and \
                             knockd of the same version?"
                )
            }
            Self::Refused(name, about) => match (name.as_str(), about) {
                ("org.knockd.Control.NotAllowed", _) => {
                    out.write_str("only root, or the user that knockd runs as, may do that")
                }
                ("org.knockd.Control.NotNow", about) => {
                    let state = about.get("state").and_then(Value::as_str).unwrap_or("busy");
                    write!(out, "knockd is {state}: try again in a moment")
                }
                _ => write!(out, "knockd refuses it: {name} {about}"),
            },
            Self::NothingToClose => out.write_str(
                "no such door is open: 'knockctl list' lists the doors that knockd can close",
            ),
            Self::Output(error) => OutputFault(error).fmt(out),
            Self::ReaderIsGone => out.write_str("the reader of standard output is gone"),
        }
    }
}

/// A daemon that answers.
pub(crate) struct Daemon {
    stream: UnixStream,
    frames: Frames,
}

impl Daemon {
    /// Connects to the daemon at a socket.
    pub(crate) fn connect(path: &Path) -> Result<Self, Failure> {
        let stream =
            UnixStream::connect(path).map_err(|error| Failure::Connect(path.to_owned(), error))?;
        let patience = Some(PATIENCE);
        stream
            .set_read_timeout(patience)
            .and_then(|()| stream.set_write_timeout(patience))
            .map_err(|error| Failure::Connect(path.to_owned(), error))?;
        Ok(Self { stream, frames: Frames::new(ANSWER_MAX) })
    }

    /// Calls a method, and returns the answer.
    pub(crate) fn call(
        &mut self,
        method: &str,
        parameters: Map<String, Value>,
    ) -> Result<Value, Failure> {
        self.send(&Call::new(method, parameters))?;
        self.answer()
    }

    /// Calls a method that answers again and again, until there is an error or the daemon ends.
    pub(crate) fn stream(
        &mut self,
        method: &str,
        mut take: impl FnMut(&Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.send(&Call { more: true, ..Call::new(method, Map::new()) })?;
        // The next line may come in a minute or in a year.
        self.stream.set_read_timeout(None).map_err(Failure::NoAnswer)?;
        loop {
            take(&self.answer()?)?;
        }
    }

    fn send(&mut self, call: &Call) -> Result<(), Failure> {
        self.stream.write_all(&encode(call)).map_err(Failure::NoAnswer)
    }

    fn answer(&mut self) -> Result<Value, Failure> {
        let message = self.message()?;
        let reply: Reply =
            serde_json::from_slice(&message).map_err(|error| Failure::Answer(error.to_string()))?;
        match reply.error {
            Some(error) => Err(Failure::Refused(error, reply.parameters)),
            None => Ok(reply.parameters),
        }
    }

    fn message(&mut self) -> Result<Vec<u8>, Failure> {
        let mut buffer = [0; 65_536 / 8];
        loop {
            let too_long = |_| Failure::Answer("it is too long".to_owned());
            if let Some(message) = self.frames.next_message().map_err(too_long)? {
                return Ok(message);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Failure::NoAnswer(io::ErrorKind::UnexpectedEof.into())),
                Ok(length) => self.frames.push(buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(Failure::NoAnswer(io::ErrorKind::TimedOut.into()));
                }
                Err(error) => return Err(Failure::NoAnswer(error)),
            }
        }
    }
}
