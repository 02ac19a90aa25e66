//! One connection to the control socket.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use knock_control::{Call, EventLine, Frames, Reply, encode};
use knock_engine::address;
use nix::poll::PollFlags;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;

use crate::runner::output::About;
use crate::runner::recent::{Recent, RecentLine};

/// The longest call, in bytes.
const CALL_MAX: usize = 4_096;

/// How many bytes of lines may wait for a reader.
const LINES_MAX: usize = 65_536;

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    /// Whether it may change something.
    pub(super) may_change: bool,
    frames: Frames,
    /// What is to be sent.
    pub(super) out: Vec<u8>,
    /// The number of the next line that it wants, if it wants lines.
    next_line: Option<u64>,
    /// Whether it waits for the list of attempts.
    awaits_attempts: bool,
    /// When it last said something.
    pub(super) last: Instant,
}

/// Why a connection ends.
#[derive(Debug)]
pub(super) struct Over;

impl Connection {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let user = getsockopt(&stream, PeerCredentials)?.uid();
        Ok(Self {
            may_change: user == 0 || user == geteuid().as_raw(),
            stream,
            frames: Frames::new(CALL_MAX),
            out: Vec::new(),
            next_line: None,
            awaits_attempts: false,
            last: Instant::now(),
        })
    }

    /// Returns what to wait for. While it does not take its answers, it is not read; and for a call that
    /// was read already, there is nothing to wait for.
    pub(super) fn wanted(&self, recent: &Recent) -> (BorrowedFd<'_>, PollFlags) {
        let has_lines = self.next_line.is_some_and(|next| recent.from(next).is_some());
        let has_call = self.frames.has_message() && !self.awaits_attempts;
        let is_busy = has_lines || !self.out.is_empty() || has_call;
        let events = if is_busy { PollFlags::POLLOUT } else { PollFlags::POLLIN };
        (self.stream.as_fd(), events)
    }

    /// Returns whether it waits for lines.
    pub(super) const fn wants_lines(&self) -> bool {
        self.next_line.is_some()
    }

    /// Reads the next call, if it is there. Until that is answered there is no other.
    pub(super) fn call(&mut self) -> Result<Option<Call>, Over> {
        if !self.out.is_empty() {
            return Ok(None);
        }
        let mut buffer = [0; CALL_MAX];
        loop {
            if self.awaits_attempts {
                if self.frames.waiting() > CALL_MAX {
                    return Err(Over);
                }
            } else if let Some(message) = self.frames.next_message().map_err(|_| Over)? {
                // Who does not speak the protocol gets no answer.
                return Call::parse(&message).map(Some).ok_or(Over);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Over),
                Ok(length) => {
                    self.last = Instant::now();
                    self.frames.push(buffer.get(..length).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Over),
            }
        }
    }

    /// Answers.
    pub(super) fn reply(&mut self, reply: &Reply) {
        self.out.extend(encode(reply));
    }

    /// It gets the list of attempts when that arrives.
    pub(super) const fn await_attempts(&mut self) {
        self.awaits_attempts = true;
    }

    /// Answers with the list of attempts, if it waits for that.
    pub(super) fn answer_attempts(&mut self, reply: &Reply) {
        if std::mem::take(&mut self.awaits_attempts) {
            self.reply(reply);
            self.last = Instant::now();
        }
    }

    /// From now on it gets lines.
    pub(super) const fn follow(&mut self, recent: &Recent) {
        self.next_line = Some(recent.next());
    }

    /// Sends what the other side takes.
    pub(super) fn send(&mut self, recent: &Recent) -> Result<(), Over> {
        self.add_lines(recent);
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(0) => return Err(Over),
                Ok(length) => drop(self.out.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Over),
            }
        }
        Ok(())
    }

    fn add_lines(&mut self, recent: &Recent) {
        while self.out.len() < LINES_MAX
            && let Some(wanted) = self.next_line
            && let Some((number, line)) = recent.from(wanted)
        {
            let event = event(line, number.saturating_sub(wanted));
            self.out.extend(encode(&Reply { continues: true, ..Reply::answer(&event) }));
            self.next_line = Some(number.saturating_add(1));
        }
    }
}

/// Returns a line as it is sent.
fn event(line: &RecentLine, lost: u64) -> EventLine {
    let RecentLine { text, client, about: About { door, event, user } } = line;
    let name = |name: &Option<Vec<u8>>| {
        name.as_ref().map(|name| String::from_utf8_lossy(name).into_owned())
    };
    let client = client.map(address::text);
    let line = String::from_utf8_lossy(text).into_owned();
    EventLine {
        line,
        lost,
        client,
        door: name(door),
        event: event.map(str::to_owned),
        user: name(user),
    }
}
