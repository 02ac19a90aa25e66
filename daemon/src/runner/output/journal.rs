//! The journal of systemd, where a service's standard output and error usually lead.
//!
//! Lines go there by its own protocol (`systemd.journal-fields`(7)), so that each has a priority and says
//! which client and door it is about.

use std::env;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;

use knock_engine::address;
use nix::sys::stat::fstat;

use super::syslog::without_name;

/// The variable that names the stream that leads to the journal.
const STREAM: &str = "JOURNAL_STREAM";

/// The socket of the journal.
const SOCKET: &str = "/run/systemd/journal/socket";

/// How serious a line is, as in syslog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

impl Severity {
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Error => 3,
            Self::Warning => 4,
            Self::Notice => 5,
            Self::Info => 6,
            Self::Debug => 7,
        }
    }
}

/// A line with what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) text: Vec<u8>,
    pub(super) severity: Severity,
    pub(super) client: Option<IpAddr>,
    pub(super) door: Option<Vec<u8>>,
    /// What has happened, in the words of the transcript as JSON.
    pub(super) event: Option<&'static str>,
    /// The user with whose key a signed packet was made.
    pub(super) user: Option<Vec<u8>>,
}

impl Entry {
    /// Returns a warning.
    pub(super) fn warning(text: Vec<u8>) -> Self {
        Self {
            text,
            severity: Severity::Warning,
            client: None,
            door: None,
            event: None,
            user: None,
        }
    }

    /// Returns the entry as the journal takes it.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        field(&mut bytes, "MESSAGE", without_name(&self.text));
        field(&mut bytes, "PRIORITY", self.severity.number().to_string().as_bytes());
        field(&mut bytes, "SYSLOG_IDENTIFIER", b"knockd");
        if let Some(client) = self.client {
            let mut text = Vec::new();
            address::write(client, &mut text);
            field(&mut bytes, "KNOCKD_CLIENT", &text);
        }
        if let Some(door) = &self.door {
            field(&mut bytes, "KNOCKD_DOOR", door);
        }
        if let Some(event) = self.event {
            field(&mut bytes, "KNOCKD_EVENT", event.as_bytes());
        }
        if let Some(user) = &self.user {
            field(&mut bytes, "KNOCKD_USER", user);
        }
        bytes
    }
}

/// Appends a field. A value with a newline has its length before it, so that it cannot add fields.
fn field(bytes: &mut Vec<u8>, name: &str, value: &[u8]) {
    bytes.extend(name.bytes());
    if value.contains(&b'\n') {
        bytes.push(b'\n');
        bytes.extend(u64::try_from(value.len()).unwrap_or(u64::MAX).to_le_bytes());
    } else {
        bytes.push(b'=');
    }
    bytes.extend(value);
    bytes.push(b'\n');
}

/// The connection to the journal.
#[derive(Debug, Default)]
pub(super) struct Journal(Option<UnixDatagram>);

impl Journal {
    /// Writes an entry to a stream: to the journal, if that is where the stream leads, otherwise as a line.
    pub(super) fn write(
        &mut self,
        mut stream: impl io::Write + AsFd,
        entry: &Entry,
    ) -> io::Result<()> {
        let is_journal = leads_to_journal(&stream);
        if is_journal && self.send(entry).is_ok() {
            return Ok(());
        }
        if is_journal {
            // As the journal takes it from a stream, too.
            let prefix = format!("<{}>", entry.severity.number());
            let text = without_name(&entry.text);
            stream.write_all(&[prefix.as_bytes(), text, b"\n"].concat())?;
        } else {
            stream.write_all(&[&entry.text, &b"\n"[..]].concat())?;
        }
        stream.flush()
    }

    fn send(&mut self, entry: &Entry) -> io::Result<()> {
        if self.0.is_none() {
            let socket = UnixDatagram::unbound()?;
            socket.connect(SOCKET)?;
            self.0 = Some(socket);
        }
        let Some(socket) = &self.0 else { return Err(io::ErrorKind::NotConnected.into()) };
        let sent = socket.send(&entry.bytes());
        if sent.is_err() {
            // It may have been restarted.
            self.0 = None;
        }
        sent.map(drop)
    }
}

/// Returns whether a stream leads to the journal.
pub(super) fn leads_to_journal(stream: &impl AsFd) -> bool {
    let Ok(named) = env::var(STREAM) else { return false };
    let is_named = |device: u64, inode: u64| named == format!("{device}:{inode}");
    fstat(stream).is_ok_and(|status| is_named(status.st_dev, status.st_ino))
}

/// Writes a text to standard error before there is an output, with a priority for each line if the journal
/// reads it.
pub(in crate::runner) fn print_early(text: &str) {
    let mut stderr = io::stderr();
    let severity = if text.contains("error") { Severity::Error } else { Severity::Warning };
    let mut bytes = Vec::new();
    for line in text.as_bytes().split_inclusive(|&byte| byte == b'\n') {
        if leads_to_journal(&stderr) {
            bytes.extend(format!("<{}>", severity.number()).bytes());
            bytes.extend(without_name(line));
        } else {
            bytes.extend(line);
        }
    }
    // There is no other place to report an error.
    let _ = stderr.write_all(&bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_its_facts_in_fields_and_no_text_adds_one() {
        let mut entry = Entry {
            text: b"192.0.2.7: ssh: OPEN SESAME".to_vec(),
            severity: Severity::Notice,
            client: Some("192.0.2.7".parse().unwrap()),
            door: Some(b"ssh".to_vec()),
            event: Some("opened"),
            user: Some(b"alice".to_vec()),
        };
        let expected = "MESSAGE=192.0.2.7: ssh: OPEN SESAME\nPRIORITY=5\nSYSLOG_IDENTIFIER=knockd\n\
                        KNOCKD_CLIENT=192.0.2.7\nKNOCKD_DOOR=ssh\nKNOCKD_EVENT=opened\n\
                        KNOCKD_USER=alice\n";
        assert_eq!(String::from_utf8(entry.bytes()).unwrap(), expected);
        entry.text = b"a\nPRIORITY=0".to_vec();
        assert!(
            entry.bytes().starts_with(b"MESSAGE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\nPRIORITY=5\n")
        );
    }

    #[test]
    fn a_stream_that_is_not_named_is_a_plain_one() {
        let mut file = tempfile::tempfile().unwrap();
        let entry = Entry {
            text: b"text".to_vec(),
            severity: Severity::Error,
            client: None,
            door: None,
            event: None,
            user: None,
        };
        Journal::default().write(&mut file, &entry).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 5);
    }
}
