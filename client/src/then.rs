//! Waits until a port opens.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::{Duration, Instant};

use knock_config::text::Cause;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Socket, Type};

use crate::plan::{Plan, Then};

/// The time between two tries. The kernel alone would repeat its SYN after a second, then after two.
const BETWEEN: Duration = Duration::from_millis(100);

/// How long a try may take: longer than any path needs.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why a port has not opened.
#[derive(Debug)]
pub enum Shut {
    /// It refused connections to the end.
    Refused,
    /// Nothing answered.
    NoAnswer,
    /// The network or this machine reported another error.
    Failed(io::Error),
}

impl fmt::Display for Shut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => out.write_str("connections are refused"),
            Self::NoAnswer => out.write_str("there is no answer"),
            Self::Failed(cause) => Cause(cause).fmt(out),
        }
    }
}

/// Waits until the port accepts a connection, which is then closed. Returns how long that took.
///
/// # Errors
/// [`Shut`] if the time is over: the result of the last try that had one.
pub(crate) fn wait(plan: &Plan, then: Then) -> Result<Duration, Shut> {
    let begin = Instant::now();
    let mut tries = Tries { plan, destination: plan.at(then.port), pending: vec![], last: None };
    let mut next = begin;
    loop {
        let now = Instant::now();
        let since = now.saturating_duration_since(begin);
        if tries.answered(now) {
            return Ok(since);
        }
        if since >= then.wait {
            return Err(tries.last.unwrap_or(Shut::NoAnswer));
        }
        if now >= next {
            next = now.checked_add(BETWEEN).unwrap_or(now);
            if tries.begin(now) {
                return Ok(begin.elapsed());
            }
        }
        let left = then.wait.saturating_sub(since);
        tries.pause(left.min(next.saturating_duration_since(Instant::now())));
    }
}

/// Connection attempts under way.
struct Tries<'a> {
    plan: &'a Plan,
    destination: SocketAddr,
    /// Those without a result yet, with the moment they began.
    pending: Vec<(Socket, Instant)>,
    last: Option<Shut>,
}

impl Tries<'_> {
    /// Begins another one. Returns whether it was accepted at once.
    fn begin(&mut self, now: Instant) -> bool {
        match self.connect() {
            Ok(socket) => {
                self.pending.push((socket, now));
                self.answered(now)
            }
            Err(error) => {
                self.last = Some(shut(error));
                false
            }
        }
    }

    fn connect(&self) -> io::Result<Socket> {
        let Plan { source, interface, .. } = self.plan;
        let socket = Socket::new(Domain::for_address(*source), Type::STREAM.nonblocking(), None)?;
        if let Some(name) = interface {
            socket.bind_device(Some(name.as_bytes()))?;
        }
        socket.bind(&(*source).into())?;
        match socket.connect(&self.destination.into()) {
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(socket),
            done => done.map(|()| socket),
        }
    }

    /// Collects the results. Returns whether one was accepted.
    fn answered(&mut self, now: Instant) -> bool {
        let mut accepted = false;
        let last = &mut self.last;
        self.pending.retain(|(socket, since)| match outcome(socket) {
            Ok(true) => {
                accepted = true;
                false
            }
            Ok(false) if now.saturating_duration_since(*since) < PATIENCE => true,
            Ok(false) => {
                *last = Some(Shut::NoAnswer);
                false
            }
            Err(error) => {
                *last = Some(shut(error));
                false
            }
        });
        accepted
    }

    /// Pauses until one has a result, or the time is over.
    fn pause(&self, time: Duration) {
        let descriptors = self.pending.iter().map(|(socket, _)| socket.as_fd());
        let mut polled: Vec<_> =
            descriptors.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLOUT)).collect();
        // At least a millisecond, to avoid a busy loop.
        let millis = time.as_millis().saturating_add(1);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        match poll(&mut polled, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => thread::sleep(time),
        }
    }
}

/// Returns whether a connection was accepted; `false` if there is no result yet.
fn outcome(socket: &Socket) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    let Ok(peer) = socket.peer_addr() else { return Ok(false) };
    // On one machine, a socket that connects from the very port it tries connects to itself.
    let own = socket.local_addr()?;
    if own.as_socket() == peer.as_socket() {
        return Err(io::Error::from_raw_os_error(libc::ECONNREFUSED));
    }
    Ok(true)
}

fn shut(error: io::Error) -> Shut {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        Shut::Refused
    } else {
        Shut::Failed(error)
    }
}
