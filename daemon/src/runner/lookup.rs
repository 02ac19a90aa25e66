//! Names of clients, for log lines.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::resolver::{ANSWER_BYTES, parse_answer, question};

/// How many names are kept.
const NAMES_MAX: usize = 4096;

/// How long a line waits for a name.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// After a line has waited in vain, for how long no other waits.
const PAUSE: Duration = Duration::from_secs(5);

/// The names of clients, from the resolver.
pub(super) struct Names {
    resolver: UnixStream,
    /// The known names; `None` for a client without a name.
    known: BTreeMap<IpAddr, Option<Vec<u8>>>,
    /// The beginning of an answer that is not complete.
    partial: Vec<u8>,
    /// Until this time no line waits.
    pause: Option<Instant>,
}

impl Names {
    /// Takes the socket to the resolver.
    pub(super) fn new(resolver: UnixStream) -> Self {
        Self { resolver, known: BTreeMap::new(), partial: Vec::new(), pause: None }
    }

    /// Inserts the name of a client, if it is known in time, after the address at the beginning of the
    /// text: `10.0.0.5 (host.example): openSSH: Stage 1`.
    pub(super) fn insert(&mut self, client: IpAddr, text: Vec<u8>) -> Vec<u8> {
        let Some(name) = self.name(client) else { return text };
        let mut address = Vec::new();
        knock_engine::address::write(client, &mut address);
        let Some(rest) = text.strip_prefix(&address[..]) else { return text };
        [&address, &b" ("[..], name, b")", rest].concat()
    }

    fn name(&mut self, client: IpAddr) -> Option<&[u8]> {
        if !self.known.contains_key(&client) && !self.is_pausing() {
            // If this fails, the resolver has ended, and there are no names.
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

    /// Waits for an answer about any client.
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
            // A resolver that was taken over may send names of any clients: keep only so many.
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
