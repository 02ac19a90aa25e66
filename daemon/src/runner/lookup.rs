//! Names of clients, for log lines.
//!
//! Nothing but the line of a client waits for its name, and that not for long: lines after it wait with it,
//! all at the same time. A name that comes later is there for the next line.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::net::{IpAddr, Shutdown};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, send};

use crate::resolver::{ANSWER_BYTES, parse_answer, question};

/// How many names are kept.
const NAMES_MAX: usize = 4096;

/// How many names are asked for at a time. No line waits for others.
const ASKED_MAX: usize = 64;

/// How long a line waits for a name.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// After a line has waited in vain, for how long no other waits.
const PAUSE: Duration = Duration::from_secs(5);

/// Passes answers on until the resolver ends or sends what is none.
fn pass_on(mut resolver: UnixStream, answer: impl Fn(IpAddr, Option<Vec<u8>>)) {
    let mut bytes = [0; ANSWER_BYTES];
    while resolver.read_exact(&mut bytes).is_ok() {
        if let Some((client, name)) = parse_answer(&bytes) {
            answer(client, name);
        }
    }
}

/// The names of clients, from the resolver.
pub(super) struct Names {
    socket: UnixStream,
    /// The known names; `None` for a client without a name.
    known: BTreeMap<IpAddr, Option<Vec<u8>>>,
    /// The clients whose names were asked for, and until when their lines wait.
    asked: BTreeMap<IpAddr, Instant>,
    /// Until this time no line waits.
    pause: Option<Instant>,
}

impl Names {
    /// Takes the socket to a resolver, and starts a thread that passes each answer on.
    pub(super) fn new(
        socket: UnixStream,
        answer: impl Fn(IpAddr, Option<Vec<u8>>) + Send + 'static,
    ) -> Self {
        // Without the thread, lines have no names.
        if let Ok(answers) = socket.try_clone() {
            let _ = thread::Builder::new().spawn(move || pass_on(answers, answer));
        }
        Self { socket, known: BTreeMap::new(), asked: BTreeMap::new(), pause: None }
    }

    /// Asks for the name of a client. Returns until when its line waits for it, if it does.
    pub(super) fn ask(&mut self, client: IpAddr) -> Option<Instant> {
        if self.known.contains_key(&client) {
            return None;
        }
        let now = Instant::now();
        let until = if let Some(until) = self.asked.get(&client) {
            *until
        } else {
            if self.asked.len() >= ASKED_MAX || self.send(client).is_err() {
                return None;
            }
            let until = now.checked_add(WAIT_MAX)?;
            self.asked.insert(client, until);
            until
        };
        let is_pausing = self.pause.is_some_and(|until| now < until);
        (!is_pausing && now < until).then_some(until)
    }

    /// Sends a question. If the socket has no room for it, the resolver hangs.
    fn send(&self, client: IpAddr) -> io::Result<()> {
        let question = question(client);
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match send(self.socket.as_raw_fd(), &question, flags)? {
            length if length == question.len() => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    /// Returns whether the name of a client was asked for and has not come.
    pub(super) fn is_awaited(&self, client: IpAddr) -> bool {
        self.asked.contains_key(&client)
    }

    /// Notes that a line has waited in vain.
    pub(super) fn pause(&mut self) {
        self.pause = Instant::now().checked_add(PAUSE);
    }

    /// Notes an answer. A resolver that was taken over may send some that were not asked for.
    pub(super) fn learn(&mut self, client: IpAddr, name: Option<Vec<u8>>) {
        if self.asked.remove(&client).is_none() {
            return;
        }
        if self.known.len() >= NAMES_MAX {
            self.known.clear();
        }
        self.known.insert(client, name);
    }

    /// Inserts the name of a client, if it is known, after the address at the beginning of the text:
    /// `10.0.0.5 (host.example): openSSH: Stage 1`.
    pub(super) fn insert(&self, client: IpAddr, text: Vec<u8>) -> Vec<u8> {
        let Some(Some(name)) = self.known.get(&client) else { return text };
        let mut address = Vec::new();
        knock_engine::address::write(client, &mut address);
        let Some(rest) = text.strip_prefix(&address[..]) else { return text };
        [&address, &b" ("[..], name, b")", rest].concat()
    }
}

impl Drop for Names {
    /// Ends the thread and the resolver.
    fn drop(&mut self) {
        // If this fails, both have ended.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
