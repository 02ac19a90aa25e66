//! Names of clients, for lines about them.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::resolver::{ANSWER_BYTES, parse_answer, question};

/// How many names are remembered.
const NAMES_MAX: usize = 4096;

/// How long a line waits for a name.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// How long no line waits after one waited in vain.
const PAUSE: Duration = Duration::from_secs(5);

/// The names of clients, as the resolver tells them.
pub(super) struct Names {
    resolver: UnixStream,
    /// What is known; `None` for a client without a name.
    known: BTreeMap<IpAddr, Option<Vec<u8>>>,
    /// Part of an answer.
    partial: Vec<u8>,
    /// Until when no line waits.
    pause: Option<Instant>,
}

impl Names {
    /// Takes the socket to the resolver.
    pub(super) fn new(resolver: UnixStream) -> Self {
        Self { resolver, known: BTreeMap::new(), partial: Vec::new(), pause: None }
    }

    /// Puts the name of a client, if it is known in time, behind the address that the text begins
    /// with: `10.0.0.5 (host.example): openSSH: Stage 1`.
    pub(super) fn insert(&mut self, client: IpAddr, text: Vec<u8>) -> Vec<u8> {
        let Some(name) = self.name(client) else { return text };
        let mut address = Vec::new();
        knock_engine::address::write(client, &mut address);
        let Some(rest) = text.strip_prefix(&address[..]) else { return text };
        [&address, &b" ("[..], name, b")", rest].concat()
    }

    fn name(&mut self, client: IpAddr) -> Option<&[u8]> {
        if !self.known.contains_key(&client) && !self.is_pausing() {
            // Without a resolver there are no names.
            let _ = self.ask(client);
        }
        self.known.get(&client)?.as_deref()
    }

    fn is_pausing(&self) -> bool {
        self.pause.is_some_and(|until| Instant::now() < until)
    }

    fn ask(&mut self, client: IpAddr) -> io::Result<()> {
        if self.known.len() >= NAMES_MAX {
            self.known.clear();
        }
        self.resolver.set_nonblocking(true)?;
        let asked = self.resolver.write_all(&question(client));
        self.resolver.set_nonblocking(false)?;
        asked?;
        let deadline = Instant::now().checked_add(WAIT_MAX);
        while !self.known.contains_key(&client) {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let Some(left) = left.filter(|left| !left.is_zero()) else {
                self.pause = Instant::now().checked_add(PAUSE);
                break;
            };
            self.read_answers(left)?;
        }
        Ok(())
    }

    /// Waits for an answer, whomever it is about.
    fn read_answers(&mut self, patience: Duration) -> io::Result<()> {
        self.resolver.set_read_timeout(Some(patience))?;
        let mut bytes = [0; ANSWER_BYTES];
        match self.resolver.read(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => self.partial.extend(bytes.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        while let Some(answer) = self.partial.first_chunk() {
            // No honest resolver tells of clients that nobody asked about.
            if let Some((client, name)) = parse_answer(answer)
                && self.known.len() < NAMES_MAX
            {
                self.known.insert(client, name);
            }
            self.partial.drain(..ANSWER_BYTES);
        }
        Ok(())
    }
}
